import { fn, variadic } from './define.js'
import {
  type Func,
  GoObject,
  Int64,
  integerOf,
  JsonNumber,
  type Run,
  TemplateError,
  type Value,
} from './value.js'

const INT_MAX = 2n ** 63n - 1n
const INT_MIN = -(2n ** 63n)

/** As sprig counts: text is read, what is no number is 0. A json.Number counts, unlike there. */
export function toInt(value: Value): bigint {
  const integer = integerOf(value)
  if (integer !== null) return integer
  if (typeof value === 'number') return truncate(value)
  if (typeof value === 'boolean') return value ? 1n : 0n
  const text = value instanceof JsonNumber ? value.text : value
  if (typeof text !== 'string') return 0n
  if (/^[+-]?\d{1,25}$/.test(text)) {
    const number = BigInt(text)
    return number > INT_MAX || number < INT_MIN ? 0n : number
  }
  return value instanceof JsonNumber ? truncate(Number(text)) : 0n
}

function truncate(value: number): bigint {
  return Number.isFinite(value) && Math.abs(value) < 2 ** 63 ? BigInt(Math.trunc(value)) : INT_MIN
}

const FLOAT = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/

function parseFloat64(text: string): number | null {
  if (FLOAT.test(text)) return Number(text)
  const found = /^([+-]?)(inf|infinity|nan)$/i.exec(text)
  if (found === null) return null
  if (found[2]?.toLowerCase() === 'nan') return Number.NaN
  return found[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

export function toFloat(value: Value): number {
  if (typeof value === 'number') return value
  const integer = integerOf(value)
  if (integer !== null) return Number(integer)
  if (typeof value === 'boolean') return value ? 1 : 0
  const text = value instanceof JsonNumber ? value.text : value
  return typeof text === 'string' ? (parseFloat64(text) ?? 0) : 0
}

/** As Easegress's own functions count: what is no number is an error. */
function strictFloat(value: Value): number {
  const integer = integerOf(value)
  if (integer !== null) return Number(integer)
  if (typeof value === 'number') return value
  const text = value instanceof JsonNumber ? value.text : value
  const number = typeof text === 'string' ? parseFloat64(text) : null
  if (number !== null) return number
  const shown = value instanceof GoObject || typeof value === 'string' ? String(value) : 'a value'
  throw new TemplateError(`cannot convert ${shown} to float64`)
}

function int64(value: bigint): Int64 {
  return new Int64(BigInt.asIntN(64, value))
}

function divisor(value: Value): bigint {
  const number = toInt(value)
  if (number === 0n) throw new TemplateError('integer divide by zero')
  return number
}

function extreme(values: readonly Value[], isBetter: (a: bigint, b: bigint) => boolean): Int64 {
  const numbers = values.map(toInt)
  return int64(numbers.reduce((best, each) => (isBetter(each, best) ? each : best)))
}

const isGreater = (a: bigint, b: bigint): boolean => a > b
const isSmaller = (a: bigint, b: bigint): boolean => a < b

export function steps(run: Run, start: bigint, stop: bigint, step: bigint): Value[] {
  const numbers: Value[] = []
  if (stop < start ? step >= 0n : step <= 0n) return numbers
  const count = (stop - start + step - (step > 0n ? 1n : -1n)) / step
  run.makeItems(Number(count))
  for (let i = 0n; i < count; i++) numbers.push(start + i * step)
  return numbers
}

function round(value: number, places: number, roundOn: number): number {
  const power = 10 ** places
  const scaled = power * value
  const fraction = scaled - Math.trunc(scaled)
  return (fraction >= roundOn ? Math.ceil(scaled) : Math.floor(scaled)) / power
}

/** Functions on numbers: sprig's and Easegress's. */
export const NUMBER_FUNCTIONS: readonly Func[] = [
  fn('atoi', ['string'], (_run, text) => toInt(text)),
  fn('int', ['any'], (_run, value) => toInt(value)),
  fn('int64', ['any'], (_run, value) => int64(toInt(value))),
  fn('float64', ['any'], (_run, value) => toFloat(value)),
  fn('until', ['int'], (run, count) => steps(run, 0n, count, count < 0n ? -1n : 1n)),
  fn('untilStep', ['int', 'int', 'int'], (run, start, stop, step) => steps(run, start, stop, step)),
  fn('add1', ['any'], (_run, value) => int64(toInt(value) + 1n)),
  variadic('add', [], 'any', (_run, values) =>
    int64(values.reduce<bigint>((sum, value) => sum + toInt(value), 0n)),
  ),
  fn('sub', ['any', 'any'], (_run, a, b) => int64(toInt(a) - toInt(b))),
  fn('div', ['any', 'any'], (_run, a, b) => int64(toInt(a) / divisor(b))),
  fn('mod', ['any', 'any'], (_run, a, b) => int64(toInt(a) % divisor(b))),
  variadic('mul', ['any'], 'any', (_run, values, first) =>
    int64(
      values.reduce<bigint>((product, v) => BigInt.asIntN(64, product * toInt(v)), toInt(first)),
    ),
  ),
  variadic('biggest', ['any'], 'any', (_run, values, first) =>
    extreme([first, ...values], isGreater),
  ),
  variadic('max', ['any'], 'any', (_run, values, first) => extreme([first, ...values], isGreater)),
  variadic('min', ['any'], 'any', (_run, values, first) => extreme([first, ...values], isSmaller)),
  fn('ceil', ['any'], (_run, value) => Math.ceil(toFloat(value))),
  fn('floor', ['any'], (_run, value) => Math.floor(toFloat(value))),
  variadic('round', ['any', 'int'], 'float', (_run, [roundOn = 0.5], value, places) =>
    round(toFloat(value), Number(places), roundOn),
  ),
  fn('addf', ['any', 'any'], (_run, a, b) => strictFloat(a) + strictFloat(b)),
  fn('subf', ['any', 'any'], (_run, a, b) => strictFloat(a) - strictFloat(b)),
  fn('mulf', ['any', 'any'], (_run, a, b) => strictFloat(a) * strictFloat(b)),
  fn('divf', ['any', 'any'], (_run, a, b) => {
    const by = strictFloat(b)
    if (by === 0) throw new TemplateError('divisor is zero')
    return strictFloat(a) / by
  }),
]
