import { type Cancellable, type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Clock } from '../../lib/clock.js'
import { parseJsonObject } from '../../lib/json-object.js'
import { TOKEN_CHARS_MAX } from '../../lib/jwt.js'
import type { Fetch, FetchOutcome } from '../../upstream/fetch.js'
import { Service } from '../../upstream/service.js'
import type { FilterContext } from '../contract.js'
import { setIdentity } from './identity.js'
import type { IntrospectSpec } from './oauth-spec.js'
import { INVALID, type TokenJudge } from './token-judge.js'
import { type Identity, VerdictCache } from './verdict-cache.js'

/** An answer about a token that is longer is none. */
const ANSWER_BYTES_MAX = 65_536
/** RFC 6749 appendix A.12: visible ASCII and blanks; a blank would end the token before. */
const TOKEN = /^[\x21-\x7e]+$/

/** Asks a server whether tokens are valid (RFC 7662), over connections that are kept. */
export class Introspector implements TokenJudge {
  readonly clock: Clock
  /** Status for tokens that are not active. */
  readonly refusal: number
  readonly #service: Service
  readonly #headers: readonly string[]
  readonly #formEnd: string
  readonly #cache: VerdictCache | null

  constructor(spec: IntrospectSpec, context: FilterContext, clock: Clock, refusal: number) {
    this.clock = clock
    this.refusal = refusal
    const limits = { timeoutMs: spec.timeout, bytesMax: ANSWER_BYTES_MAX }
    const { upstream, timers } = context
    this.#service = new Service(upstream, timers, spec.endPoint, !spec.insecureTls, limits)
    const headers = ['content-type', 'application/x-www-form-urlencoded']
    headers.push('accept', 'application/json')
    if (spec.clientId === '' && spec.basicAuth !== '') {
      headers.push('authorization', `Basic ${spec.basicAuth}`)
    }
    this.#headers = headers
    const { clientId, clientSecret } = spec
    const own = new URLSearchParams({ client_id: clientId, client_secret: clientSecret })
    this.#formEnd = clientId === '' ? '' : `&${own}`
    this.#cache = spec.cacheTime === 0 ? null : new VerdictCache(spec.cacheTime)
  }

  judge(ex: Exchange, token: string): number {
    if (token.length > TOKEN_CHARS_MAX || !TOKEN.test(token)) {
      ex.respond(this.refusal)
      return INVALID
    }
    const known = this.#cache?.get(token, this.clock.wallMs()) ?? null
    // It could be told to a back end when it was remembered, so it can be now.
    if (known !== null && setIdentity(ex.request.headers, known.sub, known.scope)) return OK
    const form = Buffer.from(`${new URLSearchParams({ token })}${this.#formEnd}`, 'latin1')
    const asking = new Introspection(this, ex, token)
    asking.fetch = this.#service.ask('POST', this.#headers, form, (outcome) => {
      ex.enter(() => asking.answered(outcome), null)
    })
    return SUSPENDED
  }

  remember(token: string, identity: Identity): void {
    this.#cache?.set(token, identity, this.clock.wallMs())
  }

  retire(): void {
    this.#service.release()
  }
}

/** One exchange that waits for its verdict. */
class Introspection implements Cancellable {
  fetch: Fetch | null = null
  readonly #owner: Introspector
  readonly #ex: Exchange
  readonly #token: string
  readonly #ticket: number

  constructor(owner: Introspector, ex: Exchange, token: string) {
    this.#owner = owner
    this.#ex = ex
    this.#token = token
    this.#ticket = ex.suspend(this)
  }

  /** Nobody waits for the verdict any more. */
  cancel(): void {
    this.fetch?.cancel()
  }

  answered({ status, body }: FetchOutcome): void {
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    // RFC 7662 §2.2: anything but 200 says nothing about the token.
    const identity = status === 200 ? identityIn(body, this.#owner.clock.wallMs()) : null
    if (identity === null || !setIdentity(ex.request.headers, identity.sub, identity.scope)) {
      this.#refuse()
      return
    }
    this.#owner.remember(this.#token, identity)
    ex.resume(this.#ticket, OK)
  }

  #refuse(): void {
    this.#ex.respond(this.#owner.refusal)
    this.#ex.resume(this.#ticket, INVALID)
  }
}

/** Whose token it is, when the answer says that it is active; RFC 7662 §2.2. */
function identityIn(answer: Uint8Array, nowMs: number): Identity | null {
  const {
    active,
    error = null,
    sub = null,
    scope = null,
    exp = null,
  } = parseJsonObject(answer) ?? {}
  if (active !== true || (error !== null && error !== '')) return null
  if (!isText(sub) || !isText(scope)) return null
  if (exp !== null && typeof exp !== 'number') return null
  const expiresMs = exp === null ? Number.POSITIVE_INFINITY : exp * 1_000
  // A server that says "active" of what is over is wrong about one of the two.
  return nowMs < expiresMs ? { sub: sub ?? '', scope: scope ?? '', expiresMs } : null
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
