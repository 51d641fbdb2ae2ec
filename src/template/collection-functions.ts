import { fn, variadic } from './define.js'
import { toInt } from './number-functions.js'
import { strings, strval } from './text-functions.js'
import {
  compareText,
  DEPTH_MAX,
  type Func,
  GoMap,
  GoObject,
  Int64,
  isTrue,
  kindName,
  NilList,
  type Run,
  Strings,
  TemplateError,
  typeName,
  type Value,
} from './value.js'

/** The items of a list; `doing` completes "Cannot … on type". */
export function itemsOf(value: Value, doing: string): Value[] {
  if (Array.isArray(value)) return value
  if (value instanceof Uint8Array) return [...value].map(BigInt)
  throw new TemplateError(`Cannot ${doing} on type ${kindName(value)}`)
}

/** As sprig's `empty`. */
export function isEmpty(value: Value): boolean {
  return !isTrue(value)
}

/** As Go's reflect.DeepEqual, within bounds. */
export function deepEquals(a: Value, b: Value, run: Run, depth = 0): boolean {
  run.step()
  if (a === b) return true
  if (depth > DEPTH_MAX) throw new TemplateError('nested too deeply to be compared')
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (typeName(a) !== typeName(b)) return false
  if (a instanceof Int64 && b instanceof Int64) return a.value === b.value
  if (a instanceof GoObject && b instanceof GoObject) return a.toString() === b.toString()
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => deepEquals(item, b[i], run, depth + 1))
  }
  if (!(a instanceof GoMap) || !(b instanceof GoMap)) return false
  if (a.entries.size !== b.entries.size) return false
  for (const [key, value] of a.entries) {
    if (!b.entries.has(key)) return false
    if (!deepEquals(value, b.entries.get(key), run, depth + 1)) return false
  }
  return true
}

function includes(list: readonly Value[], wanted: Value, run: Run): boolean {
  return list.some((item) => deepEquals(wanted, item, run))
}

function unique(list: readonly Value[], run: Run): Value[] {
  const found: Value[] = []
  for (const item of list) if (!includes(found, item, run)) found.push(item)
  return found
}

/** A list made of the items; a nil one where sprig gives nil. */
function part(items: Value[], list: readonly Value[]): Value[] {
  return list.length === 0 ? new NilList() : items
}

function sliced(list: Value, indices: readonly Value[]): Value {
  const items = itemsOf(list, 'slice')
  if (items.length === 0) return null
  const start = Number(indices.length > 0 ? toInt(indices[0]) : 0n)
  const end = Number(indices.length > 1 ? toInt(indices[1]) : BigInt(items.length))
  if (start < 0 || start > end || end > items.length) {
    throw new TemplateError('reflect.Value.Slice: slice index out of bounds')
  }
  const taken = items.slice(start, end)
  return list instanceof Strings ? Strings.from(taken) : taken
}

function dict(values: readonly Value[], run: Run): GoMap {
  const entries = new Map<string, Value>()
  for (let i = 0; i < values.length; i += 2) {
    entries.set(strval(values[i], run), i + 1 < values.length ? values[i + 1] : '')
  }
  return new GoMap(entries)
}

function filtered(map: GoMap, keep: (key: string) => boolean): GoMap {
  return new GoMap(new Map([...map.entries].filter(([key]) => keep(key))))
}

/** Fills in (or with `overwrites` replaces) what `from` has, in depth. */
function mergeInto(to: GoMap, from: GoMap, overwrites: boolean, run: Run, depth = 0): void {
  if (depth > DEPTH_MAX) throw new TemplateError('nested too deeply to be merged')
  for (const [key, value] of from.entries) {
    run.step()
    const own = to.entries.get(key)
    if (own instanceof GoMap && value instanceof GoMap) {
      mergeInto(own, value, overwrites, run, depth + 1)
    } else if (overwrites || own === undefined || (isEmpty(own) && !isEmpty(value))) {
      to.entries.set(key, value)
    }
  }
}

/** Easegress's own: a new map, the last one wins. */
function mergeObjects(maps: readonly GoMap[], run: Run): GoMap {
  const merged = new GoMap()
  const merge = (to: GoMap, from: GoMap, depth: number): void => {
    if (depth > DEPTH_MAX) throw new TemplateError('nested too deeply to be merged')
    for (const [key, value] of from.entries) {
      run.step()
      const own = to.entries.get(key)
      if (own instanceof GoMap && value instanceof GoMap) {
        // A copy: what a request holds stays as it is.
        const copy = new GoMap(new Map(own.entries))
        to.entries.set(key, copy)
        merge(copy, value, depth + 1)
      } else to.entries.set(key, value)
    }
  }
  for (const map of maps) merge(merged, map, 0)
  return merged
}

