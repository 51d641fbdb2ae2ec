import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { RateLimiter, type RateLimitPolicy, REFUSED } from './rate-limiter.js'

const words = () => ({ words: new Int32Array(new SharedArrayBuffer(64)), base: 0 })

/** §6.10 of compat/traffic-v1.md as it stands there: one thread, plain numbers. */
class Model {
  readonly #policy: RateLimitPolicy
  readonly #startMs: number
  #cycle = 0
  #used = 0

  constructor(policy: RateLimitPolicy, startMs: number) {
    this.#policy = policy
    this.#startMs = startMs
  }

  acquire(nowMs: number): number {
    const { limit, periodMs, timeoutMs } = this.#policy
    const tokensMax = limit * (Math.floor(timeoutMs / periodMs) + 1)
    const cycle = Math.floor((nowMs - this.#startMs) / periodMs)
    const used = Math.max(0, this.#used - (cycle - this.#cycle) * limit)
    if (used === tokensMax) return REFUSED
    this.#cycle = cycle
    this.#used = used + 1
    if (used < limit) return 0
    return this.#startMs + periodMs * (cycle + Math.floor(used / limit)) - nowMs
  }
}

/** What so many requests at `nowMs` are told. */
const ask = (limiter: RateLimiter, nowMs: number, times: number): number[] =>
  Array.from({ length: times }, () => limiter.acquire(nowMs))

it.each<[name: string, policy: RateLimitPolicy, atMs: number[], want: number[]]>([
  [
    'no wait allowed: the limit, then refusals until the next period',
    { limit: 2, periodMs: 100, timeoutMs: 0 },
    [0, 10, 99, 99.9, 100, 150, 199, 200],
    [0, 0, REFUSED, REFUSED, 0, 0, REFUSED, 0],
  ],
  [
    'waits reach as far as the time-out, in whole periods',
    { limit: 1, periodMs: 100, timeoutMs: 250 },
    [0, 0, 40, 40, 100, 100],
    [0, 100, 160, REFUSED, 200, REFUSED],
  ],
  [
    'a time-out just below the period allows no wait',
    { limit: 1, periodMs: 100, timeoutMs: 99 },
    [0, 0],
    [0, REFUSED],
  ],
  [
    'a time-out of just the period allows one',
    { limit: 1, periodMs: 100, timeoutMs: 100 },
    [0, 0, 0],
    [0, 100, REFUSED],
  ],
  [
    'what was not used is not saved up',
    { limit: 2, periodMs: 100, timeoutMs: 0 },
    [1_000_000, 1_000_000, 1_000_000],
    [0, 0, REFUSED],
  ],
  [
    'periods of less than a millisecond',
    { limit: 1, periodMs: 0.25, timeoutMs: 0.25 },
    [0, 0, 0, 0.5],
    [0, 0.25, REFUSED, 0],
  ],
])('%s', (_name, policy, atMs, want) => {
  const limiter = new RateLimiter(policy, words(), 0)
  expect(atMs.map((nowMs) => limiter.acquire(nowMs))).toEqual(want)
})

it('counts cycles from when the first of its makers made it', () => {
  const memory = words()
  const policy = { limit: 1, periodMs: 100, timeoutMs: 0 }
  const first = new RateLimiter(policy, memory, 1_030)
  const second = new RateLimiter(policy, memory, 1_120)
  expect([first.acquire(1_129), second.acquire(1_129)]).toEqual([0, REFUSED])
  expect([second.acquire(1_130), first.acquire(1_130)]).toEqual([0, REFUSED])
})

it.each([0, 7, -5])('starts at %d as at any time', (startMs) => {
  const limiter = new RateLimiter({ limit: 1, periodMs: 10, timeoutMs: 10 }, words(), startMs)
  expect(ask(limiter, startMs + 4, 3)).toEqual([0, 6, REFUSED])
})

it('the next maker finds the permits that are out', () => {
  const memory = words()
  const policy = { limit: 3, periodMs: 1_000, timeoutMs: 0 }
  expect(ask(new RateLimiter(policy, memory, 5_000), 5_000, 2)).toEqual([0, 0])
  expect(ask(new RateLimiter(policy, memory, 5_900), 5_900, 2)).toEqual([0, REFUSED])
})

it('a thread whose clock is a little behind gives out nothing twice', () => {
  const memory = words()
  const policy = { limit: 1, periodMs: 100, timeoutMs: 0 }
  const [ahead, behind] = [0, 0].map((nowMs) => new RateLimiter(policy, memory, nowMs))
  expect(ahead?.acquire(100)).toBe(0)
  expect(behind?.acquire(99.9)).toBe(REFUSED)
  expect(ahead?.acquire(100)).toBe(REFUSED)
  expect(behind?.acquire(200)).toBe(0)
})

it('permits that were waited for are counted in the cycle they are for', () => {
  const limiter = new RateLimiter({ limit: 2, periodMs: 100, timeoutMs: 100 }, words(), 0)
  expect(ask(limiter, 50, 5)).toEqual([0, 0, 50, 50, REFUSED])
  expect(ask(limiter, 100, 3)).toEqual([100, 100, REFUSED])
  expect(ask(limiter, 400, 1)).toEqual([0])
})

it('goes on after the number of cycles has left 32 bits', () => {
  const policy = { limit: 2, periodMs: 0.001, timeoutMs: 0 }
  const limiter = new RateLimiter(policy, words(), 0)
  for (const cycle of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 33 + 5]) {
    const nowMs = (cycle + 0.5) * 0.001
    expect(ask(limiter, nowMs, 3), `cycle ${cycle}`).toEqual([0, 0, REFUSED])
  }
})

it('a limit beyond all measure is no limit, and no overflow', () => {
  const policy = { limit: 1_000_000_000, periodMs: 1, timeoutMs: 3_600_000 }
  const limiter = new RateLimiter(policy, words(), 0)
  expect(new Set(ask(limiter, 0, 1_000))).toEqual(new Set([0]))
})

const policies = fc.record({
  limit: fc.integer({ min: 1, max: 5 }),
  periodMs: fc.constantFrom(0.5, 1, 10, 33, 1_000),
  timeoutMs: fc.constantFrom(0, 1, 25, 100, 2_500),
})

it('agrees with the model, call by call, from three workers that come and go', () => {
  fc.assert(
    fc.property(policies, fc.integer(), fc.nat({ max: 100_000 }), (policy, seed, startMs) => {
      const prng = new Prng(seed)
      const memory = words()
      const model = new Model(policy, startMs)
      const make = (nowMs: number) => new RateLimiter(policy, memory, nowMs)
      const workers = [0, 1, 2].map(() => make(startMs))
      let nowMs = startMs
      for (let call = 0; call < 200; call++) {
        if (prng.chance(40)) nowMs += prng.pick([0.25, 1, 3, policy.periodMs / 2, policy.periodMs])
        if (prng.chance(2)) nowMs += policy.periodMs * prng.below(1_000)
        const worker = prng.below(3)
        if (prng.chance(3)) workers[worker] = make(nowMs)
        const want = model.acquire(nowMs)
        const got = (workers[worker] as RateLimiter).acquire(nowMs)
        expect(got, `call ${call} at ${nowMs}`).toBeCloseTo(want, 6)
      }
    }),
    { numRuns: 300 },
  )
})

it('in no period do more begin than the limit, whoever waits how long', () => {
  fc.assert(
    fc.property(policies, fc.integer(), (policy, seed) => {
      const prng = new Prng(seed)
      const memory = words()
      const workers = [0, 1].map(() => new RateLimiter(policy, memory, 0))
      const begun = new Map<number, number>()
      for (let nowMs = 0, call = 0; call < 300; call++) {
        nowMs += prng.below(3) * policy.periodMs * 0.125
        const waitMs = prng.pick(workers).acquire(nowMs)
        if (waitMs === REFUSED) continue
        expect(waitMs).toBeLessThanOrEqual(policy.timeoutMs)
        const cycle = Math.floor((nowMs + waitMs) / policy.periodMs + 1e-9)
        begun.set(cycle, (begun.get(cycle) ?? 0) + 1)
      }
      expect(Math.max(...begun.values())).toBeLessThanOrEqual(policy.limit)
    }),
    { numRuns: 300 },
  )
})
