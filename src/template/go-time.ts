import { Func, GoObject, Int64, method, type Value } from './value.js'

/** Where a clock hangs: an IANA name or a fixed offset. */
export interface Zone {
  readonly name: string
  /** Seconds east of Greenwich at an instant, in milliseconds since the Unix epoch. */
  offsetAt(unixMs: number): number
  /** As `MST` prints it. */
  abbreviationAt(unixMs: number): string
}

export const UTC: Zone = Object.freeze({
  name: 'UTC',
  offsetAt: () => 0,
  abbreviationAt: () => 'UTC',
})

function fixedZone(name: string, offset: number): Zone {
  return { name, offsetAt: () => offset, abbreviationAt: () => name || offsetText(offset) }
}

class NamedZone implements Zone {
  readonly name: string
  readonly #offsets: Intl.DateTimeFormat
  readonly #names: readonly Intl.DateTimeFormat[]

  constructor(name: string, timeZone: string | undefined) {
    this.name = name
    const zone = timeZone === undefined ? {} : { timeZone }
    this.#offsets = new Intl.DateTimeFormat('en-US', { ...zone, timeZoneName: 'longOffset' })
    this.#names = LOCALES.map(
      (locale) => new Intl.DateTimeFormat(locale, { ...zone, timeZoneName: 'short' }),
    )
  }

  offsetAt(unixMs: number): number {
    const found = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(zoneName(this.#offsets, unixMs))
    if (found === null) return 0
    const [, sign, hours, minutes, seconds = '0'] = found
    const size = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)
    return sign === '-' ? -size : size
  }

  abbreviationAt(unixMs: number): string {
    for (const names of this.#names) {
      const name = zoneName(names, unixMs)
      if (!/^(?:GMT|UTC)[+-]/.test(name)) return name
    }
    return offsetText(this.offsetAt(unixMs))
  }
}

/** Each knows the abbreviations of its own part of the world alone. */
const LOCALES = ['en-US', 'en-GB', 'en-IN', 'en-AU', 'en-ZA']

function zoneName(format: Intl.DateTimeFormat, unixMs: number): string {
  const parts = format.formatToParts(unixMs)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
}

const ZONES_MAX = 32
const zones = new Map<string, Zone>()

