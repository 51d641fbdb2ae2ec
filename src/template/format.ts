import { formatFloat } from './float.js'
import {
  DEPTH_MAX,
  GoMap,
  GoObject,
  integerOf,
  type Run,
  TemplateError,
  type Value,
} from './value.js'

/** What an action prints. */
export function display(value: Value, run: Run): string {
  if (typeof value === 'string') return value
  if (value === undefined) return '<no value>'
  return plain(value, run)
}

/** As `%v`; charges for all but short texts, so that nothing grows beyond its bounds. */
export function plain(value: Value, run: Run, depth = 0): string {
  if (value === undefined || value === null) return '<nil>'
  if (typeof value === 'string') return value
  if (typeof value === 'number') return formatFloat(value, 'g', -1)
  const integer = integerOf(value)
  if (integer !== null) return integer.toString()
  if (value instanceof GoObject) return value.toString()
  if (depth > DEPTH_MAX) throw new TemplateError('nested too deeply to be printed')
  if (value instanceof GoMap) return `map[${joined(mapParts(value, run, depth), run)}]`
  if (value instanceof Uint8Array) {
    run.grow(3 * value.byteLength)
    return `[${value.join(' ')}]`
  }
  if (Array.isArray(value)) return `[${joined(itemParts(value, run, depth), run)}]`
  return String(value)
}

function* itemParts(items: readonly Value[], run: Run, depth: number): Generator<string> {
  for (const item of items) yield plain(item, run, depth + 1)
}

function* mapParts(map: GoMap, run: Run, depth: number): Generator<string> {
  for (const key of map.sortedKeys()) {
    yield `${key}:${plain(map.entries.get(key), run, depth + 1)}`
  }
}

function joined(parts: Iterable<string>, run: Run): string {
  let text = ''
  let isFirst = true
  for (const part of parts) {
    run.step()
    run.grow(part.length)
    text += isFirst ? part : ` ${part}`
    isFirst = false
  }
  return text
}

/** As `fmt.Sprint`: a blank between two operands when neither is text. */
export function sprint(values: readonly Value[], run: Run): string {
  let text = ''
  let wasText = false
  for (const [index, value] of values.entries()) {
    const isText =
      typeof value === 'string' || (value instanceof GoObject && value.kind === 'string')
    if (index > 0 && !isText && !wasText) text += ' '
    text += plain(value, run)
    wasText = isText
  }
  return text
}

/** As `fmt.Sprintln`. */
export function sprintln(values: readonly Value[], run: Run): string {
  return `${values.map((value) => plain(value, run)).join(' ')}\n`
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
const ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

export function isPrintable(character: string): boolean {
  return PRINTABLE.test(character)
}

/** As Go's `strconv.Quote`, or `QuoteToASCII`. */
export function quoted(text: string, quote = '"', isAscii = false): string {
  if (quote === '"' && /^[ !#-[\]-~]*$/.test(text)) return `"${text}"`
  let out = quote
  for (const character of text) out += escapedIn(character, quote, isAscii)
  return out + quote
}

function escapedIn(character: string, quote: string, isAscii: boolean): string {
  const known = ESCAPES[character]
  if (known !== undefined) return known
  if (character === quote) return `\\${quote}`
  const code = character.codePointAt(0) ?? 0
  if (code < 0x80 ? code >= 0x20 && code < 0x7f : !isAscii && isPrintable(character)) {
    return character
  }
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`
  return `\\U${code.toString(16).padStart(8, '0')}`
}
