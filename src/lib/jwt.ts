import { decodeBase64url } from './base64url.js'
import { type JsonObject, parseJsonObject } from './json-object.js'
import { type JwtKey, jwtSignatureVerifier, type SignatureVerifier } from './jwt-key.js'

/** What a token says. Shared by all who present the same token: not to be changed. */
export type JwtClaims = JsonObject

/** Longer tokens are refused unread, in characters. */
export const TOKEN_CHARS_MAX = 16_384
/** Tokens remembered, in each of two generations, and how long one may be for that. */
const REMEMBERED_MAX = 512
const REMEMBERED_CHARS_MAX = 4_096
/** Marks of tokens that have come once; a power of two. */
const MARKS = 1_024
/** Characters of a signature that make a mark, 6 bits each. */
const MARK_CHARS = 5

/**
 * Verifies tokens in JWS compact serialisation (RFC 7515 §7.1, RFC 7519) with one key of one
 * algorithm, synchronously. What the header of a token says is compared with that algorithm and
 * never decides anything.
 *
 * Tokens that passed twice are remembered, at most 1,024 of at most 4,096 characters, and only
 * their times are checked when they come again: 0.5 µs in place of 2 for HS256, 0.9 in place of 22
 * for RS256. Those that come once leave nothing but a mark: to keep each of them took as long as
 * their hashes.
 */
export class JwtVerifier {
  readonly #algorithm: string
  readonly #signature: SignatureVerifier
  readonly #leewayMs: number
  /** The header, still encoded, that was accepted last: most tokens share one. */
  #knownHeader = ''
  #recent = new Map<string, JwtClaims>()
  #older = new Map<string, JwtClaims>()
  /** By some of its bits, the rest of them: what was here last. */
  readonly #marks = new Int32Array(MARKS)

  /** `key`: one that `checkJwtKey` has nothing against. */
  constructor(key: JwtKey, leewayMs: number) {
    this.#algorithm = key.algorithm
    this.#signature = jwtSignatureVerifier(key)
    this.#leewayMs = leewayMs
  }

  /**
   * The claims of `token` when it is signed with the key and valid at `nowMs`, milliseconds since
   * the Unix epoch; null when anything at all is wrong with it.
   */
  verify(token: string, nowMs: number): JwtClaims | null {
    let claims = this.#recent.get(token) ?? null
    if (claims === null) {
      claims = this.#older.get(token) ?? this.#read(token)
      if (claims === null) return null
      if (token.length <= REMEMBERED_CHARS_MAX && this.#hasCome(token)) {
        this.#remember(token, claims)
      }
    }
    return isTimely(claims, nowMs, this.#leewayMs) ? claims : null
  }

  /** Whether a token with such a signature was here before, and not too many others since. */
  #hasCome(token: string): boolean {
    let mark = 0
    for (let i = 1; i <= MARK_CHARS; i++)
      mark = (mark << 6) ^ token.charCodeAt(token.length - 1 - i)
    const index = mark & (MARKS - 1)
    if (this.#marks[index] === mark) return true
    this.#marks[index] = mark
    return false
  }

  #remember(token: string, claims: JwtClaims): void {
    if (this.#recent.size >= REMEMBERED_MAX) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(token, claims)
  }

  #read(token: string): JwtClaims | null {
    if (token.length > TOKEN_CHARS_MAX) return null
    const headerEnd = token.indexOf('.')
    const payloadEnd = token.indexOf('.', headerEnd + 1)
    if (headerEnd < 1 || payloadEnd < 0 || token.includes('.', payloadEnd + 1)) return null
    if (!this.#takesHeader(token.slice(0, headerEnd))) return null
    // Nothing of the payload is looked at before its signature is known to be good.
    const signature = token.slice(payloadEnd + 1)
    if (!this.#signature.verify(token.slice(0, payloadEnd), signature)) return null
    const payload = decodeBase64url(token.slice(headerEnd + 1, payloadEnd))
    return payload === null ? null : parseJsonObject(payload)
  }

  #takesHeader(encoded: string): boolean {
    if (encoded === this.#knownHeader) return true
    const bytes = decodeBase64url(encoded)
    const header = bytes === null ? null : parseJsonObject(bytes)
    if (header === null || header['alg'] !== this.#algorithm) return false
    // RFC 7515 §4.1.11: whoever does not know an extension named there must refuse; we know none.
    if (header['crit'] !== undefined) return false
    this.#knownHeader = encoded
    return true
  }
}

/**
 * Whether the times that are there (`exp`, `nbf`, `iat`: seconds since the Unix epoch, fractions
 * allowed) let a token pass at `nowMs`; RFC 7519 §4.1. One that is no number lets none pass.
 */
function isTimely(claims: JwtClaims, nowMs: number, leewayMs: number): boolean {
  const { exp, nbf, iat } = claims
  if (exp !== undefined && !(typeof exp === 'number' && nowMs < exp * 1_000 + leewayMs)) {
    return false
  }
  return hasBegun(nbf, nowMs + leewayMs) && hasBegun(iat, nowMs + leewayMs)
}

function hasBegun(seconds: unknown, nowMs: number): boolean {
  return seconds === undefined || (typeof seconds === 'number' && seconds * 1_000 <= nowMs)
}
