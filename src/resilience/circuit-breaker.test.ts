import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { Prng } from '../lib/prng.js'
import { clearPermits, NodePermits, permitsBroker } from '../shared/permits.js'
import { BreakerModel, type ModelCall } from './breaker-model.fixture.js'
import { type BreakerPolicy, breakerBytes, CircuitBreaker } from './circuit-breaker.js'

const POLICY: BreakerPolicy = {
  windowType: 'count',
  windowSize: 4,
  callsMin: 4,
  failurePercentMax: 50,
  slowPercentMax: 100,
  slowMs: 1_000,
  halfOpenCalls: 2,
  halfOpenMs: 0,
  openMs: 60_000,
}

/** Breakers of several workers on one memory. */
class Node {
  readonly #policy: BreakerPolicy
  readonly #area
  readonly #permits
  readonly #slot
  readonly changes: string[] = []
  #meanwhile = (): void => {}

  constructor(policy: BreakerPolicy, workers: number) {
    this.#policy = policy
    this.#area = { words: new Int32Array(new SharedArrayBuffer(breakerBytes(policy))), base: 0 }
    this.#permits = permitsBroker(new VirtualTime(), workers)
    const [place] = this.#permits.claim(0, ['x'])
    const memory = this.#permits.segments[place?.segment as number] as SharedArrayBuffer
    this.#slot = { memory, index: place?.index as number }
  }

  /** Next time that a breaker asks for a permit, this happens just before it gets one. */
  interfere(meanwhile: () => void): void {
    this.#meanwhile = meanwhile
  }

