import { formatDuration, parseDuration } from '../lib/duration.js'
import { escapeQuery } from './builtins.js'
import { fn, variadic } from './define.js'
import { GoTime, parseTime, UTC, zoneOf } from './go-time.js'
import { toJson } from './json.js'
import { Patterns } from './patterns.js'
import {
  type Func,
  type GoMap,
  integerOf,
  NilList,
  type Run,
  Strings,
  TemplateError,
  type Value,
} from './value.js'
import { satisfies, Version } from './version.js'

/** The instant that sprig's date functions see in a value. */
function timeIn(value: Value, run: Run): GoTime {
  if (value instanceof GoTime) return value
  const seconds = integerOf(value)
  const local = zoneOf('Local') ?? UTC
  return seconds === null ? GoTime.fromMs(run.nowMs(), local) : GoTime.fromSeconds(seconds, local)
}

function dateIn(run: Run, layout: string, value: Value, zone: string): string {
  return timeIn(value, run)
    .in(zoneOf(zone) ?? UTC)
    .format(layout)
}

function modified(change: string, time: GoTime): GoTime {
  const ms = parseDuration(change)
  if (ms === null) return time
  return new GoTime(time.ns + BigInt(Math.round(ms * 1_000_000)), time.zone)
}

/** Go's path.Clean. */
function cleanPath(path: string): string {
  if (path === '') return '.'
  const isRooted = path.startsWith('/')
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') kept.push(part)
    else if (kept.length > 0 && kept[kept.length - 1] !== '..') kept.pop()
    else if (!isRooted) kept.push(part)
  }
  const joined = kept.join('/')
  if (isRooted) return `/${joined}`
  return joined === '' ? '.' : joined
}

function baseOf(path: string): string {
  if (path === '') return '.'
  const bare = path.replace(/\/+$/, '')
  return bare === '' ? '/' : bare.slice(bare.lastIndexOf('/') + 1)
}

function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  return dot < 0 ? '' : name.slice(dot)
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function toBase32(bytes: Uint8Array): string {
  let text = ''
  let held = 0
  let bits = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31]
    held &= 31
  }
  if (bits > 0) text += BASE32[(held << (5 - bits)) & 31]
  return text.padEnd(Math.ceil(text.length / 8) * 8, '=')
}

/** As Go refuses it, with the place. */
function fromBase32(text: string): string {
  const clean = text.replace(/[\r\n]/g, '')
  const found = /^([A-Z2-7]*)(=*)$/.exec(clean)
  const [, digits = '', padding = ''] = found ?? []
  const tail = digits.length % 8
  if (found === null || clean.length % 8 !== 0 || [1, 3, 6].includes(tail) || padding.length > 6) {
    const at = Math.max(0, clean.search(/[^A-Z2-7=]/))
    return `illegal base32 data at input byte ${at}`
  }
  const bytes: number[] = []
  let held = 0
  let bits = 0
  for (const digit of digits) {
    held = ((held << 5) | BASE32.indexOf(digit)) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((held >> bits) & 255)
  }
  return Buffer.from(bytes).toString()
}

function fromBase64(text: string): string {
  const clean = text.replace(/[\r\n]/g, '')
  const isValid = /^[A-Za-z0-9+/]*={0,2}$/.test(clean) && clean.length % 4 === 0
  if (isValid) return Buffer.from(clean, 'base64').toString()
  const bad = text.search(/[^A-Za-z0-9+/\r\n]/)
  return `illegal base64 data at input byte ${bad < 0 ? clean.length - (clean.length % 4) : bad}`
}

