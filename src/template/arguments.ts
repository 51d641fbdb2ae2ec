import { GoTime } from './go-time.js'
import {
  bytesOf,
  type Func,
  GoMap,
  integerOf,
  type Param,
  TemplateError,
  textOf,
  typeName,
  type Value,
} from './value.js'

const GO_TYPES: Readonly<Record<Param, string>> = {
  any: 'interface {}',
  string: 'string',
  bytes: 'string',
  int: 'int',
  float: 'float64',
  bool: 'bool',
  map: 'map[string]interface {}',
  time: 'time.Time',
}

export function goType(param: Param): string {
  return GO_TYPES[param]
}

/** What parameter number `index` of `func` takes. */
export function paramAt(func: Func, index: number): Param {
  return func.params[index] ?? func.rest ?? 'any'
}

/** What is wrong with calling `func` with so many arguments; null when nothing is. */
export function countProblem(func: Func, count: number): string | null {
  const { name, params, rest } = func
  if (rest !== null && count < params.length) {
    return `wrong number of args for ${name}: want at least ${params.length} got ${count}`
  }
  if (rest === null && count !== params.length) {
    return `wrong number of args for ${name}: want ${params.length} got ${count}`
  }
  return null
}

/**
 * `value` as an argument for `param`. A json.Number passes as text and an int64 as an int, where
 * Go refuses both.
 */
export function convert(value: Value, param: Param, isRaw: boolean): Value {
  if (param === 'any') return value === undefined && !isRaw ? null : value
  if (value === undefined) {
    if (param === 'map') return new GoMap()
    throw new TemplateError(`invalid value; expected ${goType(param)}`)
  }
  const converted = converterOf(param)(value)
  if (converted !== null) return converted
  const got = value === null ? 'interface {}' : typeName(value)
  throw new TemplateError(`wrong type for value; expected ${goType(param)}; got ${got}`)
}

type Converter = (value: Value) => Value

const CONVERTERS: Readonly<Record<Exclude<Param, 'any'>, Converter>> = {
  string: textOf,
  bytes: bytesOf,
  int: integerOf,
  float: (value) => (typeof value === 'number' ? value : null),
  bool: (value) => (typeof value === 'boolean' ? value : null),
  map: (value) => (value instanceof GoMap ? value : null),
  time: (value) => (value instanceof GoTime ? value : null),
}

function converterOf(param: Exclude<Param, 'any'>): Converter {
  return CONVERTERS[param]
}

/** The field, method or key `name` of `receiver`, as a value or what has to be called for it. */
export function memberOf(receiver: Value, name: string): Value | Func {
  if (receiver === undefined) return undefined
  if (receiver instanceof GoMap) return receiver.method(name) ?? receiver.entries.get(name)
  if (receiver === null) throw new TemplateError(`nil pointer evaluating interface {}.${name}`)
  const member =
    typeof receiver === 'object' && 'member' in receiver ? receiver.member(name) : undefined
  if (member !== undefined) return member
  throw new TemplateError(`can't evaluate field ${name} in type ${typeName(receiver)}`)
}
