import type { BuiltinTable } from './builtins.js'
import { isMember, lookUp } from './code.js'
import { compare, equal, isArray, RegoObject, RegoSet, typeName, type Value } from './value.js'

const isNumber = (value: Value | undefined): value is number => typeof value === 'number'
const isSet = (value: Value | undefined): value is RegoSet => value instanceof RegoSet
const isObject = (value: Value | undefined): value is RegoObject => value instanceof RegoObject

/** The items of an array or a set; null for anything else. */
function itemsOf(value: Value | undefined): readonly Value[] | null {
  if (value === undefined) return null
  if (value instanceof RegoSet) return value.values()
  return isArray(value) ? value : null
}

/** Of paths and names: the items, or the keys of an object. */
function namesOf(value: Value | undefined): readonly Value[] | null {
  return isObject(value) ? value.entries().map(([key]) => key) : itemsOf(value)
}

function arithmetic(
  calculate: (a: number, b: number) => number | undefined,
  ofSets?: (a: RegoSet, b: RegoSet) => RegoSet,
): BuiltinTable[string] {
  return [
    2,
    ([a, b]) => {
      if (ofSets !== undefined && isSet(a) && isSet(b)) return ofSets(a, b)
      if (!isNumber(a) || !isNumber(b)) return undefined
      const result = calculate(a, b)
      return result === undefined || !Number.isFinite(result) ? undefined : result
    },
  ]
}

function comparison(holds: (order: number) => boolean): BuiltinTable[string] {
  return [2, ([a, b]) => holds(compare(a as Value, b as Value))]
}

function ofSets(make: (a: RegoSet, b: RegoSet) => RegoSet): BuiltinTable[string] {
  return [2, ([a, b]) => (isSet(a) && isSet(b) ? make(a, b) : undefined)]
}

function rounding(round: (n: number) => number): BuiltinTable[string] {
  return [1, ([n]) => (isNumber(n) ? round(n) : undefined)]
}

function ofType(...names: readonly string[]): BuiltinTable[string] {
  return [1, ([value]) => names.includes(typeName(value as Value))]
}

const union = (a: RegoSet, b: RegoSet): RegoSet => RegoSet.of([...a.values(), ...b.values()])
const common = (a: RegoSet, b: RegoSet): RegoSet => RegoSet.of(a.values().filter((v) => b.has(v)))
const difference = (a: RegoSet, b: RegoSet): RegoSet =>
  RegoSet.of(a.values().filter((v) => !b.has(v)))

function total(start: number, add: (sum: number, n: number) => number): BuiltinTable[string] {
  return [
    1,
    ([list]) => {
      const items = itemsOf(list)
      if (items === null || !items.every(isNumber)) return undefined
      return (items as readonly number[]).reduce(add, start)
    },
  ]
}

function extreme(sign: 1 | -1): BuiltinTable[string] {
  return [
    1,
    ([list]) => {
      const items = itemsOf(list)
      if (items === null || items.length === 0) return undefined
      return items.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best))
    },
  ]
}

/** The second wins, but objects in the same place are merged in turn. */
function merged(a: RegoObject, b: RegoObject): RegoObject {
  const overlay = b.entries().map(([key, value]): [Value, Value] => {
    const under = a.get(key)
    return [key, isObject(under) && isObject(value) ? merged(under, value) : value]
  })
  return RegoObject.of([...a.entries(), ...overlay])
}

function select(
  value: Value | undefined,
  names: Value | undefined,
  wanted: boolean,
): Value | undefined {
  const list = namesOf(names)
  if (!isObject(value) || list === null) return undefined
  return RegoObject.of(
    value.entries().filter(([key]) => list.some((name) => equal(name, key)) === wanted),
  )
}

function walked(value: Value, path: readonly Value[], into: Value[]): void {
  into.push([path, value])
  if (isArray(value)) {
    for (const [i, item] of value.entries()) walked(item, [...path, i], into)
  } else if (value instanceof RegoObject) {
    for (const [key, item] of value.entries()) walked(item, [...path, key], into)
  } else if (value instanceof RegoSet) {
    for (const item of value.values()) walked(item, [...path, item], into)
  }
}

const whole = (n: Value | undefined): n is number => isNumber(n) && Number.isInteger(n)

