import { type Exchange, OK, type Scope, UNCHANGED } from '../../http/exchange.js'
import { type Headers, isFieldName, toLatin1 } from '../../http/headers.js'
import type { Forecast, WrappingFilter } from '../contract.js'
import { allowsAll, type Spec } from './cors-spec.js'

const PREFLIGHTED = 1
/** Only in v2. */
const REJECTED = 2
/** Why a scope is given up: see `WrappingFilter.cancel`. */
const CLIENT_GONE = 499
const METHODS = ['GET', 'POST', 'HEAD']
const HEADERS = ['Accept', 'Content-Type', 'X-Requested-With']

/** Origins in lower case: equal to one of the entries, or with any text where its `*` is. */
class OriginList {
  readonly #exact: ReadonlySet<string>
  readonly #around: readonly (readonly [prefix: string, suffix: string])[]

  constructor(entries: readonly string[]) {
    const folded = entries.map((entry) => toLatin1(entry.toLowerCase()))
    this.#exact = new Set(folded.filter((entry) => !entry.includes('*')))
    this.#around = folded
      .filter((entry) => entry.includes('*'))
      .map((entry) => entry.split('*', 2) as [string, string])
  }

  has(origin: string): boolean {
    const folded = origin.toLowerCase()
    if (this.#exact.has(folded)) return true
    for (const [prefix, suffix] of this.#around) {
      if (
        folded.length >= prefix.length + suffix.length &&
        folded.startsWith(prefix) &&
        folded.endsWith(suffix)
      ) {
        return true
      }
    }
    return false
  }
}

/** What is different in v2: also that other requests of pages are refused, and not only unread. */
interface V2 {
  /** Seconds; 0: nothing is said. */
  readonly maxAge: number
}

/**
 * The CORS protocol of the Fetch standard (https://fetch.spec.whatwg.org/#http-cors-protocol).
 * Preflights end here. Other answers get their fields when all behind is done, so that those of a
 * back end do not stand beside ours, and refusals of other filters can be read by pages too.
 */
export class CorsAdaptor implements WrappingFilter {
  /** Null: all. */
  readonly #origins: OriginList | null
  readonly #methods: ReadonlySet<string>
  /** In lower case; null: all. */
  readonly #headers: ReadonlySet<string> | null
  readonly #exposed: string
  readonly #credentials: boolean
  /** Null in v1. */
  readonly #v2: V2 | null

  constructor(spec: Spec, v2: V2 | null = null) {
    this.#v2 = v2
    const { allowedOrigins, allowedMethods, allowedHeaders, exposedHeaders } = spec
    const isForAll = allowsAll(spec)
    this.#origins = isForAll ? null : new OriginList(allowedOrigins)
    this.#methods = new Set([
      ...(allowedMethods.length === 0 ? METHODS : allowedMethods),
      'OPTIONS',
    ])
    const headers = allowedHeaders.length === 0 ? HEADERS : allowedHeaders
    this.#headers = headers.includes('*')
      ? null
      : new Set([...headers, 'Origin'].map((name) => name.toLowerCase()))
    this.#exposed = exposedHeaders.join(', ')
    // With all origins it would let any page read what only its user may see.
    this.#credentials = spec.allowCredentials && !isForAll
  }

  enter(ex: Exchange): number {
    const { method, headers } = ex.request
    // No page asks: v2 does nothing at all.
    if (this.#v2 !== null && !headers.has('origin')) return OK
    const requested =
      method === 'OPTIONS' ? (headers.get('access-control-request-method') ?? '') : ''
    if (requested === '') return this.#v2 === null ? OK : this.#judge(ex)
    this.#preflight(ex, requested)
    return PREFLIGHTED
  }

  explain(ex: Exchange): Forecast {
    return { code: this.enter(ex), detail: {} }
  }

  /** Of v2: a request that its page may not make goes no further. */
  #judge(ex: Exchange): number {
    if (this.#allowedOrigin(ex) !== null && this.#methods.has(ex.request.method)) return OK
    const { response } = ex
    response.ensure()
    vary(response.headers)
    return REJECTED
  }

  leave(ex: Exchange): number {
    this.#allow(ex)
    return UNCHANGED
  }

  /** Pages may read that a request was too large, too. */
  cancel(ex: Exchange, _scope: Scope, status: number): void {
    if (status !== CLIENT_GONE) this.#allow(ex)
  }

  #allow(ex: Exchange): void {
    const { headers } = ex.response
    if (this.#v2 !== null && (!ex.response.isPresent || !ex.request.headers.has('origin'))) return
    if (this.#origins === null) headers.set('access-control-allow-origin', '*')
    else {
      vary(headers)
      const origin = this.#allowedOrigin(ex)
      if (origin === null) return
      headers.set('access-control-allow-origin', origin)
    }
    if (this.#credentials) headers.set('access-control-allow-credentials', 'true')
    else headers.delete('access-control-allow-credentials')
    if (this.#exposed !== '') headers.set('access-control-expose-headers', this.#exposed)
  }

  /** Without the fields that allow it, the browser does not send the request. */
  #preflight(ex: Exchange, method: string): void {
    const { response } = ex
    const { headers } = response
    response.body = null
    if (this.#v2 === null) response.status = 200
    else if (!response.isPresent) response.status = 204
    headers.add('vary', 'Origin')
    headers.add('vary', 'Access-Control-Request-Method')
    headers.add('vary', 'Access-Control-Request-Headers')
    const origin = this.#allowedOrigin(ex)
    const wanted = wantedHeaders(ex.request.headers)
    if (origin === null || wanted === null || !this.#methods.has(method)) return
    if (this.#headers !== null) for (const name of wanted) if (!this.#headers.has(name)) return
    headers.set('access-control-allow-origin', this.#origins === null ? '*' : origin)
    headers.set('access-control-allow-methods', method)
    if (wanted.length > 0) {
      headers.set('access-control-allow-headers', wanted.map(canonical).join(', '))
    }
    if (this.#credentials) headers.set('access-control-allow-credentials', 'true')
    const maxAge = this.#v2?.maxAge ?? 0
    if (maxAge !== 0) headers.set('access-control-max-age', String(Math.max(0, maxAge)))
  }

  /** The one origin of the request, as it came; null when there is none that is allowed. */
  #allowedOrigin(ex: Exchange): string | null {
    const origins = ex.request.headers.values('origin')
    const origin = origins[0]
    if (origin === undefined || origin === '' || origins.length > 1) return null
    return this.#origins === null || this.#origins.has(origin) ? origin : null
  }
}

/** Names in lower case; null when some text is no name. */
function wantedHeaders(headers: Headers): string[] | null {
  const names = headers
    .values('access-control-request-headers')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  return names.every(isFieldName) ? names : null
}

/** `x-request-id` as `X-Request-Id`. */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}

/** Caches must not hand the answer for one origin to another. */
function vary(headers: Headers): void {
  const isThere = headers
    .values('vary')
    .flatMap((value) => value.toLowerCase().split(','))
    .some((name) => /^[ \t]*(origin|\*)[ \t]*$/.test(name))
  if (!isThere) headers.add('vary', 'Origin')
}

export const create = (spec: Spec): WrappingFilter => new CorsAdaptor(spec)
