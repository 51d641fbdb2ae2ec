/**
 * The replicated key-value machine: equal entries in equal order give equal states, on every node.
 * Caller's duties: apply committed commands in index order, each once; `load` snapshot chunks
 * before the first of them, in order, all of them.
 *
 * It handles bytes only, reads no clock, draws no random number and cannot fail, except that a
 * command of an unknown kind throws `UnknownCommandError` before anything has changed.
 */
import { AssertionError, assert, unreachable } from '../../lib/assert.js'
import type {
  Compare,
  KeyValue,
  LeaseGrant,
  LeaseId,
  Op,
  OpResult,
  StoreEvent,
  TxnResult,
  WatchBatch,
} from '../contract.js'
import { type Command, decodeCommand } from './command.js'
import { EventRing } from './event-ring.js'
import { compareKeys } from './key-order.js'
import { OrderedMap } from './ordered-map.js'
import { type LeaseRecord, readSnapshotChunk, snapshotChunks } from './snapshot.js'

/** What a command came to, for whoever proposed it. */
export type CommandOutcome =
  | { readonly type: 'txn'; readonly result: TxnResult }
  | { readonly type: 'granted'; readonly grant: LeaseGrant }
  | { readonly type: 'revoked'; readonly lease: LeaseId; readonly revision: number }
  | { readonly type: 'lease-not-found'; readonly lease: LeaseId }

export interface Applied {
  readonly outcome: CommandOutcome
  /** What changed; null when nothing did. */
  readonly batch: WatchBatch | null
}

interface Lease {
  readonly ttlMs: number
  readonly keys: Set<string>
}

export class Machine {
  readonly #items = new OrderedMap<KeyValue>()
  readonly #leases = new Map<LeaseId, Lease>()
  #revision = 0
  #ring = new EventRing(0)
  /** Items a snapshot announced that have not arrived; null when no snapshot is being loaded. */
  #missingItems: number | null = null

  get revision(): number {
    return this.#revision
  }

  get size(): number {
    return this.#items.size
  }

  get events(): EventRing {
    return this.#ring
  }

  get(key: string): KeyValue | null {
    return this.#items.get(key) ?? null
  }

  range(prefix: string): KeyValue[] {
    return this.#items.withPrefix(prefix)
  }

  /** Null when there is no such lease. */
  leaseTtlMs(id: LeaseId): number | null {
    return this.#leases.get(id)?.ttlMs ?? null
  }

