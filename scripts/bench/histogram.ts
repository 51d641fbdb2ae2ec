/** The one door to hdr-histogram-js. Values are nanoseconds. */
import {
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js'

export type { Histogram }

/** Histograms as loadgen encodes them (compressed V2, base64), added up. At least one. */
export function mergedHistogram(encoded: readonly string[]): Histogram {
  const [first, ...others] = encoded
  if (first === undefined) throw new Error('no histogram of nothing')
  const sum = decodeFromCompressedBase64(first, 64)
  for (const each of others) sum.add(decodeFromCompressedBase64(each, 64))
  return sum
}

/** In the same encoding, but packed: loadgen stores without compressing. */
export const encoded = (histogram: Histogram): string => encodeIntoCompressedBase64(histogram)

/** Milliseconds at the percentiles that are printed. */
export interface LatencyMs {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

const MS = 1e6

export function latencyOf(histogram: Histogram): LatencyMs {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / MS
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: histogram.maxValue / MS }
}

/** A point of a percentile curve. */
export interface CurvePoint {
  /** In 0..100. */
  readonly percentile: number
  readonly ms: number
}

/** Points for each halving of what lies above. */
const STEPS_PER_HALVING = 4

/**
 * The curve of latency by percentile, finer towards the end: steps of a quarter of a halving of the
 * rest, up to the last value that was recorded.
 */
export function curveOf(histogram: Histogram): CurvePoint[] {
  const points: CurvePoint[] = []
  const count = histogram.totalCount
  for (let step = 0; ; step++) {
    const rest = 2 ** (-step / STEPS_PER_HALVING)
    if (rest * count < 1 || count === 0) break
    const percentile = 100 * (1 - rest)
    points.push({ percentile, ms: histogram.getValueAtPercentile(percentile) / MS })
  }
  return points
}
