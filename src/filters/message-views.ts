import { STATUS_CODES } from 'node:http'
import { cookieValues } from '../http/credentials.js'
import type { Exchange } from '../http/exchange.js'
import { fromLatin1, type Headers } from '../http/headers.js'
import type { HttpRequest, HttpResponse } from '../http/message.js'
import { queryValue } from '../http/query.js'
import { parseYaml } from '../spec/yaml.js'
import { parseJson } from '../template/json.js'
import {
  Func,
  fromPlain,
  GoMap,
  GoObject,
  Int64,
  method,
  Strings,
  TemplateError,
  textFrom,
  type Value,
} from '../template/value.js'

/** `x-request-id` as `X-Request-Id`: how Go keeps names of fields. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}

/** Text to lists of texts, with the methods of Go's `http.Header` and `url.Values`. */
class MultiMap extends GoMap {
  readonly #keyOf: (name: string) => string

  constructor(
    pairs: Iterable<readonly [name: string, value: string]>,
    typeName: string,
    keyOf: (name: string) => string,
  ) {
    const entries = new Map<string, Strings>()
    for (const [name, value] of pairs) {
      const key = keyOf(name)
      const values = entries.get(key) ?? new Strings()
      values.push(value)
      entries.set(key, values)
    }
    super(entries, typeName, new Strings())
    this.#keyOf = keyOf
  }

  override method(name: string): Func | null {
    if (name !== 'Get' && name !== 'Values' && name !== 'Has') return null
    return new Func(name, ['string'], null, ([key]) => {
      const values = this.entries.get(this.#keyOf(key as string)) as Strings | undefined
      if (name === 'Has') return values !== undefined
      return name === 'Get' ? (values?.[0] ?? '') : (values ?? new Strings())
    })
  }
}

/** Without Host, which Go keeps apart: a request that is built with these names its own. */
function headerMap(headers: Headers): GoMap {
  const pairs: [string, string][] = []
  const { flat } = headers
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] === 'host') continue
    pairs.push([flat[i] as string, fromLatin1(flat[i + 1] as string)])
  }
  return new MultiMap(pairs, 'http.Header', canonicalName)
}

/** What the two kinds of messages have in common. */
abstract class MessageView extends GoObject {
  readonly #headers: Headers
  readonly #name: string
  /** What JSONBody or YAMLBody gave, whichever was called first, as in Easegress. */
  #parsed: Value

  constructor(headers: Headers, name: string) {
    super()
    this.#headers = headers
    this.#name = name
  }

  /** Null: it is streamed, and not at hand. */
  protected abstract bytes(): Uint8Array | null
  protected abstract readonly noun: 'request' | 'response'

  override toString(): string {
    return `${this.noun} ${this.#name}`
  }

