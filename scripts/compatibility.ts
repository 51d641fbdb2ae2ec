/**
 * `docs/compatibility.md`, made from the lists in `docs/fields/`: every field of both dialects with
 * its state, and what differs on purpose beside single fields.
 */
import { decode } from '../src/spec/decode.js'
import { formatProblems, problemAt } from '../src/spec/problem.js'
import {
  anything,
  list,
  map,
  object,
  oneOf,
  type Schema,
  type SpecOf,
  string,
} from '../src/spec/schema.js'
import { parseYaml } from '../src/spec/yaml.js'

export type Dialect = 'v1' | 'v2'
export type FieldState = 'works' | 'differs' | 'not yet' | 'added'

export interface Field {
  readonly state: FieldState
  /** How it differs, why it is there; empty where nothing is to be said. */
  readonly note: string
}

/** A kind with all its fields by their path from the top, as in `rules[].paths[].backend`. */
export interface KindFields {
  readonly kind: string
  /** Nothing of it is there. */
  readonly isMissing: boolean
  /** Null for what has none. */
  readonly results: readonly string[] | null
  readonly fields: ReadonlyMap<string, Field>
}

const doc = { doc: '' }
const FIELDS = map(anything(doc), { ...doc, default: {} })
const LISTS = object({
  types: map(map(anything(doc)), { ...doc, default: {} }),
  kinds: map(
    object({
      state: oneOf(['not yet'], { ...doc, optional: true }),
      of: string({ ...doc, optional: true }),
      results: list(string(doc), { ...doc, optional: true }),
      fields: FIELDS,
    }),
    doc,
  ),
})
type Types = SpecOf<typeof LISTS>['types']

const DEVIATIONS = object({
  sections: list(
    object({
      title: string(doc),
      text: string({ ...doc, default: '' }),
      rows: list(
        object({
          topic: string(doc),
          theirs: string(doc),
          ours: string(doc),
          dialect: oneOf(['v1', 'v2'], { ...doc, default: 'v1' }),
        }),
        { ...doc, default: [] },
      ),
    }),
    doc,
  ),
})

/** Throws with the place of whatever is wrong in the list. */
function decoded<T>(schema: Schema<T>, file: string, text: string): T {
  const parsed = parseYaml(text)
  if (!parsed.ok) throw new Error(`${file}:${parsed.position.line}: ${parsed.message}`)
  const document = parsed.documents[0]
  const result = decode(schema, document?.value)
  if (result.ok) return result.value
  const places = document?.locate(
    result.problems.map(({ path, isKey = false }) => ({ path, isKey })),
  )
  const problems = result.problems.map((problem, i) => problemAt(problem, places?.[i] ?? null))
  throw new Error(`${file}: ${formatProblems(problems)}`)
}

/** The kinds of `docs/fields/v1.yaml` or `v2.yaml`. */
export function fieldList(file: string, text: string): readonly KindFields[] {
  const { types, kinds } = decoded(LISTS, file, text)
  return Object.entries(kinds).map(([kind, { state, of, results, fields }]) => {
    const found = new Map<string, Field>()
    if (of !== undefined) addType(found, '', of, types, file)
    addFields(found, '', fields, types, file)
    // Whatever is said of types that others use, too.
    if (state !== undefined) for (const path of found.keys()) found.set(path, NOT_YET)
    return { kind, isMissing: state !== undefined, results: results ?? null, fields: found }
  })
}

function addFields(
  found: Map<string, Field>,
  prefix: string,
  fields: Readonly<Record<string, unknown>>,
  types: Types,
  file: string,
): void {
  for (const [name, value] of Object.entries(fields)) {
    const path = prefix + name
    if (typeof value === 'string') {
      found.set(path, fieldOf(value, `${file}: ${path}`))
      continue
    }
    const { is, of } = value as { is?: unknown; of?: unknown }
    if (typeof is !== 'string' || typeof of !== 'string') {
      throw new Error(`${file}: ${path}: expected a state, or { is: STATE, of: TYPE }`)
    }
    found.set(path, fieldOf(is, `${file}: ${path}`))
    addType(found, path, of, types, file)
  }
}

function addType(
  found: Map<string, Field>,
  path: string,
  of: string,
  types: Types,
  file: string,
): void {
  const [, name = '', suffix = ''] = /^(\w+)(\[\]|\{\})?$/.exec(of) ?? []
  const fields = types[name]
  if (fields === undefined) throw new Error(`${file}: ${path}: there is no type ${of}`)
  const item = suffix === '[]' ? '[]' : suffix === '{}' ? '.*' : ''
  addFields(found, path === '' ? '' : `${path}${item}.`, fields, types, file)
}

const NOT_YET: Field = Object.freeze({ state: 'not yet', note: '' })

const STATES: readonly FieldState[] = ['works', 'differs', 'not yet', 'added']

