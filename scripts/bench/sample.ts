import { encoded, type LatencyMs, latencyOf, mergedHistogram } from './histogram.js'
import type { LoadReport } from './loadgen.js'
import { median, type Spread, spreadOf } from './statistics.js'

/** What one side did in one round. */
export interface Sample {
  readonly requests: number
  readonly ok: number
  readonly seconds: number
  /** Of all threads and processes of the server, by the scheduler's account. */
  readonly cpuSeconds: number
  readonly userSeconds: number
  readonly residentBytes: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly statuses: Readonly<Record<string, number>>
  readonly latency: LatencyMs
  /** 99th percentile from sending to the end of the answer. */
  readonly serviceP99Ms: number
  /** Of latencies, compressed V2 in base64. */
  readonly histogram: string
  /** The client waited for a core, or was the bottleneck. */
  readonly disturbed: boolean
}

/** One side over all rounds. */
export interface Series {
  readonly name: string
  readonly rounds: readonly Sample[]
}

const MS = 1e6
/** Of the clock that `userSeconds` and `systemSeconds` are told by: too coarse for a short slice. */
function userShare(report: LoadReport): number {
  const { userSeconds = 0, systemSeconds = 0 } = report.watched ?? {}
  const both = userSeconds + systemSeconds
  return both === 0 ? 0 : userSeconds / both
}

/** The slices of a round as one. At least one. */
export function sampleOf(reports: readonly LoadReport[]): Sample {
  const sum = (figure: (report: LoadReport) => number): number =>
    reports.reduce((total, report) => total + figure(report), 0)
  const histogram = mergedHistogram(reports.map((report) => report.latency.histogram))
  const statuses: Record<string, number> = {}
  for (const report of reports) {
    for (const [status, count] of Object.entries(report.statuses)) {
      statuses[status] = (statuses[status] ?? 0) + count
    }
  }
  return {
    requests: sum((report) => report.requests),
    ok: sum((report) => report.ok),
    seconds: sum((report) => report.elapsedSeconds),
    cpuSeconds: sum((report) => report.watched?.cpuSeconds ?? 0),
    userSeconds: sum((report) => (report.watched?.cpuSeconds ?? 0) * userShare(report)),
    residentBytes: Math.max(...reports.map((report) => report.watched?.residentBytesAfter ?? 0)),
    bytesIn: sum((report) => report.bytesIn),
    bytesOut: sum((report) => report.bytesOut),
    statuses,
    latency: latencyOf(histogram),
    serviceP99Ms: median(reports.map((report) => report.serviceTime.p99)) / MS,
    histogram: encoded(histogram),
    disturbed: reports.some(({ client }) => client.saturated || client.starved),
  }
}

/** CPU time a request, in microseconds. */
export const cpuMicros = (sample: Sample): number => (sample.cpuSeconds * 1e6) / sample.requests

/** Right answers a second. */
export const perSecond = (sample: Sample): number => sample.ok / sample.seconds

/** Median, lowest and highest of a figure over the rounds. */
export function spread(series: Series, figure: (sample: Sample) => number): Spread {
  return spreadOf(series.rounds.map(figure))
}

/** A figure of each round. */
export const figuresOf = (series: Series, figure: (sample: Sample) => number): number[] =>
  series.rounds.map(figure)