const ENV_NAME = /\$(?:\{([^}]*)\}|([A-Za-z0-9_]+|[*#$@!?-]))/g

/** Sprig's and Easegress's functions that fit nowhere else. */
export function miscFunctions(): readonly Func[] {
  const patterns = new Patterns()
  return [
    fn('now', [], (run) => GoTime.fromMs(run.nowMs(), zoneOf('Local') ?? UTC)),
    fn('date', ['string', 'any'], (run, layout, value) => dateIn(run, layout, value, 'Local')),
    fn('date_in_zone', ['string', 'any', 'string'], dateIn),
    fn('dateInZone', ['string', 'any', 'string'], dateIn),
    fn('date_modify', ['string', 'time'], (_run, change, time) => modified(change, time)),
    fn('dateModify', ['string', 'time'], (_run, change, time) => modified(change, time)),
    fn('htmlDate', ['any'], (run, value) => dateIn(run, '2006-01-02', value, 'Local')),
    fn('htmlDateInZone', ['any', 'string'], (run, value, zone) =>
      dateIn(run, '2006-01-02', value, zone),
    ),
    fn('ago', ['any'], (run, value) => {
      const seconds = (run.nowMs() - timeIn(value, run).unixMs) / 1_000
      return formatDuration(Math.round(seconds) * 1_000)
    }),
    fn(
      'toDate',
      ['string', 'string'],
      (_run, layout, text) => parseTime(layout, text, zoneOf('Local') ?? UTC) ?? GoTime.zero(),
    ),
    fn('unixEpoch', ['time'], (_run, time) => String(Math.floor(time.unixMs / 1_000))),
    fn('toJson', ['any'], (run, value) => toJson(value, run, '') ?? ''),
    fn('toPrettyJson', ['any'], (run, value) => toJson(value, run, '  ') ?? ''),
    fn('jsonEscape', ['string'], (run, text) => (toJson(text, run, '') ?? '""').slice(1, -1)),
    fn('b64enc', ['bytes'], (_run, bytes) => Buffer.from(bytes).toString('base64')),
    fn('b64dec', ['string'], (_run, text) => fromBase64(text)),
    fn('b32enc', ['bytes'], (_run, bytes) => toBase32(bytes)),
    fn('b32dec', ['string'], (_run, text) => fromBase32(text)),
    fn('env', ['string'], (_run, name) => process.env[name] ?? ''),
    fn('expandenv', ['string'], (_run, text) =>
      text.replace(ENV_NAME, (_whole, braced: string | undefined, bare: string | undefined) => {
        return process.env[braced ?? bare ?? ''] ?? ''
      }),
    ),
    fn('base', ['string'], (_run, path) => baseOf(path)),
    fn('dir', ['string'], (_run, path) => cleanPath(path.slice(0, path.lastIndexOf('/') + 1))),
    fn('clean', ['string'], (_run, path) => cleanPath(path)),
    fn('ext', ['string'], (_run, path) => extensionOf(path)),
    fn('isAbs', ['string'], (_run, path) => path.startsWith('/')),
    fn('semver', ['string'], (_run, text) => Version.parse(text)),
    fn('semverCompare', ['string', 'string'], (_run, constraint, text) =>
      satisfies(constraint, text),
    ),
    fn('fail', ['string'], (_run, message) => {
      throw new TemplateError(message)
    }),
    fn('panic', ['string'], (_run, message) => {
      throw new TemplateError(message)
    }),
    fn('log', ['string', 'string'], (run, level, message) => {
      run.log(level.toLowerCase(), message)
      return ''
    }),
    fn(
      'regexMatch',
      ['string', 'string'],
      (run, pattern, text) => patterns.tryGet(pattern, run)?.test(text) ?? false,
    ),
    fn('regexFindAll', ['string', 'string', 'int'], (run, pattern, text, limit) => {
      const found = patterns.findAll(pattern, text, Number(limit), run)
      return found.length === 0 ? new NilList() : Strings.from(found)
    }),
    fn('regexFind', ['string', 'string'], (run, pattern, text) => {
      return patterns.findAll(pattern, text, 1, run)[0] ?? ''
    }),
    fn('regexReplaceAll', ['string', 'string', 'string'], (run, pattern, text, by) =>
      patterns.replaceAll(pattern, text, by, run),
    ),
    fn('regexReplaceAllLiteral', ['string', 'string', 'string'], (run, pattern, text, by) =>
      patterns.replaceAll(pattern, text, by.replaceAll('$', '$$$$'), run),
    ),
    fn('regexSplit', ['string', 'string', 'int'], (run, pattern, text, limit) =>
      Strings.from(patterns.split(pattern, text, Number(limit), run)),
    ),
    fn('header', ['map', 'string'], (_run, headers, name) => headerOf(headers, name)),
    fn('host', ['string'], (_run, address) => hostAndPort(address)[0]),
    fn('port', ['string'], (_run, address) => hostAndPort(address)[1]),
    fn('urlQueryEscape', ['string'], (_run, text) => escapeQuery(text)),
    fn('urlQueryUnescape', ['string'], (_run, text) => unescapeQuery(text)),
    variadic('username', ['any'], 'any', (run, _rest, request) => usernameOf(request, run)),
  ]
}

function headerOf(headers: GoMap, name: string): Value {
  const get = headers.method('Get')
  if (get !== null) return get.call([name], IDLE)
  const values = headers.entries.get(name)
  return Array.isArray(values) ? (values[0] ?? '') : ''
}

/** For methods that make nothing. */
const IDLE: Run = {
  step: () => {},
  grow: () => {},
  makeItems: () => {},
  nowMs: () => 0,
  log: () => {},
}

function usernameOf(request: Value, run: Run): Value {
  const member =
    request !== null && typeof request === 'object' && 'member' in request
      ? request.member('Username')
      : undefined
  if (member !== undefined && member !== null && typeof member === 'object' && 'call' in member) {
    return member.call([], run)
  }
  throw new TemplateError('username: expected a request')
}

/** Go's net.SplitHostPort. */
function hostAndPort(address: string): readonly [host: string, port: string] {
  const found = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(address)
  if (found === null) throw new TemplateError(`address ${address}: expected host:port`)
  return [found[1] ?? found[2] ?? '', found[3] ?? '']
}

function unescapeQuery(text: string): string {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) throw new TemplateError('invalid URL escape')
  const bytes = Buffer.from(text.replaceAll('+', ' ')).toString('latin1')
  const plain = bytes.replace(/%([0-9a-fA-F]{2})/g, (_whole, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(plain, 'latin1').toString()
}
