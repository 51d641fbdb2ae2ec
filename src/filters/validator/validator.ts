import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { type Clock, systemTime } from '../../lib/clock.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { type BasicAuthCheck, removeUser } from './basic-auth.js'
import { HeaderRules } from './headers.js'
import { removeIdentity } from './identity.js'
import { JwtCheck } from './jwt.js'
import type { Spec } from './kind.js'
import type { SpecV2 } from './kind-v2.js'
import { OAuth2Check } from './oauth2.js'
import { PendingKeys } from './pending.js'
import { SignatureCheck } from './signature.js'
import { INVALID } from './token-judge.js'
import { NO_KEYS, PENDING } from './token-verifier.js'

/** In place of a status: it cannot be said before keys are here. */
const LATER = -1

/** What is different in v2. */
interface Dialect {
  /** Status of all refusals but those by headers. */
  readonly refusal: number
  readonly basic: BasicAuthCheck | null
}

const V1: Dialect = { refusal: 403, basic: null }

export class Validator implements Filter {
  readonly #dialect: Dialect
  readonly #headers: HeaderRules
  readonly #jwt: JwtCheck | null
  readonly #signature: SignatureCheck | null
  readonly #oauth2: OAuth2Check | null
  readonly #clock: Clock

  constructor(spec: Spec | SpecV2, context: FilterContext, clock: Clock, dialect: Dialect = V1) {
    this.#clock = clock
    this.#dialect = dialect
    this.#headers = new HeaderRules(spec.headers)
    this.#jwt = spec.jwt === undefined ? null : new JwtCheck(spec.jwt, context)
    this.#signature = spec.signature === undefined ? null : new SignatureCheck(spec.signature)
    this.#oauth2 =
      spec.oauth2 === undefined
        ? null
        : new OAuth2Check(spec.oauth2, context, clock, dialect.refusal)
  }

  /** Asked where bodies are signed: none is held for a request that is to be refused anyway. */
  needsRequestBody(ex: Exchange): boolean {
    const { body } = ex.request
    if (body === null || body.whole !== null || this.#signature === null) return false
    const nowMs = this.#nowMs()
    return this.#failureBeforeBody(ex, nowMs) <= 0 && this.#signature.mayAllow(ex, nowMs)
  }

  handle(ex: Exchange): number {
    // Whatever follows: also behind a check that failed, if the flow goes on there.
    if (this.#oauth2 !== null) removeIdentity(ex.request.headers)
    if (this.#dialect.basic !== null) removeUser(ex.request.headers)
    const nowMs = this.#nowMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    if (status !== LATER) return this.#goOn(ex, status, nowMs)
    new PendingKeys(ex, (this.#jwt as JwtCheck).verifier, (waited) => this.#again(waited))
    return SUSPENDED
  }

  /** Whoever has to ask a server of tokens or keys, cannot tell. */
  explain(ex: Exchange): Forecast | null {
    const nowMs = this.#nowMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    const asks = this.#oauth2 !== null || this.#dialect.basic !== null
    if (status === LATER || (status === 0 && asks)) return null
    return { code: this.#goOn(ex, status, nowMs), detail: {} }
  }

  retire(): void {
    this.#jwt?.verifier.retire()
    this.#oauth2?.retire()
    this.#dialect.basic?.retire()
  }

  /** Once more, with what could be had of keys. */
  #again(ex: Exchange): number {
    const nowMs = this.#nowMs()
    const status = this.#failureBeforeBody(ex, nowMs)
    return this.#goOn(ex, status === LATER ? 503 : status, nowMs)
  }

  /** With the status of the first check that failed, 0 when none did so far. */
  #goOn(ex: Exchange, failure: number, nowMs: number): number {
    const isSigned = this.#signature === null || failure !== 0 || this.#signature.allows(ex, nowMs)
    const { refusal, basic } = this.#dialect
    const status = isSigned ? failure : refusal
    if (status === 0) return (this.#oauth2 ?? basic)?.check(ex) ?? OK
    ex.respond(status)
    return INVALID
  }

  /** Milliseconds since the Unix epoch; 0 where nothing depends on them. */
  #nowMs(): number {
    return this.#jwt === null && this.#signature === null ? 0 : this.#clock.wallMs()
  }

  #failureBeforeBody(ex: Exchange, nowMs: number): number {
    if (!this.#headers.allow(ex.request.headers)) return 400
    const verdict = this.#jwt === null ? NOT_ASKED : this.#jwt.judge(ex, nowMs)
    if (verdict === null) return this.#dialect.refusal
    if (verdict === PENDING) return LATER
    return verdict === NO_KEYS ? 503 : 0
  }
}

const NOT_ASKED = {}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new Validator(spec, context, systemTime)
