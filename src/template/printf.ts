import { formatFloat } from './float.js'
import { plain, quoted } from './format.js'
import { GoMap, GoObject, Int64, integerOf, type Run, typeName, type Value } from './value.js'

/** Go takes no larger width or precision. */
const NUMBER_MAX = 1_000_000

interface Flags {
  sharp: boolean
  zero: boolean
  plus: boolean
  minus: boolean
  space: boolean
  /** -1: none. */
  width: number
  precision: number
}

/** As Go's `fmt.Sprintf`. */
export function sprintf(format: string, values: readonly Value[], run: Run): string {
  return new Printer(format, values, run).print()
}

class Printer {
  readonly #format: string
  readonly #values: readonly Value[]
  readonly #run: Run
  #at = 0
  #argument = 0
  #isReordered = false
  #isGoodNumber = true
  #afterIndex = false

  constructor(format: string, values: readonly Value[], run: Run) {
    this.#format = format
    this.#values = values
    this.#run = run
  }

  print(): string {
    const format = this.#format
    let text = ''
    while (this.#at < format.length) {
      const percent = format.indexOf('%', this.#at)
      if (percent < 0) {
        text += format.slice(this.#at)
        break
      }
      text += format.slice(this.#at, percent)
      this.#at = percent + 1
      const piece = this.#verb()
      this.#run.grow(piece.length)
      text += piece
    }
    return text + this.#extra()
  }

  #verb(): string {
    this.#isGoodNumber = true
    this.#afterIndex = false
    const flags = this.#flags()
    let trouble = this.#width(flags)
    trouble += this.#precision(flags)
    if (!this.#afterIndex) this.#index()
    const code = this.#format.codePointAt(this.#at)
    if (code === undefined) return `${trouble}%!(NOVERB)`
    const verb = String.fromCodePoint(code)
    this.#at += verb.length
    if (verb === '%') return `${trouble}%`
    if (!this.#isGoodNumber) return `${trouble}%!${verb}(BADINDEX)`
    if (this.#argument >= this.#values.length) return `${trouble}%!${verb}(MISSING)`
    const value = this.#values[this.#argument]
    this.#argument += 1
    return trouble + formatted(value, verb, flags, this.#run)
  }

  #flags(): Flags {
    const flags: Flags = {
      sharp: false,
      zero: false,
      plus: false,
      minus: false,
      space: false,
      width: -1,
      precision: -1,
    }
    for (; this.#at < this.#format.length; this.#at++) {
      const flag = this.#format[this.#at]
      if (flag === '#') flags.sharp = true
      else if (flag === '0') flags.zero = true
      else if (flag === '+') flags.plus = true
      else if (flag === '-') flags.minus = true
      else if (flag === ' ') flags.space = true
      else break
    }
    return flags
  }

  /** `[n]`: the number of the argument that comes next. */
  #index(): void {
    this.#afterIndex = false
    if (this.#format[this.#at] !== '[') return
    this.#isReordered = true
    const found = /^\[(\d{1,7})\]/.exec(this.#format.slice(this.#at, this.#at + 10))
    const close = this.#format.indexOf(']', this.#at)
    const number = found === null ? -1 : Number(found[1]) - 1
    if (number >= 0 && number < this.#values.length) {
      this.#argument = number
      this.#afterIndex = true
    } else this.#isGoodNumber = false
    this.#at = close < 0 ? this.#at + 1 : close + 1
  }

  #width(flags: Flags): string {
    this.#index()
    if (this.#format[this.#at] === '*') {
      this.#at += 1
      const width = this.#starred()
      this.#afterIndex = false
      if (width === null) return '%!(BADWIDTH)'
      flags.width = Math.abs(width)
      if (width < 0) {
        flags.minus = true
        flags.zero = false
      }
      return ''
    }
    flags.width = this.#number()
    if (this.#afterIndex && flags.width >= 0) this.#isGoodNumber = false
    return ''
  }

  #precision(flags: Flags): string {
    if (this.#format[this.#at] !== '.' || this.#at + 1 >= this.#format.length) return ''
    this.#at += 1
    if (this.#afterIndex) this.#isGoodNumber = false
    this.#index()
    if (this.#format[this.#at] === '*') {
      this.#at += 1
      const precision = this.#starred()
      this.#afterIndex = false
      if (precision === null || precision < 0) return '%!(BADPREC)'
      flags.precision = precision
      return ''
    }
    flags.precision = Math.max(this.#number(), 0)
    return ''
  }

  #starred(): number | null {
    if (this.#argument >= this.#values.length) return null
    const value = integerOf(this.#values[this.#argument])
    this.#argument += 1
    if (value === null) return null
    const number = Number(value)
    return Math.abs(number) > NUMBER_MAX ? null : number
  }

  #number(): number {
    const digits = /^\d*/.exec(this.#format.slice(this.#at, this.#at + 20))?.[0] ?? ''
    if (digits === '') return -1
    this.#at += digits.length
    const number = Number(digits)
    return number > NUMBER_MAX ? -1 : number
  }

  #extra(): string {
    if (this.#isReordered || this.#argument >= this.#values.length) return ''
    const parts = this.#values
      .slice(this.#argument)
      .map((value) => (value === null || value === undefined ? '<nil>' : this.#typed(value)))
    return `%!(EXTRA ${parts.join(', ')})`
  }

  #typed(value: Value): string {
    return `${typeName(value)}=${plain(value, this.#run)}`
  }
}

function formatted(value: Value, verb: string, flags: Flags, run: Run): string {
  if (flags.width > 0) run.grow(flags.width)
  if (flags.precision > 0) run.grow(flags.precision)
  if (value === null || value === undefined) {
    return verb === 'T' || verb === 'v' ? pad('<nil>', flags) : `%!${verb}(<nil>)`
  }
  if (verb === 'T') return pad(typeName(value), flags)
  if (verb === 'v' && flags.plus) return formatted(value, verb, { ...flags, plus: false }, run)
  if (verb === 'w') return badVerb(value, verb, flags, run)
  const text = byKind(value, verb, flags, run)
  return text ?? badVerb(value, verb, flags, run)
}

/** The value is shown all the same, as wide and as exact as it was to be. */
function badVerb(value: Value, verb: string, flags: Flags, run: Run): string {
  return `%!${verb}(${typeName(value)}=${byKind(value, 'v', flags, run) ?? plain(value, run)})`
}

/** Null: a verb that the kind does not have. */
function byKind(value: Value, verb: string, flags: Flags, run: Run): string | null {
  if (typeof value === 'boolean') {
    return verb === 't' || verb === 'v' ? pad(String(value), flags) : null
  }
  const integer = integerOf(value)
  if (integer !== null) return formatInteger(integer, verb, flags)
  if (typeof value === 'number') return formatNumber(value, verb, flags)
  if (typeof value === 'string') return formatText(value, verb, flags)
  if (value instanceof Uint8Array && 'sxXq'.includes(verb)) return formatBytes(value, verb, flags)
  if (value instanceof GoObject)
    return formatText(value.toString(), verb === 'v' ? 's' : verb, flags)
  if (verb === 'v' && flags.sharp) return goSyntax(value, run, 0)
  return collection(value, verb, flags, run)
}

function collection(value: Value, verb: string, flags: Flags, run: Run): string | null {
  const each = (item: Value): string => {
    run.step()
    if (item === null) return '<nil>'
    return formatted(item, verb, flags, run)
  }
  if (value instanceof Uint8Array) {
    return `[${[...value].map((byte) => each(BigInt(byte))).join(' ')}]`
  }
  if (Array.isArray(value)) return `[${value.map(each).join(' ')}]`
  if (!(value instanceof GoMap)) return null
  const parts = value.sortedKeys().map((key) => `${each(key)}:${each(value.entries.get(key))}`)
  return `map[${parts.join(' ')}]`
}

/** As `%#v`. */
function goSyntax(value: Value, run: Run, depth: number): string {
  run.step()
  if (depth > 50) return '…'
  if (value === null || value === undefined) return 'interface {}(nil)'
  if (typeof value === 'string') return quoted(value)
  const inner = (item: Value): string => goSyntax(item, run, depth + 1)
  if (value instanceof Uint8Array) {
    return `[]byte{${[...value].map((byte) => `0x${byte.toString(16)}`).join(', ')}}`
  }
  if (Array.isArray(value)) return `${typeName(value)}{${value.map(inner).join(', ')}}`
  if (value instanceof GoMap) {
    const parts = value
      .sortedKeys()
      .map((key) => `${quoted(key)}:${inner(value.entries.get(key) ?? null)}`)
    return `${typeName(value)}{${parts.join(', ')}}`
  }
  if (value instanceof GoObject) return quoted(value.toString())
  return value instanceof Int64 ? value.value.toString() : plain(value, run)
}

const BASES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }

function formatInteger(value: bigint, verb: string, flags: Flags): string | null {
  if (verb === 'c') return pad(runeText(value), flags)
  if (verb === 'q') return pad(quoted(runeText(value), "'", flags.plus), flags)
  if (verb === 'U') return pad(unicode(value, flags), { ...flags, zero: false })
  const base = BASES[verb]
  if (base === undefined) return null
  const isNegative = value < 0n
  let digits = (isNegative ? -value : value).toString(base)
  if (flags.precision === 0 && value === 0n) return ' '.repeat(Math.max(flags.width, 0))
  const signed = isNegative || flags.plus || flags.space
  let least = Math.max(flags.precision, 0)
  if (flags.precision < 0 && flags.zero && !flags.minus && flags.width > 0) {
    least = flags.width - (signed ? 1 : 0)
  }
  digits = digits.padStart(least, '0')
  if (verb === 'X') digits = digits.toUpperCase()
  if (flags.sharp) {
    if (base === 2) digits = `0b${digits}`
    else if (base === 8 && !digits.startsWith('0')) digits = `0${digits}`
    else if (base === 16) digits = `0${verb}${digits}`
  }
  if (verb === 'O') digits = `0o${digits}`
  const sign = isNegative ? '-' : flags.plus ? '+' : flags.space ? ' ' : ''
  return pad(sign + digits, { ...flags, zero: false })
}

function runeText(value: bigint): string {
  const isValid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn)
  return isValid ? String.fromCodePoint(Number(value)) : '\ufffd'
}

function unicode(value: bigint, flags: Flags): string {
  const hex = BigInt.asUintN(64, value).toString(16).toUpperCase()
  const code = `U+${hex.padStart(Math.max(flags.precision, 4), '0')}`
  return flags.sharp ? `${code} '${runeText(value)}'` : code
}

function formatNumber(value: number, verb: string, flags: Flags): string | null {
  const format = verb === 'v' ? 'g' : verb === 'F' ? 'f' : verb
  if (format !== 'e' && format !== 'E' && format !== 'f' && format !== 'g' && format !== 'G') {
    return null
  }
  const isGeneral = format === 'g' || format === 'G'
  const precision = flags.precision >= 0 ? flags.precision : isGeneral ? -1 : 6
  let text = formatFloat(value, format, precision)
  if (flags.sharp && verb !== 'v' && Number.isFinite(value)) {
    text = withPoint(text, isGeneral ? (precision < 0 ? 6 : precision) : -1)
  }
  const isBare = !text.startsWith('-') && !text.startsWith('+')
  if (Number.isNaN(value)) {
    const sign = flags.plus ? '+' : flags.space ? ' ' : ''
    return pad(sign + text, { ...flags, zero: false })
  }
  if (!Number.isFinite(value)) {
    const shown = flags.plus || value < 0 ? text : flags.space ? ` ${text.slice(1)}` : text
    return pad(shown, { ...flags, zero: false })
  }
  const sign = isBare ? (flags.plus ? '+' : flags.space ? ' ' : '') : (text[0] as string)
  const digits = isBare ? text : text.slice(1)
  if (flags.zero && !flags.minus && flags.width > 0) {
    return sign + digits.padStart(flags.width - sign.length, '0')
  }
  return pad(sign + digits, { ...flags, zero: false })
}

/** `#`: always a decimal point, and for %g the zeros at the end. */
function withPoint(text: string, digits: number): string {
  const [, sign = '', mantissa = '', exponent = ''] = /^(-?)([^e]*)(e.*)?$/i.exec(text) ?? []
  let shown = mantissa.includes('.') ? mantissa : `${mantissa}.`
  const counted = mantissa.replace('.', '').replace(/^0+/, '').length || (mantissa === '0' ? 1 : 0)
  if (digits > counted) shown += '0'.repeat(digits - counted)
  return sign + shown + exponent
}

function formatText(value: string, verb: string, flags: Flags): string | null {
  switch (verb) {
    case 'v':
      return flags.sharp ? pad(quoted(value), flags) : pad(cut(value, flags), flags)
    case 's':
      return pad(cut(value, flags), flags)
    case 'q': {
      const text = cut(value, flags)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: raw strings cannot hold them
      const isRaw = flags.sharp && !/[`\x00-\x08\x0a-\x1f\x7f\ufeff]/.test(text)
      return pad(isRaw ? `\`${text}\`` : quoted(text, '"', flags.plus), flags)
    }
    case 'x':
    case 'X':
      return hex(Buffer.from(value), verb, flags)
    default:
      return null
  }
}

function formatBytes(value: Uint8Array, verb: string, flags: Flags): string | null {
  if (verb === 'x' || verb === 'X') return hex(value, verb, flags)
  const text = Buffer.from(value).toString()
  return formatText(text, verb, flags)
}

function hex(bytes: Uint8Array, verb: 'x' | 'X', flags: Flags): string {
  const length =
    flags.precision >= 0 ? Math.min(flags.precision, bytes.byteLength) : bytes.byteLength
  const prefix = flags.sharp && length > 0 ? `0${verb}` : ''
  const pairs: string[] = []
  for (let i = 0; i < length; i++) pairs.push((bytes[i] as number).toString(16).padStart(2, '0'))
  const cased = verb === 'X' ? pairs.map((pair) => pair.toUpperCase()) : pairs
  const text = flags.space ? cased.map((pair) => prefix + pair).join(' ') : prefix + cased.join('')
  return pad(text, flags)
}

/** The precision counts characters. */
function cut(text: string, { precision }: Flags): string {
  if (precision < 0 || text.length <= precision) return text
  return [...text.slice(0, 2 * precision)].slice(0, precision).join('')
}

function pad(text: string, { width, minus, zero }: Flags): string {
  if (width <= text.length && width <= sliceWidth(text)) return text
  const missing = width - sliceWidth(text)
  if (missing <= 0) return text
  if (minus) return text + ' '.repeat(missing)
  return (zero ? '0' : ' ').repeat(missing) + text
}

/** Characters, not UTF-16 units. */
function sliceWidth(text: string): number {
  let width = text.length
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xd800) width -= 1
  return width
}
