import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { type Clock, systemTime } from '../../lib/clock.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { HeaderRule } from './headers.js'
import { removeIdentity } from './identity.js'
import { JwtCheck } from './jwt.js'
import type { Spec } from './kind.js'
import { OAuth2Check } from './oauth2.js'
import { PendingKeys } from './pending.js'
import { SignatureCheck } from './signature.js'
import { INVALID } from './token-judge.js'
import { NO_KEYS, PENDING } from './token-verifier.js'

/** In place of a status: it cannot be said before keys are here. */
const LATER = -1

class Validator implements Filter {
  readonly #headers: readonly HeaderRule[]
  readonly #jwt: JwtCheck | null
  readonly #signature: SignatureCheck | null
  readonly #oauth2: OAuth2Check | null
  readonly #clock: Clock

  constructor(spec: Spec, context: FilterContext, clock: Clock) {
    this.#clock = clock
    this.#headers = Object.entries(spec.headers).map(
      ([name, { values, regexp }]) => new HeaderRule(name, values, regexp),
    )
    this.#jwt = spec.jwt === undefined ? null : new JwtCheck(spec.jwt, context)
    this.#signature = spec.signature === undefined ? null : new SignatureCheck(spec.signature)
    this.#oauth2 = spec.oauth2 === undefined ? null : new OAuth2Check(spec.oauth2, context, clock)
  }

  /** Asked where bodies are signed: none is held for a request that is to be refused anyway. */
  needsRequestBody(ex: Exchange): boolean {
    const { body } = ex.request
    if (body === null || body.whole !== null || this.#signature === null) return false
    const nowMs = this.#clock.wallMs()
    return this.#failureBeforeBody(ex, nowMs) <= 0 && this.#signature.mayAllow(ex, nowMs)
  }

  handle(ex: Exchange): number {
    // Whatever follows: also behind a check that failed, if the flow goes on there.
    if (this.#oauth2 !== null) removeIdentity(ex.request.headers)
    const nowMs = this.#clock.wallMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    if (status !== LATER) return this.#goOn(ex, status, nowMs)
    new PendingKeys(ex, (this.#jwt as JwtCheck).verifier, (waited) => this.#again(waited))
    return SUSPENDED
  }

  /** Whoever has to ask a server of tokens or keys, cannot tell. */
  explain(ex: Exchange): Forecast | null {
    const nowMs = this.#clock.wallMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    if (status === LATER || (status === 0 && this.#oauth2 !== null)) return null
    return { code: this.#goOn(ex, status, nowMs), detail: {} }
  }

  retire(): void {
    this.#jwt?.verifier.retire()
    this.#oauth2?.retire()
  }

  /** Once more, with what could be had of keys. */
  #again(ex: Exchange): number {
    const nowMs = this.#clock.wallMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    return this.#goOn(ex, status === LATER ? 503 : status, nowMs)
  }

  /** With the status of the first check that failed, 0 when none did so far. */
  #goOn(ex: Exchange, failure: number, nowMs: number): number {
    const isSigned = this.#signature === null || failure !== 0 || this.#signature.allows(ex, nowMs)
    const status = isSigned ? failure : 403
    if (status === 0) return this.#oauth2 === null ? OK : this.#oauth2.check(ex)
    ex.respond(status)
    return INVALID
  }

  #failureBeforeBody(ex: Exchange, nowMs: number): number {
    for (const rule of this.#headers) if (!rule.allows(ex)) return 400
    const verdict = this.#jwt === null ? NOT_ASKED : this.#jwt.judge(ex, nowMs)
    if (verdict === null) return 403
    if (verdict === PENDING) return LATER
    return verdict === NO_KEYS ? 503 : 0
  }
}

const NOT_ASKED = {}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new Validator(spec, context, systemTime)
