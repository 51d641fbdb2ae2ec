import { type Exchange, OK } from '../../http/exchange.js'
import { type Clock, systemTime } from '../../lib/clock.js'
import type { Filter, FilterContext } from '../contract.js'
import { HeaderRule } from './headers.js'
import { removeIdentity } from './identity.js'
import { JwtCheck } from './jwt.js'
import type { Spec } from './kind.js'
import { OAuth2Check } from './oauth2.js'
import { SignatureCheck } from './signature.js'
import { INVALID } from './token-judge.js'

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
    this.#jwt = spec.jwt === undefined ? null : new JwtCheck(spec.jwt)
    this.#signature = spec.signature === undefined ? null : new SignatureCheck(spec.signature)
    this.#oauth2 = spec.oauth2 === undefined ? null : new OAuth2Check(spec.oauth2, context, clock)
  }

  /** Asked where bodies are signed: none is held for a request that is to be refused anyway. */
  needsRequestBody(ex: Exchange): boolean {
    const { body } = ex.request
    if (body === null || body.whole !== null || this.#signature === null) return false
    const nowMs = this.#clock.wallMs()
    return this.#failureBeforeBody(ex, nowMs) === 0 && this.#signature.mayAllow(ex, nowMs)
  }

  handle(ex: Exchange): number {
    // Whatever follows: also behind a check that failed, if the flow goes on there.
    if (this.#oauth2 !== null) removeIdentity(ex.request.headers)
    const status = this.#failure(ex)
    if (status === 0) return this.#oauth2 === null ? OK : this.#oauth2.check(ex)
    ex.respond(status)
    return INVALID
  }

  retire(): void {
    this.#oauth2?.retire()
  }

  /** The status of the first check that fails without waiting; 0 when none does. */
  #failure(ex: Exchange): number {
    const nowMs = this.#clock.wallMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    if (status !== 0) return status
    return this.#signature === null || this.#signature.allows(ex, nowMs) ? 0 : 403
  }

  #failureBeforeBody(ex: Exchange, nowMs: number): number {
    for (const rule of this.#headers) if (!rule.allows(ex)) return 400
    return this.#jwt === null || this.#jwt.allows(ex, nowMs) ? 0 : 403
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new Validator(spec, context, systemTime)
