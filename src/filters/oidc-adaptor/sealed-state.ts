import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { decodeBase64url } from '../../lib/base64url.js'
import { parseJsonObject } from '../../lib/json-object.js'

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
/** Longer ones could not come back: addresses are bounded at both ends. */
const URL_CHARS_MAX = 2_048
const STATE_CHARS_MAX = 8_192

/** What a login under way has to remember until the provider sends the user back. */
export interface Login {
  /** Where the user wanted to go. */
  readonly url: string
  /** What the id token must repeat. */
  readonly nonce: string
}

/**
 * The `state` of a login (RFC 6749 §10.12): it carries, encrypted and authenticated, what would
 * else be kept somewhere. So any worker of any node can take the user back, and nobody can fill a
 * memory by starting logins.
 */
export class SealedState {
  readonly #key: Buffer
  readonly #validMs: number

  constructor(secret: string, clientId: string, validMs: number) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, clientId, 'easegress login', KEY_BYTES))
    this.#validMs = validMs
  }

  /** `nowMs`: milliseconds since the Unix epoch. */
  seal({ url, nonce }: Login, nowMs: number): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, iv)
    const kept = url.length > URL_CHARS_MAX ? '' : url
    const text = JSON.stringify({ url: kept, nonce, until: nowMs + this.#validMs })
    const sealed = [iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return Buffer.concat(sealed).toString('base64url')
  }

  /** Null for a state that was not made here, or too long ago. */
  open(state: string, nowMs: number): Login | null {
    if (state.length > STATE_CHARS_MAX) return null
    const bytes = decodeBase64url(state)
    if (bytes === null || bytes.byteLength < IV_BYTES + TAG_BYTES) return null
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, IV_BYTES))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      const middle = bytes.subarray(IV_BYTES, -TAG_BYTES)
      const text = Buffer.concat([decipher.update(middle), decipher.final()])
      const { url, nonce, until } = parseJsonObject(text) ?? {}
      if (typeof url !== 'string' || typeof nonce !== 'string') return null
      return typeof until === 'number' && nowMs < until ? { url, nonce } : null
    } catch {
      return null
    }
  }
}
