import { isIP } from 'node:net'
import { assert } from '../lib/assert.js'
import { formatByteSize, parseByteSize } from '../lib/byte-size.js'
import { parseDuration } from '../lib/duration.js'
import { checkRegexp } from '../lib/regexp.js'
import { leaf, parsedBy, quoteHint, Refusal, textParsedBy } from './leaf.js'
import { didYouMean, range, rangeOf } from './wording.js'
import { zod } from './zod.js'

export interface DurationOptions {
  /** Inclusive, as text; 0 unless said otherwise, so negative durations have to be asked for. */
  readonly min?: string
  readonly max?: string
}

const DURATION_PATTERN = String.raw`^[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$`

/** A Go duration such as `1h30m` or `500ms`; decodes to milliseconds, with a fraction if need be. */
export const duration = leaf<number, DurationOptions, string>(({ min = '0s', max }) => {
  const minMs = durationMs(min)
  const maxMs = max === undefined ? Number.POSITIVE_INFINITY : durationMs(max)
  const isBounded = minMs !== 0 || max !== undefined
  const limits = rangeOf(min, max ?? null)
  return {
    label: 'duration',
    isNoneWhenEmpty: true,
    expected: `a duration${isBounded ? ` of ${limits}` : ''} such as "500ms" or "1m30s"`,
    constraints: isBounded ? [limits] : [],
    zod: parsedBy(
      (value) => {
        // A bare zero needs no unit, quoted or not.
        const ms = value === 0 ? 0 : typeof value === 'string' ? parseDuration(value) : null
        return ms === null || ms < minMs || ms > maxMs ? new Refusal() : ms
      },
      { type: ['string', 'integer'], pattern: DURATION_PATTERN, minimum: 0, maximum: 0 },
    ),
    hint: (value) =>
      typeof value === 'number' || (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value))
        ? `add a unit: "${value}ms", "${value}s"`
        : null,
  }
})

function durationMs(text: string): number {
  const ms = parseDuration(text)
  assert(ms !== null, `${text} is not a duration`)
  return ms
}

export interface ByteSizeOptions {
  /** Bytes, inclusive; 0 unless said otherwise. */
  readonly min?: number
  readonly max?: number
}

/** A number of bytes, or text such as `64KiB` or `10MB`; decodes to bytes. */
export const byteSize = leaf<number, ByteSizeOptions, number | string>(({ min = 0, max }) => {
  const isBounded = min !== 0 || max !== undefined
  const limits = rangeOf(formatByteSize(min), max === undefined ? null : formatByteSize(max))
  return {
    label: 'byte size',
    expected: isBounded ? `${range(min, max)} bytes` : 'a number of bytes',
    constraints: isBounded ? [limits] : [],
    zod: parsedBy(
      (value) => {
        const bytes = typeof value === 'string' ? parseByteSize(value) : value
        const isSize = typeof bytes === 'number' && Number.isSafeInteger(bytes)
        return isSize && bytes >= min && bytes <= (max ?? bytes) ? bytes : new Refusal()
      },
      { type: ['integer', 'string'], minimum: min, ...(max === undefined ? {} : { maximum: max }) },
    ),
    hint: (value) =>
      typeof value === 'string' && parseByteSize(value) === null
        ? 'write a plain number, or text such as "64KiB" or "10MB"'
        : null,
  }
})

/** RE2 syntax, so that matching takes linear time; decodes to its source. */
export const regexp = leaf<string>(() => ({
  label: 'regexp',
  expected: 'a regular expression (RE2 syntax)',
  zod: textParsedBy(
    (text) => {
      const error = checkRegexp(text)
      return error === null ? text : new Refusal(error)
    },
    // Not `format: regex`: that means JavaScript's dialect, and editors would refuse `(?i)`.
  ),
  hint: quoteHint,
}))

const URL_NAME = /^[\p{L}0-9\-_.~]{1,253}$/u

/** What objects and filters may be called: it goes into URLs and keys as it is. */
export const urlName = leaf<string>(() => ({
  label: 'name',
  expected: 'a name of 1..253 characters out of letters, 0-9 - _ . ~',
  constraints: ['1..253 of letters, `0-9 - _ . ~`'],
  zod: () => zod().string().regex(URL_NAME),
  hint: quoteHint,
}))

const HTTP_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
] as const

export type HttpMethod = (typeof HTTP_METHODS)[number]