  protected common(name: string): Value | Func | undefined {
    switch (name) {
      case 'Header':
        return headerMap(this.#headers)
      case 'Proto':
        return 'HTTP/1.1'
      case 'ProtoMajor':
      case 'ProtoMinor':
        return 1n
      case 'ContentLength':
        return new Int64(BigInt(this.bytes()?.byteLength ?? -1))
      case 'Body':
        return method(name, () => this.#body())
      case 'RawBody':
        return method(name, () => this.bytes() ?? Buffer.from(this.#streamed()))
      case 'JSONBody':
        return method(name, () => this.#parse(parseJson))
      case 'YAMLBody':
        return method(name, () => this.#parse(parseYamlBody))
      default:
        return undefined
    }
  }

  #body(): Value {
    const bytes = this.bytes()
    return bytes === null ? this.#streamed() : textFrom(bytes)
  }

  #streamed(): string {
    return `the body of ${this.noun} ${JSON.stringify(this.#name)} is a stream`
  }

  #text(): string {
    const bytes = this.bytes()
    if (bytes === null) return this.#streamed()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  }

  #parse(parse: (text: string) => Value): Value {
    if (this.#parsed === undefined || this.#parsed === null) this.#parsed = parse(this.#text())
    return this.#parsed
  }
}

function parseYamlBody(text: string): Value {
  const parsed = parseYaml(text)
  if (!parsed.ok) throw new TemplateError(`the body is ${parsed.message}`)
  return fromPlain(parsed.documents[0]?.value ?? null)
}

const NO_BYTES = new Uint8Array(0)

/** A request as templates see it: what Go's `http.Request` offers them, and the body. */
export class RequestView extends MessageView {
  override readonly typeName = '*httpprot.builderRequest'
  override readonly kind = 'ptr'
  protected override readonly noun = 'request'
  readonly #request: HttpRequest
  readonly #ex: Exchange

  constructor(request: HttpRequest, ex: Exchange, namespace: string) {
    super(request.headers, namespace)
    this.#request = request
    this.#ex = ex
  }

  protected override bytes(): Uint8Array | null {
    const { body } = this.#request
    return body === null ? NO_BYTES : body.whole
  }

  override member(name: string): Value | Func | undefined {
    const request = this.#request
    switch (name) {
      case 'Method':
        return request.method
      case 'URL':
        return new UrlView(request)
      case 'Host':
        return fromLatin1(request.host)
      case 'RequestURI':
        return request.target
      case 'RemoteAddr':
        return this.#ex.responder?.peerAddress() ?? ''
      case 'RealIP':
        return method(name, () => this.#ex.realIp)
      case 'Scheme':
        return method(name, () => fromLatin1(this.#ex.schemeOf(request)))
      case 'UserAgent':
        return method(name, () => this.#field('user-agent'))
      case 'Referer':
        return method(name, () => this.#field('referer'))
      case 'FormValue':
        return new Func(
          name,
          ['string'],
          null,
          ([key]) => queryValue(request.query, key as string) ?? '',
        )
      case 'Cookies':
        return method(name, () => cookiesOf(request.headers))
      case 'Cookie':
        return new Func(name, ['string'], null, ([key]) =>
          cookieNamed(request.headers, key as string),
        )
      case 'Username':
        return method(name, () => this.#username())
      default:
        return this.common(name)
    }
  }

  #field(name: string): string {
    return fromLatin1(this.#request.headers.get(name) ?? '')
  }

  /** Of HTTP basic authentication; '' without. */
  #username(): string {
    const found = /^Basic +(\S+)$/i.exec(this.#request.headers.get('authorization') ?? '')
    const text = Buffer.from(found?.[1] ?? '', 'base64').toString()
    const colon = text.indexOf(':')
    return colon < 0 ? '' : text.slice(0, colon)
  }
}

function cookiesOf(headers: Headers): Value[] {
  return headers
    .values('cookie')
    .flatMap((field) => field.split(';'))
    .flatMap((pair) => {
      const equals = pair.indexOf('=')
      if (equals < 1) return []
      const name = pair.slice(0, equals).trim()
      return [new CookieView(name, cookieValues(headers, name)[0] ?? '')]
    })
}

function cookieNamed(headers: Headers, name: string): Value {
  const [value] = cookieValues(headers, name)
  if (value === undefined) throw new TemplateError('http: named cookie not present')
  return new CookieView(name, value)
}

class CookieView extends GoObject {
  override readonly typeName = '*http.Cookie'
  override readonly kind = 'ptr'
  readonly #name: string
  readonly #value: string

  constructor(name: string, value: string) {
    super()
    this.#name = fromLatin1(name)
    this.#value = fromLatin1(value)
  }

  override member(name: string): Value | Func | undefined {
    if (name === 'Name') return this.#name
    if (name === 'Value') return this.#value
    return name === 'String' ? method(name, () => this.toString()) : undefined
  }

  override toString(): string {
    return `${this.#name}=${this.#value}`
  }
}

/** A `url.URL` of a request line: without scheme and host. */
class UrlView extends GoObject {
  override readonly typeName = '*url.URL'
  override readonly kind = 'ptr'
  readonly #request: HttpRequest

  constructor(request: HttpRequest) {
    super()
    this.#request = request
  }

  override toString(): string {
    return this.#request.target
  }

  override member(name: string): Value | Func | undefined {
    const request = this.#request
    const escaped = (): string => request.target.split('?', 1)[0] as string
    switch (name) {
      case 'Path':
        return request.path
      case 'RawPath':
        return escaped() === request.path ? '' : escaped()
      case 'RawQuery':
        return request.query
      case 'Scheme':
      case 'Host':
      case 'Opaque':
      case 'Fragment':
        return ''
      case 'EscapedPath':
        return method(name, escaped)
      case 'RequestURI':
      case 'String':
        return method(name, () => request.target)
      case 'Hostname':
      case 'Port':
        return method(name, () => '')
      case 'IsAbs':
        return method(name, () => false)
      case 'Query':
        return method(name, () => {
          const pairs = new URLSearchParams(request.query)
          return new MultiMap(pairs, 'url.Values', (key) => key)
        })
      default:
        return undefined
    }
  }
}

/** An answer as templates see it. */
export class ResponseView extends MessageView {
  override readonly typeName = '*httpprot.builderResponse'
  override readonly kind = 'ptr'
  protected override readonly noun = 'response'
  readonly #response: HttpResponse

  constructor(response: HttpResponse, namespace: string) {
    super(response.headers, namespace)
    this.#response = response
  }

  protected override bytes(): Uint8Array | null {
    const { body, source } = this.#response
    return source === null ? (body ?? NO_BYTES) : null
  }

  override member(name: string): Value | Func | undefined {
    const { status } = this.#response
    if (name === 'StatusCode') return BigInt(status)
    if (name === 'Status') return `${status} ${STATUS_CODES[status] ?? ''}`.trim()
    return this.common(name)
  }
}
