import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { decodeBase64url } from './base64url.js'
import { parseJsonObject } from './json-object.js'
import { type JwtClaims, JwtVerifier, TOKEN_CHARS_MAX } from './jwt.js'
import { checkJwtKey, JWT_ALGORITHMS, type JwtAlgorithm } from './jwt-key.js'

/** Keys taken from one set; the others are left. */
const KEYS_MAX = 64

interface PublicJwk {
  /** Empty: the key has no name. */
  readonly kid: string
  /** Empty: any algorithm that the key is for. */
  readonly alg: string
  readonly pem: string
}

/**
 * A set of public keys (RFC 7517) that tokens may be signed with. Symmetric keys in it are left
 * out: whoever can read the set could sign with them.
 */
export class JwksVerifier {
  readonly #keys: readonly PublicJwk[]
  readonly #leewayMs: number
  /** By place of the key and algorithm. */
  readonly #verifiers = new Map<string, JwtVerifier>()

  private constructor(keys: readonly PublicJwk[], leewayMs: number) {
    this.#keys = keys
    this.#leewayMs = leewayMs
  }

  /** Null when `json` is no key set, or has no key in it that can be used. */
  static of(json: Uint8Array, leewayMs: number): JwksVerifier | null {
    const keys = parseJsonObject(json)?.['keys']
    if (!Array.isArray(keys)) return null
    const usable = keys.slice(0, KEYS_MAX).flatMap((key) => publicJwk(key) ?? [])
    return usable.length === 0 ? null : new JwksVerifier(usable, leewayMs)
  }

  /** Whether there is a key for tokens that name `kid`; false is a reason to fetch the set anew. */
  has(kid: string): boolean {
    return this.#keys.some((key) => key.kid === kid)
  }

  /** As `JwtVerifier.verify`, with the key that the token names, or any when it names none. */
  verify(token: string, nowMs: number): JwtClaims | null {
    const { alg, kid } = tokenHeader(token) ?? {}
    const algorithm = JWT_ALGORITHMS.find((one) => one === alg)
    if (algorithm === undefined || algorithm.startsWith('HS')) return null
    for (const [index, key] of this.#keys.entries()) {
      if (kid !== undefined && key.kid !== '' && key.kid !== kid) continue
      const claims = this.#verifier(index, key, algorithm)?.verify(token, nowMs) ?? null
      if (claims !== null) return claims
    }
    return null
  }

  #verifier(index: number, { alg, pem }: PublicJwk, algorithm: JwtAlgorithm): JwtVerifier | null {
    if (alg !== '' && alg !== algorithm) return null
    const name = `${index}/${algorithm}`
    let verifier = this.#verifiers.get(name)
    if (verifier === undefined) {
      const key = { algorithm, secret: '', publicKey: pem }
      if (checkJwtKey(key) !== null) return null
      verifier = new JwtVerifier(key, this.#leewayMs)
      this.#verifiers.set(name, verifier)
    }
    return verifier
  }
}

export interface TokenHeader {
  readonly alg: string
  readonly kid: string | undefined
}

/** The header read last, still encoded, and what it says: most tokens of a server share one. */
let lastEncoded = ''
let lastHeader: TokenHeader | null = null

/** What a token says of itself, unproven; null when it is no token. */
export function tokenHeader(token: string): TokenHeader | null {
  if (token.length > TOKEN_CHARS_MAX) return null
  const encoded = token.slice(0, Math.max(0, token.indexOf('.')))
  if (encoded === lastEncoded) return lastHeader
  const bytes = decodeBase64url(encoded)
  const { alg, kid } = (bytes === null ? null : parseJsonObject(bytes)) ?? {}
  lastHeader =
    typeof alg === 'string' ? { alg, kid: typeof kid === 'string' ? kid : undefined } : null
  lastEncoded = encoded
  return lastHeader
}

function publicJwk(key: unknown): PublicJwk | null {
  if (typeof key !== 'object' || key === null) return null
  const { kid = '', alg = '', use = 'sig', kty } = key as Record<string, unknown>
  if (use !== 'sig' || kty === 'oct' || typeof kid !== 'string' || typeof alg !== 'string') {
    return null
  }
  try {
    const made = createPublicKey({ key: key as JsonWebKey, format: 'jwk' })
    return { kid, alg, pem: made.export({ type: 'spki', format: 'pem' }) as string }
  } catch {
    return null
  }
}
