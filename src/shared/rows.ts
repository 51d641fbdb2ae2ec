import type { Clock } from '../lib/clock.js'
import { SlotBroker } from './slots.js'

const SLOTS_PER_SEGMENT = 256

/**
 * A segment has one row of cells for each worker; row 0 holds the totals of exact counts. A row is
 * a multiple of a cache line, so that no two workers write to the same one.
 */
const ROW_BYTES = SLOTS_PER_SEGMENT * Int32Array.BYTES_PER_ELEMENT

/** A slot of rows, as `SlotTable.find` gives it. */
export interface RowSlot {
  readonly memory: SharedArrayBuffer
  readonly index: number
}

/** Hands out slots for {@link NodeGauge} or for {@link NodeCap}: one broker for each of the two. */
export function rowsBroker(clock: Clock, workers: number): SlotBroker {
  return new SlotBroker({
    clock,
    slotsPerSegment: SLOTS_PER_SEGMENT,
    segmentBytes: (workers + 1) * ROW_BYTES,
    zero: (memory, index) => {
      const cells = new Int32Array(memory)
      for (let row = 0; row <= workers; row++) cells[row * SLOTS_PER_SEGMENT + index] = 0
    },
  })
}

/**
 * Forgets what an ended worker counted in `segments`: gauges and caps alike. Call it on the thread's
 * exit event, before its successor starts.
 */
export function clearRows(segments: readonly SharedArrayBuffer[], worker: number): void {
  for (const segment of segments) {
    const cells = new Int32Array(segment)
    const row = (worker + 1) * SLOTS_PER_SEGMENT
    for (let index = 0; index < SLOTS_PER_SEGMENT; index++) {
      const share = Atomics.exchange(cells, row + index, 0)
      // Gauges have no total: theirs stays 0, while that of a cap is never below a worker's share.
      if (share !== 0 && Atomics.load(cells, index) !== 0) Atomics.sub(cells, index, share)
    }
  }
}

/**
 * Something that goes up and down on every worker, known for the node as the sum. Counting is a
 * plain store into the worker's own row; the sum may miss what happens meanwhile.
 */
export class NodeGauge {
  readonly #cells: Int32Array
  readonly #index: number
  readonly #own: number

  constructor(slot: RowSlot, worker: number) {
    this.#cells = new Int32Array(slot.memory)
    this.#index = slot.index
    this.#own = (worker + 1) * SLOTS_PER_SEGMENT + slot.index
  }

  /** What this worker counted. */
  get own(): number {
    return this.#cells[this.#own] as number
  }

  add(delta: number): void {
    this.#cells[this.#own] = (this.#cells[this.#own] as number) + delta
  }

  /** Over all workers. */
  sum(): number {
    let sum = 0
    for (let at = this.#index + SLOTS_PER_SEGMENT; at < this.#cells.length; ) {
      sum += Atomics.load(this.#cells, at)
      at += SLOTS_PER_SEGMENT
    }
    return sum
  }
}

/**
 * A number of permits for the node, exact: never more than the cap are out. Each worker's share is
 * noted in its row, so that {@link clearRows} gives it back should the worker die. Total first,
 * then share: nothing between the two can throw or be preempted within the thread.
 */
export class NodeCap {
  readonly #cells: Int32Array
  readonly #total: number
  readonly #own: number

  constructor(slot: RowSlot, worker: number) {
    this.#cells = new Int32Array(slot.memory)
    this.#total = slot.index
    this.#own = (worker + 1) * SLOTS_PER_SEGMENT + slot.index
  }

  /** Permits out on the whole node. */
  get total(): number {
    return Atomics.load(this.#cells, this.#total)
  }

  /** Permits out on this worker. */
  get own(): number {
    return this.#cells[this.#own] as number
  }

  /**
   * Takes one of `cap` permits; false when all are out. The cap is the caller's and may change
   * from call to call; a lower one takes no permit back.
   */
  acquire(cap: number): boolean {
    let seen = Atomics.load(this.#cells, this.#total)
    while (seen < cap) {
      const before = Atomics.compareExchange(this.#cells, this.#total, seen, seen + 1)
      if (before === seen) {
        this.#cells[this.#own] = (this.#cells[this.#own] as number) + 1
        return true
      }
      seen = before
    }
    return false
  }

  /** Gives back what `acquire` took on this worker; once for each. */
  release(): void {
    this.#cells[this.#own] = (this.#cells[this.#own] as number) - 1
    Atomics.sub(this.#cells, this.#total, 1)
  }
}
