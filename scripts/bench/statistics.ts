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

/** The middle of many values, and the lowest and highest of them, or of an interval. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) }
}

/**
 * `figure` of all rounds, and as `low` and `high` its 95 % interval by the percentile bootstrap
 * (Efron 1979): rounds are drawn with replacement, all sides of a round together, so that whatever
 * disturbed a round disturbed both sides of a ratio. Equal input gives equal output. With fewer
 * than six rounds the interval is little more than the range.
 */
export function bootstrap<R>(
  rounds: readonly R[],
  figure: (rounds: readonly R[]) => number,
): Spread {
  const prng = new Prng(SEED)
  const figures: number[] = []
  for (let i = 0; i < RESAMPLES; i++) {
    figures.push(figure(rounds.map(() => rounds[prng.below(rounds.length)] as R)))
  }
  figures.sort((a, b) => a - b)
  return {
    median: figure(rounds),
    low: figures[Math.floor(0.025 * RESAMPLES)] as number,
    high: figures[Math.ceil(0.975 * RESAMPLES) - 1] as number,
  }
}

/** How much more `values` are than `bases`, round by round: the median ratio and its interval. */
export function pairedRatio(values: readonly number[], bases: readonly number[]): Spread {
  return bootstrap(
    paired(values, bases, (value, base) => value / base),
    median,
  )
}

/** The same for differences. */
export function pairedDifference(values: readonly number[], bases: readonly number[]): Spread {
  return bootstrap(
    paired(values, bases, (value, base) => value - base),
    median,
  )
}

/** Of values of one side alone. */
export const medianWithInterval = (values: readonly number[]): Spread => bootstrap(values, median)

/**
 * Ratio of what two sides add to a floor that all three share, such as a direct connection: medians
 * over rounds are taken first, as the difference of two single rounds can be next to nothing. Infinite
 * where the bases are not above the floor: then the ratio tells nothing.
 */
export function addedRatio(
  values: readonly number[],
  bases: readonly number[],
  floors: readonly number[],
): Spread {
  const rounds = paired(values, bases, (value, base) => ({ value, base })).map((pair, round) => ({
    ...pair,
    floor: floors[round] as number,
  }))
  if (floors.length !== rounds.length) throw new Error('rounds must be paired')
  return bootstrap(rounds, (drawn) => {
    const floor = median(drawn.map((each) => each.floor))
    const added = median(drawn.map((each) => each.value)) - floor
    const base = median(drawn.map((each) => each.base)) - floor
    return base > 0 ? added / base : Number.POSITIVE_INFINITY
  })
}

function paired<T>(
  values: readonly number[],
  bases: readonly number[],
  pair: (value: number, base: number) => T,
): T[] {
  if (values.length !== bases.length) throw new Error('rounds must be paired')
  return values.map((value, round) => pair(value, bases[round] as number))
}
