import type { StatsSnapshot } from './stats.js'

/** Rates are brought up to date this often; the caller calls `tick` at this pace. */
export const RATE_TICK_MS = 5000
const TICK_SECONDS = RATE_TICK_MS / 1000

/**
 * Exponentially weighted events per second over some minutes, as `uptime` does it: the first tick
 * sets the rate, each later one moves it by alpha = 1 - exp(-5/60/minutes) of the difference.
 */
export class Ewma {
  readonly #alpha: number
  #perSecond: number | null = null

  constructor(minutes: number) {
    this.#alpha = 1 - Math.exp(-TICK_SECONDS / 60 / minutes)
  }

  get perSecond(): number {
    return this.#perSecond ?? 0
  }

  /** `events`: those of the last 5 s. */
  tick(events: number): void {
    const instant = events / TICK_SECONDS
    if (this.#perSecond === null) this.#perSecond = instant
    else this.#perSecond += this.#alpha * (instant - this.#perSecond)
  }
}

/** Something counted, over 1, 5 and 15 minutes. */
class Rate {
  readonly m1 = new Ewma(1)
  readonly m5 = new Ewma(5)
  readonly m15 = new Ewma(15)
  #counted = 0

  /** `count`: since the beginning. Less than before means that the thing was made anew. */
  tick(count: number): void {
    const events = count >= this.#counted ? count - this.#counted : count
    this.#counted = count
    this.m1.tick(events)
    this.m5.tick(events)
    this.m15.tick(events)
  }
}

/** Rates of requests and of errors of one thing. Pure: ticked every 5 s from outside. */
export class StatsRates {
  readonly requests = new Rate()
  readonly errors = new Rate()

  tick(now: { readonly count: number; readonly errCount: number }): void {
    this.requests.tick(now.count)
    this.errors.tick(now.errCount)
  }
}

/** The statistics block of a status, with the field names of Easegress v1. */
export interface HttpStat {
  readonly count: number
  /** Per second. */
  readonly m1: number
  readonly m5: number
  readonly m15: number
  readonly errCount: number
  readonly m1Err: number
  readonly m5Err: number
  readonly m15Err: number
  /** Ratios 0..1 despite their name, as in Easegress. */
  readonly m1ErrPercent: number
  readonly m5ErrPercent: number
  readonly m15ErrPercent: number
  /** Whole milliseconds. */
  readonly min: number
  readonly max: number
  readonly mean: number
  /** Milliseconds. */
  readonly p25: number
  readonly p50: number
  readonly p75: number
  readonly p95: number
  readonly p98: number
  readonly p99: number
  readonly p999: number
  /** Bytes. */
  readonly reqSize: number
  readonly respSize: number
  readonly codes: Readonly<Record<string, number>>
}

const PERCENTS = [25, 50, 75, 95, 98, 99, 99.9] as const

/**
 * Renders the v1 block. Each error ratio comes from its own two rates, unlike in Easegress, where
 * all three end up in `m1ErrPercent`.
 */
export function httpStat(snapshot: StatsSnapshot, rates: StatsRates): HttpStat {
  const { requests, errors } = rates
  const ratio = (error: Ewma, all: Ewma): number =>
    all.perSecond > 0 ? error.perSecond / all.perSecond : 0
  const [p25, p50, p75, p95, p98, p99, p999] = snapshot.percentiles(PERCENTS) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return {
    count: snapshot.count,
    m1: requests.m1.perSecond,
    m5: requests.m5.perSecond,
    m15: requests.m15.perSecond,
    errCount: snapshot.errCount,
    m1Err: errors.m1.perSecond,
    m5Err: errors.m5.perSecond,
    m15Err: errors.m15.perSecond,
    m1ErrPercent: ratio(errors.m1, requests.m1),
    m5ErrPercent: ratio(errors.m5, requests.m5),
    m15ErrPercent: ratio(errors.m15, requests.m15),
    min: Math.floor(snapshot.minMs),
    max: Math.floor(snapshot.maxMs),
    mean: Math.floor(snapshot.meanMs),
    p25,
    p50,
    p75,
    p95,
    p98,
    p99,
    p999,
    reqSize: snapshot.bytesIn,
    respSize: snapshot.bytesOut,
    codes: Object.fromEntries(snapshot.codes()),
  }
}
