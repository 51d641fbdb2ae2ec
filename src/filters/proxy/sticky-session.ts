import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { cookieValue, setsCookie } from '../../http/cookies.js'
import type { Exchange } from '../../http/exchange.js'
import { BoundedRing } from '../../upstream/bounded-ring.js'
import type { StickySpec } from './pool-spec-v2.js'

const KEY_BYTES = 8
const MAC_BYTES = 32
const COOKIE_LENGTH = 2 * (KEY_BYTES + MAC_BYTES)
const DEFAULT_COOKIE = 'EG_SESSION'
const DEFAULT_EXPIRE_MS = 2 * 60 * 60 * 1000

/** Keeps the requests of a session on one server (compat/traffic-v2.md §7.1.2). */
export interface StickySession {
  /** The servers that may be chosen from now on have these URLs. */
  setServers(urls: readonly string[]): void
  /** Index of the session's server among them, or -1: the usual policy decides. */
  serverOf(ex: Exchange): number
  /** The answer of `url` is in `ex`; `headers` are those of the back end alone. */
  answered(ex: Exchange, url: string, headers: readonly string[]): void
}

/** `nowMs`: Unix time. */
export function createStickySession(spec: StickySpec, nowMs: () => number): StickySession {
  return spec.mode === 'CookieConsistentHash'
    ? new ConsistentCookie(spec.appCookieName)
    : new SignedCookie(spec, nowMs)
}

class ConsistentCookie implements StickySession {
  readonly #name: string
  #ring: BoundedRing | null = null

  constructor(name: string) {
    this.#name = name
  }

  setServers(urls: readonly string[]): void {
    this.#ring = urls.length === 0 ? null : new BoundedRing(urls)
  }

  serverOf(ex: Exchange): number {
    const value = cookieValue(ex.request.headers, this.#name)
    return value === null || this.#ring === null ? -1 : this.#ring.memberOf(Buffer.from(value))
  }

  answered(): void {
    // The application's own cookie does.
  }
}

/** A cookie that names a server to us, and to nobody else: a random key and a MAC under it. */
class SignedCookie implements StickySession {
  readonly #name: string
  readonly #expireMs: number
  readonly #nowMs: () => number
  /** Only answers that set this cookie get ours; null: all do. */
  readonly #appCookie: string | null
  #urls: readonly string[] = []

  constructor(spec: StickySpec, nowMs: () => number) {
    this.#name = spec.lbCookieName || DEFAULT_COOKIE
    this.#expireMs = spec.lbCookieExpire || DEFAULT_EXPIRE_MS
    this.#appCookie = spec.mode === 'ApplicationBased' ? spec.appCookieName : null
    this.#nowMs = nowMs
  }

  setServers(urls: readonly string[]): void {
    this.#urls = urls
  }

  serverOf(ex: Exchange): number {
    const value = cookieValue(ex.request.headers, this.#name)
    if (value === null || value.length !== COOKIE_LENGTH || !/^[0-9a-fA-F]+$/.test(value)) return -1
    const bytes = Buffer.from(value, 'hex')
    const key = bytes.subarray(0, KEY_BYTES)
    const mac = bytes.subarray(KEY_BYTES)
    return this.#urls.findIndex((url) => timingSafeEqual(macOf(key, url), mac))
  }

  answered(ex: Exchange, url: string, headers: readonly string[]): void {
    if (this.#appCookie !== null && !setsCookie(headers, this.#appCookie)) return
    const key = randomBytes(KEY_BYTES)
    const value = Buffer.concat([key, macOf(key, url)]).toString('hex')
    const expires = new Date(this.#nowMs() + this.#expireMs).toUTCString()
    ex.response.headers.add('set-cookie', `${this.#name}=${value}; Expires=${expires}`)
  }
}

const macOf = (key: Uint8Array, url: string): Buffer =>
  createHmac('sha256', key).update(url).digest()
