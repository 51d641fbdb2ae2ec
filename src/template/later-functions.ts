/**
 * Functions that Easegress 2.0 to 2.4 took from a later sprig than its other releases do; its pages
 * still use some of them. Most are `must…`: what they do as functions without it, these do too.
 */
import { formatDuration, parseDuration } from '../lib/duration.js'
import { deepEquals, isEmpty, itemsOf } from './collection-functions.js'
import { fn, raw, variadic } from './define.js'
import { sprint } from './format.js'
import { GoTime } from './go-time.js'
import { parseJson, toJson } from './json.js'
import { steps, toFloat } from './number-functions.js'
import {
  Func,
  GoMap,
  Int64,
  JsonNumber,
  kindName,
  NilList,
  type Run,
  TemplateError,
  type Value,
} from './value.js'

const HOUR_MS = 3_600_000
/** Largest first; shown once there is more than one of them. */
const UNITS: readonly (readonly [ms: number, sign: string])[] = [
  [HOUR_MS * 24 * 365, 'y'],
  [HOUR_MS * 24 * 30, 'mo'],
  [HOUR_MS * 24, 'd'],
  [HOUR_MS, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
]

function roundedDuration(value: Value, run: Run): string {
  let ms = value instanceof Int64 ? Number(value.value) / 1e6 : 0
  if (typeof value === 'string') ms = parseDuration(value) ?? 0
  else if (value instanceof GoTime) ms = run.nowMs() - value.unixMs
  const size = Math.abs(ms)
  const unit = UNITS.find(([each]) => size > each)
  return unit === undefined ? '0s' : `${Math.floor(size / unit[0])}${unit[1]}`
}

function secondsIn(value: Value): number {
  if (value instanceof Int64) return Number(value.value)
  return typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value) ? Number(value) : 0
}

