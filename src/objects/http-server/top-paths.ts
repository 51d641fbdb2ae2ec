import type { TopPath } from '../../protocol/worker.js'

/** Patterns counted at most; the rest share one entry, so that a scan cannot grow memory. */
const PATTERNS_MAX = 1_000
const OTHERS = '*'

interface Counter {
  count: number
  errors: number
  totalMs: number
  minMs: number
  maxMs: number
  bytesIn: number
  bytesOut: number
}

/**
 * Requests of one server in one worker, by the pattern of the route they took: bounded by the
 * configuration, unlike the paths that clients ask for.
 */
export class TopPaths {
  readonly #counters = new Map<string, Counter>()
  /** The last one counted: most requests follow one of their kind. */
  #lastPattern: string | null = null
  #last: Counter | null = null

  record(
    pattern: string,
    status: number,
    durationMs: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    const counter =
      this.#last !== null && pattern === this.#lastPattern ? this.#last : this.#counter(pattern)
    counter.count += 1
    if (status >= 400) counter.errors += 1
    counter.totalMs += durationMs
    if (durationMs < counter.minMs) counter.minMs = durationMs
    if (durationMs > counter.maxMs) counter.maxMs = durationMs
    counter.bytesIn += bytesIn
    counter.bytesOut += bytesOut
  }

  /** The `limit` most-asked patterns, most asked first. */
  top(limit: number): TopPath[] {
    return [...this.#counters]
      .map(([path, counter]) => ({ path, ...counter }))
      .sort((a, b) => b.count - a.count)
      .slice(0, limit)
  }

  #counter(pattern: string): Counter {
    const known = this.#counters.has(pattern) || this.#counters.size < PATTERNS_MAX
    const key = known ? pattern : OTHERS
    let counter = this.#counters.get(key)
    if (counter === undefined) {
      counter = {
        count: 0,
        errors: 0,
        totalMs: 0,
        minMs: Number.POSITIVE_INFINITY,
        maxMs: 0,
        bytesIn: 0,
        bytesOut: 0,
      }
      this.#counters.set(key, counter)
    }
    this.#lastPattern = pattern
    this.#last = counter
    return counter
  }
}
