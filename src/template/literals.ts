import type { NumberOperand } from './ast.js'

const ESCAPE =
  /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/y
const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** The text of a quoted literal, quotes included, as Go reads it; null when it is none. */
export function unquote(quoted: string): string | null {
  const quote = quoted[0]
  const inner = quoted.slice(1, -1)
  if (quote === '`') return inner.replaceAll('\r', '')
  if (!inner.includes('\\')) return inner
  const bytes: Buffer[] = []
  let at = 0
  while (at < inner.length) {
    const next = inner.indexOf('\\', at)
    const end = next < 0 ? inner.length : next
    bytes.push(Buffer.from(inner.slice(at, end)))
    at = end
    if (next < 0) break
    ESCAPE.lastIndex = at
    const found = ESCAPE.exec(inner)
    if (found === null) return null
    const piece = escaped(found, quote)
    if (piece === null) return null
    bytes.push(piece)
    at = ESCAPE.lastIndex
  }
  return Buffer.concat(bytes).toString()
}

function escaped(found: RegExpExecArray, quote: string | undefined): Buffer | null {
  const [, simple, hex, short, long, octal] = found
  if (simple !== undefined) {
    // A quote needs an escape only in its own kind of literal, and Go allows it only there.
    if ((simple === '"' || simple === "'") && simple !== quote) return null
    return Buffer.from(SIMPLE[simple] as string)
  }
  if (hex !== undefined) return Buffer.of(Number.parseInt(hex, 16))
  if (octal !== undefined) return Buffer.of(Number.parseInt(octal, 8))
  const code = Number.parseInt((short ?? long) as string, 16)
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null
  return Buffer.from(String.fromCodePoint(code))
}

const INTEGER =
  /^([+-]?)(?:0[xX](_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[bB](_?[01]+(?:_[01]+)*)|0[oO]?(_?[0-7]+(?:_[0-7]+)*)|(0|[1-9][0-9]*(?:_[0-9]+)*))$/
const DECIMAL =
  /^[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+)?$/
const HEX_FLOAT = /^([+-]?)0[xX]_?([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9]+)$/

const INT_MAX = 2n ** 63n - 1n
const INT_MIN = -(2n ** 63n)

/** Reads a number as Go's templates do, or says what is wrong with it. */
export function parseNumber(text: string, offset: number): NumberOperand | string {
  if (text.endsWith('i') && !/^[+-]?0[xX]/.test(text)) {
    return `complex number ${text}: not supported`
  }
  const integer = integerIn(text)
  if (integer !== null) {
    if (integer > INT_MAX || integer < INT_MIN) return `integer overflow: ${text}`
    return { type: 'number', value: integer, integer, float: Number(integer), offset }
  }
  const float = floatIn(text)
  if (float === null) return `illegal number syntax: ${JSON.stringify(text)}`
  if (!Number.isFinite(float)) return `number out of range: ${text}`
  const isWhole = Number.isInteger(float) && Math.abs(float) < 2 ** 63
  return { type: 'number', value: float, integer: isWhole ? BigInt(float) : null, float, offset }
}

function integerIn(text: string): bigint | null {
  const found = INTEGER.exec(text)
  if (found === null) return null
  const [, sign, hex, binary, octal, decimal] = found
  const digits = ((hex ?? binary ?? octal ?? decimal) as string).replaceAll('_', '')
  const prefix =
    hex !== undefined ? '0x' : binary !== undefined ? '0b' : octal !== undefined ? '0o' : ''
  const value = BigInt(prefix + digits)
  return sign === '-' ? -value : value
}

function floatIn(text: string): number | null {
  if (DECIMAL.test(text)) return Number(text.replaceAll('_', ''))
  const found = HEX_FLOAT.exec(text)
  if (found === null) return null
  const [, sign, whole = '', fraction = '', exponent = '0'] = found
  const digits = (whole + fraction).replaceAll('_', '')
  if (digits === '') return null
  const scale = Number(exponent) - 4 * fraction.replaceAll('_', '').length
  const value = Number(BigInt(`0x${digits}`)) * 2 ** scale
  return sign === '-' ? -value : value
}

/** The value of a character constant with its quotes, or null. */
export function runeOf(quoted: string): bigint | null {
  const text = unquote(quoted)
  if (text === null) return null
  const [first, ...others] = text
  return first === undefined || others.length > 0 ? null : BigInt(first.codePointAt(0) as number)
}