  leaseIds(): LeaseId[] {
    return [...this.#leases.keys()]
  }

  /** Applies the command of the entry at `index`. */
  apply(index: number, payload: Uint8Array): Applied {
    assert(this.#missingItems === null, 'applying to a snapshot that is not complete')
    const command = decodeCommand(payload)
    if (command.type === 'txn') return this.#applyTxn(command)
    if (command.type === 'lease-grant') {
      const id = `${index}`
      this.#leases.set(id, { ttlMs: command.ttlMs, keys: new Set() })
      return { outcome: { type: 'granted', grant: { id, ttlMs: command.ttlMs } }, batch: null }
    }
    if (command.type === 'lease-revoke') return this.#applyRevoke(`${command.lease}`)
    unreachable(command)
  }

  /** Runs a transaction that changes nothing. */
  read(compares: readonly Compare[], thenOps: readonly Op[], elseOps: readonly Op[]): TxnResult {
    const { outcome, batch } = this.#applyTxn({ type: 'txn', compares, thenOps, elseOps })
    assert(batch === null && outcome.type === 'txn', 'a read changed something')
    return outcome.result
  }

  /**
   * The whole state in chunks of about a mebibyte, as of this call: later changes do not show,
   * since items are replaced and never changed.
   */
  snapshot(): Generator<Uint8Array<ArrayBuffer>, void, void> {
    const leases: LeaseRecord[] = []
    for (const [id, { ttlMs }] of this.#leases) leases.push({ id, ttlMs })
    return snapshotChunks(this.#revision, leases, this.#items.withPrefix(''))
  }

  /** Takes the next chunk of a snapshot; the machine must be new. */
  load(chunk: Uint8Array): void {
    const part = readSnapshotChunk(chunk)
    if (part.type === 'head') {
      assert(this.#revision === 0 && this.#items.size === 0, 'loading into a machine in use')
      this.#revision = part.revision
      this.#ring = new EventRing(part.revision)
      this.#missingItems = part.itemCount
      for (const { id, ttlMs } of part.leases) this.#leases.set(id, { ttlMs, keys: new Set() })
    } else {
      assert(this.#missingItems !== null, 'items of a snapshot before its head')
      this.#missingItems -= part.items.length
      for (const item of part.items) {
        this.#items.set(item)
        if (item.lease !== null) this.#lease(item.lease).keys.add(item.key)
      }
    }
    if (this.#missingItems === 0) this.#missingItems = null
  }

  #applyTxn(txn: Command & { type: 'txn' }): Applied {
    const succeeded = txn.compares.every((compare) => this.#holds(compare))
    const ops = succeeded ? txn.thenOps : txn.elseOps
    for (const op of ops) {
      if (op.type !== 'put' || op.lease === undefined || this.#leases.has(op.lease)) continue
      return { outcome: { type: 'lease-not-found', lease: op.lease }, batch: null }
    }
    const revision = this.#nextRevision()
    const events: StoreEvent[] = []
    const results: OpResult[] = []
    for (const op of ops) results.push(this.#run(op, revision, events))
    const batch = this.#commit(revision, events)
    const result: TxnResult = { succeeded, revision: this.#revision, results }
    return { outcome: { type: 'txn', result }, batch }
  }

  #applyRevoke(id: LeaseId): Applied {
    const lease = this.#leases.get(id)
    if (lease === undefined) return { outcome: { type: 'lease-not-found', lease: id }, batch: null }
    const revision = this.#nextRevision()
    const events: StoreEvent[] = []
    // Sorted, since the order of the set is not replicated: a snapshot loses it.
    for (const key of [...lease.keys].sort(compareKeys)) this.#delete(key, events)
    this.#leases.delete(id)
    const batch = this.#commit(revision, events)
    return { outcome: { type: 'revoked', lease: id, revision: this.#revision }, batch }
  }

  #nextRevision(): number {
    const next = this.#revision + 1
    assert(Number.isSafeInteger(next), 'store revisions are used up')
    return next
  }

  /** Etcd's rule: a revision is spent only by what changed something. */
  #commit(revision: number, events: StoreEvent[]): WatchBatch | null {
    if (events.length === 0) return null
    this.#revision = revision
    const batch = { revision, events }
    this.#ring.push(batch)
    return batch
  }

  #holds(compare: Compare): boolean {
    const item = this.#items.get(compare.key)
    if (compare.target === 'value') {
      if (item === undefined) return false
      return (Buffer.compare(item.value, compare.operand) === 0) === (compare.is === '=')
    }
    const actual = item === undefined ? 0 : item[compare.target]
    if (compare.is === '=') return actual === compare.operand
    if (compare.is === '!=') return actual !== compare.operand
    if (compare.is === '<') return actual < compare.operand
    return actual > compare.operand
  }

  #run(op: Op, revision: number, events: StoreEvent[]): OpResult {
    if (op.type === 'put') {
      this.#put(op.key, op.value, op.lease ?? null, revision, events)
      return { type: 'put' }
    }
    if (op.type === 'delete') {
      return { type: 'delete', deletedCount: this.#delete(op.key, events) ? 1 : 0 }
    }
    if (op.type === 'delete-prefix') {
      const doomed = this.#items.withPrefix(op.prefix)
      for (const item of doomed) this.#delete(item.key, events)
      return { type: 'delete', deletedCount: doomed.length }
    }
    if (op.type === 'get') return { type: 'get', kv: this.get(op.key) }
    if (op.type === 'range') return { type: 'range', kvs: this.range(op.prefix) }
    unreachable(op)
  }

  #put(
    key: string,
    value: Uint8Array,
    lease: LeaseId | null,
    revision: number,
    events: StoreEvent[],
  ): void {
    const before = this.#items.get(key)
    const kv: KeyValue = {
      key,
      // A copy of exact size: `value` is a view that would keep a whole batch of entries alive.
      value: new Uint8Array(value),
      createRevision: before === undefined ? revision : before.createRevision,
      modRevision: revision,
      version: before === undefined ? 1 : before.version + 1,
      lease,
    }
    if (before !== undefined && before.lease !== null && before.lease !== lease) {
      this.#lease(before.lease).keys.delete(key)
    }
    if (lease !== null) this.#lease(lease).keys.add(key)
    this.#items.set(kv)
    events.push({ type: 'put', kv })
  }

  #delete(key: string, events: StoreEvent[]): boolean {
    const item = this.#items.get(key)
    if (item === undefined) return false
    if (item.lease !== null) this.#lease(item.lease).keys.delete(key)
    this.#items.delete(key)
    events.push({ type: 'delete', key })
    return true
  }

  #lease(id: LeaseId): Lease {
    const lease = this.#leases.get(id)
    if (lease === undefined) throw new AssertionError(`a key belongs to lease ${id}, which is gone`)
    return lease
  }
}
