import { parseJsonObject } from '../../lib/json-object.js'
import { JwksVerifier } from '../../lib/jwks.js'
import type { UpstreamServer } from '../../upstream/contract.js'
import { Fetch, type FetchOutcome, type FetchRequest } from '../../upstream/fetch.js'
import type { FilterContext } from '../contract.js'
import type { Spec } from './kind.js'

const TIMEOUT_MS = 10_000
const ANSWER_BYTES_MAX = 256 * 1024
/** How old what was discovered may become, and how soon a failed or vain try is repeated. */
const FRESH_MS = 3_600_000
const AGAIN_MS = 5_000
/** Difference of clocks that is forgiven. */
const LEEWAY_MS = 60_000

export interface Endpoints {
  readonly authorization: string
  readonly token: string
  /** Empty: there is none. */
  readonly userinfo: string
  /** Empty: unknown. */
  readonly issuer: string
  readonly keys: string
  readonly scopes: readonly string[]
}

type Waiter<T> = (value: T | null, failure: string) => void

/** Something that is fetched when first asked for, once for all who ask meanwhile, and kept. */
class Fetched<T> {
  #value: T | null = null
  #fetchedMs = Number.NEGATIVE_INFINITY
  #triedMs = Number.NEGATIVE_INFINITY
  #failure = ''
  #waiting: Waiter<T>[] | null = null

  get value(): T | null {
    return this.#value
  }

  isFresh(nowMs: number): boolean {
    return this.#value !== null && nowMs - this.#fetchedMs < FRESH_MS
  }

  mayTry(nowMs: number): boolean {
    return this.#waiting === null && nowMs - this.#triedMs >= AGAIN_MS
  }

  /** `fetch` is called when nobody is at it already. */
  get(nowMs: number, waiter: Waiter<T>, fetch: (done: Waiter<T>) => void): void {
    if (this.#waiting !== null) {
      this.#waiting.push(waiter)
      return
    }
    if (nowMs - this.#triedMs < AGAIN_MS) {
      waiter(this.#value, this.#failure)
      return
    }
    this.#triedMs = nowMs
    this.#waiting = [waiter]
    fetch((value, failure) => {
      const waiting = this.#waiting ?? []
      this.#waiting = null
      this.#failure = failure
      if (value !== null) {
        this.#value = value
        this.#fetchedMs = nowMs
      }
      // What was known goes on when it cannot be renewed.
      for (const one of waiting) one(this.#value, failure)
    })
  }
}

/** A provider of identities: its endpoints and keys, and questions to it. */
export class Provider {
  readonly #context: FilterContext
  readonly #discovery: string
  readonly #given: Endpoints | null
  readonly #endpoints = new Fetched<Endpoints>()
  readonly #keys = new Fetched<JwksVerifier>()
  readonly #servers = new Map<string, UpstreamServer>()
  readonly #fetches = new Set<Fetch>()

  constructor(spec: Spec, context: FilterContext) {
    this.#context = context
    this.#discovery = spec.discovery ?? ''
    this.#given =
      this.#discovery !== ''
        ? null
        : {
            authorization: spec.authorizationEndpoint ?? '',
            token: spec.tokenEndpoint ?? '',
            userinfo: spec.userinfoEndpoint ?? '',
            issuer: '',
            keys: '',
            scopes: [],
          }
  }

  /** The endpoints if they are known already. */
  known(nowMs: number): Endpoints | null {
    if (this.#given !== null) return this.#given
    return this.#endpoints.isFresh(nowMs) ? this.#endpoints.value : null
  }

  endpoints(nowMs: number, done: Waiter<Endpoints>): void {
    const known = this.known(nowMs)
    if (known !== null) {
      done(known, '')
      return
    }
    this.#endpoints.get(nowMs, done, (fetched) => {
      this.ask(this.#discovery, { method: 'GET', body: null, headers: JSON_WANTED }, (outcome) => {
        const endpoints = outcome.status === 200 ? endpointsIn(outcome.body) : null
        fetched(endpoints, failureOf('discovery', outcome, endpoints))
      })
    })
  }