/** Operators, numbers, lists, sets and objects. */
export const collectionBuiltins: BuiltinTable = {
  equal: [2, ([a, b]) => equal(a as Value, b as Value)],
  neq: [2, ([a, b]) => !equal(a as Value, b as Value)],
  lt: comparison((order) => order < 0),
  lte: comparison((order) => order <= 0),
  gt: comparison((order) => order > 0),
  gte: comparison((order) => order >= 0),
  plus: arithmetic((a, b) => a + b),
  minus: arithmetic((a, b) => a - b, difference),
  mul: arithmetic((a, b) => a * b),
  div: arithmetic((a, b) => (b === 0 ? undefined : a / b)),
  rem: arithmetic((a, b) => (b === 0 || !whole(a) || !whole(b) ? undefined : a % b)),
  or: ofSets(union),
  and: ofSets(common),
  'internal.member_2': [2, ([item, list]) => isMember(item as Value, list as Value)],
  'internal.member_3': [
    3,
    ([key, item, list]) => {
      const found = lookUp(list as Value, key as Value)
      return found !== undefined && equal(found, item as Value)
    },
  ],
  abs: rounding(Math.abs),
  ceil: rounding(Math.ceil),
  floor: rounding(Math.floor),
  round: rounding((n) => Math.sign(n) * Math.round(Math.abs(n))),
  'numbers.range': [
    2,
    ([from, to], run) => {
      if (!whole(from) || !whole(to)) return undefined
      const list: number[] = []
      const way = from <= to ? 1 : -1
      for (let n = from; way > 0 ? n <= to : n >= to; n += way) {
        run.step()
        list.push(n)
      }
      return list
    },
  ],
  count: [
    1,
    ([value]) => {
      if (typeof value === 'string') return [...value].length
      if (isObject(value) || isSet(value)) return value.size
      return itemsOf(value)?.length
    },
  ],
  sum: total(0, (sum, n) => sum + n),
  product: total(1, (product, n) => product * n),
  max: extreme(1),
  min: extreme(-1),
  sort: [
    1,
    ([list]) => {
      const items = itemsOf(list)
      return items === null ? undefined : [...items].sort(compare)
    },
  ],
  all: [1, ([list]) => itemsOf(list)?.every((item) => item === true)],
  any: [1, ([list]) => itemsOf(list)?.some((item) => item === true)],
  'array.concat': [2, ([a, b]) => (isList(a) && isList(b) ? [...a, ...b] : undefined)],
  'array.reverse': [1, ([list]) => (isList(list) ? [...list].reverse() : undefined)],
  'array.slice': [
    3,
    ([list, from, to]) => {
      if (!isList(list) || !whole(from) || !whole(to)) return undefined
      const start = Math.max(0, from)
      return list.slice(start, Math.max(start, to))
    },
  ],
  intersection: [
    1,
    ([sets]) => {
      const [first, ...rest] = setsOf(sets) ?? []
      return first === undefined ? RegoSet.of([]) : rest.reduce(common, first)
    },
  ],
  union: [1, ([sets]) => setsOf(sets)?.reduce(union, RegoSet.of([]))],
  'object.get': [
    3,
    ([value, key, fallback]) => {
      if (value === undefined || key === undefined) return undefined
      if (!isArray(key)) return lookUp(value, key) ?? fallback
      let found: Value | undefined = value
      for (const part of key) found = found === undefined ? undefined : lookUp(found, part)
      return found ?? fallback
    },
  ],
  'object.keys': [
    1,
    ([value]) => (isObject(value) ? RegoSet.of(value.entries().map(([key]) => key)) : undefined),
  ],
  'object.remove': [2, ([value, names]) => select(value, names, false)],
  'object.filter': [2, ([value, names]) => select(value, names, true)],
  'object.union': [2, ([a, b]) => (isObject(a) && isObject(b) ? merged(a, b) : undefined)],
  'object.union_n': [
    1,
    ([list]) =>
      isList(list) && list.every(isObject)
        ? (list as readonly RegoObject[]).reduce(merged, RegoObject.of([]))
        : undefined,
  ],
  walk: [
    1,
    ([value]) => {
      const found: Value[] = []
      walked(value as Value, [], found)
      return found
    },
    'many',
  ],
  type_name: [1, ([value]) => typeName(value as Value)],
  is_null: ofType('null'),
  is_boolean: ofType('boolean'),
  is_number: ofType('number'),
  is_string: ofType('string'),
  is_array: ofType('array'),
  is_object: ofType('object'),
  is_set: ofType('set'),
  print: [-1, () => true],
}

function isList(value: Value | undefined): value is readonly Value[] {
  return value !== undefined && isArray(value)
}

function setsOf(value: Value | undefined): readonly RegoSet[] | undefined {
  const items = itemsOf(value)
  return items?.every(isSet) ? (items as readonly RegoSet[]) : undefined
}
