/**
 * The Store of a voter: a sequencer orders, a machine applies, callbacks answer. All of it runs on
 * one thread and is driven by messages of the sequencer and by timers.
 */
import { assert, unreachable } from '../lib/assert.js'
import type { Time, Timer } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Logger } from '../telemetry/log.js'
import { checkBytes, checkKey, checkPrefix, checkTxn, hasChanges, isRevision } from './check-txn.js'
import {
  type Compare,
  type Consistency,
  type Done,
  EMBEDDED_LIMITS,
  failure,
  type GetResult,
  LEASE_TTL_MS_MAX,
  LEASE_TTL_MS_MIN,
  type LeaseGrant,
  type LeaseId,
  type Leases,
  type Limits,
  leaseNotFound,
  type Op,
  type Outcome,
  type RangeResult,
  type Store,
  storeUnavailable,
  success,
  type TxnResult,
  type Watch,
  type Watcher,
} from './contract.js'
import { Lessor } from './lessor.js'
import { type Command, encodeCommand, UnknownCommandError } from './machine/command.js'
import { type CommandOutcome, Machine } from './machine/machine.js'
import { UnknownSnapshotError } from './machine/snapshot.js'
import type { CommittedEntry, Sequencer, SnapshotOutcome } from './sequencer.js'
import { WatchHub } from './watch-hub.js'

/** Bytes of log after which the state is written out, so that a restart reads little. */
const SNAPSHOT_AFTER_BYTES = 32 * 1024 * 1024
const SNAPSHOT_RETRY_MS = 30_000
/** What an entry costs in the log beside its payload. */
const ENTRY_OVERHEAD_BYTES = 40

export interface EmbeddedStoreOptions {
  readonly time: Time
  readonly log: Logger
  readonly sequencer: Sequencer
  readonly listener: StoreListener
  /** Default {@link SNAPSHOT_AFTER_BYTES}. */
  readonly snapshotAfterBytes?: number
}

export interface StoreListener {
  /** Once: everything this node ever acknowledged can be read, and writes are taken. */
  onReady(): void
  /**
   * At most once, before or after `onReady`: only local reads work from now on. Before it, the data
   * directory could not be opened and the message says which file is to blame.
   */
  onFailed(error: GatewayError): void
  /** After `stop`, once: nothing touches the data directory any more. */
  onStopped(): void
}

export interface StoreStatus {
  readonly state: 'starting' | 'serving' | 'failed' | 'stopped'
  readonly revision: number
  readonly keyCount: number
  readonly appliedIndex: number
  /** Why it failed, or null. */
  readonly failure: string | null
  /** What an operator should look at while it serves, or null. */
  readonly warning: string | null
}

type Answer = (outcome: CommandOutcome | GatewayError) => void

export class EmbeddedStore implements Store {
  readonly #time: Time
  readonly #log: Logger
  readonly #sequencer: Sequencer
  readonly #listener: StoreListener
  readonly #snapshotAfterBytes: number
  readonly #hub: WatchHub
  readonly #lessor: Lessor
  #machine = new Machine()
  /** The state of a snapshot that is not all there. */
  #restoring: Machine | null = null
  #leading = false
  #state: StoreStatus['state'] = 'starting'
  #stopping = false
  #failure: string | null = null
  #warning: string | null = null
  #appliedIndex = 0
  #ticket = 0
  readonly #proposed = new Map<number, Answer>()
  readonly #reading = new Map<number, Done<null>>()
  /** Reads that may go on once an index is applied, in order of arrival. */
  #readable: { readonly index: number; readonly done: Done<null> }[] = []
  #bytesSinceSnapshot = 0
  #snapshotBytes = 0
  #snapshotting = false
  #snapshotWanted = false
  #snapshotRetry: Timer | null = null

  readonly lease: Leases = {
    grant: (ttlMs, done) => this.#grant(ttlMs, done),
    keepAlive: (id, done) => this.#keepAlive(id, done),
    revoke: (id, done) => this.#revoke(id, done),
  }