/** Go's `json.Unmarshal` makes every number a float. */
function withFloats(value: Value): Value {
  if (value instanceof JsonNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(withFloats)
  if (!(value instanceof GoMap)) return value
  return new GoMap(new Map([...value.entries].map(([key, each]) => [key, withFloats(each)])))
}

function fromJson(text: string, run: Run): Value {
  run.grow(text.length)
  return withFloats(parseJson(text))
}

/** JSON without the escapes that are for HTML alone. */
function toRawJson(value: Value, run: Run): string {
  const text = toJson(value, run, '')
  if (text === null) throw new TemplateError('toRawJson: the value cannot be written as JSON')
  return text.replace(/\\(u003c|u003e|u0026|.)/g, (whole, code: string) =>
    code.length === 5 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : whole,
  )
}

function chunks(size: bigint, list: Value, run: Run): Value {
  const items = itemsOf(list, 'chunk')
  if (size <= 0n) throw new TemplateError('chunk: expected a size above 0')
  run.grow(items.length)
  const parts: Value[] = []
  for (let at = 0; at < items.length; at += Number(size)) {
    parts.push(items.slice(at, at + Number(size)))
  }
  return parts
}

function dug(args: readonly Value[]): Value {
  const keys = args.slice(0, -2)
  let at = args.at(-1)
  if (keys.length === 0) throw new TemplateError('dig needs at least three arguments')
  for (const key of keys) {
    if (typeof key !== 'string') throw new TemplateError('dig: expected keys of text')
    if (!(at instanceof GoMap)) throw new TemplateError(`dig: no map, but ${kindName(at)}`)
    if (!at.entries.has(key)) return args.at(-2)
    at = at.entries.get(key)
  }
  return at
}

function sequence(params: readonly bigint[], run: Run): string {
  const [first, second, third] = params
  if (first === undefined || params.length > 3) return ''
  const start = second === undefined ? 1n : first
  const end = third ?? second ?? first
  const down = end < start
  const step = third === undefined ? (down ? -1n : 1n) : (second as bigint)
  if (down && step > 0n) return ''
  return steps(run, start, end + (down ? -1n : 1n), step).join(' ')
}

function floats(values: readonly Value[], best: (...values: number[]) => number): number {
  return values.map(toFloat).reduce((a, b) => best(a, b))
}

function octal(value: Value, run: Run): Int64 {
  const [, sign = '', digits] = /^([+-]?)([0-7]{1,21})$/.exec(sprint([value], run)) ?? []
  const number = digits === undefined ? 0n : BigInt(`0o${digits}`)
  const isInt64 = number < 2n ** 63n
  return new Int64(isInt64 ? (sign === '-' ? -number : number) : 0n)
}

const URL_PARTS =
  /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/(?:([^/?#@]*)@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s

function parsedUrl(text: string): GoMap {
  const [, scheme = '', user = '', host = '', path = '', query = '', fragment = ''] =
    URL_PARTS.exec(text) ?? []
  const isOpaque = scheme !== '' && host === '' && path !== '' && !path.startsWith('/')
  return new GoMap(
    new Map<string, Value>([
      ['scheme', scheme.toLowerCase()],
      ['host', host],
      ['hostname', host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/s, '$1')],
      ['path', isOpaque ? '' : unescaped(path)],
      ['query', query],
      ['opaque', isOpaque ? path : ''],
      ['fragment', unescaped(fragment)],
      ['userinfo', user],
    ]),
  )
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new TemplateError('unable to parse url: invalid URL escape')
  }
}

function joinedUrl(parts: GoMap): string {
  const part = (name: string): string => {
    const value = parts.entries.get(name) ?? ''
    if (typeof value === 'string') return value
    throw new TemplateError(`unable to parse ${name} key, must be of type string`)
  }
  // A lone half of a pair is none in bytes either.
  const escaped = (text: string, also: RegExp): string =>
    encodeURI(Buffer.from(text).toString()).replace(also, encodeURIComponent)
  const [scheme, host, opaque, query] = [
    part('scheme'),
    part('host'),
    part('opaque'),
    part('query'),
  ]
  const start = scheme === '' ? '' : `${scheme}:`
  const user = part('userinfo') === '' ? '' : `${part('userinfo')}@`
  const path = escaped(part('path'), /[?#]/g)
  const authority = host === '' && user === '' ? '' : `//${user}${host}`
  const slash = authority !== '' && path !== '' && !path.startsWith('/') ? '/' : ''
  const fragment = part('fragment') === '' ? '' : `#${escaped(part('fragment'), /#/g)}`
  const place = opaque === '' ? `${authority}${slash}${path}` : opaque
  return `${start}${place}${query === '' ? '' : `?${query}`}${fragment}`
}

/** Those of which `must…` is another name: they tell of what is wrong already. */
const STRICT = [
  ...[
    'append',
    'push',
    'prepend',
    'first',
    'rest',
    'last',
    'initial',
    'reverse',
    'uniq',
    'without',
  ],
  ...['has', 'slice', 'compact', 'toJson', 'toPrettyJson', 'regexFindAll', 'regexFind'],
  ...['regexReplaceAll', 'regexReplaceAllLiteral', 'regexSplit'],
]

/** `known`: all others by name. */
export function laterFunctions(known: ReadonlyMap<string, Func>): readonly Func[] {
  const again = (name: string, as: string): Func => {
    const { params, rest, call, isRaw } = known.get(name) as Func
    return new Func(as, params, rest, call, isRaw)
  }
  const must = (name: string): string => `must${name[0]?.toUpperCase()}${name.slice(1)}`
  const findAll = known.get('regexFindAll') as Func
  const isThere = (_run: Run, list: readonly Value[]): boolean =>
    list.every((each) => !isEmpty(each))
  return [
    ...STRICT.map((name) => again(name, must(name))),
    ...['base', 'clean', 'dir', 'ext', 'isAbs'].map((name) =>
      again(name, `os${name[0]?.toUpperCase()}${name.slice(1)}`),
    ),
    fn('mustRegexMatch', ['string', 'string'], (run, pattern, text) => {
      return (findAll.call([pattern, text, 1n], run) as Value[]).length > 0
    }),
    fn('get', ['map', 'string'], (_run, map, key) =>
      map.entries.has(key) ? map.entries.get(key) : '',
    ),
    raw('dig', 0, true, (_run, args) => dug(args)),
    variadic('concat', [], 'any', (run, lists) => {
      const items = lists.flatMap((list) => itemsOf(list, 'concat'))
      run.grow(items.length)
      return items.length === 0 ? new NilList() : items
    }),
    ...['chunk', 'mustChunk'].map((name) =>
      fn(name, ['int', 'any'], (run, size, list) => chunks(size, list, run)),
    ),
    fn('deepEqual', ['any', 'any'], (run, a, b) => deepEquals(a, b, run)),
    variadic('all', [], 'any', isThere),
    variadic('any', [], 'any', (_run, list) => list.some((each) => !isEmpty(each))),
    fn('fromJson', ['string'], (run, text) => {
      try {
        return fromJson(text, run)
      } catch (thrown) {
        if (thrown instanceof TemplateError) return null
        throw thrown
      }
    }),
    fn('mustFromJson', ['string'], (run, text) => fromJson(text, run)),
    ...['toRawJson', 'mustToRawJson'].map((name) =>
      fn(name, ['any'], (run, value) => toRawJson(value, run)),
    ),
    variadic('seq', [], 'int', (run, params) => sequence(params, run)),
    variadic('maxf', ['any'], 'any', (_run, rest, first) => floats([first, ...rest], Math.max)),
    variadic('minf', ['any'], 'any', (_run, rest, first) => floats([first, ...rest], Math.min)),
    fn('toDecimal', ['any'], (run, value) => octal(value, run)),
    fn('randInt', ['int', 'int'], (_run, min, max) => {
      if (max <= min) throw new TemplateError('randInt: expected the second to be larger')
      return min + BigInt(Math.floor(Math.random() * Number(max - min)))
    }),
    fn('duration', ['any'], (_run, value) => formatDuration(secondsIn(value) * 1_000)),
    fn('durationRound', ['any'], (run, value) => roundedDuration(value, run)),
    fn('regexQuoteMeta', ['string'], (_run, text) => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')),
    fn('urlParse', ['string'], (_run, text) => parsedUrl(text)),
    fn('urlJoin', ['map'], (_run, parts) => joinedUrl(parts)),
  ]
}
