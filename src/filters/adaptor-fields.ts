import { type Headers, isFieldName, isFieldValue, toLatin1 } from '../http/headers.js'
import { oneOf, type SpecProblem, string } from '../spec/schema.js'
import { delimiterFields } from './builder-fields.js'
import { BuildError, readFields, readText } from './built.js'

/** Fields that both adaptors of v2 have. */
export const adaptorFields = {
  compress: oneOf(['gzip'], { doc: 'Coding to compress the body with.', optional: true }),
  decompress: oneOf(['gzip'], {
    doc: 'Coding to take off the body; not beside `body` and `compress`.',
    optional: true,
  }),
  template: string({
    doc: 'Template in the language of Go; what it gives is read as YAML, and goes before the fields of the same names.',
    default: '',
  }),
  ...delimiterFields,
}

/** `decompress` excludes what makes a new body. */
export function codingProblems(spec: {
  readonly body: string
  readonly compress?: string | undefined
  readonly decompress?: string | undefined
}): SpecProblem[] {
  if (spec.decompress === undefined) return []
  const problems: SpecProblem[] = []
  if (spec.compress !== undefined) {
    problems.push({ path: ['decompress'], message: 'excludes compress' })
  }
  if (spec.body !== '') problems.push({ path: ['decompress'], message: 'excludes body' })
  return problems
}

/** Changes of headers that a template made. */
export interface HeaderChanges {
  readonly del: readonly string[]
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly add: readonly (readonly [name: string, value: string])[]
}

/** `{del, set, add}` out of a template; null when there is none. */
export function readHeaderChanges(value: unknown): HeaderChanges | null {
  if (value === undefined || value === null) return null
  const fields = readFields(value, 'header')
  const del = fields.get('del') ?? []
  if (!Array.isArray(del)) throw new BuildError('header/del: expected a list')
  return {
    del: del.map((name) => readText(name, 'header/del').toLowerCase()),
    set: readPairs(fields.get('set'), 'header/set'),
    add: readPairs(fields.get('add'), 'header/add'),
  }
}

function readPairs(value: unknown, what: string): [name: string, value: string][] {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new BuildError(`${what}: expected a mapping`)
  }
  return Object.entries(value).map(([name, each]) => {
    const text = toLatin1(readText(each, `${what}/${name}`))
    if (!isFieldName(name)) throw new BuildError(`${what}: ${JSON.stringify(name)} is no name`)
    if (!isFieldValue(text)) throw new BuildError(`${what}/${name}: not a value that can be sent`)
    return [name.toLowerCase(), text]
  })
}

export function applyHeaderChanges(headers: Headers, changes: HeaderChanges): void {
  for (const name of changes.del) headers.delete(name)
  for (const [name, value] of changes.set) headers.set(name, value)
  for (const [name, value] of changes.add) headers.add(name, value)
}
