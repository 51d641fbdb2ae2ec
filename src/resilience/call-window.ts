import type { NodeWords } from '../shared/contract.js'
import { isOlder, Pairs } from '../shared/pairs.js'

/*
 * Windows over the outcomes of calls, in memory that all workers share and no lock guards. What a
 * worker writes bears the id of the breaker's state it belongs to: a newer id begins an empty
 * window, and what is late for an older one is left out, so nothing has ever to be cleared.
 *
 * Cells and buckets are replaced by compare-and-swap, and whoever replaced one adds the difference
 * to the tallies: they always agree with the cells once all are through. Meanwhile they can only
 * show a lower rate: totals are raised first and lowered last. Whoever is last sees all.
 */

const NONE = 0
export const SUCCESS = 1
export const FAILURE = 2
/** As slow as the policy forbids, and no failure. */
export const SLOW = 3
export type Outcome = typeof SUCCESS | typeof FAILURE | typeof SLOW

// Pairs of the area. Tallies: id of the state, count.
/** The breaker's own. */
export const STATE_PAIR = 0
const TOTAL = 1
const FAILURES = 2
const SLOWS = 3
/** Count window: index of the oldest cell. Time window: id of the state, newest second in it. */
const HEAD = 4
const HEADER_PAIRS = 8
const HEADER_WORDS = 2 * HEADER_PAIRS
const HEADER_BYTES = HEADER_WORDS * Int32Array.BYTES_PER_ELEMENT
const PAIR_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT

/** How many calls of each sort a state has seen in its window. */
export class Tallies {
  readonly #pairs: Pairs

  constructor(pairs: Pairs) {
    this.#pairs = pairs
  }

  /** All calls of state `id` in the window. */
  total(id: number): number {
    return this.#count(TOTAL, id)
  }

