import type { NodeWords } from '../shared/contract.js'

/*
 * Caller's duties: one table per pool and worker over words that all workers share; ask `lead`
 * before each round of checks, and `record` what each of them found; look at `version` to learn
 * that somebody found something else.
 */

// Words of the area.
/** When checks were made last, in whole ms of the node's clock plus one; 0: never. */
const LED = 0
const VERSION = 1
const FIRST_SERVER = 2

/** In a server's word, above the count of results in a row that speak against its state. */
const DOWN = 1 << 30
const STREAK = DOWN - 1

/** Bytes of shared memory for `servers` servers, of whole pairs of words. */
export const healthBytes = (servers: number): number =>
  2 * Math.ceil((FIRST_SERVER + servers) / 2) * Int32Array.BYTES_PER_ELEMENT

/**
 * Which servers of a pool are well, for the node (compat/traffic-v2.md §7.1.4). All are at first;
 * `fails` failures in a row take one out, `passes` successes in a row bring it back. Whichever
 * worker's turn it is makes a round of checks, so a server is asked once, however many workers there
 * are, and a worker that dies is replaced at the next round.
 */
export class HealthTable {
  readonly #words: Int32Array
  readonly #base: number
  readonly #fails: number
  readonly #passes: number

  constructor({ words, base }: NodeWords, fails: number, passes: number) {
    this.#words = words
    this.#base = base
    this.#fails = Math.max(1, fails)
    this.#passes = Math.max(1, passes)
  }

  /** Changes whenever a server goes out or comes back. */
  get version(): number {
    return Atomics.load(this.#words, this.#base + VERSION)
  }

  isUp(server: number): boolean {
    return (Atomics.load(this.#words, this.#base + FIRST_SERVER + server) & DOWN) === 0
  }

  /** Whether this worker is to make the round of checks that is due at `nowMs`. */
  lead(nowMs: number, intervalMs: number): boolean {
    const now = (Math.floor(nowMs) + 1) | 0
    const last = Atomics.load(this.#words, this.#base + LED)
    // Timers are coarse: what comes a little early is the same round.
    if (last !== 0 && ((now - last) | 0) < intervalMs * 0.75) return false
    return Atomics.compareExchange(this.#words, this.#base + LED, last, now) === last
  }

  /** True when this changed the state of the server. */
  record(server: number, passed: boolean): boolean {
    const at = this.#base + FIRST_SERVER + server
    for (;;) {
      const word = Atomics.load(this.#words, at)
      const isDown = (word & DOWN) !== 0
      // What confirms the state ends the row of those against it.
      const streak = passed === isDown ? (word & STREAK) + 1 : 0
      const changes = streak >= (isDown ? this.#passes : this.#fails)
      const next = changes ? (isDown ? 0 : DOWN) : (word & DOWN) | streak
      if (Atomics.compareExchange(this.#words, at, word, next) !== word) continue
      if (changes) Atomics.add(this.#words, this.#base + VERSION, 1)
      return changes
    }
  }
}