/** The zone of that name; null when there is none. `Local` is that of the process. */
export function zoneOf(name: string): Zone | null {
  if (name === '' || name === 'UTC') return UTC
  const known = zones.get(name)
  if (known !== undefined) return known
  try {
    const zone = new NamedZone(name, name === 'Local' ? undefined : name)
    // Names may come from requests.
    if (zones.size < ZONES_MAX) zones.set(name, zone)
    return zone
  } catch {
    return null
  }
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

const LAYOUT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|01|02|03|04|05|06|15|__2|_2(?!006)|1|2|3|4|5|PM|pm|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|[.,](?:0+|9+)(?!\d)/g

const NS_PER_MS = 1_000_000n
const NS_PER_SECOND = 1_000_000_000n
/** 0001-01-01 00:00:00 UTC, Go's zero time. */
const ZERO_NS = -62_135_596_800n * NS_PER_SECOND
/** What a JavaScript Date can say. */
const MS_MAX = 8.64e15

/** A time.Time. */
export class GoTime extends GoObject {
  override readonly typeName = 'time.Time'
  /** Nanoseconds since the Unix epoch. */
  readonly ns: bigint
  readonly zone: Zone

  constructor(ns: bigint, zone: Zone) {
    super()
    this.ns = ns
    this.zone = zone
  }

  static fromMs(ms: number, zone: Zone): GoTime {
    return new GoTime(BigInt(Math.round(ms)) * NS_PER_MS, zone)
  }

  static fromSeconds(seconds: bigint, zone: Zone): GoTime {
    return new GoTime(seconds * NS_PER_SECOND, zone)
  }

  static zero(): GoTime {
    return new GoTime(ZERO_NS, UTC)
  }

  get unixMs(): number {
    return Number(floorDivide(this.ns, NS_PER_MS))
  }

  in(zone: Zone): GoTime {
    return new GoTime(this.ns, zone)
  }

  /** In the notation of Go's layouts. */
  format(layout: string): string {
    const fields = new Fields(this)
    return layout.replace(LAYOUT, (part) => fields.text(part))
  }

  override toString(): string {
    return this.format('2006-01-02 15:04:05.999999999 -0700 MST')
  }

  override toJson(): Value {
    return this.format('2006-01-02T15:04:05.999999999Z07:00')
  }

  override member(name: string): Value | Func | undefined {
    if (name === 'Format') {
      return new Func(name, ['string'], null, ([layout]) => this.format(layout as string))
    }
    const read = METHODS.get(name)
    return read === undefined ? undefined : method(name, () => read(this))
  }
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

/** A time taken apart, as its zone's clock shows it. */
class Fields {
  readonly #time: GoTime
  readonly #date: Date
  readonly #offset: number

  constructor(time: GoTime) {
    this.#time = time
    const ms = Math.max(-MS_MAX, Math.min(MS_MAX, time.unixMs))
    this.#offset = time.zone.offsetAt(ms)
    this.#date = new Date(ms + this.#offset * 1_000)
  }

  get date(): Date {
    return this.#date
  }

  get yearDay(): number {
    const start = Date.UTC(2000, 0, 1)
    const year = new Date(start)
    year.setUTCFullYear(this.#date.getUTCFullYear(), 0, 1)
    return Math.floor((this.#date.getTime() - year.getTime()) / 86_400_000) + 1
  }

  text(part: string): string {
    const date = this.#date
    const month = date.getUTCMonth()
    const hour = date.getUTCHours()
    switch (part) {
      case '2006':
        return padded(date.getUTCFullYear(), 4)
      case '06':
        return padded(date.getUTCFullYear() % 100)
      case 'January':
        return MONTHS[month] as string
      case 'Jan':
        return (MONTHS[month] as string).slice(0, 3)
      case '01':
        return padded(month + 1)
      case '1':
        return String(month + 1)
      case 'Monday':
        return DAYS[date.getUTCDay()] as string
      case 'Mon':
        return (DAYS[date.getUTCDay()] as string).slice(0, 3)
      case '02':
        return padded(date.getUTCDate())
      case '_2':
        return String(date.getUTCDate()).padStart(2)
      case '2':
        return String(date.getUTCDate())
      case '002':
        return padded(this.yearDay, 3)
      case '__2':
        return String(this.yearDay).padStart(3)
      case '15':
        return padded(hour)
      case '03':
        return padded(hour % 12 || 12)
      case '3':
        return String(hour % 12 || 12)
      case '04':
        return padded(date.getUTCMinutes())
      case '4':
        return String(date.getUTCMinutes())
      case '05':
        return padded(date.getUTCSeconds())
      case '5':
        return String(date.getUTCSeconds())
      case 'PM':
        return hour < 12 ? 'AM' : 'PM'
      case 'pm':
        return hour < 12 ? 'am' : 'pm'
      case 'MST':
        return this.#time.zone.abbreviationAt(this.#time.unixMs)
      default:
        return part.startsWith('.') || part.startsWith(',')
          ? this.#fraction(part)
          : this.#zone(part)
    }
  }

  #zone(part: string): string {
    if (part.startsWith('Z') && this.#offset === 0) return 'Z'
    const size = Math.abs(this.#offset)
    const colon = part.includes(':') ? ':' : ''
    const count = part.replace(/[^0-9]/g, '').length / 2
    const pieces = [size / 3_600, (size / 60) % 60, size % 60].slice(0, count)
    const text = pieces.map((piece) => padded(Math.floor(piece))).join(colon)
    return (this.#offset < 0 ? '-' : '+') + text
  }

  #fraction(part: string): string {
    const ns = this.#time.ns - floorDivide(this.#time.ns, NS_PER_SECOND) * NS_PER_SECOND
    const digits = ns
      .toString()
      .padStart(9, '0')
      .padEnd(part.length - 1, '0')
    const kept = digits.slice(0, part.length - 1)
    if (part[1] === '0') return part[0] + kept
    const short = kept.replace(/0+$/, '')
    return short === '' ? '' : part[0] + short
  }
}

function padded(number: number, width = 2): string {
  const sign = number < 0 ? '-' : ''
  return sign + String(Math.abs(number)).padStart(width, '0')
}

function offsetText(offset: number): string {
  const size = Math.abs(offset)
  const minutes = Math.floor(size / 60) % 60
  const tail = minutes > 0 ? padded(minutes) : ''
  return (offset < 0 ? '-' : '+') + padded(Math.floor(size / 3_600)) + tail
}

const METHODS: ReadonlyMap<string, (time: GoTime) => Value> = new Map<
  string,
  (time: GoTime) => Value
>([
  ['String', (time) => time.toString()],
  ['Unix', (time) => new Int64(floorDivide(time.ns, NS_PER_SECOND))],
  ['UnixMilli', (time) => new Int64(floorDivide(time.ns, NS_PER_MS))],
  ['UnixMicro', (time) => new Int64(floorDivide(time.ns, 1_000n))],
  ['UnixNano', (time) => new Int64(time.ns)],
  ['Year', (time) => BigInt(new Fields(time).date.getUTCFullYear())],
  ['Month', (time) => time.format('January')],
  ['Day', (time) => BigInt(new Fields(time).date.getUTCDate())],
  ['Weekday', (time) => time.format('Monday')],
  ['YearDay', (time) => BigInt(new Fields(time).yearDay)],
  ['Hour', (time) => BigInt(new Fields(time).date.getUTCHours())],
  ['Minute', (time) => BigInt(new Fields(time).date.getUTCMinutes())],
  ['Second', (time) => BigInt(new Fields(time).date.getUTCSeconds())],
  ['Nanosecond', (time) => time.ns - floorDivide(time.ns, NS_PER_SECOND) * NS_PER_SECOND],
  ['IsZero', (time) => time.ns === ZERO_NS],
  ['UTC', (time) => time.in(UTC)],
  ['Local', (time) => time.in(zoneOf('Local') ?? UTC)],
])

interface Parsed {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  ns: bigint
  isPm: boolean | null
  offset: number | null
  zoneName: string
}

const DIGITS_OF: Readonly<Record<string, RegExp>> = {
  '2006': /^\d{4}/,
  '06': /^\d\d/,
  '01': /^\d\d/,
  '02': /^\d\d/,
  '03': /^\d\d/,
  '04': /^\d\d/,
  '05': /^\d\d/,
  '15': /^\d\d?/,
  '1': /^\d\d?/,
  '2': /^\d\d?/,
  _2: /^ ?\d\d?/,
  '3': /^\d\d?/,
  '4': /^\d\d?/,
  '5': /^\d\d?/,
}

/** Reads `text` by a layout, as Go's `time.ParseInLocation`; null when it does not fit. */
export function parseTime(layout: string, text: string, zone: Zone): GoTime | null {
  const parsed: Parsed = {
    year: 0,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
    ns: 0n,
    isPm: null,
    offset: null,
    zoneName: '',
  }
  let rest = text
  let at = 0
  for (const found of layout.matchAll(LAYOUT)) {
    const literal = layout.slice(at, found.index)
    if (!rest.startsWith(literal)) return null
    const after = takePart(found[0], rest.slice(literal.length), parsed)
    if (after === null) return null
    rest = after
    at = found.index + found[0].length
  }
  return rest === layout.slice(at) ? timeOf(parsed, zone) : null
}

function timeOf(parsed: Parsed, zone: Zone): GoTime | null {
  const { year, month, day, minute, second, offset } = parsed
  let { hour } = parsed
  if (parsed.isPm === true && hour < 12) hour += 12
  else if (parsed.isPm === false && hour === 12) hour = 0
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24
  if (!isReal || minute > 59 || second > 59) return null
  const own = offset === null ? zone : offset === 0 ? UTC : fixedZone(parsed.zoneName, offset)
  const local = date.getTime()
  const guess = own.offsetAt(local)
  const ms = local - own.offsetAt(local - guess * 1_000) * 1_000
  return new GoTime(BigInt(ms) * NS_PER_MS + parsed.ns, own)
}

/** What is left of `text` behind the part; null when it is not there. */
function takePart(part: string, text: string, parsed: Parsed): string | null {
  const digits = DIGITS_OF[part]
  if (digits !== undefined) {
    const found = digits.exec(text)?.[0]
    if (found === undefined) return null
    takeNumber(part, Number(found), parsed)
    const rest = text.slice(found.length)
    if (part !== '05' && part !== '5') return rest
    // Seconds may have a fraction that the layout does not name.
    const fraction = /^[.,]\d+/.exec(rest)?.[0] ?? ''
    if (fraction !== '') takeFraction(fraction, parsed)
    return rest.slice(fraction.length)
  }
  if (/^(?:Jan|Mon)/.test(part)) return takeName(part, text, parsed)
  if (part === 'PM' || part === 'pm') {
    const found = /^[AP]M/i.exec(text)?.[0]
    if (found === undefined) return null
    parsed.isPm = found.toUpperCase() === 'PM'
    return text.slice(2)
  }
  if (part === 'MST') {
    const found = /^(?:[A-Z]{3,4}|[+-]\d\d)/.exec(text)?.[0]
    if (found === undefined) return null
    if (found === 'UTC') parsed.offset = 0
    else parsed.zoneName = found
    return text.slice(found.length)
  }
  if (part.startsWith('.') || part.startsWith(',')) {
    const found = /^[.,]\d+/.exec(text)?.[0] ?? ''
    if (found !== '') takeFraction(found, parsed)
    return found === '' && part[1] === '0' && parsed.ns === 0n ? null : text.slice(found.length)
  }
  return takeOffset(part, text, parsed)
}

function takeNumber(part: string, number: number, parsed: Parsed): void {
  if (part === '2006') parsed.year = number
  else if (part === '06') parsed.year = number + (number >= 69 ? 1900 : 2000)
  else if (part === '01' || part === '1') parsed.month = number
  else if (part === '02' || part === '2' || part === '_2') parsed.day = number
  else if (part === '04' || part === '4') parsed.minute = number
  else if (part === '05' || part === '5') parsed.second = number
  else parsed.hour = number
}

function takeFraction(text: string, parsed: Parsed): void {
  parsed.ns = BigInt(text.slice(1, 10).padEnd(9, '0'))
}

function takeName(part: string, text: string, parsed: Parsed): string | null {
  const isShort = part.length === 3
  const names = part.startsWith('Jan') ? MONTHS : DAYS
  const index = names.findIndex((name) =>
    text.toLowerCase().startsWith((isShort ? name.slice(0, 3) : name).toLowerCase()),
  )
  if (index < 0) return null
  if (names === MONTHS) parsed.month = index + 1
  return text.slice(isShort ? 3 : (names[index] as string).length)
}

function takeOffset(part: string, text: string, parsed: Parsed): string | null {
  if (part.startsWith('Z') && text.startsWith('Z')) {
    parsed.offset = 0
    return text.slice(1)
  }
  const colon = part.includes(':') ? ':' : ''
  const count = part.replace(/[^0-9]/g, '').length / 2
  const pattern = `^([+-])(\\d\\d)${`${colon}(\\d\\d)`.repeat(count - 1)}`
  const found = new RegExp(pattern).exec(text)
  if (found === null) return null
  const [whole, sign, hours, minutes = '0', seconds = '0'] = found
  const size = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)
  parsed.offset = sign === '-' ? -size : size
  return text.slice(whole.length)
}
