import { parentPort, workerData } from 'node:worker_threads'
import { Prng } from '../lib/prng.js'
import { NodePermits } from '../shared/permits.js'
import type { RowSlot } from '../shared/rows.js'
import { type BreakerPolicy, CircuitBreaker } from './circuit-breaker.js'
import { RateLimiter, type RateLimitPolicy, REFUSED } from './rate-limiter.js'

/** What one of the threads that hammer the same limits is given. */
export interface HammerData {
  readonly worker: number
  readonly threads: number
  readonly rounds: number
  readonly limit: { readonly policy: RateLimitPolicy; readonly memory: SharedArrayBuffer }
  /** Breakers that stay closed. */
  readonly windows: readonly BreakerData[]
  /** One that is half open. */
  readonly halfOpen: BreakerData
  /** Word 0: threads that wait; 1: milliseconds of the windows' clock. */
  readonly control: SharedArrayBuffer
}

export interface BreakerData {
  readonly policy: BreakerPolicy
  readonly memory: SharedArrayBuffer
  readonly permits: RowSlot
}

export interface HammerResult {
  readonly permits: number
  /** Calls permitted while half open, less those that were given back. */
  readonly trials: number
}

const data = workerData as HammerData
const control = new Int32Array(data.control)
const prng = new Prng(data.worker + 1)

function breakerOf({ policy, memory, permits }: BreakerData): CircuitBreaker {
  const area = { words: new Int32Array(memory), base: 0 }
  return new CircuitBreaker(policy, area, new NodePermits(permits, data.worker), () => {})
}

/** All begin together. */
function meet(step: number): void {
  const wanted = data.threads * step
  Atomics.add(control, 0, 1)
  Atomics.notify(control, 0)
  for (let here = Atomics.load(control, 0); here < wanted; here = Atomics.load(control, 0)) {
    Atomics.wait(control, 0, here)
  }
}

function takePermits(): number {
  const words = { words: new Int32Array(data.limit.memory), base: 0 }
  const limiter = new RateLimiter(data.limit.policy, words, 5)
  let permits = 0
  for (let round = 0; round < data.rounds; round++) if (limiter.acquire(5) !== REFUSED) permits += 1
  return permits
}

function fillWindows(): void {
  const breakers = data.windows.map(breakerOf)
  for (let round = 0; round < data.rounds; round++) {
    const nowMs = Atomics.add(control, 1, prng.below(20))
    const outcome = prng.below(3)
    for (const breaker of breakers) {
      breaker.record(breaker.acquire(nowMs) as number, nowMs, outcome, outcome === 0)
    }
  }
}

/** Until the breaker has seen enough. */
function tryOut(): number {
  const breaker = breakerOf(data.halfOpen)
  const { openMs } = data.halfOpen.policy
  const held: number[] = []
  let trials = 0
  while (breaker.state === 'half-open') {
    const id = breaker.acquire(openMs)
    if (id !== null && breaker.state === 'half-open') {
      held.push(id)
      trials += 1
    }
    if (held.length === 0 || (id !== null && held.length < 5)) continue
    const last = held.pop() as number
    if (prng.chance(30)) {
      breaker.release(last)
      trials -= 1
    } else breaker.record(last, openMs, 0, false)
  }
  return trials
}

meet(1)
const permits = takePermits()
meet(2)
fillWindows()
meet(3)
const trials = tryOut()
parentPort?.postMessage({ permits, trials } satisfies HammerResult)
