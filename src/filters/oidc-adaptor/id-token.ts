import type { JwksVerifier } from '../../lib/jwks.js'
import { type JwtClaims, JwtVerifier } from '../../lib/jwt.js'
import type { JwtAlgorithm } from '../../lib/jwt-key.js'

const LEEWAY_MS = 60_000
const SYMMETRIC: readonly JwtAlgorithm[] = ['HS256', 'HS384', 'HS512']

/** True when a token with this algorithm is signed with the client's secret. */
export function isSymmetric(alg: string): boolean {
  return SYMMETRIC.some((one) => one === alg)
}

export interface Expected {
  readonly clientId: string
  readonly clientSecret: string
  /** Empty: unknown. */
  readonly issuer: string
  readonly nonce: string
}

/**
 * The claims of an id token when it is what we asked for (OpenID Connect Core §3.1.3.7): signed by
 * the provider, of this issuer, for us, of this login; null when it is not.
 */
export function idTokenClaims(
  token: string,
  alg: string,
  keys: JwksVerifier | null,
  expected: Expected,
  nowMs: number,
): JwtClaims | null {
  const claims = isSymmetric(alg)
    ? bySecret(alg as JwtAlgorithm, expected.clientSecret).verify(token, nowMs)
    : (keys?.verify(token, nowMs) ?? null)
  if (claims === null) return null
  const { iss, aud, azp = expected.clientId, exp, nonce } = claims
  if (expected.issuer !== '' && iss !== expected.issuer) return null
  // One without an end would be good for ever (§2 asks for it); one for many names who asked for it.
  if (typeof exp !== 'number' || azp !== expected.clientId) return null
  const isForUs = Array.isArray(aud) ? aud.includes(expected.clientId) : aud === expected.clientId
  return isForUs && nonce === expected.nonce ? claims : null
}

function bySecret(algorithm: JwtAlgorithm, secret: string): JwtVerifier {
  const key = { algorithm, secret: Buffer.from(secret).toString('hex'), publicKey: '' }
  return new JwtVerifier(key, LEEWAY_MS)
}
