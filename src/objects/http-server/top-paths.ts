import type { TopPath } from '../../protocol/worker.js'

/** Patterns counted at most, beside none at all; the rest share one entry, so that a scan cannot grow memory. */
const PATTERNS_MAX = 1_000
const OTHERS = '*'
const NO_PATTERN = ''

// Cells of a counter. Numbers side by side, as those of an object lie in pieces of memory of their
// own, and with thousands of routes in turn none of that is in a cache.
const COUNT = 0
const ERRORS = 1
const TOTAL_MS = 2
const MIN_MS = 3
const MAX_MS = 4
const BYTES_IN = 5
const BYTES_OUT = 6
const CELLS = 8

const COUNTERS_FIRST = 16

/** What requests are counted by. */
export interface Counted {
  readonly pattern: string
  /** Where its counters are, in the one {@link TopPaths} that it is counted in; -1: not looked up. */
  place: number
}

/**
 * Requests of one server in one worker, by the pattern of the route they took: bounded by the
 * configuration, unlike the paths that clients ask for.
 */
export class TopPaths {
  /** Where the cells of a pattern begin. */
  readonly #places = new Map<string, number>()
  #cells = new Float64Array(COUNTERS_FIRST * CELLS)

  constructor() {
    // An exchange has place 0 until it is counted by something else.
    this.#add(NO_PATTERN)
  }

  /** For {@link record}, when a request finds its route: the rest is done without the route. */
  placeOf(counted: Counted): number {
    if (counted.place < 0) counted.place = this.#find(counted.pattern)
    return counted.place
  }

  record(
    place: number,
    status: number,
    durationMs: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    const cells = this.#cells
    cells[place + COUNT] = (cells[place + COUNT] as number) + 1
    if (status >= 400) cells[place + ERRORS] = (cells[place + ERRORS] as number) + 1
    cells[place + TOTAL_MS] = (cells[place + TOTAL_MS] as number) + durationMs
    if (durationMs < (cells[place + MIN_MS] as number)) cells[place + MIN_MS] = durationMs
    if (durationMs > (cells[place + MAX_MS] as number)) cells[place + MAX_MS] = durationMs
    cells[place + BYTES_IN] = (cells[place + BYTES_IN] as number) + bytesIn
    cells[place + BYTES_OUT] = (cells[place + BYTES_OUT] as number) + bytesOut
  }

  /** The `limit` most-asked patterns, most asked first. */
  top(limit: number): TopPath[] {
    return [...this.#places]
      .map(([path, at]) => this.#read(path, at))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
      .slice(0, limit)
  }

  #read(path: string, at: number): TopPath {
    const cell = (which: number): number => this.#cells[at + which] as number
    return {
      path,
      count: cell(COUNT),
      errors: cell(ERRORS),
      totalMs: cell(TOTAL_MS),
      minMs: cell(MIN_MS),
      maxMs: cell(MAX_MS),
      bytesIn: cell(BYTES_IN),
      bytesOut: cell(BYTES_OUT),
    }
  }

  #find(pattern: string): number {
    const key = this.#places.has(pattern) || this.#places.size <= PATTERNS_MAX ? pattern : OTHERS
    return this.#places.get(key) ?? this.#add(key)
  }

  #add(key: string): number {
    const place = this.#places.size * CELLS
    if (place === this.#cells.length) {
      const grown = new Float64Array(place * 2)
      grown.set(this.#cells)
      this.#cells = grown
    }
    this.#cells[place + MIN_MS] = Number.POSITIVE_INFINITY
    this.#places.set(key, place)
    return place
  }
}
