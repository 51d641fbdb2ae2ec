import type { JwtClaims } from '../../lib/jwt.js'

/** The key that would decide is not here yet: ask again when `whenReady` says so. */
export const PENDING = Symbol('pending')
/** There are no keys, and none could be had lately. */
export const NO_KEYS = Symbol('no keys')

/** Claims of a valid token; null for one that is not. */
export type TokenVerdict = JwtClaims | null | typeof PENDING | typeof NO_KEYS

/** Verifies tokens with what is configured: one key, or the keys that somebody publishes. */
export interface TokenVerifier {
  /** `nowMs`: milliseconds since the Unix epoch. */
  verify(token: string, nowMs: number): TokenVerdict
  /** After PENDING: `ready` is called once, in a later turn, unless what is returned is called. */
  whenReady(ready: () => void): () => void
  /** Nothing more will be verified. */
  retire(): void
}
