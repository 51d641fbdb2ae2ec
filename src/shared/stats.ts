import type { StatsRow } from './contract.js'
import {
  BUCKET_COUNT,
  BUCKETS,
  BYTES_IN,
  BYTES_OUT,
  bucketMiddleMs,
  bucketOf,
  CELLS_PER_ROW,
  COUNT,
  codeCell,
  ERRORS,
  MAX_MS,
  MIN_MS,
  STATUS_MAX,
  STATUS_MIN,
  TOTAL_MS,
} from './stats-layout.js'

/** An error in the statistics, as in Easegress. */
const ERROR_STATUS_MIN = 400

/**
 * A row that one thread fills by plain stores and others read at any time. A reader may see a
 * record half done; the next reading has all of it.
 */
export class StatsCells implements StatsRow {
  #cells: Float64Array
  #base: number

  /**
   * CELLS_PER_ROW of `cells` from `base` on, zero when new. One view for many rows: a view of its own
   * is two more cache lines that a record would have to touch.
   */
  constructor(cells: Float64Array, base = 0) {
    this.#cells = cells
    this.#base = base
  }

  /** The row is somebody else's from now on: what comes late counts nowhere. */
  detach(): void {
    this.#cells = NOWHERE
    this.#base = 0
  }

  record(status: number, durationMs: number, bytesIn: number, bytesOut: number): void {
    const cells = this.#cells
    const base = this.#base
    const count = cells[base + COUNT] as number
    if (count === 0 || durationMs < (cells[base + MIN_MS] as number)) {
      cells[base + MIN_MS] = durationMs
    }
    if (durationMs > (cells[base + MAX_MS] as number)) cells[base + MAX_MS] = durationMs
    cells[base + TOTAL_MS] = (cells[base + TOTAL_MS] as number) + durationMs
    cells[base + BYTES_IN] = (cells[base + BYTES_IN] as number) + bytesIn
    cells[base + BYTES_OUT] = (cells[base + BYTES_OUT] as number) + bytesOut
    if (status >= STATUS_MIN && status <= STATUS_MAX) {
      const code = base + codeCell(status)
      cells[code] = (cells[code] as number) + 1
    }
    const bucket = base + BUCKETS + bucketOf(durationMs)
    cells[bucket] = (cells[bucket] as number) + 1
    if (status >= ERROR_STATUS_MIN) cells[base + ERRORS] = (cells[base + ERRORS] as number) + 1
    cells[base + COUNT] = count + 1
  }
}

/** Of rows that are closed: requests that outlive their object record in it. */
const NOWHERE = new Float64Array(CELLS_PER_ROW)

/** What a thing did on all workers since it was made. Durations in ms, sizes in bytes. */
export class StatsSnapshot {
  readonly count: number
  /** Statuses of 400 and above. */
  readonly errCount: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly minMs: number
  readonly maxMs: number
  readonly meanMs: number
  readonly #cells: Float64Array

  /** Use {@link mergeRows}. `cells` are kept. */
  constructor(cells: Float64Array) {
    this.#cells = cells
    this.count = cells[COUNT] as number
    this.errCount = cells[ERRORS] as number
    this.bytesIn = cells[BYTES_IN] as number
    this.bytesOut = cells[BYTES_OUT] as number
    this.minMs = cells[MIN_MS] as number
    this.maxMs = cells[MAX_MS] as number
    this.meanMs = this.count === 0 ? 0 : (cells[TOTAL_MS] as number) / this.count
  }

  /** Count of each status that occurred, ascending. */
  codes(): Map<number, number> {
    const codes = new Map<number, number>()
    for (let status = STATUS_MIN; status <= STATUS_MAX; status++) {
      const count = this.#cells[codeCell(status)] as number
      if (count > 0) codes.set(status, count)
    }
    return codes
  }

  /**
   * The durations below which `percents` (0..100, ascending) of all lie, in ms: within 0.8 % above
   * 64 µs, within half a microsecond below. All zero while nothing was counted.
   */
  percentiles(percents: readonly number[]): number[] {
    let total = 0
    for (let i = 0; i < BUCKET_COUNT; i++) total += this.#cells[BUCKETS + i] as number
    if (total === 0) return percents.map(() => 0)
    let bucket = 0
    let seen = this.#cells[BUCKETS] as number
    return percents.map((percent) => {
      const rank = Math.max(1, Math.ceil((percent / 100) * total))
      while (seen < rank && bucket < BUCKET_COUNT - 1) {
        bucket += 1
        seen += this.#cells[BUCKETS + bucket] as number
      }
      return Math.min(this.maxMs, Math.max(this.minMs, bucketMiddleMs(bucket)))
    })
  }
}

/** Of all that has counted nothing yet: most rows, where there are many. */
const NOTHING = new StatsSnapshot(new Float64Array(CELLS_PER_ROW))

/** Adds up rows of the same thing; none gives a snapshot of zeros. Later changes do not show. */
export function mergeRows(rows: readonly Float64Array[]): StatsSnapshot {
  const counted = rows.filter((row) => row[COUNT] !== 0)
  if (counted.length === 0) return NOTHING
  const sum = new Float64Array(CELLS_PER_ROW)
  for (const row of counted) addRow(sum, row)
  return new StatsSnapshot(sum)
}

/** Adds `row` to `sum`, which becomes as one row that recorded what both did. */
export function addRow(sum: Float64Array, row: Float64Array): void {
  if (row[COUNT] === 0) return
  const first = sum[COUNT] === 0
  const minMs = first ? row[MIN_MS] : Math.min(sum[MIN_MS] as number, row[MIN_MS] as number)
  const maxMs = Math.max(sum[MAX_MS] as number, row[MAX_MS] as number)
  for (let i = 0; i < CELLS_PER_ROW; i++) sum[i] = (sum[i] as number) + (row[i] as number)
  sum[MIN_MS] = minMs as number
  sum[MAX_MS] = maxMs
}
