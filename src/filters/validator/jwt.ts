import { bearerToken, cookieValues } from '../../http/credentials.js'
import type { Exchange } from '../../http/exchange.js'
import type { FilterContext } from '../contract.js'
import type { JwtSpec } from './jwt-spec.js'
import { createTokenVerifier } from './one-key.js'
import type { TokenVerdict, TokenVerifier } from './token-verifier.js'

/** A JSON Web Token that has to be there, signed with the key and valid now. */
export class JwtCheck {
  readonly verifier: TokenVerifier
  readonly #cookieName: string

  constructor(spec: JwtSpec, context: FilterContext) {
    this.#cookieName = spec.cookieName
    this.verifier = createTokenVerifier(spec, context)
  }

  /** `nowMs`: milliseconds since the Unix epoch. */
  judge(ex: Exchange, nowMs: number): TokenVerdict {
    const token = this.#tokenOf(ex)
    return token === null ? null : this.verifier.verify(token, nowMs)
  }

  #tokenOf(ex: Exchange): string | null {
    const { headers } = ex.request
    if (this.#cookieName !== '') {
      const [cookie = '', ...others] = cookieValues(headers, this.#cookieName)
      // The back end may read the other one.
      if (others.length > 0) return null
      if (cookie !== '') return cookie
    }
    return bearerToken(headers)
  }
}