  /** Whole percent, rounded down, of `total` calls. */
  failurePercent(id: number, total: number): number {
    return Math.floor((this.#count(FAILURES, id) * 100) / total)
  }

  slowPercent(id: number, total: number): number {
    return Math.floor((this.#count(SLOWS, id) * 100) / total)
  }

  /** One call more, in a window that forgets none. */
  add(id: number, outcome: Outcome): void {
    this.replace(id, NONE, outcome)
  }

  /** A call takes the place of another, or of none. */
  replace(id: number, gone: number, outcome: Outcome): void {
    if (gone === NONE) this.move(TOTAL, id, 1)
    if (gone === outcome) return
    if (gone === FAILURE) this.move(FAILURES, id, -1)
    if (gone === SLOW) this.move(SLOWS, id, -1)
    if (outcome === FAILURE) this.move(FAILURES, id, 1)
    if (outcome === SLOW) this.move(SLOWS, id, 1)
  }

  move(tally: number, id: number, by: number): void {
    const pairs = this.#pairs
    pairs.load(tally)
    while (!isOlder(id, pairs.a)) {
      if (pairs.replace(tally, id, pairs.a === id ? pairs.b + by : by)) return
    }
  }

  #count(tally: number, id: number): number {
    this.#pairs.load(tally)
    return this.#pairs.a === id ? this.#pairs.b : 0
  }
}

export interface CallWindow {
  /** `id`: of the state in which the call was permitted. */
  push(id: number, nowMs: number, outcome: Outcome): void
}

/** Of whole pairs. */
export const countWindowBytes = (calls: number): number =>
  HEADER_BYTES + Math.ceil(calls / 2) * PAIR_BYTES

/** The last so many calls: a ring of words, each an id (its lowest two bits are 0) and an outcome. */
export class CountWindow implements CallWindow {
  readonly #words: Int32Array
  readonly #head: number
  readonly #first: number
  readonly #calls: number
  readonly #tallies: Tallies

  constructor(calls: number, { words, base }: NodeWords, tallies: Tallies) {
    this.#words = words
    this.#head = base + 2 * HEAD
    this.#first = base + HEADER_WORDS
    this.#calls = calls
    this.#tallies = tallies
  }

  push(id: number, _nowMs: number, outcome: Outcome): void {
    const words = this.#words
    const index = this.#first + this.#next()
    let old = Atomics.load(words, index)
    for (;;) {
      if (isOlder(id, old & ~3)) return
      const before = Atomics.compareExchange(words, index, old, id | outcome)
      if (before === old) break
      old = before
    }
    this.#tallies.replace(id, (old & ~3) === id ? old & 3 : NONE, outcome)
  }

  /** The oldest cell; the next one is the oldest from now on. */
  #next(): number {
    let head = Atomics.load(this.#words, this.#head)
    for (;;) {
      const next = head + 1 === this.#calls ? 0 : head + 1
      const before = Atomics.compareExchange(this.#words, this.#head, head, next)
      if (before === head) return head
      head = before
    }
  }
}

const TALLIES_OF_BUCKET = [FAILURES, SLOWS, TOTAL] as const
/**
 * Seconds are moved by the window and this for each state, so that those of two states are further
 * apart than any two of one state, however late a thread is.
 */
const STATE_GAP = 4096

export const timeWindowBytes = (seconds: number): number => HEADER_BYTES + seconds * 3 * PAIR_BYTES

/** The last so many seconds, this one included: a ring of buckets, a pair (second, count) a tally. */
export class TimeWindow implements CallWindow {
  readonly #words: Int32Array
  readonly #base: number
  readonly #seconds: number
  readonly #tallies: Tallies
  readonly #pairs: Pairs

  constructor(seconds: number, area: NodeWords, tallies: Tallies) {
    this.#words = area.words
    this.#base = area.base
    this.#seconds = seconds
    this.#tallies = tallies
    this.#pairs = new Pairs(area)
  }

  push(id: number, nowMs: number, outcome: Outcome): void {
    const second = (Math.floor(nowMs / 1_000) + Math.imul(this.#seconds + STATE_GAP, id >> 2)) | 0
    if (!this.#turn(id, second) || !this.#count(second, TOTAL)) return
    this.#tallies.move(TOTAL, id, 1)
    const tally = outcome === FAILURE ? FAILURES : SLOWS
    if (outcome !== SUCCESS && this.#count(second, tally)) this.#tallies.move(tally, id, 1)
  }

  /** Expires what is too old at `second`; false when `second` itself is. */
  #turn(id: number, second: number): boolean {
    const pairs = this.#pairs
    pairs.load(HEAD)
    if (isOlder(id, pairs.a)) return false
    if (pairs.a === id) {
      const newest = pairs.b
      const passed = (second - newest) | 0
      if (passed <= 0) return passed > -this.#seconds
      for (let ago = Math.min(passed, this.#seconds) - 1; ago >= 0; ago--) {
        this.#expire(id, (second - ago) | 0, newest)
      }
      pairs.load(HEAD)
    }
    while (!isOlder(id, pairs.a) && (pairs.a !== id || isOlder(pairs.b, second))) {
      if (pairs.replace(HEAD, id, second)) break
    }
    return true
  }

  /** The bucket in which `second` will be counted loses what is of an earlier one. */
  #expire(id: number, second: number, newest: number): void {
    const pairs = this.#pairs
    for (const tally of TALLIES_OF_BUCKET) {
      const bucket = this.#bucket(second, tally)
      if (Atomics.load(this.#words, this.#base + 2 * bucket + 1) === 0) continue
      pairs.load(bucket)
      while (isOlder(pairs.a, second)) {
        const { a: counted, b: count } = pairs
        if (!pairs.replace(bucket, second, 0)) continue
        // Those of an earlier state are in nobody's tallies any more.
        const isOurs = ((newest - counted) | 0) < this.#seconds + STATE_GAP / 2
        if (isOurs) this.#tallies.move(tally, id, -count)
        break
      }
    }
  }

  /** False when the bucket belongs to a later second by now. */
  #count(second: number, tally: number): boolean {
    const pairs = this.#pairs
    const bucket = this.#bucket(second, tally)
    pairs.load(bucket)
    while (!isOlder(second, pairs.a)) {
      if (pairs.replace(bucket, second, pairs.a === second ? pairs.b + 1 : 1)) return true
    }
    return false
  }

  #bucket(second: number, tally: number): number {
    return HEADER_PAIRS + ((second >>> 0) % this.#seconds) * 3 + tally - 1
  }
}
