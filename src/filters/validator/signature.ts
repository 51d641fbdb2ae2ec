import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Exchange } from '../../http/exchange.js'
import { toLatin1 } from '../../http/headers.js'
import { canonicalHeaders, canonicalPath, canonicalQuery, sha256Hex } from '../canonical.js'
import { type Literal, type Presented, readSignature } from './presented.js'
import type { SignatureSpec } from './signature-spec.js'

/** Derived keys that are kept; each serves one signer for a day. */
const KEYS_MAX = 256

/**
 * A request that has to be signed in the manner of AWS Signature Version 4, by a header or in its
 * query: compat/traffic-v1.md §6.14, whose steps are named below.
 */
export class SignatureCheck {
  readonly #literal: Literal
  readonly #ttlMs: number
  readonly #excludeBody: boolean
  readonly #secrets: ReadonlyMap<string, string>
  readonly #keys = new Map<string, Buffer>()

  constructor(spec: SignatureSpec) {
    this.#literal = spec.literal
    this.#ttlMs = spec.ttl
    this.#excludeBody = spec.excludeBody
    this.#secrets = new Map(
      Object.entries(spec.accessKeys).map(([id, secret]) => [toLatin1(id), secret]),
    )
  }

  /** Whether all but the signature itself is right, so that its body is worth holding. */
  mayAllow(ex: Exchange, nowMs: number): boolean {
    return this.#acceptable(ex, nowMs) !== null
  }

  /** `nowMs`: milliseconds since the Unix epoch. The body, if it is signed, is whole. */
  allows(ex: Exchange, nowMs: number): boolean {
    const signature = this.#acceptable(ex, nowMs)
    const bodyHash = this.#bodyHash(ex)
    if (signature === null || bodyHash === null) return false
    const query = canonicalQuery(signature.pairs, 'easegress')
    if (this.#isSignedBy(ex, signature, bodyHash, query)) return true
    // Each form stands for one set of parameters alone, so it does no harm to take either.
    const other = canonicalQuery(signature.pairs, 'aws')
    return other !== query && this.#isSignedBy(ex, signature, bodyHash, other)
  }

  /** Steps 1 to 5. */
  #acceptable(ex: Exchange, nowMs: number): Presented | null {
    const signature = readSignature(ex.request, this.#literal)
    if (signature === null || !this.#secrets.has(signature.accessKeyId)) return null
    const ageMs = nowMs - signature.timestampMs
    if (this.#ttlMs > 0 && Math.abs(ageMs) > this.#ttlMs) return null
    return ageMs <= signature.expiresMs ? signature : null
  }

  /** Step 6. What a header says of the body is never asked. */
  #bodyHash({ request: { body } }: Exchange): string | null {
    if (this.#excludeBody) return 'UNSIGNED-PAYLOAD'
    if (body === null) return sha256Hex('')
    // A filter before has streamed it away: nobody can tell what it was.
    return body.whole === null ? null : sha256Hex(body.whole)
  }

  /** Steps 7 to 12. */
  #isSignedBy(ex: Exchange, signature: Presented, bodyHash: string, query: string): boolean {
    const { request } = ex
    const headers = canonicalHeaders(request, signature.names)
    if (headers === null) return false
    const canonical = [
      request.method,
      canonicalPath(request.rawPath),
      query,
      headers,
      signature.signedHeaders,
      bodyHash,
    ].join('\n')
    const { algorithmValue, scopeSuffix } = this.#literal
    const scope = [signature.date, ...signature.scopes, scopeSuffix].join('/')
    const toSign = [algorithmValue, signature.timestamp, scope, sha256Hex(canonical)].join('\n')

    const keyName = `${signature.accessKeyId}/${scope}`
    const key = this.#keys.get(keyName) ?? this.#deriveKey(signature)
    const wanted = hmac(key, toSign)
    if (!timingSafeEqual(wanted, Buffer.from(signature.signature, 'hex'))) return false
    // Only now: names of keys that nobody has could fill it otherwise.
    if (this.#keys.size >= KEYS_MAX) this.#keys.clear()
    this.#keys.set(keyName, key)
    return true
  }

  #deriveKey({ accessKeyId, date, scopes }: Presented): Buffer {
    const { signingKeyPrefix, scopeSuffix } = this.#literal
    const secret = this.#secrets.get(accessKeyId) ?? ''
    let key: Buffer = Buffer.from(signingKeyPrefix + secret)
    for (const part of [date, ...scopes, scopeSuffix]) key = hmac(key, part)
    return key
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest()
}
