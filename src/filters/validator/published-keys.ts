import { JwksVerifier, tokenHeader } from '../../lib/jwks.js'
import type { Logger } from '../../telemetry/log.js'
import type { Fetch, FetchOutcome } from '../../upstream/fetch.js'
import { Service } from '../../upstream/service.js'
import type { FilterContext } from '../contract.js'
import type { JwtKeySpec } from './jwt-spec.js'
import { NO_KEYS, PENDING, type TokenVerdict, type TokenVerifier } from './token-verifier.js'

const LIMITS = { timeoutMs: 10_000, bytesMax: 262_144 }
const HEADERS: readonly string[] = Object.freeze(['accept', 'application/json'])
/** Least time between two fetches: tokens that name keys nobody has must not make for more. */
const AGAIN_MS = 10_000
/** Requests that wait for keys; beyond, they are refused. */
const WAITING_MAX = 1_024

/**
 * The keys that a server publishes. They are fetched when they are first needed, and again when
 * they are older than the refresh time (while the old ones serve; when twice as old, requests wait)
 * or when a token names a key that is not among them, but not twice within ten seconds. When that
 * fails the old keys go on.
 */
export class PublishedKeys implements TokenVerifier {
  readonly #service: Service
  readonly #algorithm: string
  readonly #leewayMs: number
  readonly #refreshMs: number
  readonly #nowMs: () => number
  readonly #log: Logger
  readonly #place: Readonly<Record<string, string>>
  #keys: JwksVerifier | null = null
  #fetchedMs = 0
  #triedMs = Number.NEGATIVE_INFINITY
  #fetch: Fetch | null = null
  readonly #waiting = new Set<() => void>()

  constructor(url: string, spec: JwtKeySpec, context: FilterContext) {
    this.#service = new Service(context.upstream, context.timers, url, true, LIMITS)
    this.#algorithm = spec.algorithm
    this.#leewayMs = spec.leeway
    this.#refreshMs = spec.jwksRefresh
    this.#nowMs = context.nodeMs
    this.#log = context.log
    this.#place = { pipeline: context.pipeline, filter: context.name, url }
  }

  verify(token: string, nowMs: number): TokenVerdict {
    const header = tokenHeader(token)
    // Nobody is asked about a token that no key would make valid.
    if (header === null || header.alg !== this.#algorithm) return null
    const keys = this.#keys
    if (keys === null) return this.#canWait() ? PENDING : NO_KEYS
    const { kid } = header
    if (kid !== undefined && !keys.has(kid) && !keys.has(''))
      return this.#canWait() ? PENDING : null
    const ageMs = this.#nowMs() - this.#fetchedMs
    if (ageMs >= this.#refreshMs) {
      if (ageMs >= 2 * this.#refreshMs && this.#canWait()) return PENDING
      this.#begin()
    }
    const claims = keys.verify(token, nowMs)
    // It names no key: that may be one that is not known yet.
    return claims === null && kid === undefined && this.#canWait() ? PENDING : claims
  }

  whenReady(ready: () => void): () => void {
    this.#waiting.add(ready)
    this.#begin()
    return () => this.#waiting.delete(ready)
  }

  retire(): void {
    this.#fetch?.cancel()
    this.#fetch = null
    this.#service.release()
  }

  get #mayTry(): boolean {
    return this.#nowMs() - this.#triedMs >= AGAIN_MS
  }

  /** Whether it is of use to wait: keys are on their way, or may be asked for. */
  #canWait(): boolean {
    return this.#waiting.size < WAITING_MAX && (this.#fetch !== null || this.#mayTry)
  }

  #begin(): void {
    if (this.#fetch !== null || !this.#mayTry) return
    this.#triedMs = this.#nowMs()
    this.#fetch = this.#service.ask('GET', HEADERS, null, (outcome) => this.#fetched(outcome))
  }

  #fetched({ status, body, failure }: FetchOutcome): void {
    this.#fetch = null
    const keys = status === 200 ? JwksVerifier.of(body, this.#leewayMs) : null
    if (keys === null) {
      const reason = failure || (status === 200 ? 'no keys that can be used' : `status ${status}`)
      this.#log.warn('keys could not be fetched', { ...this.#place, reason })
    } else {
      this.#keys = keys
      this.#fetchedMs = this.#nowMs()
    }
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const ready of waiting) ready()
  }
}
