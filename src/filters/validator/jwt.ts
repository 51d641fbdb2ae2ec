import { bearerToken, cookieValues } from '../../http/credentials.js'
import type { Exchange } from '../../http/exchange.js'
import { JwtVerifier } from '../../lib/jwt.js'
import type { JwtSpec } from './jwt-spec.js'

/** A JSON Web Token that has to be there, signed with the key and valid now. */
export class JwtCheck {
  readonly #cookieName: string
  readonly #verifier: JwtVerifier

  constructor(spec: JwtSpec) {
    this.#cookieName = spec.cookieName
    this.#verifier = new JwtVerifier(spec, spec.leeway)
  }

  /** `nowMs`: milliseconds since the Unix epoch. */
  allows(ex: Exchange, nowMs: number): boolean {
    const token = this.#tokenOf(ex)
    return token !== null && this.#verifier.verify(token, nowMs) !== null
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