function fieldOf(text: string, where: string): Field {
  const [, word = '', note = ''] = /^([a-z ]+?)(?:: (.*))?$/s.exec(text) ?? []
  const state = STATES.find((each) => each === word)
  if (state === undefined) {
    throw new Error(`${where}: expected ${STATES.join(', ')}, got ${JSON.stringify(text)}`)
  }
  if (note === '' && state === 'differs') throw new Error(`${where}: differs needs to say how`)
  return { state, note }
}

/** All of `docs/fields/`, read by `read`. */
export function compatibilityPage(read: (path: string) => string): string {
  const v1 = fieldList('docs/fields/v1.yaml', read('docs/fields/v1.yaml'))
  const v2 = fieldList('docs/fields/v2.yaml', read('docs/fields/v2.yaml'))
  const path = 'docs/fields/deviations.yaml'
  const { sections } = decoded(DEVIATIONS, path, read(path))
  return [
    NOTE,
    '# Compatibility with Easegress',
    INTRO,
    '## Fields',
    FIELDS_TEXT,
    `### v1\n\n${summary(v1)}`,
    `### v2\n\n${summary(v2)}`,
    '## Fields that differ',
    notes(v1, v2, 'differs', 'How'),
    '## Fields that are not there yet',
    notYet(v1, v2),
    '## Fields that are added',
    notes(v1, v2, 'added', 'What for'),
    ...sections.map(({ title, text, rows }) => section(title, text, rows)),
  ]
    .join('\n\n')
    .concat('\n')
}

const NOTE = '<!-- Made by `npm run docs` from docs/fields/*.yaml; change those instead. -->'

const INTRO = `YAML that Easegress 1.0 (v1) or its current releases (v2) accept means the same here,
and their admin APIs and \`egctl\` commands work as they are. This page lists every deliberate
difference. What the original promises in its documents and does otherwise in its code is done as
promised; what is evidently a slip is not copied.`

const FIELDS_TEXT = `Every field of every kind, counted by its state; the lists with each of them are
\`docs/fields/v1.yaml\` and \`docs/fields/v2.yaml\`, and a test holds them to the schemas.`

function summary(kinds: readonly KindFields[]): string {
  const rows = kinds
    .filter(({ fields }) => fields.size > 0)
    .map(({ kind, fields }) => {
      const counts = STATES.map((state) => {
        const count = [...fields.values()].filter((field) => field.state === state).length
        return count === 0 ? '' : String(count)
      })
      return `| ${kind} | ${counts.join(' | ')} |`
    })
  return [
    '| Kind | Works | Differs | Not yet | Added |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** One row for each note: what types in several places share is told once. */
function notes(
  v1: readonly KindFields[],
  v2: readonly KindFields[],
  state: FieldState,
  heading: string,
): string {
  const rows = both(v1, v2).flatMap(({ dialect, kind, fields }) => {
    const byNote = new Map<string, string[]>()
    for (const [path, field] of fields) {
      if (field.state !== state) continue
      const key = `${path.split('.').at(-1)}\n${field.note}`
      byNote.set(key, [...(byNote.get(key) ?? []), path])
    }
    return [...byNote].map(([key, paths]) => {
      const [first = '', ...more] = paths
      const also = more.length === 0 ? '' : ` and ${more.length} more`
      return `| ${dialect} | ${kind} | \`${first}\`${also} | ${key.split('\n')[1]} |`
    })
  })
  return [`| Dialect | Kind | Field | ${heading} |`, '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}

function both(
  v1: readonly KindFields[],
  v2: readonly KindFields[],
): (KindFields & { readonly dialect: Dialect })[] {
  return [
    ...v1.map((kind) => ({ ...kind, dialect: 'v1' as const })),
    ...v2.map((kind) => ({ ...kind, dialect: 'v2' as const })),
  ]
}

function notYet(v1: readonly KindFields[], v2: readonly KindFields[]): string {
  const lines = both(v1, v2).flatMap(({ dialect, kind, isMissing, fields }) => {
    if (isMissing) return [`- ${dialect} ${kind}: all of it`]
    const paths = [...fields].filter(([, { state }]) => state === 'not yet').map(([path]) => path)
    const own = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}.`)))
    if (own.length === 0) return []
    return [`- ${dialect} ${kind}: ${own.map((path) => `\`${path}\``).join(', ')}`]
  })
  return lines.length === 0 ? 'None.' : lines.join('\n')
}

function section(
  title: string,
  text: string,
  rows: readonly { topic: string; theirs: string; ours: string; dialect: Dialect }[],
): string {
  const hasV2 = rows.some(({ dialect }) => dialect === 'v2')
  const head = hasV2
    ? ['Dialect', 'Topic', 'Easegress', 'Here']
    : ['Topic', 'Easegress 1.0', 'Here']
  const cells = rows.map(({ topic, theirs, ours, dialect }) =>
    hasV2 ? [dialect, topic, theirs, ours] : [topic, theirs, ours],
  )
  const lines = [head, head.map(() => '---'), ...cells].map((each) => `| ${each.join(' | ')} |`)
  return [
    `## ${title}`,
    ...(text.trim() === '' ? [] : [text.trim()]),
    ...(rows.length === 0 ? [] : [lines.join('\n')]),
  ].join('\n\n')
}
