/*
 * Caller's duties: make one limiter per rule and worker over words that equal rules of all workers
 * share, ask `acquire` once a request, and let the request wait for as long as it says.
 */
import type { NodeWords } from '../shared/contract.js'
import { Pairs } from '../shared/pairs.js'

/** From {@link RateLimiter.acquire}: no permit within the time that a request may wait. */
export const REFUSED = -1

export interface RateLimitPolicy {
  /** Permits of each period, at least 1. */
  readonly limit: number
  /** Above 0. */
  readonly periodMs: number
  /** Longest wait for a permit. */
  readonly timeoutMs: number
}

/** Pair of the cycle last used and the permits reserved from it on. */
const STATE = 0
/** The two halves of a double: milliseconds at which the first cycle began. */
const START = 1
const RESERVED_MAX = 2 ** 31 - 1
/** Clocks of two threads differ by much less. */
const SKEW_MS = 1

/**
 * Permits by the cycle, those of later cycles given out ahead to requests that wait
 * (compat/traffic-v1.md §6.10). All of its state is one pair of shared words, changed in one step,
 * so the limit holds over any number of workers. Cycles are counted modulo 2^32: a limiter idle
 * for exactly that many may refuse more than it should, for one cycle, and never allows more.
 */
export class RateLimiter {
  readonly #limit: number
  readonly #periodMs: number
  readonly #reservedMax: number
  readonly #skewCycles: number
  readonly #startMs: number
  readonly #pairs: Pairs

  /** The first cycle begins at `nowMs` of the limiter that is made first. */
  constructor({ limit, periodMs, timeoutMs }: RateLimitPolicy, words: NodeWords, nowMs: number) {
    const cyclesAhead = Math.floor(timeoutMs / periodMs)
    this.#limit = limit
    this.#periodMs = periodMs
    this.#reservedMax = Math.min(limit * (cyclesAhead + 1), RESERVED_MAX)
    this.#skewCycles = Math.ceil(SKEW_MS / periodMs)
    this.#pairs = new Pairs(words)
    this.#startMs = agreedStart(this.#pairs, nowMs)
  }

  /** Milliseconds to wait for the permit that is now the caller's; 0: none; or REFUSED. */
  acquire(nowMs: number): number {
    const pairs = this.#pairs
    const cycle = Math.floor((nowMs - this.#startMs) / this.#periodMs)
    pairs.load(STATE)
    for (;;) {
      const passed = (cycle - pairs.a) | 0
      // Another thread may have been in the next cycle already, by its clock.
      const isBehind = passed < 0 && passed >= -this.#skewCycles
      const at = isBehind ? cycle - passed : cycle
      const freed = isBehind ? 0 : (passed >>> 0) * this.#limit
      const reserved = Math.max(0, pairs.b - freed)
      if (reserved >= this.#reservedMax) return REFUSED
      if (!pairs.replace(STATE, at, reserved + 1)) continue
      if (reserved < this.#limit) return 0
      const beginsMs = this.#startMs + this.#periodMs * (at + Math.floor(reserved / this.#limit))
      return Math.max(0, beginsMs - nowMs)
    }
  }

  /** Whether a request at `nowMs` would get a permit, at once or later; takes none. */
  admits(nowMs: number): boolean {
    return this.used(nowMs) < this.#reservedMax
  }

  /** Permits of the cycle at `nowMs` and of later ones that are given out. */
  used(nowMs: number): number {
    const pairs = this.#pairs
    const cycle = Math.floor((nowMs - this.#startMs) / this.#periodMs)
    pairs.load(STATE)
    const passed = Math.max(0, (cycle - pairs.a) | 0)
    return Math.max(0, pairs.b - passed * this.#limit)
  }
}

/** The start that the first of all workers has written. */
function agreedStart(pairs: Pairs, nowMs: number): number {
  const double = new Float64Array(1)
  const halves = new Int32Array(double.buffer)
  pairs.load(START)
  while (pairs.a === 0 && pairs.b === 0) {
    double[0] = nowMs || Number.MIN_VALUE // all zero means that there is none yet
    if (pairs.replace(START, halves[0] as number, halves[1] as number)) return nowMs
  }
  halves[0] = pairs.a
  halves[1] = pairs.b
  return double[0] as number
}
