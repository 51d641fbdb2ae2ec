import type { TopPath } from '../../protocol/worker.js'

/** Patterns counted at most; the rest share one entry, so that a scan cannot grow memory. */
const PATTERNS_MAX = 1_000
const OTHERS = '*'

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

/**
 * Requests of one server in one worker, by the pattern of the route they took: bounded by the
 * configuration, unlike the paths that clients ask for.
 */
export class TopPaths {
  /** Where the cells of a pattern begin. */
  readonly #places = new Map<string, number>()
  #cells = new Float64Array(COUNTERS_FIRST * CELLS)
  /** The last one counted: most requests follow one of their kind. */
  #lastPattern: string | null = null
  #lastPlace = 0

  record(
    pattern: string,
    status: number,
    durationMs: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    const at = pattern === this.#lastPattern ? this.#lastPlace : this.#placeOf(pattern)
    const cells = this.#cells
    cells[at + COUNT] = (cells[at + COUNT] as number) + 1
    if (status >= 400) cells[at + ERRORS] = (cells[at + ERRORS] as number) + 1
    cells[at + TOTAL_MS] = (cells[at + TOTAL_MS] as number) + durationMs
    if (durationMs < (cells[at + MIN_MS] as number)) cells[at + MIN_MS] = durationMs
    if (durationMs > (cells[at + MAX_MS] as number)) cells[at + MAX_MS] = durationMs
    cells[at + BYTES_IN] = (cells[at + BYTES_IN] as number) + bytesIn
    cells[at + BYTES_OUT] = (cells[at + BYTES_OUT] as number) + bytesOut
  }

  /** The `limit` most-asked patterns, most asked first. */
  top(limit: number): TopPath[] {
    return [...this.#places]
      .map(([path, at]) => this.#read(path, at))
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

  #placeOf(pattern: string): number {
    let place = this.#places.get(pattern)
    if (place === undefined) {
      const isKnown = this.#places.size < PATTERNS_MAX
      const key = isKnown ? pattern : OTHERS
      place = this.#places.get(key) ?? this.#add(key)
    }
    this.#lastPattern = pattern
    this.#lastPlace = place
    return place
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
