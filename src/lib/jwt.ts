import { asciiOfBase64url, decodeBase64url } from './base64url.js'
import { type JsonObject, parseJsonObject, parseJsonText } from './json-object.js'
import { type JwtKey, jwtSignatureVerifier, type SignatureVerifier } from './jwt-key.js'

interface Remembered {
  readonly token: string
  readonly claims: JwtClaims
}

/** What a token says. Shared by all who present the same token: not to be changed. */
export type JwtClaims = JsonObject

/** Longer tokens are refused unread, in characters. */
export const TOKEN_CHARS_MAX = 16_384
/** Tokens remembered, and marks of those that have come once: in each of so many sets, four. */
const SETS = 512
const SET_BITS = 9
const WAYS = 4
/** How long one may be for that, in characters. */
const REMEMBERED_CHARS_MAX = 4_096
/** Characters of a signature that make a mark. */
const MARK_CHARS = 8

/**
 * Verifies tokens in JWS compact serialisation (RFC 7515 §7.1, RFC 7519) with one key of one
 * algorithm, synchronously. What the header of a token says is compared with that algorithm and
 * never decides anything.
 *
 * Tokens that passed twice are remembered, at most 2,048 of at most 4,096 characters, and only
 * their times are checked when they come again. Those that come once leave nothing but a mark: to
 * keep each of them took as long as their hashes. A mark is some of a signature's bits, which are as
 * good as random, so no text has to be hashed for finding it.
 */
export class JwtVerifier {
  readonly #algorithm: string
  readonly #signature: SignatureVerifier
  readonly #leewayMs: number
  /** The header, still encoded, that was accepted last: most tokens share one. */
  #knownHeader = ''
  /** Of what has come once: in each set the latest first. */
  readonly #marks = new Int32Array(SETS * WAYS)
  /** Of what is remembered, likewise. */
  readonly #keptMarks = new Int32Array(SETS * WAYS)
  readonly #kept: (Remembered | null)[] = []

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
    const mark = markOf(token)
    let claims = this.#remembered(token, mark)
    if (claims === null) {
      claims = this.#read(token)
      if (claims === null) return null
      if (token.length <= REMEMBERED_CHARS_MAX && this.#hasCome(mark)) {
        this.#remember(token, mark, claims)
      }
    }
    return isTimely(claims, nowMs, this.#leewayMs) ? claims : null
  }

  /** Whether a token with such a signature was here before, and not too many others since. */
  #hasCome(mark: number): boolean {
    const first = firstOf(mark)
    for (let at = first; at < first + WAYS; at++) if (this.#marks[at] === mark) return true
    putFirst(this.#marks, first, mark)
    return false
  }

  #remembered(token: string, mark: number): JwtClaims | null {
    const first = firstOf(mark)
    for (let at = first; at < first + WAYS; at++) {
      if (this.#keptMarks[at] !== mark) continue
      const kept = this.#kept[at] ?? null
      if (kept !== null && kept.token === token) return kept.claims
    }
    return null
  }

  #remember(token: string, mark: number, claims: JwtClaims): void {
    const kept = this.#kept
    while (kept.length < SETS * WAYS) kept.push(null)
    const first = firstOf(mark)
    putFirst(this.#keptMarks, first, mark)
    for (let at = first + WAYS - 1; at > first; at--) kept[at] = kept[at - 1] ?? null
    kept[first] = { token, claims }
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
    return claimsOf(token.slice(headerEnd + 1, payloadEnd))
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

/** Out of the end of a signature: FNV-1a, as codes of base64url leave some bits out. */
function markOf(token: string): number {
  let mark = 0x811c9dc5
  // Not the last one, of which some bits are always zero.
  for (let i = 2; i < 2 + MARK_CHARS; i++) {
    mark = Math.imul(mark ^ token.charCodeAt(token.length - i), 0x01000193)
  }
  return mark
}

/** Where the set begins that a mark belongs to. */
const firstOf = (mark: number): number => (mark >>> (32 - SET_BITS)) * WAYS

/** The last one of the set falls out. */
function putFirst(marks: Int32Array, first: number, mark: number): void {
  for (let at = first + WAYS - 1; at > first; at--) marks[at] = marks[at - 1] as number
  marks[first] = mark
}

function claimsOf(payload: string): JwtClaims | null {
  const text = asciiOfBase64url(payload)
  if (text !== null) return parseJsonText(text)
  const bytes = decodeBase64url(payload)
  return bytes === null ? null : parseJsonObject(bytes)
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
