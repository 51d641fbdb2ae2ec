import { toJsonSchema } from './json-schema.js'
import { nodeOf, type Path, type Schema, type SchemaNode, schemaOf, zodOf } from './node.js'

/** A spec that is wrong in one place. */
export interface WrongValue {
  /** Where, from the root of the spec. */
  readonly path: Path
  /** The spec: nothing but what leads there, with `MARK` in place of `value`. */
  readonly spec: unknown
  readonly value: unknown
  /** How the message of the problem there begins. */
  readonly message: string
}

/** Stands for the wrong value in a text, so that its place can be found. */
export const MARK = '@@wrong@@'

/** Of each sort of value one or more, and texts of every shape that some field wants. */
const CANDIDATES: readonly unknown[] = [
  ...['', ' ', 'a', 'A', 'a b', '/a', '-', '(', '*', '***', '\u0007', 'a\nb', 'ü', '0', '1', '-1'],
  ...['1s', '-1s', '1.5', '5 apples', '10KB', 'GET', 'get', '200', 'true', '1.2.3.4', '1.2.3.4/99'],
  ...['http://a/', 'ftp://a/', 'http://', 'a:80', 'a:0', 'YQ==', 'YQ', '00', 'x'.repeat(300)],
  ...[0, 1, -1, 1.5, 99, 100, 200, 600, 65_536, 1e15, -1e15, true, false],
]
const COLLECTIONS: readonly unknown[] = [[1], { a: 1 }]
/** Tried of each leaf's wrong candidates, spread over all of them. */
const TRIED_MAX = 6

/**
 * Every way of being wrong that can be told from a schema: at each place values of another type,
 * beyond its range, of another form; fields that are missing and fields that do not exist; lists
 * that are too short or have an item twice.
 */
export function* wrongValues(schema: Schema<unknown>): Generator<WrongValue> {
  yield* walk(nodeOf(schema), [], (value) => value)
}

type Place = (value: unknown) => unknown

function* walk(node: SchemaNode, path: Path, place: Place): Generator<WrongValue> {
  const wrong = (value: unknown): WrongValue => ({
    path,
    spec: place(MARK),
    value,
    message: `expected ${node.expected}, got `,
  })
  if (node.type === 'leaf') {
    for (const value of wrongLeaves(node)) yield wrong(value)
    return
  }
  // Around the fields of a kind there is always a mapping.
  if (path.length > 0) {
    for (const value of ['text', 1, true, node.type === 'list' ? { a: 1 } : [1]]) yield wrong(value)
  }
  if (node.type === 'list') yield* wrongLists(node, path, place)
  else if (node.type === 'map') yield* wrongMaps(node, path, place)
  else if (node.type === 'object') yield* wrongFields(node.fields, {}, path, place)
  else {
    for (const [kind, own] of node.kinds) {
      yield* wrongFields(own.fields, { name: 'it', [node.tag]: kind }, path, place)
    }
    for (const name of [1, '', 'a b']) {
      const spec = place({ [node.tag]: [...node.kinds.keys()][0], name: MARK })
      yield { path: [...path, 'name'], spec, value: name, message: 'expected a name of' }
    }
  }
}

/** Those that the leaf refuses; a list, a mapping and at least one of another type are among them. */
function wrongLeaves(node: SchemaNode): unknown[] {
  if (node.expected === 'anything') return []
  const refuses = (value: unknown): boolean => !zodOf(node).safeParse(value).success
  const { minimum, maximum, type } = toJsonSchema(schemaOf(() => ({ ...node, presence: REQUIRED })))
  const types = Array.isArray(type) ? type : [type]
  const beyond: number[] = []
  if (types.includes('integer') || types.includes('number')) {
    if (typeof minimum === 'number' && types.length === 1) beyond.push(minimum - 1)
    if (typeof maximum === 'number' && types.length === 1) beyond.push(maximum + 1)
  }
  const others = types.includes('string') ? [true] : ['text', []]
  const certain = [...COLLECTIONS, ...beyond, ...others]
  const taken = certain.filter((value) => !refuses(value))
  if (taken.length > 0) throw new Error(`${node.expected} takes ${JSON.stringify(taken)}`)
  const refused = CANDIDATES.filter(refuses)
  const step = Math.max(1, Math.ceil(refused.length / TRIED_MAX))
  return [...certain, ...refused.filter((_, index) => index % step === 0)]
}

const REQUIRED = { type: 'required' } as const

function* wrongLists(
  node: Extract<SchemaNode, { type: 'list' }>,
  path: Path,
  place: Place,
): Generator<WrongValue> {
  if (!node.zod().safeParse([]).success) {
    yield { path, spec: place(MARK), value: [], message: `expected ${node.expected}, got an empty` }
  }
  yield* walk(node.item, [...path, 0], (value) => place([value]))
  const item = CANDIDATES.find((value) => node.item.zod().safeParse(value).success)
  if (node.unique && item !== undefined) {
    const spec = place([item, MARK])
    yield { path: [...path, 1], spec, value: item, message: '' }
  }
}

function* wrongMaps(
  node: Extract<SchemaNode, { type: 'map' }>,
  path: Path,
  place: Place,
): Generator<WrongValue> {
  const isKey = (value: unknown): value is string =>
    typeof value === 'string' && node.key.zod().safeParse(value).success
  const key = CANDIDATES.filter((value) => value !== '').find(isKey) ?? 'a'
  yield* walk(node.value, [...path, key], (value) => place({ [key]: value }))
}

function* wrongFields(
  fields: ReadonlyMap<string, SchemaNode>,
  head: Readonly<Record<string, unknown>>,
  path: Path,
  place: Place,
): Generator<WrongValue> {
  for (const [name, field] of fields) {
    const at = [...path, name]
    yield* walk(field, at, (value) => place({ ...head, [name]: value }))
    if (field.presence.type !== 'required') continue
    const message = `is required: expected ${field.expected}`
    // The place of what is missing is that of what it is missing in.
    yield { path: at, spec: place(MARK), value: { ...head }, message }
  }
  yield {
    path: [...path, 'noSuchField'],
    spec: place({ ...head, noSuchField: MARK }),
    value: 1,
    message: 'there is no such field',
  }
}
