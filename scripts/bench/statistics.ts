import { Prng } from '../../src/lib/prng.js'

const RESAMPLES = 10_000
const SEED = 0x5eed

/** Of at least one number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) throw new Error('no median of nothing')
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}

/** The middle of many values, and the lowest and highest of them. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) }
}

/**
 * How much more `values` are than `bases`, taken round by round, so that whatever disturbed a
 * round disturbed both sides of its ratio: the median ratio, and as `low` and `high` the 95 %
 * interval of it by the percentile bootstrap over rounds (Efron 1979). Equal input gives equal
 * output. With fewer than six rounds the interval is little more than the range.
 */
export function pairedRatio(values: readonly number[], bases: readonly number[]): Spread {
  if (values.length !== bases.length) throw new Error('rounds must be paired')
  const ratios = values.map((value, round) => value / (bases[round] as number))
  const prng = new Prng(SEED)
  const medians: number[] = []
  for (let i = 0; i < RESAMPLES; i++) {
    medians.push(median(ratios.map(() => ratios[prng.below(ratios.length)] as number)))
  }
  medians.sort((a, b) => a - b)
  return {
    median: median(ratios),
    low: medians[Math.floor(0.025 * RESAMPLES)] as number,
    high: medians[Math.ceil(0.975 * RESAMPLES) - 1] as number,
  }
}
