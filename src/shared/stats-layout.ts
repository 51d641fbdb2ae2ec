/**
 * A statistics row is 1,928 doubles, all exact to 2^53:
 *
 *     0..7       totals, see below: one cache line
 *     8..507     count of each status 100..599 but 200, which is in 7
 *     512..1919  latency histogram
 *
 * Doubles rather than 32-bit words: a worker at 50,000 requests a second wraps those within a day.
 * Untouched pages cost no memory, and a row in use touches two or three of its four. Its length is an
 * odd number of cache lines: at a power of two the totals of a thousand rows would meet in the few
 * places of a cache that all their addresses stand for.
 */
export const CELLS_PER_ROW = 1928
export const ROW_BYTES = CELLS_PER_ROW * Float64Array.BYTES_PER_ELEMENT

export const COUNT = 0
export const ERRORS = 1
export const BYTES_IN = 2
export const BYTES_OUT = 3
export const TOTAL_MS = 4
export const MIN_MS = 5
export const MAX_MS = 6
const OK_COUNT = 7

const CODES = 8
export const STATUS_MIN = 100
export const STATUS_MAX = 599

/** The cell that counts a status of {@link STATUS_MIN} to {@link STATUS_MAX}. */
export function codeCell(status: number): number {
  // Nearly all are: it has its cell beside the totals, so that a record touches a line less.
  return status === 200 ? OK_COUNT : CODES - STATUS_MIN + status
}

export const BUCKETS = 512
/** Log-linear: 64 buckets for each doubling, so the middle of one is within 0.8 % of all in it. */
export const BUCKET_COUNT = 1408

const LINEAR_US = 128
/** 2^27 - 1 microseconds, 134 s: the last bucket takes whatever is longer. */
const LONGEST_US = 0x7ff_ffff

/** The histogram bucket of a duration in milliseconds, 0..BUCKET_COUNT - 1. */
export function bucketOf(durationMs: number): number {
  const us = durationMs * 1000
  if (!(us >= 1)) return 0 // also what is not a number
  const whole = us >= LONGEST_US ? LONGEST_US : us | 0
  if (whole < LINEAR_US) return whole
  const shift = 25 - Math.clz32(whole)
  return (shift << 6) + (whole >> shift)
}

/** The middle of a bucket, in milliseconds. */
export function bucketMiddleMs(bucket: number): number {
  if (bucket < LINEAR_US) return (bucket + 0.5) / 1000
  const shift = (bucket >> 6) - 1
  const lowestUs = ((bucket & 63) + 64) * 2 ** shift
  return (lowestUs + 2 ** shift / 2) / 1000
}
