import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { decodeDocument, formatProblems } from '../spec/document.js'
import { parseYaml, toYaml } from '../spec/yaml.js'
import { catalogue } from './catalogue.js'
import { filterKinds, filterKindsV2, objectKinds } from './registry.js'

const HERE = new URL('..', import.meta.url)

/** The examples of every kind's README. */
const EXAMPLES = ['filters', 'objects'].flatMap((parent) =>
  readdirSync(new URL(parent, HERE), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => examplesIn(`${parent}/${name}/README.md`)),
)

function examplesIn(path: string): { readonly path: string; readonly text: string }[] {
  let readme = ''
  try {
    readme = readFileSync(new URL(path, HERE), 'utf8')
  } catch {
    return [] // a folder that is no kind
  }
  return [...readme.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => ({ path, text }))
}

function decoded(text: string): { kind: string; dialect: 'v1' | 'v2'; spec: unknown } {
  const result = decodeDocument(text, objectKinds)
  if (!result.ok) throw new Error(formatProblems(result.problems))
  return result.object
}

it('there are examples', () => {
  expect(EXAMPLES.length).toBeGreaterThan(15)
})

it.each(EXAMPLES)(
  'what v2 shows of an example of $path means the same when it is sent back',
  ({ text }) => {
    const before = decoded(text)
    const { kind, dialect } = before
    const parsed = parseYaml(text)
    const document = (parsed.ok ? parsed.documents[0]?.value : null) as Record<string, unknown>
    const { name, kind: _kind, version: _version, ...fields } = document
    const whole = catalogue.completed(kind, dialect, fields) as object
    const version = `easegress.megaease.com/${dialect}`
    const after = decoded(toYaml({ name, kind, version, ...whole }))
    expect(after).toEqual(before)
  },
)

it.each(['v1', 'v2'] as const)('tells of the kinds of %s', (dialect) => {
  const kinds = dialect === 'v1' ? filterKinds : filterKindsV2
  expect(catalogue.filterKinds(dialect)).toEqual([...kinds.keys()].sort())
  for (const name of catalogue.filterKinds(dialect)) {
    expect(catalogue.filterKind(name, dialect)).toMatchObject({
      results: kinds.get(name)?.results,
      schema: { title: name },
    })
  }
  for (const name of catalogue.objectKinds()) {
    expect(catalogue.objectKind(name)?.description.length).toBeGreaterThan(10)
    expect(catalogue.objectSchema(name, dialect)).toMatchObject({ title: name, type: 'object' })
  }
})

it('knows no others', () => {
  expect(catalogue.objectKind('Nothing')).toBeNull()
  expect(catalogue.filterKind('Retryer', 'v2')).toBeNull()
  expect(catalogue.completed('Nothing', 'v2', { a: 1 })).toEqual({ a: 1 })
})

it('names of kinds on command lines are clear', () => {
  const names = catalogue
    .objectKinds()
    .flatMap((kind) => [kind.toLowerCase(), ...(catalogue.objectKind(kind)?.aliases ?? [])])
  expect(new Set(names).size).toBe(names.length)
})