/** Sprig's functions on lists and maps, and on whether there is something. */
export const COLLECTION_FUNCTIONS: readonly Func[] = [
  variadic('list', [], 'any', (_run, values) => values),
  variadic('tuple', [], 'any', (_run, values) => values),
  fn('append', ['any', 'any'], (_run, list, item) => [...itemsOf(list, 'push'), item]),
  fn('push', ['any', 'any'], (_run, list, item) => [...itemsOf(list, 'push'), item]),
  fn('prepend', ['any', 'any'], (_run, list, item) => [item, ...itemsOf(list, 'prepend')]),
  fn('first', ['any'], (_run, list) => itemsOf(list, 'find first')[0] ?? null),
  fn('last', ['any'], (_run, list) => itemsOf(list, 'find last').at(-1) ?? null),
  fn('rest', ['any'], (_run, list) => {
    const items = itemsOf(list, 'find rest')
    return part(items.slice(1), items)
  }),
  fn('initial', ['any'], (_run, list) => {
    const items = itemsOf(list, 'find initial')
    return part(items.slice(0, -1), items)
  }),
  fn('reverse', ['any'], (_run, list) => [...itemsOf(list, 'find reverse')].reverse()),
  fn('uniq', ['any'], (run, list) => unique(itemsOf(list, 'find uniq'), run)),
  variadic('without', ['any'], 'any', (run, omitted, list) =>
    itemsOf(list, 'find without').filter((item) => !includes(omitted, item, run)),
  ),
  fn('has', ['any', 'any'], (run, wanted, list) =>
    list === null ? false : includes(itemsOf(list, 'find has'), wanted, run),
  ),
  fn('compact', ['any'], (_run, list) => itemsOf(list, 'compact').filter((item) => !isEmpty(item))),
  variadic('slice', ['any'], 'any', (_run, indices, list) => sliced(list, indices)),
  fn('sortAlpha', ['any'], (run, list) =>
    Array.isArray(list)
      ? Strings.from(strings(list, run).sort(compareText))
      : Strings.from([strval(list, run)]),
  ),
  variadic('dict', [], 'any', (run, values) => dict(values, run)),
  fn('set', ['map', 'string', 'any'], (run, map, key, value) => {
    run.grow(1)
    map.entries.set(key, value)
    return map
  }),
  fn('unset', ['map', 'string'], (_run, map, key) => {
    map.entries.delete(key)
    return map
  }),
  fn('hasKey', ['map', 'string'], (_run, map, key) => map.entries.has(key)),
  variadic('pluck', ['string'], 'map', (_run, maps, key) =>
    maps.filter((map) => map.entries.has(key)).map((map) => map.entries.get(key)),
  ),
  variadic('keys', [], 'map', (_run, maps) =>
    Strings.from(maps.flatMap((map) => map.sortedKeys())),
  ),
  fn('values', ['map'], (_run, map) => map.sortedKeys().map((key) => map.entries.get(key))),
  variadic('pick', ['map'], 'string', (_run, keys, map) => {
    const wanted = new Set(keys)
    return filtered(map, (key) => wanted.has(key))
  }),
  variadic('omit', ['map'], 'string', (_run, keys, map) => {
    const omitted = new Set(keys)
    return filtered(map, (key) => !omitted.has(key))
  }),
  variadic('merge', ['map'], 'map', (run, maps, map) => {
    for (const each of maps) mergeInto(map, each, false, run)
    return map
  }),
  variadic('mergeOverwrite', ['map'], 'map', (run, maps, map) => {
    for (const each of maps) mergeInto(map, each, true, run)
    return map
  }),
  variadic('mergeObject', [], 'map', (run, maps) => mergeObjects(maps, run)),
  variadic('default', ['any'], 'any', (_run, [given], otherwise) =>
    isEmpty(given) ? otherwise : given,
  ),
  fn('empty', ['any'], (_run, value) => isEmpty(value)),
  variadic(
    'coalesce',
    [],
    'any',
    (_run, values) => values.find((value) => !isEmpty(value)) ?? null,
  ),
  fn('ternary', ['any', 'any', 'bool'], (_run, yes, no, test) => (test ? yes : no)),
  fn('typeOf', ['any'], (_run, value) => typeName(value)),
  fn('typeIs', ['string', 'any'], (_run, type, value) => typeName(value) === type),
  fn('typeIsLike', ['string', 'any'], (_run, type, value) => {
    const own = typeName(value)
    return own === type || own === `*${type}`
  }),
  fn('kindOf', ['any'], (_run, value) => kindName(value)),
  fn('kindIs', ['string', 'any'], (_run, kind, value) => kindName(value) === kind),
]
