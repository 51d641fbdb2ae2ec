import { type JwtClaims, JwtVerifier } from '../../lib/jwt.js'
import type { FilterContext } from '../contract.js'
import type { JwtKeySpec } from './jwt-spec.js'
import { PublishedKeys } from './published-keys.js'
import type { TokenVerifier } from './token-verifier.js'

export function createTokenVerifier(spec: JwtKeySpec, context: FilterContext): TokenVerifier {
  return spec.jwksUrl === undefined
    ? new OneKey(new JwtVerifier(spec, spec.leeway))
    : new PublishedKeys(spec.jwksUrl, spec, context)
}

class OneKey implements TokenVerifier {
  readonly #verifier: JwtVerifier

  constructor(verifier: JwtVerifier) {
    this.#verifier = verifier
  }

  verify(token: string, nowMs: number): JwtClaims | null {
    return this.#verifier.verify(token, nowMs)
  }

  whenReady(): () => void {
    throw new TypeError('one key is always ready')
  }

  retire(): void {
    // It holds nothing.
  }
}
