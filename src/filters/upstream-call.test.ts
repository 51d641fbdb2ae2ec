import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Exchange, SUSPENDED } from '../http/exchange.js'
import { FakeBody, FakeClient } from '../http/fake-client.fixture.js'
import { VirtualTime } from '../lib/clock.js'
import { TimerWheel } from '../lib/timer-wheel.js'
import { node, Step } from '../pipeline/flow.fixture.js'
import { END, Pipeline, STOP } from '../pipeline/pipeline.js'
import type { CircuitBreaker } from '../resilience/circuit-breaker.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type {
  UpstreamCall,
  UpstreamClient,
  UpstreamHandler,
  UpstreamServer,
} from '../upstream/contract.js'
import { type CallRules, UpstreamExchange } from './upstream-call.js'

/** What a back end does with an attempt, so many ms after it was sent, at least 1. */
type Answer =
  | { readonly what: 'status'; readonly status: number; readonly afterMs: number }
  | { readonly what: 'error'; readonly afterMs: number }
  | { readonly what: 'nothing' }

interface Scenario {
  readonly maxAttempts: number
  readonly waitMs: number
  readonly backOffPolicy: 'random' | 'exponential'
  /** 0: none. */
  readonly timeoutMs: number
  readonly failureCodes: readonly number[] | null
  /** A body that streams cannot be sent again. */
  readonly streams: boolean
  readonly answers: readonly Answer[]
}

interface Seen {
  /** When each attempt began. */
  readonly sentMs: readonly number[]
  readonly status: number
  /** When the client was answered. */
  readonly endMs: number
  /** What the breaker was told: once a call, however many attempts it took. */
  readonly failures: readonly boolean[]
  /** What the statistics were told of each attempt. */
  readonly recorded: readonly number[]
}

const SLOT_MS = 4
/** A deadline fires with the first slot of the wheel that begins after it. */
const dueMs = (nowMs: number, delayMs: number): number =>
  (Math.floor((nowMs + delayMs) / SLOT_MS) + 1) * SLOT_MS

// -- the model: attempts one after the other ------------------------------------------------------

function expected(scenario: Scenario): Seen {
  const { maxAttempts, waitMs, backOffPolicy, timeoutMs, streams } = scenario
  const sentMs: number[] = []
  const recorded: number[] = []
  let nowMs = 0
  for (let attempt = 1; ; attempt++) {
    sentMs.push(nowMs)
    const answer = scenario.answers[attempt - 1] ?? { what: 'error', afterMs: 1 }
    const lateMs = timeoutMs > 0 ? dueMs(nowMs, timeoutMs) : Number.POSITIVE_INFINITY
    const answeredMs = answer.what === 'nothing' ? Number.POSITIVE_INFINITY : nowMs + answer.afterMs
    const isLate = answeredMs > lateMs
    nowMs = isLate ? lateMs : answeredMs
    const status = isLate ? 408 : answer.what === 'status' ? answer.status : 503
    const isAnswer = !isLate && answer.what === 'status'
    const isFailure = !isAnswer || (scenario.failureCodes ?? FAILURES).includes(status)
    recorded.push(status)
    if (!isFailure || attempt === maxAttempts || streams) {
      return { sentMs, status, endMs: nowMs, failures: [isFailure], recorded }
    }
    const growth = backOffPolicy === 'exponential' ? 1.5 ** (attempt - 1) : 1
    nowMs = dueMs(nowMs, waitMs * growth)
  }
}

const FAILURES = [500, 502, 503, 504]

// -- the real thing on a virtual clock ------------------------------------------------------------

class ScriptedClient {
  readonly time = new VirtualTime()
  readonly timers = new TimerWheel(this.time)
  readonly sentMs: number[] = []
  readonly #answers: readonly Answer[]
  #due: { readonly atMs: number; readonly give: () => void }[] = []

  constructor(answers: readonly Answer[]) {
    this.#answers = answers
  }

  send(_server: UpstreamServer, _request: unknown, handler: UpstreamHandler): UpstreamCall {
    const answer = this.#answers[this.sentMs.length] ?? { what: 'error', afterMs: 1 }
    const nowMs = this.time.monotonicMs()
    this.sentMs.push(nowMs)
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    if (answer.what !== 'nothing') {
      const give = (): void => {
        if (isOver) return
        if (answer.what === 'error') handler.onError('reset', 'scripted')
        else {
          handler.onHead(answer.status, ['x-attempt', String(this.sentMs.length)], 0)
          if (!isOver) handler.onEnd()
        }
      }
      this.#due.push({ atMs: nowMs + answer.afterMs, give })
    }
    const nothing = (): void => {}
    return {
      get isDone() {
        return isOver
      },
      writeBody: () => true,
      endBody: nothing,
      pause: nothing,
      resume: nothing,
      cancel: over,
      discard: over,
    }
  }

  /** Answers first: one that comes with the deadline is in time. */
  turn(): void {
    const nowMs = this.time.monotonicMs()
    const due = this.#due.filter(({ atMs }) => atMs <= nowMs)
    this.#due = this.#due.filter(({ atMs }) => atMs > nowMs)
    for (const { give } of due) give()
    this.timers.advance()
  }
}

