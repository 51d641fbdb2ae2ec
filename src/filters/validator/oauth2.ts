import { bearerToken } from '../../http/credentials.js'
import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Clock } from '../../lib/clock.js'
import type { FilterContext } from '../contract.js'
import { setIdentity } from './identity.js'
import { Introspector } from './introspection.js'
import type { OAuth2Spec } from './oauth-spec.js'
import { createTokenVerifier } from './one-key.js'
import { PendingKeys } from './pending.js'
import { INVALID, type TokenJudge } from './token-judge.js'
import { NO_KEYS, PENDING, type TokenVerifier } from './token-verifier.js'

/** An OAuth 2 token that has to be there and valid; the back end is told whose it is. */
export class OAuth2Check {
  readonly #judge: TokenJudge
  readonly #refusal: number

  /** `refusal`: status for tokens that are not valid. */
  constructor(spec: OAuth2Spec, context: FilterContext, clock: Clock, refusal: number) {
    this.#refusal = refusal
    if (spec.tokenIntrospect !== undefined) {
      this.#judge = new Introspector(spec.tokenIntrospect, context, clock, refusal)
    } else if (spec.jwt !== undefined) {
      this.#judge = new SelfEncoded(createTokenVerifier(spec.jwt, context), clock, refusal)
    } else throw new TypeError('the kind has checked that one of the two is there')
  }

  check(ex: Exchange): number {
    const token = bearerToken(ex.request.headers)
    if (token !== null) return this.#judge.judge(ex, token)
    return refuse(ex, this.#refusal)
  }

  retire(): void {
    this.#judge.retire()
  }
}

class SelfEncoded implements TokenJudge {
  readonly #verifier: TokenVerifier
  readonly #clock: Clock
  readonly #refusal: number

  constructor(verifier: TokenVerifier, clock: Clock, refusal: number) {
    this.#verifier = verifier
    this.#refusal = refusal
    this.#clock = clock
  }

  judge(ex: Exchange, token: string): number {
    const code = this.#verdict(ex, token)
    if (code !== null) return code
    const again = (waited: Exchange): number => this.#verdict(waited, token) ?? refuse(waited, 503)
    new PendingKeys(ex, this.#verifier, again)
    return SUSPENDED
  }

  retire(): void {
    this.#verifier.retire()
  }

  /** Null when keys have to be waited for. */
  #verdict(ex: Exchange, token: string): number | null {
    const claims = this.#verifier.verify(token, this.#clock.wallMs())
    if (claims === PENDING) return null
    if (claims === NO_KEYS) return refuse(ex, 503)
    if (claims === null) return refuse(ex, this.#refusal)
    const { sub, scope } = claims
    // As in Easegress, claims that are no text are not handed on.
    const userId = typeof sub === 'string' ? sub : ''
    const scopes = typeof scope === 'string' ? scope : ''
    return setIdentity(ex.request.headers, userId, scopes) ? OK : refuse(ex, this.#refusal)
  }
}

function refuse(ex: Exchange, status: number): number {
  ex.respond(status)
  return INVALID
}