export const httpMethod = leaf<HttpMethod>(() => ({
  label: 'HTTP method',
  isNoneWhenEmpty: true,
  expected: `one of ${HTTP_METHODS.join(', ')}`,
  constraints: [HTTP_METHODS.join(', ')],
  zod: () => zod().enum(HTTP_METHODS),
  hint: (value) => didYouMean(value, HTTP_METHODS),
}))

export const httpCode = leaf<number>(() => ({
  label: 'HTTP status code',
  expected: 'a status code in 100..599',
  constraints: ['100..599'],
  zod: () => zod().int().min(100).max(599),
  hint: (value) =>
    typeof value === 'string' && /^\d{3}$/.test(value) ? `write ${value} without quotes` : null,
}))

/** An IPv4 or IPv6 address, or a network such as `10.0.0.0/8`; decodes to the text. */
export const ipCidr = leaf<string>(() => ({
  label: 'IP or CIDR',
  isNoneWhenEmpty: true,
  expected: 'an IP address or a network such as "10.0.0.0/8"',
  zod: textParsedBy((text) => (isIpOrNetwork(text) ? text : new Refusal())),
}))

function isIpOrNetwork(text: string): boolean {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  // A zone, as in fe80::1%eth0, names an interface of one machine and cannot be compared.
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 0 || slash < 0) return version !== 0
  const prefix = text.slice(slash + 1)
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
}

/** `host:port`, with an IPv6 address in brackets; decodes to the text. */
export const hostPort = leaf<string>(() => ({
  label: 'host:port',
  isNoneWhenEmpty: true,
  expected: 'host:port such as "example.com:8080" or "[::1]:8080"',
  zod: textParsedBy((text) => (isHostPort(text) ? text : new Refusal())),
}))

function isHostPort(text: string): boolean {
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon)
  const port = text.slice(colon + 1)
  if (colon <= 0 || !/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    return false
  if (host.startsWith('[')) return host.endsWith(']') && isIP(host.slice(1, -1)) === 6
  return host.length <= 253 && /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host)
}

export interface UrlOptions {
  /** Without the colon; http and https unless said otherwise. */
  readonly schemes?: readonly string[]
}

/** An absolute URL with a host; decodes to the text as written. */
export const url = leaf<string, UrlOptions>(({ schemes = ['http', 'https'] }) => ({
  label: 'URL',
  isNoneWhenEmpty: true,
  expected: `a URL such as "${schemes[0]}://host:port/path"`,
  constraints: [schemes.map((scheme) => `${scheme}://`).join(' or ')],
  zod: textParsedBy(
    (text) => {
      // The URL parser drops tabs and line breaks and turns `\` into `/`: then what was written is
      // not what would be used.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      if (/[\s\\\x00-\x1f\x7f]/.test(text) || !URL.canParse(text)) return new Refusal()
      const { protocol, hostname } = new URL(text)
      const isAllowed = schemes.includes(protocol.slice(0, -1)) && text.includes('://')
      return isAllowed && hostname !== '' ? text : new Refusal()
    },
    { format: 'uri' },
  ),
  hint: (value) =>
    typeof value === 'string' && /^[\w.-]+(:\d+)?(\/|$)/.test(value)
      ? `begin with the scheme: "${schemes[0]}://${value}"`
      : null,
}))

/** Standard alphabet with padding; line breaks are ignored and not part of what it decodes to. */
export const base64 = leaf<string>(() => ({
  label: 'base64',
  expected: 'base64 (standard alphabet, padded)',
  zod: textParsedBy(
    (text) => {
      const joined = text.replace(/[\r\n]/g, '')
      const isBase64 = joined.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(joined)
      return isBase64 ? joined : new Refusal()
    },
    { contentEncoding: 'base64' },
  ),
}))

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/

/** RFC 3339, as in `2026-01-31T12:00:00+08:00`; decodes to milliseconds since the Unix epoch. */
export const timestamp = leaf<number, unknown, string>(() => ({
  label: 'timestamp',
  isNoneWhenEmpty: true,
  expected: 'an RFC 3339 time such as "2026-01-31T12:00:00Z"',
  zod: textParsedBy(
    (text) => {
      const match = RFC3339.exec(text)
      if (match === null) return new Refusal()
      const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
      // Date.parse takes the 31st of any month and moves on into the next.
      const isDay = day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
      return isDay && month >= 1 && month <= 12 ? Date.parse(text) : new Refusal()
    },
    { format: 'date-time' },
  ),
}))
