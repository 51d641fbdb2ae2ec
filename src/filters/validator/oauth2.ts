import { bearerToken } from '../../http/credentials.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type { Clock } from '../../lib/clock.js'
import { JwtVerifier } from '../../lib/jwt.js'
import type { FilterContext } from '../contract.js'
import { setIdentity } from './identity.js'
import { Introspector } from './introspection.js'
import type { OAuth2Spec } from './oauth-spec.js'
import { INVALID, type TokenJudge } from './token-judge.js'

/** An OAuth 2 token that has to be there and valid; the back end is told whose it is. */
export class OAuth2Check {
  readonly #judge: TokenJudge

  constructor(spec: OAuth2Spec, context: FilterContext, clock: Clock) {
    if (spec.tokenIntrospect !== undefined) {
      this.#judge = new Introspector(spec.tokenIntrospect, context, clock)
    } else if (spec.jwt !== undefined) {
      this.#judge = new SelfEncoded(new JwtVerifier(spec.jwt, spec.jwt.leeway), clock)
    } else throw new TypeError('the kind has checked that one of the two is there')
  }

  check(ex: Exchange): number {
    const token = bearerToken(ex.request.headers)
    if (token !== null) return this.#judge.judge(ex, token)
    ex.respond(403)
    return INVALID
  }

  retire(): void {
    this.#judge.retire()
  }
}

class SelfEncoded implements TokenJudge {
  readonly #verifier: JwtVerifier
  readonly #clock: Clock

  constructor(verifier: JwtVerifier, clock: Clock) {
    this.#verifier = verifier
    this.#clock = clock
  }

  judge(ex: Exchange, token: string): number {
    const claims = this.#verifier.verify(token, this.#clock.wallMs())
    const { sub, scope } = claims ?? {}
    // As in Easegress, claims that are no text are not handed on.
    const isValid =
      claims !== null &&
      setIdentity(
        ex.request.headers,
        typeof sub === 'string' ? sub : '',
        typeof scope === 'string' ? scope : '',
      )
    if (isValid) return OK
    ex.respond(403)
    return INVALID
  }

  retire(): void {
    // It holds nothing.
  }
}