  worker(worker: number): CircuitBreaker {
    const own = new NodePermits(this.#slot, worker)
    const permits = {
      acquire: (round: number, cap: number): boolean => {
        const meanwhile = this.#meanwhile
        this.#meanwhile = () => {}
        meanwhile()
        return own.acquire(round, cap)
      },
      release: (round: number): void => own.release(round),
    }
    return new CircuitBreaker(this.#policy, this.#area, permits, (state) =>
      this.changes.push(state),
    )
  }

  workerGone(worker: number): void {
    clearPermits(this.#permits.segments, worker)
  }
}

/** Outcomes of calls, one letter each: s(uccess), f(ailure), l(ong), a failure that is long: F. */
function calls(breaker: CircuitBreaker, outcomes: string, nowMs = 0): string {
  for (const outcome of outcomes) {
    const id = breaker.acquire(nowMs)
    if (id === null) return 'refused'
    breaker.record(id, nowMs, /[lF]/.test(outcome) ? 1_000 : 999, /[fF]/.test(outcome))
  }
  return breaker.state
}

const with_ = (more: Partial<BreakerPolicy>): BreakerPolicy => ({ ...POLICY, ...more })

it.each<[name: string, more: Partial<BreakerPolicy>, outcomes: string, want: string]>([
  ['stays closed below the minimum, whatever the rate', {}, 'fff', 'closed'],
  ['opens at the rate', {}, 'ssff', 'open'],
  ['stays closed below the rate', {}, 'sssf', 'closed'],
  ['rounds rates down', { windowSize: 3, callsMin: 3, failurePercentMax: 34 }, 'ssf', 'closed'],
  [
    'at a rate that is no whole number',
    { windowSize: 3, callsMin: 3, failurePercentMax: 33 },
    'ssf',
    'open',
  ],
  ['forgets what left the window', {}, 'fsssf', 'closed'],
  ['counts what is still in it', {}, 'sfssf', 'open'],
  ['is judged at each call past the minimum', { callsMin: 1 }, 'f', 'open'],
  [
    'one failure of hundred',
    { windowSize: 200, callsMin: 100, failurePercentMax: 1 },
    `${'s'.repeat(99)}f`,
    'open',
  ],
  ['opens at the rate of slow calls', { slowPercentMax: 50 }, 'ssll', 'open'],
  ['slow calls are no failures', {}, 'ssll', 'closed'],
  [
    'a slow failure is a failure only',
    { slowPercentMax: 50, failurePercentMax: 75 },
    'ssFF',
    'closed',
  ],
  ['a slow failure is a failure', { slowPercentMax: 50 }, 'ssFF', 'open'],
])('count window: %s', (_name, more, outcomes, want) => {
  expect(calls(new Node(with_(more), 1).worker(0), outcomes)).toBe(want)
})

it('refuses while open; then some calls decide', () => {
  const node = new Node(POLICY, 1)
  const breaker = node.worker(0)
  expect(calls(breaker, 'ffff', 1_000)).toBe('open')
  expect(breaker.acquire(60_999)).toBe(null)
  expect(calls(breaker, 's', 61_000)).toBe('half-open')
  expect(calls(breaker, 's', 61_000)).toBe('closed')
  expect(calls(breaker, 'fffs', 61_000)).toBe('open')
  expect(calls(breaker, 'sf', 121_000)).toBe('open')
  expect(breaker.acquire(180_999)).toBe(null)
  expect(node.changes).toEqual(['open', 'half-open', 'closed', 'open', 'half-open', 'open'])
})

it('a closed window is empty after half open', () => {
  const breaker = new Node(POLICY, 1).worker(0)
  calls(breaker, 'ssff')
  calls(breaker, 'ss', 60_000)
  expect(calls(breaker, 'sff', 60_000)).toBe('closed')
  expect(calls(breaker, 's', 60_000)).toBe('open')
})

it('permits so many calls while half open, over all workers', () => {
  const node = new Node(POLICY, 2)
  const [one, two] = [node.worker(0), node.worker(1)]
  calls(one, 'ffff')
  const permitted = [one.acquire(60_000), two.acquire(60_000)]
  expect(permitted).not.toContain(null)
  expect([one.acquire(60_000), two.acquire(9e9)]).toEqual([null, null])
  two.release(permitted[1] as number)
  const again = one.acquire(60_000) as number
  expect(again).toBe(permitted[0])
  expect(two.acquire(60_000)).toBe(null)
  one.record(again, 60_001, 0, false)
  expect([one.acquire(60_001), two.acquire(60_001)]).toEqual([null, null])
  one.record(permitted[0] as number, 60_002, 0, false)
  expect(two.state).toBe('closed')
})

it('a call that ends while another asks gives it no permit too many', () => {
  const node = new Node(POLICY, 3)
  const [asking, ending, faster] = [node.worker(0), node.worker(1), node.worker(2)]
  calls(ending, 'ffff')
  const trial = ending.acquire(60_000) as number
  const got: (number | null)[] = []
  node.interfere(() => {
    ending.record(trial, 60_000, 0, false)
    got.push(faster.acquire(60_000))
  })
  got.push(asking.acquire(60_000))
  expect(got).toEqual([trial, null])
  expect(asking.state).toBe('half-open')
})

it('a dead worker takes no permit of a half-open breaker along', () => {
  const node = new Node(POLICY, 2)
  const [one, two] = [node.worker(0), node.worker(1)]
  calls(one, 'ffff')
  expect([one.acquire(60_000), two.acquire(60_000), two.acquire(60_000)]).toEqual([
    expect.any(Number),
    expect.any(Number),
    null,
  ])
  node.workerGone(0)
  expect(two.acquire(60_000)).not.toBe(null)
  expect(node.worker(0).acquire(60_000)).toBe(null)
})

it('gives up on half open after a time, at a call that finds no permit', () => {
  const breaker = new Node(with_({ halfOpenMs: 5_000 }), 1).worker(0)
  calls(breaker, 'ffff')
  const held = [breaker.acquire(60_000), breaker.acquire(60_000)] as number[]
  expect([breaker.acquire(65_000), breaker.state]).toEqual([null, 'half-open'])
  expect([breaker.acquire(65_001), breaker.state]).toEqual([null, 'open'])
  for (const id of held) breaker.record(id, 65_002, 0, false)
  expect([breaker.acquire(125_000), breaker.state]).toEqual([null, 'open'])
  expect(calls(breaker, 'ss', 125_001)).toBe('closed')
})

it('what began before a change of state counts no more after it', () => {
  const breaker = new Node(POLICY, 1).worker(0)
  const late = [0, 1, 2, 3].map(() => breaker.acquire(0) as number)
  calls(breaker, 'ffff')
  calls(breaker, 'ss', 60_000)
  for (const id of late) breaker.record(id, 60_000, 0, true)
  expect(calls(breaker, 'fsss', 60_000)).toBe('closed')
})

it.each<[name: string, calls: [atMs: number, outcomes: string][], want: string]>([
  [
    'within the window',
    [
      [0, 'ff'],
      [9_999, 'ss'],
    ],
    'open',
  ],
  [
    'older seconds are forgotten',
    [
      [999, 'ff'],
      [10_000, 'ssss'],
    ],
    'closed',
  ],
  [
    'second by second',
    [
      [0, 'f'],
      [1_000, 'f'],
      [10_000, 'sss'],
    ],
    'closed',
  ],
  [
    'the first second is out, the second is in',
    [
      [0, 'f'],
      [1_000, 'ff'],
      [10_000, 'ss'],
    ],
    'open',
  ],
  [
    'a long silence',
    [
      [0, 'fff'],
      [3_600_000, 'fff'],
    ],
    'closed',
  ],
  [
    'a silence of just the window',
    [
      [0, 'fff'],
      [10_000, 'f'],
    ],
    'closed',
  ],
  [
    'a bucket is used again',
    [
      [0, 'sss'],
      [10_000, 'sff'],
      [20_000, 'fss'],
    ],
    'closed',
  ],
  [
    'one that is a little late',
    [
      [5_000, 's'],
      [4_999, 'ff'],
      [13_999, 's'],
    ],
    'open',
  ],
  [
    'one that is a little late is as old as it is',
    [
      [5_000, 's'],
      [4_000, 'ff'],
      [14_000, 'ss'],
    ],
    'closed',
  ],
  [
    'one that is too late, for a second without calls',
    [
      [20_000, 's'],
      [9_500, 'fff'],
      [20_000, 's'],
    ],
    'closed',
  ],
  [
    'one that is too late',
    [
      [20_000, 'sss'],
      [10_000, 'fff'],
      [20_000, 's'],
    ],
    'closed',
  ],
])('time window: %s', (_name, steps, want) => {
  const breaker = new Node(with_({ windowType: 'time', windowSize: 10 }), 1).worker(0)
  const states = steps.map(([atMs, outcomes]) => calls(breaker, outcomes, atMs))
  expect(states.at(-1)).toBe(want)
})

it('a time window is empty after half open, in the same second too', () => {
  const policy = with_({ windowType: 'time', windowSize: 10, openMs: 1 })
  const breaker = new Node(policy, 1).worker(0)
  for (let round = 0; round < 50; round++) {
    const nowMs = round * 300
    expect(calls(breaker, 'fsf', nowMs), `round ${round}`).toBe('closed')
    expect(calls(breaker, 's', nowMs), `round ${round}`).toBe('open')
    expect(calls(breaker, 'ss', nowMs + 1), `round ${round}`).toBe('closed')
  }
})

const policies = fc.record({
  windowType: fc.constantFrom<BreakerPolicy['windowType']>('count', 'time'),
  windowSize: fc.constantFrom(1, 2, 3, 7, 20),
  callsMin: fc.constantFrom(1, 2, 5, 10),
  failurePercentMax: fc.constantFrom(1, 30, 50, 100),
  slowPercentMax: fc.constantFrom(1, 40, 100),
  slowMs: fc.constantFrom(0, 10, 500),
  halfOpenCalls: fc.constantFrom(1, 2, 3, 6),
  halfOpenMs: fc.constantFrom(0, 200, 2_000),
  openMs: fc.constantFrom(0, 1, 300, 5_000),
})

it('agrees with the model, call by call, on workers that die and come back', () => {
  const seen = new Set<string>()
  const schedules = fc.property(
    policies,
    fc.integer(),
    fc.nat({ max: 100_000 }),
    fc.constantFrom(5, 30, 70),
    (policy, seed, startMs, failurePercent) => {
      const prng = new Prng(seed)
      const node = new Node(policy, 3)
      const model = new BreakerModel(policy)
      const workers = [0, 1, 2].map((worker) => node.worker(worker))
      const open: { id: number; twin: ModelCall; sinceMs: number }[] = []
      let nowMs = startMs
      for (let step = 0; step < 250; step++) {
        const about = `step ${step} at ${nowMs}`
        const worker = prng.below(3)
        const breaker = workers[worker] as CircuitBreaker
        const what = prng.below(100)
        if (what < 20) nowMs += prng.pick([1, 10, 150, 300, 999, 1_000, 4_000])
        else if (what < 22) nowMs += 10_000 * prng.below(30)
        else if (what < 60 || open.length === 0) {
          const id = breaker.acquire(nowMs)
          const twin = model.acquire(nowMs, worker)
          expect(id === null, about).toBe(twin === null)
          if (id !== null && twin !== null) open.push({ id, twin, sinceMs: nowMs })
        } else if (what < 62) {
          node.workerGone(worker)
          model.workerGone(worker)
          workers[worker] = node.worker(worker)
          for (let i = open.length - 1; i >= 0; i--) {
            if (open[i]?.twin.worker === worker) open.splice(i, 1)
          }
        } else {
          const [call] = open.splice(prng.below(open.length), 1)
          const { id, twin, sinceMs } = call as (typeof open)[number]
          const own = workers[twin.worker] as CircuitBreaker
          if (what < 68) {
            own.release(id)
            model.release(twin)
          } else {
            const isFailure = prng.chance(failurePercent)
            own.record(id, nowMs, nowMs - sinceMs, isFailure)
            model.record(twin, nowMs, nowMs - sinceMs, isFailure)
          }
        }
        expect(breaker.state, about).toBe(model.state)
        seen.add(`${policy.windowType} ${model.state}`)
      }
    },
  )
  fc.assert(schedules, { numRuns: 400 })
  expect(seen.size).toBe(6)
})
