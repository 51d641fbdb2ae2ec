import { raw, variadic } from './define.js'
import { isPrintable, sprint, sprintln } from './format.js'
import { sprintf } from './printf.js'
import {
  byteLength,
  bytesOf,
  compareText,
  type Func,
  GoMap,
  GoObject,
  integerOf,
  isTrue,
  type Run,
  Strings,
  sliceBytes,
  TemplateError,
  textOf,
  typeName,
  type Value,
} from './value.js'

/** The functions of Go's text/template itself; `and` and `or` are compiled, see `compile.ts`. */
export const BUILTINS: readonly Func[] = [
  raw('and', 1, true, (_run, args) => args[args.length - 1]),
  raw('or', 1, true, (_run, args) => args[args.length - 1]),
  raw('not', 1, false, (_run, [value]) => !isTrue(value)),
  raw('eq', 1, true, (_run, [first, ...others]) => equalsAny(first, others)),
  raw('ne', 2, false, (_run, [a, b]) => !equals(a, b)),
  raw('lt', 2, false, (_run, [a, b]) => isLess(a, b)),
  raw('le', 2, false, (_run, [a, b]) => isLess(a, b) || equals(a, b)),
  raw('gt', 2, false, (_run, [a, b]) => !(isLess(a, b) || equals(a, b))),
  raw('ge', 2, false, (_run, [a, b]) => !isLess(a, b)),
  raw('len', 1, false, (_run, [value]) => BigInt(lengthOf(value))),
  raw('index', 1, true, (_run, [item, ...indices]) => index(item, indices)),
  raw('slice', 1, true, (_run, [item, ...indices]) => slice(item, indices)),
  raw('call', 1, true, () => {
    throw new TemplateError('call: there are no functions in the data')
  }),
  variadic('print', [], 'any', (run, values) => sprint(values, run)),
  variadic('printf', ['string'], 'any', (run, values, format) => sprintf(format, values, run)),
  variadic('println', [], 'any', (run, values) => sprintln(values, run)),
  variadic('html', [], 'any', (run, values) => escapeHtml(textOfAll(values, run))),
  variadic('js', [], 'any', (run, values) => escapeJs(textOfAll(values, run))),
  variadic('urlquery', [], 'any', (run, values) => escapeQuery(textOfAll(values, run))),
]

type BasicKind = 'bool' | 'int' | 'float' | 'string' | null

function basicKind(value: Value): BasicKind {
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return 'float'
  if (integerOf(value) !== null) return 'int'
  return textOf(value) === null ? null : 'string'
}

function incompatible(a: Value, b: Value): TemplateError {
  const message = `incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`
  return new TemplateError(message)
}

function equalsAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new TemplateError('missing argument for comparison')
  return others.some((other) => equals(first, other))
}

function equals(a: Value, b: Value): boolean {
  const kind = basicKind(a)
  const isNil = a === null || a === undefined
  const isOtherNil = b === null || b === undefined
  if (kind !== basicKind(b)) {
    if (isNil || isOtherNil) return false
    throw incompatible(a, b)
  }
  if (kind === 'int') return integerOf(a) === integerOf(b)
  if (kind === 'string') return textOf(a) === textOf(b)
  if (kind !== null) return a === b
  if (isNil || isOtherNil) return isNil && isOtherNil
  if (b instanceof GoObject && a instanceof GoObject) {
    return a.typeName === b.typeName && a.toString() === b.toString()
  }
  throw new TemplateError(`non-comparable type ${typeName(b)}`)
}

function isLess(a: Value, b: Value): boolean {
  const kind = basicKind(a)
  const other = basicKind(b)
  if (kind === null || other === null) throw new TemplateError('invalid type for comparison')
  if (kind !== other) throw incompatible(a, b)
  if (kind === 'bool') throw new TemplateError('invalid type for comparison')
  if (kind === 'int') return (integerOf(a) as bigint) < (integerOf(b) as bigint)
  if (kind === 'float') return (a as number) < (b as number)
  return compareText(textOf(a) as string, textOf(b) as string) < 0
}