const PATIENCE_MS = 100_000

function run(scenario: Scenario): Seen {
  const { maxAttempts, waitMs, backOffPolicy, timeoutMs, failureCodes, streams } = scenario
  const back = new ScriptedClient(scenario.answers)
  const failures: boolean[] = []
  const recorded: number[] = []
  const breaker = {
    acquire: () => 1,
    release: () => {},
    record: (_id: number, _nowMs: number, _ms: number, isFailure: boolean) =>
      void failures.push(isFailure),
  }
  const server = { server: null as unknown as UpstreamServer, pathPrefix: '', keepsHost: true }
  const rules: CallRules = {
    pool: {
      client: back as unknown as UpstreamClient,
      timers: back.timers,
      stats: { record: (status) => void recorded.push(status) },
      pick: () => server,
    },
    retry: { maxAttempts, waitDuration: waitMs, backOffPolicy, randomizationFactor: 0 },
    breaker: breaker as unknown as CircuitBreaker,
    timeoutMs,
    failureCodes: failureCodes === null ? null : new Set(failureCodes),
    bodyBytesMax: -1,
    nodeMs: () => back.time.monotonicMs(),
    redirects: null,
    answered: () => {},
  }
  const send = (ex: Exchange): number => {
    new UpstreamExchange(rules, ex).start()
    return SUSPENDED
  }
  const only = { ...node(new Step('proxy', [], send)), jump: [END, ...Array(6).fill(STOP)] }
  const log = new MemoryLogger()
  const pipeline = new Pipeline('demo', [only], log)
  const body = new FakeBody(9)
  const client = new FakeClient(streams ? { method: 'POST', body } : { body: 'at hand' })
  pipeline.start(client.ex)
  back.turn()
  while (client.ending === 'open' && back.time.monotonicMs() < PATIENCE_MS) {
    back.time.advance(1)
    back.turn()
  }
  expect([client.sends, pipeline.pinCount, back.timers.runningCount]).toEqual([1, 0, 0])
  expect(log.records).toEqual([])
  // Nothing of failed attempts is left in the answer.
  expect(client.headers.filter((name) => name === 'x-attempt').length).toBeLessThanOrEqual(1)
  const { sentMs } = back
  return { sentMs, status: client.status, endMs: back.time.monotonicMs(), failures, recorded }
}

const answers: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({
    what: fc.constant('status' as const),
    status: fc.constantFrom(200, 301, 404, 500, 503),
    afterMs: fc.integer({ min: 1, max: 60 }),
  }),
  fc.record({ what: fc.constant('error' as const), afterMs: fc.integer({ min: 1, max: 60 }) }),
  fc.constant({ what: 'nothing' as const }),
)

const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    maxAttempts: fc.integer({ min: 1, max: 6 }),
    waitMs: fc.nat(40),
    backOffPolicy: fc.constantFrom('random' as const, 'exponential' as const),
    timeoutMs: fc.constantFrom(0, 1, 7, 20, 50),
    failureCodes: fc.constantFrom(null, [404], [200, 500]),
    streams: fc.boolean(),
    answers: fc.array(answers, { maxLength: 6 }),
  })
  // Without a time-out, who never answers is waited for for ever.
  .map((each) =>
    each.timeoutMs > 0
      ? each
      : { ...each, answers: each.answers.filter(({ what }) => what !== 'nothing') },
  )

it('retries, time-outs and what the breaker is told agree with the model, to the millisecond', () => {
  fc.assert(
    fc.property(scenarios, (scenario) => {
      expect(run(scenario)).toEqual(expected(scenario))
    }),
    { numRuns: 400 },
  )
})

it.each<[name: string, over: Partial<Scenario>, want: Partial<Seen>]>([
  [
    'an answer',
    { answers: [{ what: 'status', status: 200, afterMs: 5 }] },
    { sentMs: [0], endMs: 5 },
  ],
  [
    'a failure, and an answer',
    {
      answers: [
        { what: 'status', status: 500, afterMs: 2 },
        { what: 'status', status: 200, afterMs: 3 },
      ],
    },
    // The wait of 10 ms ends with the slot that begins at 16 ms.
    { sentMs: [0, 16], status: 200, endMs: 19, failures: [false], recorded: [500, 200] },
  ],
  [
    'nothing at all, and no wait after the last',
    { timeoutMs: 20, maxAttempts: 2, answers: [{ what: 'nothing' }, { what: 'nothing' }] },
    { sentMs: [0, 36], status: 408, endMs: 60, failures: [true], recorded: [408, 408] },
  ],
  [
    'a body that streams is sent once',
    { streams: true, answers: [{ what: 'error', afterMs: 1 }] },
    { sentMs: [0], status: 503, endMs: 1, failures: [true] },
  ],
])('the model itself: %s', (_name, over, want) => {
  const scenario: Scenario = {
    maxAttempts: 3,
    waitMs: 10,
    backOffPolicy: 'random',
    timeoutMs: 0,
    failureCodes: null,
    streams: false,
    answers: [],
    ...over,
  }
  expect(expected(scenario)).toMatchObject(want)
  expect(run(scenario)).toMatchObject(want)
})