  /** The keys for tokens that name `kid`: fetched anew when it is not among those known. */
  keys(
    endpoints: Endpoints,
    kid: string | undefined,
    nowMs: number,
    done: Waiter<JwksVerifier>,
  ): void {
    const known = this.#keys.value
    const isKnown = known !== null && (kid === undefined || known.has(kid))
    if (isKnown && (this.#keys.isFresh(nowMs) || !this.#keys.mayTry(nowMs))) {
      done(known, '')
      return
    }
    if (endpoints.keys === '') {
      done(null, 'the provider names no keys')
      return
    }
    this.#keys.get(nowMs, done, (fetched) => {
      this.ask(endpoints.keys, { method: 'GET', body: null, headers: JSON_WANTED }, (outcome) => {
        const keys = outcome.status === 200 ? JwksVerifier.of(outcome.body, LEEWAY_MS) : null
        fetched(keys, failureOf('keys', outcome, keys))
      })
    })
  }

  /** Sends one request; redirects are not followed. */
  ask(
    url: string,
    request: Omit<FetchRequest, 'target'>,
    done: (outcome: FetchOutcome) => void,
  ): Fetch {
    const { upstream, timers } = this.#context
    const { origin, pathname, search } = new URL(url)
    const limits = { timeoutMs: TIMEOUT_MS, bytesMax: ANSWER_BYTES_MAX }
    const fetch = new Fetch(
      upstream,
      this.#server(origin),
      timers,
      { ...request, target: pathname + search },
      limits,
      (outcome) => {
        this.#fetches.delete(fetch)
        done(outcome)
      },
    )
    this.#fetches.add(fetch)
    fetch.start()
    return fetch
  }

  cancel(fetch: Fetch): void {
    this.#fetches.delete(fetch)
    fetch.cancel()
  }

  retire(): void {
    for (const fetch of this.#fetches) fetch.cancel()
    this.#fetches.clear()
    for (const server of this.#servers.values()) server.release()
    this.#servers.clear()
  }

  #server(origin: string): UpstreamServer {
    let server = this.#servers.get(origin)
    if (server === undefined) {
      const { protocol, hostname, port } = new URL(origin)
      const scheme = protocol === 'https:' ? 'https' : 'http'
      const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
      const standard = scheme === 'https' ? 443 : 80
      server = this.#context.upstream.acquire({
        scheme,
        host,
        port: port === '' ? standard : Number(port),
      })
      this.#servers.set(origin, server)
    }
    return server
  }
}

const JSON_WANTED = ['accept', 'application/json']

function failureOf(what: string, outcome: FetchOutcome, value: unknown): string {
  if (value !== null) return ''
  if (outcome.status === 0) return `${what}: ${outcome.failure}`
  if (outcome.status !== 200) return `${what}: the provider answered ${outcome.status}`
  return `${what}: the provider's answer cannot be read`
}

/** Users are sent to these, and questions: whoever wrote the document is not to choose how. */
function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}

function endpointsIn(json: Uint8Array): Endpoints | null {
  const document = parseJsonObject(json) ?? {}
  const text = (name: string): string => {
    const value = document[name]
    return typeof value === 'string' ? value : ''
  }
  const endpoint = (name: string): string => (isWebUrl(text(name)) ? text(name) : '')
  const authorization = endpoint('authorization_endpoint')
  const token = endpoint('token_endpoint')
  if (authorization === '' || token === '') return null
  const scopes = document['scopes_supported']
  return {
    authorization,
    token,
    userinfo: endpoint('userinfo_endpoint'),
    issuer: text('issuer'),
    keys: endpoint('jwks_uri'),
    scopes: Array.isArray(scopes) ? scopes.filter((one) => typeof one === 'string') : [],
  }
}
