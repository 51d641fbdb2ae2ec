import { cpuTimeOf } from './accounting.js'
import type { Options } from './options.js'
import type { Measured, Round } from './report.js'
import { PATH } from './scenarios.js'
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

/**
 * Every subject in every round, in an order that turns round from one round to the next, so that
 * none of them is always the one that runs on a machine warmed by another.
 */
export async function measure(bench: Bench, done: (round: Round) => void): Promise<void> {
  const { options, subjects } = bench
  for (const subject of subjects) {
    await checkAnswer(subject, options.scenario)
    await load(bench, subject, WARM_UP_SECONDS)
  }
  for (let number = 1; number <= options.rounds; number++) {
    const order = number % 2 === 1 ? subjects : subjects.toReversed()
    const results: Record<string, Measured> = {}
    for (const subject of order) results[subject.name] = await load(bench, subject, options.seconds)
    done({ number, results })
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
