import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { systemTime } from '../lib/clock.js'
import { compileThreadFixture } from '../lib/thread-fixture.js'
import { Pairs } from '../shared/pairs.js'
import { NodePermits, permitsBroker } from '../shared/permits.js'
import { FAILURE, SLOW, SUCCESS, Tallies } from './call-window.js'
import { type BreakerPolicy, breakerBytes, CircuitBreaker } from './circuit-breaker.js'
import type { BreakerData, HammerData, HammerResult } from './hammer.fixture.js'

const url = await compileThreadFixture(new URL('./hammer.fixture.ts', import.meta.url))
const THREADS = 2
const ROUNDS = 100_000
const TRIALS = 2_000
const HEADER_WORDS = 16

const CLOSED_FOR_GOOD: BreakerPolicy = {
  windowType: 'count',
  windowSize: 37,
  callsMin: 2 ** 30,
  failurePercentMax: 100,
  slowPercentMax: 100,
  slowMs: 2,
  halfOpenCalls: TRIALS,
  halfOpenMs: 0,
  openMs: 1_000,
}

function hammer(data: HammerData): Promise<HammerResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { workerData: data })
    let result: HammerResult | null = null
    worker.on('message', (message: HammerResult) => {
      result = message
    })
    worker.on('error', reject)
    worker.on('exit', () => (result === null ? reject(new Error('no result')) : resolve(result)))
  })
}

const broker = permitsBroker(systemTime, THREADS)

function breakerData(policy: BreakerPolicy): BreakerData {
  const [place] = broker.claim(0, [JSON.stringify(policy)])
  const segment = broker.segments[place?.segment as number] as SharedArrayBuffer
  return {
    policy,
    memory: new SharedArrayBuffer(breakerBytes(policy)),
    permits: { memory: segment, index: place?.index as number },
  }
}

/** Whole percents of a hundred times as many calls: counts. */
function tallied(data: BreakerData): Record<string, number> {
  const tallies = new Tallies(new Pairs({ words: new Int32Array(data.memory), base: 0 }))
  const total = tallies.total(0)
  return {
    total,
    failures: tallies.failurePercent(0, 100),
    slow: tallies.slowPercent(0, 100),
  }
}

it('two threads: no permit too many, no result lost, no trial too many', async () => {
  const limit = { policy: { limit: 1_234, periodMs: 1_000, timeoutMs: 3_000 } }
  const control = new SharedArrayBuffer(16)
  const count = breakerData(CLOSED_FOR_GOOD)
  const time = breakerData({ ...CLOSED_FOR_GOOD, windowType: 'time', windowSize: 3 })
  const halfOpen = breakerData({ ...CLOSED_FOR_GOOD, windowSize: TRIALS, callsMin: TRIALS })
  openHalf(halfOpen)
  const memory = new SharedArrayBuffer(64)
  const results = await Promise.all(
    Array.from({ length: THREADS }, (_, worker) =>
      hammer({
        worker,
        threads: THREADS,
        rounds: ROUNDS,
        limit: { ...limit, memory },
        windows: [count, time],
        halfOpen,
        control,
      }),
    ),
  )
  expect(results.reduce((sum, { permits }) => sum + permits, 0)).toBe(1_234 * 4)

  const cells = [...new Int32Array(count.memory).subarray(HEADER_WORDS, HEADER_WORDS + 37)]
  const cellsOf = (outcome: number): number => cells.filter((cell) => cell === outcome).length
  expect(tallied(count)).toEqual({
    total: 37,
    failures: cellsOf(FAILURE),
    slow: cellsOf(SLOW),
  })
  expect(cellsOf(SUCCESS) + cellsOf(FAILURE) + cellsOf(SLOW)).toBe(37)

  const buckets = new Int32Array(time.memory).subarray(HEADER_WORDS)
  const bucketsOf = (tally: number): number =>
    [0, 1, 2].reduce((sum, bucket) => sum + (buckets[(bucket * 3 + tally) * 2 + 1] as number), 0)
  expect(tallied(time)).toEqual({
    total: bucketsOf(0),
    failures: bucketsOf(1),
    slow: bucketsOf(2),
  })
  expect(bucketsOf(0)).toBeGreaterThan(0)

  expect(results.reduce((sum, { trials }) => sum + trials, 0)).toBe(TRIALS)
})

/** Leaves the breaker half open with all of its permits there. */
function openHalf(data: BreakerData): void {
  const area = { words: new Int32Array(data.memory), base: 0 }
  const breaker = new CircuitBreaker(data.policy, area, new NodePermits(data.permits, 0), () => {})
  while (breaker.state === 'closed') breaker.record(breaker.acquire(0) as number, 0, 0, true)
  breaker.release(breaker.acquire(data.policy.openMs) as number)
  expect(breaker.state).toBe('half-open')
}
