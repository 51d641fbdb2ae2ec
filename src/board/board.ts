/**
 * Soft state that every node writes for itself and everybody may read: heartbeats, status of
 * objects, statistics, "runs version N". It lives in memory, costs no write to any log, and is gone
 * and back within a beat when the leader changes. What has to survive belongs into the store.
 *
 * `embedded-board.ts` keeps it on the leader. An external etcd would keep it in leased keys
 * `<prefix>/<member>/<key>`, one lease for each ttl, writing only what changed: nothing here asks
 * for more than that.
 */
import type { Done } from '../store/contract.js'

export interface Board {
  /**
   * Says something, or says it anew; the same bytes again cost nothing. It stands until it is
   * withdrawn, and for `ttlMs` after the last beat of this node.
   *
   * Throws REQUEST_INVALID for a bad key, value or ttl, OVERLOADED when this node already says more
   * than {@link BoardLimits} allow.
   */
  publish(key: string, value: Uint8Array, ttlMs: number): void

  withdraw(key: string): void

  /**
   * What all members say under keys that start with `prefix`, by member and key. Pages are put
   * together: each is consistent, the whole need not be. Fails with OVERLOADED above
   * {@link READ_BYTES_MAX}; never for lack of a leader, see {@link BoardReading.source}.
   */
  read(prefix: string, done: Done<BoardReading>): void
}

export interface BoardReading {
  /**
   * `leader`: all there is. `local`: there is no leader, or none that answers; only what this node
   * says itself and what it may have kept from when it led.
   */
  readonly source: 'leader' | 'local'
  readonly entries: readonly BoardEntry[]
}

export interface BoardEntry {
  readonly key: string
  readonly value: Uint8Array
  readonly member: BoardMember
  /** Since the last beat of that member, in milliseconds. */
  readonly ageMs: number
}

export interface BoardMember {
  readonly name: string
  readonly incarnation: string
}

/** What one node may say. */
export interface BoardLimits {
  readonly keysMax: number
  /** Keys and values together, with {@link ENTRY_OVERHEAD_BYTES} for each. */
  readonly bytesMax: number
}

/** Under it a node says that it lives, and how; what it said last is kept, see `last-beats.ts`. */
export const HEARTBEAT_KEY = 'heartbeat'

export const BOARD_LIMITS: BoardLimits = { keysMax: 50_000, bytesMax: 32 * 1024 * 1024 }
export const ENTRY_OVERHEAD_BYTES = 64
export const BOARD_KEY_LENGTH_MAX = 512
export const BOARD_VALUE_BYTES_MAX = 256 * 1024
export const BOARD_TTL_MS_MAX = 24 * 60 * 60 * 1000
export const READ_BYTES_MAX = 128 * 1024 * 1024

/** What the key, value or ttl of a publication must be; null when they are. */
export function publicationProblem(key: string, value: Uint8Array, ttlMs: number): string | null {
  const isKey = typeof key === 'string' && key !== '' && key.length <= BOARD_KEY_LENGTH_MAX
  if (!isKey) return `key: expected 1 to ${BOARD_KEY_LENGTH_MAX} characters`
  if (value.byteLength > BOARD_VALUE_BYTES_MAX) {
    return `value: expected at most ${BOARD_VALUE_BYTES_MAX} bytes, got ${value.byteLength}`
  }
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > BOARD_TTL_MS_MAX) {
    return `ttlMs: expected 1 to ${BOARD_TTL_MS_MAX}, got ${ttlMs}`
  }
  return null
}

export const entryBytes = (key: string, value: Uint8Array): number =>
  key.length * 2 + value.byteLength + ENTRY_OVERHEAD_BYTES
