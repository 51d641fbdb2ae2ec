/** The bars that the project set itself, and whether a figure holds them. */
import type { Spread } from './statistics.js'

/** Ratios are judged only over so many interleaved rounds. */
export const ROUNDS_MIN = 9

export interface Bar {
  readonly name: string
  readonly figure: Spread
  /** `low` and `high` of the figure: a 95 % interval, or the range of readings. */
  readonly interval: '95 %' | 'range'
  /** The figure must be at most, or at least, this. */
  readonly atMost?: number
  readonly atLeast?: number
  /** Beyond the bar. */
  readonly goal?: number
  readonly unit: string
  /** Interleaved rounds behind it; null for what is not a ratio of rounds. */
  readonly rounds: number | null
}

export type Verdict = 'met' | 'not met'

/** A bar holds at the worse end of the interval. */
export function judge(bar: Bar): Verdict {
  const { figure, atMost, atLeast } = bar
  if ([figure.median, figure.low, figure.high].some(Number.isNaN)) return 'not met'
  const holds =
    (atMost === undefined || figure.high <= atMost) &&
    (atLeast === undefined || figure.low >= atLeast)
  return holds ? 'met' : 'not met'
}

/** The verdict, and what qualifies it. */
export function verdictText(bar: Bar): string {
  const few = bar.rounds !== null && bar.rounds < ROUNDS_MIN
  const goal = bar.goal !== undefined && judge({ ...bar, atMost: bar.goal }) === 'met'
  const words: string[] = [judge(bar)]
  if (goal) words.push('goal met too')
  if (few) words.push(`only ${bar.rounds} rounds, ${ROUNDS_MIN} count`)
  return words.join('; ')
}

/** What was to hold, as `≤ 1.15 (goal 1)`. */
export function barText({ atMost, atLeast, goal, unit }: Bar): string {
  const word = unit === '' ? '' : ` ${unit}`
  const bound = atMost === undefined ? `≥ ${atLeast}${word}` : `≤ ${atMost}${word}`
  return goal === undefined ? bound : `${bound} (goal ${goal})`
}

/** `1.1234` → `1.12`, `0.0123` → `0.012`, `123.4` → `123`. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 3)
}

export const intervalText = ({ low, high }: Spread): string =>
  `${figureText(low)} … ${figureText(high)}`