  constructor(options: EmbeddedStoreOptions) {
    this.#time = options.time
    this.#log = options.log
    this.#sequencer = options.sequencer
    this.#listener = options.listener
    this.#snapshotAfterBytes = options.snapshotAfterBytes ?? SNAPSHOT_AFTER_BYTES
    this.#hub = new WatchHub(options.time, () => this.#machine.events)
    this.#lessor = new Lessor(options.time, (id) => this.#proposeExpiry(id))
  }

  /** Opens the data directory; leads to `onReady` or `onFailed`. Called once. */
  start(): void {
    this.#sequencer.start({
      onRestoreBegin: () => this.#onRestoreBegin(),
      onRestoreChunk: (chunk) => this.#onRestoreChunk(chunk),
      onRestoreEnd: (index) => this.#onRestoreEnd(index),
      onCommitted: (entries) => this.#onCommitted(entries),
      onReady: () => this.#onReady(),
      onLeading: (leading) => this.#onLeading(leading),
      onReadable: (ticket, index) => this.#onReadable(ticket, index),
      onKeepAlive: (lease, done) => this.#onKeepAlive(lease, done),
      onDropped: (ticket, error) => this.#onDropped(ticket, error),
      onSnapshot: (outcome) => this.#onSnapshot(outcome),
      onSnapshotWanted: () => {
        this.#snapshotWanted = true
        this.#maybeSnapshot()
      },
      onNote: (note) => this.#log.warn('store recovery', { note }),
      onWarning: (warning) => this.#onWarning(warning),
      onFailed: (error) => this.#onFailed(error),
      onStopped: () => this.#onStopped(),
    })
  }

  /** Answers what is under way if it can, closes the log; leads to `onStopped`. */
  stop(): void {
    this.#stopping = true
    this.#snapshotRetry?.cancel()
    this.#sequencer.stop()
  }

  status(): StoreStatus {
    return {
      state: this.#state,
      revision: this.#machine.revision,
      keyCount: this.#machine.size,
      appliedIndex: this.#appliedIndex,
      failure: this.#failure,
      warning: this.#warning,
    }
  }

  limits(): Limits {
    return EMBEDDED_LIMITS
  }

  range(prefix: string, consistency: Consistency, done: Done<RangeResult>): void {
    if (!passes(done, () => checkPrefix('prefix', prefix))) return
    this.#read(consistency, done, () => ({
      revision: this.#machine.revision,
      kvs: this.#machine.range(prefix),
    }))
  }

  get(key: string, consistency: Consistency, done: Done<GetResult>): void {
    if (!passes(done, () => checkKey('key', key))) return
    this.#read(consistency, done, () => ({
      revision: this.#machine.revision,
      kv: this.#machine.get(key),
    }))
  }

  txn(
    compares: readonly Compare[],
    thenOps: readonly Op[],
    elseOps: readonly Op[],
    done: Done<TxnResult>,
  ): void {
    if (!passes(done, () => checkTxn(compares, thenOps, elseOps, EMBEDDED_LIMITS))) return
    if (!hasChanges(thenOps) && !hasChanges(elseOps)) {
      this.#read('linearizable', done, () => this.#machine.read(compares, thenOps, elseOps))
      return
    }
    for (const op of [...thenOps, ...elseOps]) {
      if (op.type !== 'put' || op.lease === undefined || isLeaseId(op.lease)) continue
      done(failure(leaseNotFound(op.lease)))
      return
    }
    this.#propose({ type: 'txn', compares, thenOps, elseOps }, done, (outcome) => {
      assert(outcome.type === 'txn', 'a transaction was answered as something else')
      return outcome.result
    })
  }

  /** Throws REQUEST_INVALID for a malformed prefix or a revision below 1. */
  watch(prefix: string, fromRevision: number, watcher: Watcher): Watch {
    checkPrefix('prefix', prefix)
    if (!isRevision(fromRevision) || fromRevision === 0) {
      throw new GatewayError(
        'REQUEST_INVALID',
        `fromRevision: expected 1..2^53-1, got ${fromRevision}`,
      )
    }
    if (this.#state === 'failed' || this.#state === 'stopped') {
      const watch = this.#hub.watch(prefix, fromRevision, watcher)
      this.#time.after(0, () => this.#hub.fail(this.#unavailable()))
      return watch
    }
    return this.#hub.watch(prefix, fromRevision, watcher)
  }

  #onRestoreBegin(): void {
    this.#restoring = new Machine()
    this.#snapshotBytes = 0
  }

  #onRestoreChunk(chunk: Uint8Array): void {
    if (this.#state === 'failed') return
    try {
      this.#restoring?.load(chunk)
      this.#snapshotBytes += chunk.byteLength
    } catch (thrown) {
      if (!(thrown instanceof UnknownSnapshotError)) throw thrown
      this.#onFailed(storeUnavailable(thrown.message, 'none', { cause: thrown }))
      this.#sequencer.abdicate()
    }
  }

  #onRestoreEnd(index: number): void {
    if (this.#state === 'failed') return
    assert(this.#restoring !== null, 'a snapshot ended that had not begun')
    this.#machine = this.#restoring
    this.#restoring = null
    this.#appliedIndex = index
    this.#bytesSinceSnapshot = 0
    this.#hub.restored()
    this.#answerReads()
  }

  #onCommitted(entries: readonly CommittedEntry[]): void {
    for (const entry of entries) {
      // An entry that is not understood stops the apply for good; none is ever skipped.
      if (this.#state === 'failed') return
      this.#apply(entry)
    }
    this.#answerReads()
    this.#maybeSnapshot()
  }

  #onReady(): void {
    if (this.#state !== 'starting') return
    this.#state = 'serving'
    this.#listener.onReady()
    this.#maybeSnapshot()
  }

  #onLeading(leading: boolean): void {
    this.#leading = leading
    this.#lessor.clear()
    if (!leading) return
    for (const id of this.#machine.leaseIds()) {
      this.#lessor.start(id, this.#machine.leaseTtlMs(id) as number)
    }
  }

  #onReadable(ticket: number, index: number): void {
    const done = this.#reading.get(ticket)
    if (done === undefined) return
    this.#reading.delete(ticket)
    if (index <= this.#appliedIndex) done(success(null))
    else this.#readable.push({ index, done })
  }

  #onDropped(ticket: number, error: GatewayError): void {
    const answer = this.#proposed.get(ticket)
    this.#proposed.delete(ticket)
    answer?.(error)
    const reading = this.#reading.get(ticket)
    this.#reading.delete(ticket)
    reading?.(failure(error))
  }

  #onSnapshot(outcome: SnapshotOutcome): void {
    this.#snapshotting = false
    if (outcome.ok) {
      this.#snapshotWanted = false
      this.#snapshotBytes = outcome.bytes
      this.#log.info('snapshot written', { index: outcome.index, bytes: outcome.bytes })
      return
    }
    this.#log.warn('snapshot failed', { reason: outcome.reason })
    if (this.#stopping) return
    this.#snapshotRetry = this.#time.after(SNAPSHOT_RETRY_MS, () => {
      this.#snapshotRetry = null
      this.#maybeSnapshot()
    })
  }

  #onWarning(warning: string | null): void {
    this.#warning = warning
    if (warning === null) this.#log.info('store warning is over')
    else this.#log.warn('store warning', { warning })
  }

  #onFailed(error: GatewayError): void {
    if (this.#state === 'failed') return
    this.#state = 'failed'
    this.#failure = error.message
    this.#log.error('store failed', { reason: error.message })
    this.#lessor.clear()
    const unknown = storeUnavailable(error.message, 'unknown', { cause: error })
    const proposed = [...this.#proposed.values()]
    this.#proposed.clear()
    for (const answer of proposed) answer(unknown)
    this.#failReads()
    this.#hub.fail(error)
    this.#listener.onFailed(error)
  }

  #onStopped(): void {
    if (this.#state !== 'failed') this.#state = 'stopped'
    this.#lessor.clear()
    this.#failReads()
    this.#hub.fail(this.#unavailable())
    this.#listener.onStopped()
  }

  #apply(entry: CommittedEntry): void {
    assert(entry.index === this.#appliedIndex + 1, 'committed entries have a gap')
    if (entry.payload === null) {
      this.#appliedIndex = entry.index
      return
    }
    const applied = this.#tryApply(entry.index, entry.payload)
    if (applied === null) return
    this.#appliedIndex = entry.index
    this.#bytesSinceSnapshot += entry.payload.byteLength + ENTRY_OVERHEAD_BYTES
    const { outcome, batch } = applied
    if (outcome.type === 'granted') {
      // The time runs on the leader alone.
      if (this.#leading) this.#lessor.start(outcome.grant.id, outcome.grant.ttlMs)
    } else if (outcome.type === 'revoked') this.#lessor.end(outcome.lease)
    if (batch !== null) this.#hub.publish(batch)
    if (entry.ticket === null) return
    const answer = this.#proposed.get(entry.ticket)
    this.#proposed.delete(entry.ticket)
    answer?.(outcome)
  }

  #tryApply(index: number, payload: Uint8Array) {
    try {
      return this.#machine.apply(index, payload)
    } catch (thrown) {
      if (!(thrown instanceof UnknownCommandError)) throw thrown
      this.#onFailed(storeUnavailable(thrown.message, 'unknown', { cause: thrown }))
      this.#sequencer.abdicate()
      return null
    }
  }

  #read<T>(consistency: Consistency, done: Done<T>, read: () => T): void {
    if (consistency === 'local') {
      done(success(read()))
      return
    }
    if (this.#state !== 'serving') {
      done(failure(this.#unavailable()))
      return
    }
    const ticket = ++this.#ticket
    this.#reading.set(ticket, (outcome) => done(outcome.ok ? tried(read) : outcome))
    this.#sequencer.readIndex(ticket)
  }

  #answerReads(): void {
    if (this.#readable.length === 0) return
    const ready = this.#readable.filter((read) => read.index <= this.#appliedIndex)
    this.#readable = this.#readable.filter((read) => read.index > this.#appliedIndex)
    for (const read of ready) read.done(success(null))
  }

  #failReads(): void {
    const failed = [...this.#reading.values(), ...this.#readable.map((read) => read.done)]
    this.#reading.clear()
    this.#readable = []
    for (const done of failed) done(failure(this.#unavailable()))
  }

  #propose<T>(
    command: Command,
    done: Done<T>,
    take: (outcome: CommandOutcome) => T,
    here = false,
  ): void {
    if (this.#state !== 'serving') {
      done(failure(this.#unavailable()))
      return
    }
    const payload = encodeCommand(command)
    if (!passes(done, () => checkBytes(payload.byteLength, EMBEDDED_LIMITS))) return
    const ticket = ++this.#ticket
    this.#proposed.set(ticket, (outcome) => {
      if (outcome instanceof GatewayError) done(failure(outcome))
      else if (outcome.type === 'lease-not-found') done(failure(leaseNotFound(outcome.lease)))
      else done(success(take(outcome)))
    })
    this.#sequencer.propose(ticket, payload, here)
  }

  #grant(ttlMs: number, done: Done<LeaseGrant>): void {
    const valid = Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= LEASE_TTL_MS_MAX
    if (!valid) {
      const message = `ttlMs: expected 1..${LEASE_TTL_MS_MAX}, got ${ttlMs}`
      done(failure(new GatewayError('REQUEST_INVALID', message, { where: 'ttlMs' })))
      return
    }
    const granted = Math.max(ttlMs, LEASE_TTL_MS_MIN)
    this.#propose({ type: 'lease-grant', ttlMs: granted }, done, (outcome) => {
      assert(outcome.type === 'granted', 'a grant was answered as something else')
      return outcome.grant
    })
  }

  #keepAlive(id: LeaseId, done: Done<LeaseGrant>): void {
    if (this.#state !== 'serving') {
      done(failure(this.#unavailable()))
      return
    }
    this.#sequencer.keepAlive(id, done)
  }

  /**
   * On the leader. The time starts anew at once, but the answer waits until a majority has
   * confirmed that this node still leads: another leader would count on its own, from its election
   * on, and so not before the time that is promised here.
   */
  #onKeepAlive(id: LeaseId, done: Done<LeaseGrant>): void {
    this.#lessor.keepAlive(id)
    this.#read('linearizable', done, () => {
      if (!this.#leading) throw storeUnavailable('the leader changed', 'unknown')
      const ttlMs = this.#lessor.ttlMs(id)
      if (ttlMs === null) throw leaseNotFound(id)
      return { id, ttlMs }
    })
  }

  #revoke(id: LeaseId, done: Done<number>): void {
    if (!isLeaseId(id)) {
      done(failure(leaseNotFound(id)))
      return
    }
    this.#propose({ type: 'lease-revoke', lease: Number(id) }, done, revisionOf)
  }

  /**
   * Tries again while it leads; a lease that is already gone is what was wanted. Only into this
   * node's own log: another leader counts the time anew, and would be told that it is over.
   */
  #proposeExpiry(id: LeaseId): void {
    if (!this.#leading || this.#machine.leaseTtlMs(id) === null) return
    const done: Done<number> = (outcome) => {
      if (outcome.ok || this.#state !== 'serving') return
      this.#time.after(1000, () => {
        // Another time of leading counts it anew.
        if (this.#lessor.ttlMs(id) === null) this.#proposeExpiry(id)
      })
    }
    this.#propose({ type: 'lease-revoke', lease: Number(id) }, done, revisionOf, true)
  }

  #maybeSnapshot(): void {
    if (this.#state !== 'serving' || this.#stopping) return
    if (this.#snapshotting || this.#snapshotRetry !== null) return
    // A large state is written less often, so that the disk is not busy with it all the time.
    const due = Math.max(this.#snapshotAfterBytes, this.#snapshotBytes)
    if (this.#bytesSinceSnapshot < due && !this.#snapshotWanted) return
    this.#snapshotting = true
    this.#bytesSinceSnapshot = 0
    this.#sequencer.saveSnapshot(this.#appliedIndex, this.#machine.snapshot())
  }

  #unavailable(): GatewayError {
    if (this.#state === 'starting') return storeUnavailable('the store is starting', 'none')
    if (this.#state === 'stopped') return storeUnavailable('the store is stopped', 'none')
    if (this.#state === 'failed') {
      return storeUnavailable(this.#failure ?? 'the store has failed', 'none')
    }
    if (this.#state === 'serving') return storeUnavailable('the store is stopping', 'none')
    unreachable(this.#state)
  }
}

function revisionOf(outcome: CommandOutcome): number {
  assert(outcome.type === 'revoked', 'a revoke was answered as something else')
  return outcome.revision
}

function tried<T>(read: () => T): Outcome<T> {
  try {
    return success(read())
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    return failure(thrown)
  }
}

/** Ids are indices of the log. */
function isLeaseId(id: LeaseId): boolean {
  return /^[1-9]\d{0,15}$/.test(id) && Number.isSafeInteger(Number(id))
}

/** Runs a check; when it throws, that is the outcome. */
function passes<T>(done: Done<T>, check: () => void): boolean {
  try {
    check()
    return true
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    done(failure(thrown))
    return false
  }
}
