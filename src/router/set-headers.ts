import { cookieValue } from '../http/cookies.js'
import type { Exchange } from '../http/exchange.js'
import { fromLatin1, isFieldValue, toLatin1 } from '../http/headers.js'
import { queryValue } from '../http/query.js'
import { withoutPort } from './host-index.js'

/** `$name`, `${name}` or `${name:default}`. */
const VARIABLE = /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))/g

/** What variables read besides the exchange: the parameters of a RadixTree's path. */
export interface PathValues {
  readonly names: readonly string[]
  readonly values: readonly string[]
}

type Read = (ex: Exchange, path: PathValues) => string

interface Part {
  readonly read: Read
  readonly byDefault: string
}

/** Values of the `setHeaders` of a path, compiled (compat/traffic-v2.md §3.8). */
export class HeaderSetter {
  readonly #headers: readonly (readonly [name: string, parts: readonly (string | Part)[]])[]

  constructor(spec: Readonly<Record<string, string>>) {
    this.#headers = Object.entries(spec).map(([name, text]) => [name.toLowerCase(), compile(text)])
  }

  /** Sets the fields of the request; an empty value deletes one. */
  apply(ex: Exchange, path: PathValues): void {
    const { request } = ex
    for (const [name, parts] of this.#headers) {
      let text = ''
      for (const part of parts) {
        text += typeof part === 'string' ? part : part.read(ex, path) || part.byDefault
      }
      const value = toLatin1(text)
      if (name === 'host') {
        if (value !== '' && isFieldValue(value)) request.host = value
      } else if (value === '' || !isFieldValue(value)) request.headers.delete(name)
      else request.headers.set(name, value)
    }
  }
}

function compile(text: string): (string | Part)[] {
  const parts: (string | Part)[] = []
  let at = 0
  for (const match of text.matchAll(VARIABLE)) {
    if (match.index > at) parts.push(text.slice(at, match.index))
    const name = (match[1] ?? match[3]) as string
    parts.push({ read: readerOf(name), byDefault: match[2] ?? '' })
    at = match.index + match[0].length
  }
  if (at < text.length) parts.push(text.slice(at))
  return parts
}

const header = (ex: Exchange, name: string): string =>
  fromLatin1(ex.request.headers.get(name) ?? (name === 'host' ? ex.request.host : ''))

const hostOf = (ex: Exchange): string => fromLatin1(withoutPort(ex.request.host))

const uriOf = ({ request }: Exchange): string =>
  request.query === '' ? request.path : `${request.path}?${fromLatin1(request.query)}`

const READERS: Readonly<Record<string, Read>> = {
  request_method: (ex) => ex.request.method,
  uri: (ex) => ex.request.path,
  scheme: (ex) => fromLatin1(ex.scheme),
  server_protocol: () => 'HTTP/1.1',
  request_uri: uriOf,
  request: (ex) => `${ex.request.method} ${uriOf(ex)} HTTP/1.1`,
  query_string: (ex) => fromLatin1(ex.request.query),
  args: (ex) => fromLatin1(ex.request.query),
  host: hostOf,
  hostname: hostOf,
  server_name: hostOf,
  http_host: (ex) => fromLatin1(ex.request.host),
  remote_addr: (ex) => ex.realIp,
  remote_user: userOf,
  proxy_add_x_forwarded_for: (ex) => {
    const before = header(ex, 'x-forwarded-for')
    return before === '' ? ex.realIp : `${before}, ${ex.realIp}`
  },
  time_iso8601: () => new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
  time_local: localTime,
  msec: () => String(Date.now()),
  content_type: (ex) => header(ex, 'content-type'),
  content_length: lengthOf,
  request_length: lengthOf,
  request_time: () => '0.000',
}

/** A reader for any name: one that means nothing is the parameter of the path, if there is one. */
function readerOf(name: string): Read {
  if (Object.hasOwn(READERS, name)) return READERS[name] as Read
  if (name.startsWith('http_')) {
    const field = name.slice(5).replaceAll('_', '-').toLowerCase()
    return (ex) => header(ex, field)
  }
  if (name.startsWith('arg_')) {
    const key = name.slice(4)
    return (ex) => queryValue(fromLatin1(ex.request.query), key) ?? ''
  }
  if (name.startsWith('cookie_')) {
    const key = name.slice(7)
    return (ex) => cookieValue(ex.request.headers, key) ?? ''
  }
  return (_ex, { names, values }) => values[names.indexOf(name)] ?? ''
}

function lengthOf(ex: Exchange): string {
  const { body, headers } = ex.request
  return headers.get('content-length') ?? (body !== null && body.length > 0 ? `${body.length}` : '')
}

function userOf(ex: Exchange): string {
  const match = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(ex.request.headers.get('authorization') ?? '')
  if (match === null) return ''
  const text = Buffer.from(match[1] as string, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? '' : text.slice(0, colon)
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/** As in `02/Jan/2006:15:04:05 -0700`. */
function localTime(): string {
  const now = new Date()
  const two = (n: number): string => String(n).padStart(2, '0')
  const month = MONTHS.slice(3 * now.getMonth(), 3 * now.getMonth() + 3)
  const ahead = -now.getTimezoneOffset()
  const zone = `${ahead < 0 ? '-' : '+'}${two(Math.floor(Math.abs(ahead) / 60))}${two(Math.abs(ahead) % 60)}`
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')
  return `${two(now.getDate())}/${month}/${now.getFullYear()}:${time} ${zone}`
}
