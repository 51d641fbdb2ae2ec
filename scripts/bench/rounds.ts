import { cpuTimeOf } from './accounting.js'
import type { Options } from './options.js'
import type { Measured, Round } from './report.js'
import { PATH } from './scenarios.js'
import { median } from './statistics.js'
import { checkAnswer, type Subject } from './subjects.js'
import { runWrk } from './wrk.js'

/** Long enough for the optimising compiler to have seen the request path. */
const WARM_UP_SECONDS = 3

export interface Bench {
  /** Path of the load generator. */
  readonly wrk: string
  readonly options: Options
  readonly subjects: readonly Subject[]
  readonly folder: string
}

/** The shortest run of wrk. */
const SLICE_SECONDS = 1

/**
 * Every subject in every round, for its seconds in slices of one, in turn: what disturbs the machine
 * for longer than that disturbs all alike. The order turns round from one slice to the next, so that
 * none of them is always the one that runs on a machine warmed by another.
 */
export async function measure(bench: Bench, done: (round: Round) => void): Promise<void> {
  const { options, subjects } = bench
  for (const subject of subjects) {
    await checkAnswer(subject, options.scenario)
    await load(bench, subject, WARM_UP_SECONDS)
  }
  let slices = 0
  for (let number = 1; number <= options.rounds; number++) {
    const seen = new Map<Subject, Measured[]>(subjects.map((subject) => [subject, []]))
    for (let second = 0; second < options.seconds; second += SLICE_SECONDS) {
      slices += 1
      for (const subject of slices % 2 === 1 ? subjects : subjects.toReversed()) {
        seen.get(subject)?.push(await load(bench, subject, SLICE_SECONDS))
      }
    }
    const results = [...seen].map(([{ name }, parts]) => [name, together(parts)])
    done({ number, results: Object.fromEntries(results) as Round['results'] })
  }
  for (const subject of subjects) await checkAnswer(subject, options.scenario)
}

async function load(bench: Bench, subject: Subject, seconds: number): Promise<Measured> {
  const { wrk, options, folder } = bench
  const { connections, scenario } = options
  const before = cpuTimeOf(subject.child.pid)
  const url = `http://127.0.0.1:${subject.port}${PATH}`
  const bodyBytes = scenario.requestBytes
  const result = await runWrk({ program: wrk, url, connections, seconds, bodyBytes, folder })
  const after = cpuTimeOf(subject.child.pid)
  // Also an answer without its body is wrong, whatever its status.
  const isShort = result.bytes < result.requests * scenario.answerBytes
  if (result.errors > 0 || isShort || result.requests === 0) {
    const what = `${result.errors} errors in ${result.requests} requests`
    throw new Error(`${subject.name}: ${isShort ? 'answers without their body' : what}`)
  }
  const micros = 1e6 / result.requests
  return {
    cpuMicros: (after.total - before.total) * micros,
    userMicros: (after.user - before.user) * micros,
    requestsPerSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    requests: result.requests,
  }
}

/** Slices as one: sums, and of percentiles, which cannot be added up, the median. */
function together(parts: readonly Measured[]): Measured {
  const requests = parts.reduce((sum, part) => sum + part.requests, 0)
  const weighted = (figure: 'cpuMicros' | 'userMicros'): number =>
    parts.reduce((sum, part) => sum + part[figure] * part.requests, 0) / requests
  const seconds = parts.reduce((sum, part) => sum + part.requests / part.requestsPerSecond, 0)
  return {
    cpuMicros: weighted('cpuMicros'),
    userMicros: weighted('userMicros'),
    requestsPerSecond: requests / seconds,
    p50Ms: median(parts.map((part) => part.p50Ms)),
    p99Ms: median(parts.map((part) => part.p99Ms)),
    requests,
  }
}
