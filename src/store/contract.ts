import { GatewayError } from '../lib/errors.js'

/**
 * One Store, three implementations (embedded, remote, external etcd); `contract-suite.ts` holds
 * all of them to what is written here.
 *
 * Results come by callback, not by promise: the order of completions is the order of the messages
 * that cause them, which a simulator can replay. A callback may run before the call that takes it
 * returns, and runs exactly once. Callers outside the simulator use `PromiseStore`.
 *
 * Keys are non-empty, well-formed strings ordered by their UTF-8 bytes. Revisions follow etcd's
 * rule: +1 for each transaction that changes something (writing an equal value does, deleting
 * nothing does not), the same number for everything a transaction changes, and one watch batch.
 */
export interface Store {
  /** All keys that start with `prefix` ('' for all), in key order, as of one revision. */
  range(prefix: string, consistency: Consistency, done: Done<RangeResult>): void

  /** One key; `kv` is null when it does not exist. */
  get(key: string, consistency: Consistency, done: Done<GetResult>): void

  /**
   * If all `compares` hold, runs `thenOps`, else `elseOps`; all or nothing. The answer arrives when
   * the change is durable (and, on this node, applied). A key may be changed once by a list; a
   * `get` or `range` sees the changes made before it in its list. Without a change in either list
   * it is a linearizable read.
   *
   * Fails with REQUEST_INVALID (see {@link Limits}; unknown lease), OVERLOADED (not applied) or
   * STORE_UNAVAILABLE, whose `detail.outcome` is 'none' (not applied, never will be) or 'unknown'.
   */
  txn(
    compares: readonly Compare[],
    thenOps: readonly Op[],
    elseOps: readonly Op[],
    done: Done<TxnResult>,
  ): void

  /**
   * Every change to keys under `prefix` with a revision of at least `fromRevision`, in order, none
   * twice and none missing, until cancelled or ended. List at revision R, then watch from R + 1.
   * The watcher is never called before this returns.
   */
  watch(prefix: string, fromRevision: number, watcher: Watcher): Watch

  readonly lease: Leases

  limits(): Limits
}

/**
 * `linearizable`: sees every write acknowledged before the call, anywhere; fails without quorum.
 * `local`: whatever this node has applied; never fails once the store is open.
 */
export type Consistency = 'linearizable' | 'local'

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: GatewayError }

export type Done<T> = (outcome: Outcome<T>) => void

export interface KeyValue {
  readonly key: string
  /** Belongs to the store: never change it, and copy it before transferring it to a thread. */
  readonly value: Uint8Array
  /** Revision of the put that made the key exist. */
  readonly createRevision: number
  /** Revision of the last put. */
  readonly modRevision: number
  /** Puts since the key was created; 1 for a new key. */
  readonly version: number
  /** The lease the key is deleted with, or null. */
  readonly lease: LeaseId | null
}

export interface RangeResult {
  readonly revision: number
  readonly kvs: readonly KeyValue[]
}

export interface GetResult {
  readonly revision: number
  readonly kv: KeyValue | null
}

/**
 * A key that does not exist has revisions and version 0; a comparison of its value never holds.
 */
export type Compare =
  | {
      readonly target: 'createRevision' | 'modRevision' | 'version'
      readonly key: string
      readonly is: '=' | '!=' | '<' | '>'
      readonly operand: number
    }
  | {
      readonly target: 'value'
      readonly key: string
      readonly is: '=' | '!='
      readonly operand: Uint8Array
    }

export type Op =
  | {
      readonly type: 'put'
      readonly key: string
      readonly value: Uint8Array
      /** Default: no lease; a put without one detaches the key from the lease it had. */
      readonly lease?: LeaseId
    }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'delete-prefix'; readonly prefix: string }
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'range'; readonly prefix: string }

export type OpResult =
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deletedCount: number }
  | { readonly type: 'get'; readonly kv: KeyValue | null }
  | { readonly type: 'range'; readonly kvs: readonly KeyValue[] }

export interface TxnResult {
  /** Whether the compares held. */
  readonly succeeded: boolean
  /** Revision of the store after the transaction: its own, if it changed something. */
  readonly revision: number
  /** One for each operation of the list that ran; both kinds of delete give 'delete'. */
  readonly results: readonly OpResult[]
}

export type StoreEvent =
  | { readonly type: 'put'; readonly kv: KeyValue }
  | { readonly type: 'delete'; readonly key: string }

/** What one transaction changed under the watched prefix; never empty. */
export interface WatchBatch {
  readonly revision: number
  readonly events: readonly StoreEvent[]
}

export interface Watcher {
  onBatch(batch: WatchBatch): void
  /**
   * The watch is over: events from `fromRevision` on are no longer kept. List again and watch from
   * there. `compactRevision` is the last revision that is gone.
   */
  onCompacted(compactRevision: number): void
  /** The watch is over. */
  onFailed(error: GatewayError): void
}

export interface Watch {
  /** Nothing is delivered after this. Idempotent. */
  cancel(): void
}

/** Opaque; unique for the life of the store. */
export type LeaseId = string

export interface LeaseGrant {
  readonly id: LeaseId
  /** What was granted, which may be more than what was asked for. */
  readonly ttlMs: number
}

/**
 * A lease promises "not before its TTL", counted from the moment its grant or keep-alive was
 * *sent*. When it ends, the keys attached to it are deleted in one transaction. Whatever it guards
 * is fenced by the create revision of its key.
 */
export interface Leases {
  /** `ttlMs`: raised to the minimum of the store (embedded: {@link LEASE_TTL_MS_MIN}). */
  grant(ttlMs: number, done: Done<LeaseGrant>): void
  /** Starts the TTL anew. REQUEST_INVALID with `detail.reason` 'lease-not-found' when it ended. */
  keepAlive(id: LeaseId, done: Done<LeaseGrant>): void
  /** Ends it now; fails like {@link keepAlive}. The value is the revision after it. */
  revoke(id: LeaseId, done: Done<number>): void
}

export interface Limits {
  /** Bound of each of the three lists of a transaction. */
  readonly opsMax: number
  /** Bound of keys and values of a transaction together, encoded. */
  readonly bytesMax: number
}

/** Of the embedded store. */
export const EMBEDDED_LIMITS: Limits = { opsMax: 1024, bytesMax: 8 * 1024 * 1024 }
/** Bytes of a key in UTF-8. */
export const KEY_BYTES_MAX = 4096
export const LEASE_TTL_MS_MIN = 5_000
export const LEASE_TTL_MS_MAX = 24 * 60 * 60 * 1000

export const success = <T>(value: T): Outcome<T> => ({ ok: true, value })
export const failure = (error: GatewayError): Outcome<never> => ({ ok: false, error })

/**
 * `outcome` 'none': what was asked did not happen and will not. 'unknown': it may have, or may
 * still come to light after a restart; look before sending it again.
 */
export function storeUnavailable(
  message: string,
  outcome: 'none' | 'unknown',
  options?: ErrorOptions,
): GatewayError {
  return new GatewayError('STORE_UNAVAILABLE', message, { outcome }, options)
}

export function leaseNotFound(id: LeaseId): GatewayError {
  return new GatewayError('REQUEST_INVALID', `lease ${id} does not exist or has ended`, {
    reason: 'lease-not-found',
    lease: id,
  })
}
