import type { BreakerPolicy } from '../resilience/circuit-breaker.js'
import { duration, integer, type ObjectOf, oneOf, type SpecProblem } from '../spec/schema.js'

const CALLS_MAX = 1_000_000
const SECONDS_MAX = 100_000
const HALF_OPEN_CALLS = 10
const CALLS_MIN = 100

const percent = (doc: string, byDefault: number) =>
  integer({ doc, min: 1, max: 100, default: byDefault })

/** Fields that v1 and v2 have alike. */
export const windowFields = {
  slidingWindowType: oneOf(['COUNT_BASED', 'TIME_BASED'], {
    doc: 'Whether the window holds the last calls or the last seconds.',
    ignoreCase: true,
    default: 'COUNT_BASED',
  }),
  slidingWindowSize: integer({
    doc: `Calls, at most ${CALLS_MAX}, or seconds, at most ${SECONDS_MAX}.`,
    min: 1,
    max: CALLS_MAX,
    default: 100,
  }),
  minimumNumberOfCalls: integer({
    doc: 'Calls that the window must hold before rates count; never more than fit in. 0 for the default.',
    min: 0,
    max: 1_000_000_000,
    default: CALLS_MIN,
  }),
  failureRateThreshold: percent('Percentage of failures that opens the circuit.', 50),
  slowCallRateThreshold: percent('Percentage of slow calls that opens the circuit.', 100),
  slowCallDurationThreshold: duration({ doc: 'A call this long is slow.', default: '1m' }),
  permittedNumberOfCallsInHalfOpenState: integer({
    doc: 'Calls that decide, once the circuit was open for long enough. 0 for the default.',
    min: 0,
    max: CALLS_MAX,
    default: HALF_OPEN_CALLS,
  }),
  maxWaitDurationInHalfOpenState: duration({
    doc: 'The circuit opens again when those calls have not ended after this; 0: they are waited for.',
    default: '0s',
  }),
  waitDurationInOpenState: duration({
    doc: 'How long requests are refused.',
    default: '1m',
  }),
}

/** A circuit's window and thresholds, decoded. */
export type WindowSpec = ObjectOf<typeof windowFields>

export const checkWindow = (each: WindowSpec): SpecProblem[] =>
  each.slidingWindowType === 'TIME_BASED' && each.slidingWindowSize > SECONDS_MAX
    ? [
        {
          path: ['slidingWindowSize'],
          message: `expected at most ${SECONDS_MAX} seconds, got ${each.slidingWindowSize}`,
        },
      ]
    : []

/** A policy as the breaker itself takes it. */
export function breakerPolicy(of: WindowSpec): BreakerPolicy {
  const isTimed = of.slidingWindowType === 'TIME_BASED'
  const callsMin = of.minimumNumberOfCalls || CALLS_MIN
  return {
    windowType: isTimed ? 'time' : 'count',
    windowSize: of.slidingWindowSize,
    // More than the window can hold would mean never.
    callsMin: isTimed ? callsMin : Math.min(callsMin, of.slidingWindowSize),
    failurePercentMax: of.failureRateThreshold,
    slowPercentMax: of.slowCallRateThreshold,
    slowMs: of.slowCallDurationThreshold,
    halfOpenCalls: of.permittedNumberOfCallsInHalfOpenState || HALF_OPEN_CALLS,
    halfOpenMs: of.maxWaitDurationInHalfOpenState,
    openMs: of.waitDurationInOpenState,
  }
}
