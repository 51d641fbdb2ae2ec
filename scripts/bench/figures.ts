/** Tables that most scenarios print. */
import { figureText, intervalText } from './bars.js'
import { latencyOf, mergedHistogram } from './histogram.js'
import type { Costs, Plot, Table } from './result.js'
import { cpuMicros, figuresOf, perSecond, type Sample, type Series, spread } from './sample.js'
import { pairedRatio, type Spread } from './statistics.js'

const MEGABYTE = 1_048_576

/** Median, with the range over the rounds in brackets. */
export const spreadText = (values: Spread): string =>
  `${figureText(values.median)} (${intervalText(values)})`

const count = (value: number): string => String(Math.round(value))

/** What a request costs, how many there were, and memory: closed loop. */
export function throughputTable(title: string, series: readonly Series[]): Table {
  return {
    title: `${title}: medians of ${roundsOf(series)} rounds (lowest … highest)`,
    columns: ['', 'CPU µs/request', 'user', 'requests/s', 'p50 ms', 'p99 ms', 'resident MB'],
    rows: series.map((each) => [
      each.name,
      spreadText(spread(each, cpuMicros)),
      figureText(spread(each, userMicros).median),
      count(spread(each, perSecond).median),
      figureText(spread(each, (sample) => sample.latency.p50).median),
      figureText(spread(each, (sample) => sample.latency.p99).median),
      figureText(Math.max(...figuresOf(each, (sample) => sample.residentBytes)) / MEGABYTE),
    ]),
  }
}

const userMicros = (sample: Sample): number => (sample.userSeconds * 1e6) / sample.requests

/** Ratios of CPU time a request to the first side, round by round. */
export function ratioTable(series: readonly Series[]): Table {
  const [base, ...others] = series
  return {
    title: `CPU time a request, ratio to ${base?.name}: median of paired rounds [95 % interval]`,
    columns: ['', 'ratio', 'interval'],
    rows: others.map((each) => {
      const ratio = pairedRatio(figuresOf(each, cpuMicros), figuresOf(base as Series, cpuMicros))
      return [each.name, ratio.median.toFixed(3), intervalDigits(ratio)]
    }),
  }
}

const intervalDigits = ({ low, high }: Spread): string => `${low.toFixed(3)} … ${high.toFixed(3)}`

/** Latency over all rounds together: open loop, so from the time a request was due. */
export function latencyTable(title: string, series: readonly Series[]): Table {
  return {
    title: `${title}: latency from the due time in ms, all rounds together; p99 of rounds`,
    columns: ['', 'p50', 'p90', 'p99', 'p99.9', 'max', 'p99 of rounds', 'CPU µs/request'],
    rows: series.map((each) => {
      const all = latencyOf(mergedHistogram(each.rounds.map((round) => round.histogram)))
      return [
        each.name,
        ...[all.p50, all.p90, all.p99, all.p999, all.max].map(figureText),
        intervalText(spread(each, (sample) => sample.latency.p99)),
        figureText(spread(each, cpuMicros).median),
      ]
    }),
  }
}

export function plotOf(title: string, series: readonly Series[]): Plot {
  const curves = series.map(({ name, rounds }) => ({
    name,
    histograms: rounds.map((round) => round.histogram),
  }))
  return { title, curves }
}

export function costsOf(title: string, series: readonly Series[]): Costs {
  return { title, sides: series.map((each) => ({ name: each.name, ...spread(each, cpuMicros) })) }
}

/** Said when the load was in the way of what it measured. */
export function disturbanceNotes(series: readonly Series[]): string[] {
  const samples = series.flatMap(({ rounds }) => rounds)
  const disturbed = samples.filter((sample) => sample.disturbed).length
  if (disturbed === 0) return []
  const share = `in ${disturbed} of ${samples.length} samples`
  return [`the client of the open loop was short of a core ${share}: latencies hold its waiting`]
}

const roundsOf = (series: readonly Series[]): number => series[0]?.rounds.length ?? 0
