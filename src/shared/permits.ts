import type { Clock } from '../lib/clock.js'
import { isOlder, Pairs } from './pairs.js'
import type { RowSlot } from './rows.js'
import { SlotBroker } from './slots.js'

const SLOTS_PER_SEGMENT = 64
const PAIR_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT

/**
 * Hands out slots for {@link NodePermits}. A segment has a row of pairs for each worker; row 0
 * holds the totals.
 */
export function permitsBroker(clock: Clock, workers: number): SlotBroker {
  return new SlotBroker({
    clock,
    slotsPerSegment: SLOTS_PER_SEGMENT,
    segmentBytes: (workers + 1) * SLOTS_PER_SEGMENT * PAIR_BYTES,
    zero: (memory, index) => {
      const pairs = new BigInt64Array(memory)
      for (let at = index; at < pairs.length; at += SLOTS_PER_SEGMENT) pairs[at] = 0n
    },
  })
}

/**
 * Gives back the permits that an ended worker held. Call it on the thread's exit event, before its
 * successor starts.
 */
export function clearPermits(segments: readonly SharedArrayBuffer[], worker: number): void {
  for (const segment of segments) {
    const pairs = pairsOf(segment)
    for (let index = 0; index < SLOTS_PER_SEGMENT; index++) {
      const own = (worker + 1) * SLOTS_PER_SEGMENT + index
      pairs.load(own)
      const { a: round, b: share } = pairs
      pairs.replace(own, 0, 0) // its only writer is gone
      if (share !== 0) giveBack(pairs, index, round, share)
    }
  }
}

/**
 * Permits for the node that are given out in rounds, exact: never more than the cap of a round are
 * out. A new round begins with all of them, whoever still holds some of an earlier one. Each
 * worker's share is noted in its row, so that {@link clearPermits} gives it back should the worker
 * die. Total first, then share: nothing between the two can throw or be preempted in the thread.
 */
export class NodePermits {
  readonly #pairs: Pairs
  readonly #total: number
  readonly #own: number

  constructor(slot: RowSlot, worker: number) {
    this.#pairs = pairsOf(slot.memory)
    this.#total = slot.index
    this.#own = (worker + 1) * SLOTS_PER_SEGMENT + slot.index
  }

  /** Takes one of `cap` permits of `round`; false when all are out, or the round is over. */
  acquire(round: number, cap: number): boolean {
    const pairs = this.#pairs
    pairs.load(this.#total)
    for (;;) {
      if (isOlder(round, pairs.a)) return false
      const out = pairs.a === round ? pairs.b : 0
      if (out >= cap) return false
      if (pairs.replace(this.#total, round, out + 1)) break
    }
    pairs.load(this.#own)
    pairs.replace(this.#own, round, pairs.a === round ? pairs.b + 1 : 1)
    return true
  }

  /** Gives back what `acquire` took on this worker; once for each. */
  release(round: number): void {
    const pairs = this.#pairs
    pairs.load(this.#own)
    if (pairs.a !== round) return // a later round has begun here
    pairs.replace(this.#own, round, pairs.b - 1)
    giveBack(pairs, this.#total, round, 1)
  }
}

function pairsOf(memory: SharedArrayBuffer): Pairs {
  return new Pairs({ words: new Int32Array(memory), base: 0 })
}

function giveBack(pairs: Pairs, total: number, round: number, count: number): void {
  pairs.load(total)
  while (pairs.a === round && !pairs.replace(total, round, pairs.b - count)) {
    // somebody was faster; what is there now has been loaded
  }
}