function lengthOf(value: Value): number {
  const bytes = typeof value === 'string' ? null : bytesOf(value)
  if (typeof value === 'string') return byteLength(value)
  if (bytes !== null) return bytes.byteLength
  if (Array.isArray(value)) return value.length
  if (value instanceof Uint8Array) return value.byteLength
  if (value instanceof GoMap) return value.entries.size
  if (value === null || value === undefined) throw new TemplateError('len of nil pointer')
  throw new TemplateError(`len of type ${typeName(value)}`)
}

function indexArgument(value: Value, length: number): number {
  const number = integerOf(value)
  if (number === null) {
    const type = value === null || value === undefined ? 'nil' : `type ${typeName(value)}`
    throw new TemplateError(`cannot index slice/array with ${type}`)
  }
  if (number < 0n || number > BigInt(length)) {
    throw new TemplateError(`index out of range: ${number}`)
  }
  return Number(number)
}

function index(item: Value, indices: readonly Value[]): Value {
  if (item === null || item === undefined) throw new TemplateError('index of untyped nil')
  return indices.reduce(indexOnce, item)
}

function indexOnce(item: Value, key: Value): Value {
  if (item === null || item === undefined) throw new TemplateError('index of nil pointer')
  if (item instanceof GoMap) {
    const name = textOf(key)
    if (name === null) {
      const message = `value has type ${typeName(key)}; should be string`
      throw new TemplateError(
        key === null || key === undefined ? 'value is nil; should be of type string' : message,
      )
    }
    const found = item.entries.get(name)
    return found === undefined ? item.zero : found
  }
  const text = textOf(item)
  const list = text === null ? item : Buffer.from(text)
  if (!Array.isArray(list) && !(list instanceof Uint8Array)) {
    throw new TemplateError(`can't index item of type ${typeName(item)}`)
  }
  const at = indexArgument(key, list.length)
  if (at === list.length) throw new TemplateError(`index out of range: ${at}`)
  const found = list[at]
  return list instanceof Uint8Array ? BigInt(found as number) : (found as Value)
}

function slice(item: Value, indices: readonly Value[]): Value {
  if (item === null || item === undefined) throw new TemplateError('slice of untyped nil')
  if (indices.length > 3) throw new TemplateError(`too many slice indexes: ${indices.length}`)
  const text = textOf(item)
  if (text !== null && indices.length === 3) {
    throw new TemplateError('cannot 3-index slice a string')
  }
  const isList = Array.isArray(item) || item instanceof Uint8Array
  if (text === null && !isList)
    throw new TemplateError(`can't slice item of type ${typeName(item)}`)
  const length = lengthOf(item)
  const bounds = indices.map((each) => indexArgument(each, length))
  const [start = 0, end = length, capacity = length] = bounds
  if (start > end) throw new TemplateError(`invalid slice index: ${start} > ${end}`)
  if (end > capacity) throw new TemplateError(`invalid slice index: ${end} > ${capacity}`)
  if (text !== null) return sliceBytes(text, start, end)
  if (item instanceof Uint8Array) return item.subarray(start, end)
  const part = (item as Value[]).slice(start, end)
  return item instanceof Strings ? Strings.from(part) : part
}

/** Nil counts as text here, as in Go. */
function textOfAll(values: readonly Value[], run: Run): string {
  return sprint(
    values.map((value) => (value === null || value === undefined ? '<no value>' : value)),
    run,
  )
}

const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
}

export function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (character) => HTML[character] as string)
}

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

function escapeJs(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are escaped
  return text.replace(/[\\'"<>&=\x00-\x1f]|[^\x00-\x7f]/gu, (character) => {
    const known = JS[character]
    if (known !== undefined) return known
    const code = character.codePointAt(0) as number
    if (code >= 0x80 && isPrintable(character)) return character
    return `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`
  })
}

/** As Go's `url.QueryEscape`. */
export function escapeQuery(text: string): string {
  // Half a character of UTF-16 cannot be encoded.
  return encodeURIComponent(Buffer.from(text).toString())
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}
