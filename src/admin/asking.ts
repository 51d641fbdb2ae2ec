import type { Asked, MemberOf, ReplyOf } from '../actor/actor.js'
import { type ErrorCode, GatewayError } from '../lib/errors.js'
import type { Stamped, ToCoordinator } from '../protocol/coordinator.js'
import type { Answer, Body, Call } from './call.js'

/** What a write may take beyond a read: the coordinator waits so long for the workers. */
const WRITE_EXTRA_MS = 5_000

/** After these it is unknown whether a write took effect, unless the detail says that it did not. */
const UNKNOWN_OUTCOME: ReadonlySet<ErrorCode> = new Set([
  'TIMEOUT',
  'INTERNAL',
  'STORE_UNAVAILABLE',
] as const)

type CoordinatorReply<Q extends Asked<ToCoordinator>> = ReplyOf<MemberOf<ToCoordinator, Q>>

/**
 * Asks the coordinator; rejects with a GatewayError after the request time-out at the latest. With
 * `?consistency=local` the answer is what this node has, at once.
 */
export function ask<Q extends Asked<ToCoordinator>>(
  call: Call,
  message: Q,
): Promise<CoordinatorReply<Q>> {
  const consistency = call.query.choice('consistency', ['linearizable', 'local'])
  const whole = consistency === null ? message : { ...message, consistency }
  return call.around.coordinator.ask(whole, call.around.requestTimeoutMs)
}

/**
 * The same for writes, whose failures have to say when they may have taken effect. With
 * `?wait=cluster` the answer comes when every live member runs the change.
 */
export async function askToWrite<Q extends Asked<ToCoordinator>>(
  call: Call,
  message: Q,
): Promise<CoordinatorReply<Q>> {
  const wait = call.query.choice('wait', ['node', 'cluster'])
  const whole = wait === null ? message : { ...message, wait }
  const extraMs = wait === 'cluster' ? 2 * WRITE_EXTRA_MS : WRITE_EXTRA_MS
  try {
    return await call.around.coordinator.ask(whole, call.around.requestTimeoutMs + extraMs)
  } catch (thrown) {
    const error = GatewayError.from(thrown)
    const { taken, outcome } = error.detail
    if (!UNKNOWN_OUTCOME.has(error.code) || taken === false || outcome === 'none') throw error
    const text = `${error.message}; it is unknown whether the change was made`
    throw new GatewayError(error.code, text, error.detail, { cause: error })
  }
}

/** The answer to a read, marked when it may be old. */
export function stamped(
  { version, staleSeconds }: Stamped<unknown>,
  body: Body,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const stale =
    staleSeconds === null ? {} : { 'X-Easegress-Stale': String(Math.ceil(staleSeconds)) }
  return { status: 200, body, headers: { ...headers, ...stale }, version }
}
