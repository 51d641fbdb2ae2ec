import { assert } from './assert.js'
import type { NodeId } from './message.js'

/** Bounds of what is on its way to one follower. */
export interface WindowLimits {
  readonly countMax: number
  readonly bytesMax: number
}

/** The appends on their way to one follower: last index and weight of each, oldest first. */
export class Inflights {
  readonly #limits: WindowLimits
  // Two parallel queues with a moving head: no object for each append.
  #lastIndexes: number[] = []
  #weights: number[] = []
  #head = 0
  #bytes = 0

  constructor(limits: WindowLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#lastIndexes.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Bytes are counted after the fact: the last append may exceed the limit, so one always fits. */
  get full(): boolean {
    return this.count >= this.#limits.countMax || this.#bytes >= this.#limits.bytesMax
  }

  add(lastIndex: number, bytes: number): void {
    assert(!this.full, 'append sent past a full window')
    this.#lastIndexes.push(lastIndex)
    this.#weights.push(bytes)
    this.#bytes += bytes
  }

  /** Everything up to `index` has arrived. */
  free(index: number): void {
    while (this.count > 0 && this.#lastIndexes[this.#head]! <= index) {
      this.#bytes -= this.#weights[this.#head]!
      this.#head += 1
    }
    if (this.#head > 64 || this.count === 0) {
      this.#lastIndexes = this.#lastIndexes.slice(this.#head)
      this.#weights = this.#weights.slice(this.#head)
      this.#head = 0
    }
  }

  clear(): void {
    this.#lastIndexes = []
    this.#weights = []
    this.#head = 0
    this.#bytes = 0
  }
}

/**
 * How a leader deals with one follower. `probe`: the end of the follower's log is not known, one
 * append at a time feels for it. `replicate`: it is known, appends follow each other without
 * waiting. `snapshot`: the log no longer reaches back far enough, nothing but the snapshot is sent.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot'

/** What a leader knows of one member (Raft Figure 2: nextIndex, matchIndex), itself included. */
export class Progress {
  readonly id: NodeId
  readonly inflights: Inflights
  state: ProgressState = 'probe'
  /** Highest index known to be durable there and equal to the leader's log. */
  match = 0
  /** Next index to send; always above `match`. */
  next: number
  /** Highest commit index sent, so that one that advanced is sent at once and only once. */
  sentCommit = 0
  /** Highest commit index the follower said it knows. */
  commit = 0
  /** Index of the snapshot under way; 0 outside of the state `snapshot`. */
  pendingSnapshot = 0
  /** Heard of since the last check of the quorum. */
  active = false
  /** A probe is under way, or the window is full: wait for a reply. */
  paused = false
  /** A reply to a heartbeat came while appends were open: one may have been lost, send again. */
  nudged = false
  /** Highest round of ReadIndex answered. */
  round = 0

  constructor(id: NodeId, next: number, limits: WindowLimits) {
    this.id = id
    this.next = next
    this.inflights = new Inflights(limits)
  }

  becomeProbe(): void {
    // A snapshot that was reported as delivered shows where to go on.
    const after = this.state === 'snapshot' ? this.pendingSnapshot : 0
    this.#enter('probe')
    this.next = Math.max(this.match, after) + 1
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
  }

  becomeReplicate(): void {
    this.#enter('replicate')
    this.next = this.match + 1
  }

  becomeSnapshot(index: number): void {
    this.#enter('snapshot')
    this.pendingSnapshot = index
    this.next = index + 1
    this.sentCommit = index
  }

  #enter(state: ProgressState): void {
    this.state = state
    this.paused = false
    this.nudged = false
    this.pendingSnapshot = 0
    this.inflights.clear()
  }

  /** An append of `count` entries, ending in `bytes` of weight, was sent. */
  sent(count: number, bytes: number, commit: number): void {
    assert(this.state !== 'snapshot', 'append sent while a snapshot is under way')
    this.sentCommit = Math.max(this.sentCommit, commit)
    this.nudged = false
    if (this.state === 'probe') {
      this.paused = true
      return
    }
    if (count > 0) {
      this.next += count
      this.inflights.add(this.next - 1, bytes)
    }
  }

  /** True when an append without entries would let the follower commit more than it was told. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1
  }

  /** The follower confirmed `index`; false when that was known. */
  advance(index: number): boolean {
    if (index <= this.match) return false
    this.match = index
    this.next = Math.max(this.next, index + 1)
    this.paused = false
    return true
  }

  /**
   * The follower refused an append at `rejected` and may agree with us at `hint`. False when that
   * is old news, which reordered and doubled messages bring.
   */
  retreat(rejected: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.becomeProbe()
      return true
    }
    if (this.state === 'snapshot' || this.next - 1 !== rejected) return false
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
    this.paused = false
    return true
  }
}
