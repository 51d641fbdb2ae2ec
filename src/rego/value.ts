/**
 * Values of Rego. Objects and sets have keys of any type, so they are classes of their own; all
 * values are immutable once built. Numbers are doubles: whole numbers are exact up to 2^53.
 */
export type Value = null | boolean | number | string | readonly Value[] | RegoObject | RegoSet

/** What a Map tells apart: scalars are their own key, the rest goes by its canonical text. */
type MapKey = null | boolean | number | string

function mapKey(value: Value): MapKey {
  if (value === null || typeof value !== 'object') return value
  return `\0${canonical(value)}`
}

export class RegoObject {
  readonly #entries = new Map<MapKey, readonly [Value, Value]>()

  static of(entries: Iterable<readonly [Value, Value]>): RegoObject {
    const made = new RegoObject()
    for (const entry of entries) made.#entries.set(mapKey(entry[0]), entry)
    return made
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(mapKey(key))?.[1]
  }

  has(key: Value): boolean {
    return this.#entries.has(mapKey(key))
  }

  /** In the order of the keys, as iteration and output have it. */
  entries(): readonly (readonly [Value, Value])[] {
    return [...this.#entries.values()].sort((a, b) => compare(a[0], b[0]))
  }
}

export class RegoSet {
  readonly #members = new Map<MapKey, Value>()

  static of(values: Iterable<Value>): RegoSet {
    const made = new RegoSet()
    for (const value of values) made.#members.set(mapKey(value), value)
    return made
  }

  get size(): number {
    return this.#members.size
  }

  has(value: Value): boolean {
    return this.#members.has(mapKey(value))
  }

  values(): readonly Value[] {
    return [...this.#members.values()].sort(compare)
  }
}

export const isArray = (value: Value): value is readonly Value[] => Array.isArray(value)

const RANK: Readonly<Record<string, number>> = {
  null: 0,
  boolean: 1,
  number: 2,
  string: 3,
  array: 4,
  object: 5,
  set: 6,
}

/** The name that `type_name` gives. */
export function typeName(value: Value): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  if (value instanceof RegoSet) return 'set'
  return value instanceof RegoObject ? 'object' : 'array'
}

/** The total order of all values: by type first, then by content. */
export function compare(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  const type = typeName(a)
  const byType = (RANK[type] as number) - (RANK[typeName(b)] as number)
  if (byType !== 0 || type === 'null') return byType
  if (type === 'boolean') return Number(a) - Number(b)
  if (type === 'object') {
    const left = (a as RegoObject).entries()
    const right = (b as RegoObject).entries()
    return compareLists(left.flat(), right.flat())
  }
  if (type === 'set') return compareLists((a as RegoSet).values(), (b as RegoSet).values())
  return compareLists(a as readonly Value[], b as readonly Value[])
}

function compareLists(a: readonly Value[], b: readonly Value[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compare(a[i] as Value, b[i] as Value)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** By code points, as Go compares bytes of UTF-8; `<` goes by UTF-16 units. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left === right) continue
    const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff
    if (isHigh(left) !== isHigh(right)) return isHigh(left) ? 1 : -1
    return left - right
  }
  return a.length - b.length
}

export function equal(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  return compare(a, b) === 0
}

/** One text for each value, whatever the order in which it was built. */
function canonical(value: Value): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (value instanceof RegoSet) return `<${value.values().map(canonical).join(',')}>`
  if (value instanceof RegoObject) {
    return `{${value
      .entries()
      .map(([k, v]) => `${canonical(k)}:${canonical(v)}`)
      .join(',')}}`
  }
  return `[${value.map(canonical).join(',')}]`
}

/** From what `JSON.parse` gives. Undefined fields are left out. */
export function fromJson(json: unknown): Value {
  if (json === null || json === undefined) return null
  if (Array.isArray(json)) return json.map(fromJson)
  if (typeof json === 'object') {
    const entries = Object.entries(json).filter(([, value]) => value !== undefined)
    return RegoObject.of(entries.map(([key, value]) => [key, fromJson(value)] as const))
  }
  return json as boolean | number | string
}

/** What `JSON.stringify` takes: sets become sorted lists, keys that are no text their JSON. */
export function toJson(value: Value): unknown {
  if (value === null || typeof value !== 'object') return value
  if (value instanceof RegoSet) return value.values().map(toJson)
  if (value instanceof RegoObject) {
    return Object.fromEntries(value.entries().map(([k, v]) => [keyText(k), toJson(v)]))
  }
  return value.map(toJson)
}

function keyText(key: Value): string {
  return typeof key === 'string' ? key : JSON.stringify(toJson(key))
}
