import { expect, it } from 'vitest'
import { type Dialect, decodeDocument, type Problem } from '../spec/document.js'
import type { Schema } from '../spec/schema.js'
import { MARK, type WrongValue, wrongValues } from '../spec/wrong-values.fixture.js'
import { objectKinds } from './registry.js'

/**
 * Whatever is wrong with any field of any kind, filters and policies within pipelines included, is
 * told with its path, its line and column, and what was expected.
 */
const SCHEMAS: readonly (readonly [kind: string, dialect: Dialect, schema: Schema<unknown>])[] = [
  ...objectKinds.values(),
].flatMap(({ kind, spec, specV2, isV2Only }) => [
  [kind, isV2Only === true ? 'v2' : 'v1', spec] as const,
  ...(specV2 === undefined ? [] : [[kind, 'v2', specV2] as const]),
])

interface Case {
  readonly text: string
  readonly line: number
  readonly column: number
}

/** As a document, and where in it the wrong value is: JSON is YAML. */
function caseOf(kind: string, { spec, value }: WrongValue): Case {
  const whole = spec === MARK ? { ...(value as object) } : (spec as object)
  const lines = JSON.stringify({ name: 'it', kind, ...whole }, null, 1).split('\n')
  const mark = JSON.stringify(MARK)
  const at = lines.findIndex((line) => line.includes(mark))
  const line = lines[at] ?? ''
  const column = line.indexOf(mark) + 1
  if (at >= 0) lines[at] = line.replace(mark, () => JSON.stringify(value))
  return { text: lines.join('\n'), line: at + 1, column }
}

function complaint(kind: string, dialect: Dialect, wrong: WrongValue): string | null {
  const { text, line, column } = caseOf(kind, wrong)
  const decoded = decodeDocument(text, objectKinds, { dialect })
  const told = `${wrong.path.join('/')} = ${JSON.stringify(wrong.value)?.slice(0, 80)}`
  if (decoded.ok) return `${told} is taken`
  const here = decoded.problems.filter(({ path }) => path === wrong.path.join('/'))
  const problem = here.find(({ message }) => message.startsWith(wrong.message))
  if (problem === undefined) {
    const messages = (here.length > 0 ? here : decoded.problems).map(({ message }) => message)
    return `${told} is told as ${messages.join(' | ')} in place of ${wrong.message}`
  }
  return misplaced(problem, wrong, line, column) ? `${told} is misplaced in\n${text}` : null
}

function misplaced(problem: Problem, wrong: WrongValue, line: number, column: number): boolean {
  if (problem.line === null || problem.column === null) return true
  if (line === 0) return false // the document as a whole
  if (problem.line !== line) return true
  return !wrong.message.startsWith('there is no') && problem.column !== column
}

it.each(SCHEMAS)('every field of %s, %s', { timeout: 30_000 }, (kind, dialect, schema) => {
  const seen = new Set<string>()
  let count = 0
  const complaints: string[] = []
  for (const wrong of wrongValues(schema)) {
    count += 1
    seen.add(wrong.path.join('/'))
    const bad = complaint(kind, dialect, wrong)
    if (bad !== null) complaints.push(bad)
  }
  expect(complaints.slice(0, 20), `${complaints.length} of ${count}`).toEqual([])
  expect(seen.size).toBeGreaterThan(10)
})

it('the cases reach into filters, pools and policies', () => {
  const pipeline = objectKinds.get('HTTPPipeline')
  const paths = new Set<string>()
  for (const { path } of wrongValues((pipeline as { spec: Schema<unknown> }).spec)) {
    paths.add(path.join('/'))
  }
  for (const path of [
    'flow/0/jumpIf/ ',
    'filters/0/mainPool/servers/0/url',
    'filters/0/candidatePools/0/filter/probability/perMill',
    'filters/0/policies/0/slidingWindowSize',
    'filters/0/headers/ /values/0',
    'filters/0/apiProxies/0/path/regexpReplace/regexp',
  ]) {
    expect([path, paths.has(path) || paths.has(path.replace('/ ', '/a'))]).toEqual([path, true])
  }
})
