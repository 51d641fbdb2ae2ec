import { expect, it } from 'vitest'
import { FakeBody } from '../../http/fake-client.fixture.js'
import { flowOf, node, Step, Wrap } from '../../pipeline/flow.fixture.js'
import { decode } from '../../spec/decode.js'
import { MemoryLogger } from '../../telemetry/memory-log.js'
import type { FilterContext } from '../contract.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { create } from './circuit-breaker.js'
import { circuitBreaker } from './kind.js'

/** Answers by path: /500 at once, /slow after a second, the rest with 200. */
const pipeline = (policy: string, urls = '[{url: {prefix: /}}]', jump = ''): string => `
flow:
- {filter: breaker${jump}}
- {filter: inside}
- {filter: fallback}
filters:
- name: breaker
  kind: CircuitBreaker
  policies: [{name: p, ${policy}}]
  defaultPolicyRef: p
  urls: ${urls}
- name: inside
  kind: Mock
  rules:
  - {path: /500, code: 500}
  - {path: /502, code: 502}
  - {path: /slow, code: 200, delay: 1s}
  - {path: /, code: 200, headers: {X-Inside: "1"}, body: fine}
- {name: fallback, kind: Fallback, mockCode: 200, mockBody: instead}
`
const FOUR = 'slidingWindowSize: 4, failureStatusCodes: [500], waitDurationInOpenState: 30s'
const ask = (harness: Harness, ...paths: string[]): number[] =>
  paths.map((path) => harness.start({ path }).status)

it('opens at the rate of failures, answers with 503, tries again later, and closes', () =>
  withPipeline(pipeline(`${FOUR}, permittedNumberOfCallsInHalfOpenState: 2`), (harness) => {
    expect(ask(harness, '/', '/', '/500', '/500')).toEqual([200, 200, 500, 500])
    const refused = harness.start()
    expect([refused.status, refused.text]).toEqual([503, ''])
    expect(refused.header('x-eg-circuit-breaker')).toBe('circuit-is-broken')
    expect(refused.header('x-inside')).toBe(null)
    harness.pass(29_999)
    expect(ask(harness, '/')).toEqual([503])
    harness.pass(1)
    expect(ask(harness, '/', '/', '/500', '/')).toEqual([200, 200, 500, 200])
  }))

it('says in what state the breaker of each rule is', () =>
  withPipeline(
    pipeline(FOUR, '[{url: {exact: /500}}, {url: {prefix: /a, regex: ^/b}}]'),
    (harness) => {
      const states = (first: string): unknown => ({
        breaker: {
          urls: [
            { url: '/500', policy: 'p', state: first },
            { url: '/a* or ~^/b', policy: 'p', state: 'closed' },
          ],
        },
      })
      expect(harness.pipeline.filterStates()).toEqual(states('closed'))
      ask(harness, '/500', '/500', '/500', '/500')
      expect(harness.pipeline.filterStates()).toEqual(states('open'))
      harness.pass(30_000)
      expect(ask(harness, '/500')).toEqual([500])
      expect(harness.pipeline.filterStates()).toEqual(states('half-open'))
    },
  ))

it('its answer is the result "shortCircuited"', () =>
  withPipeline(pipeline(FOUR, undefined, ', jumpIf: {shortCircuited: fallback}'), (harness) => {
    ask(harness, '/500', '/500', '/500', '/500')
    expect(harness.start().text).toBe('instead')
  }))

it.each<[name: string, policy: string, paths: string, want: number]>([
  ['a full window', FOUR, '/ / /500 /500', 503],
  ['a rate below the threshold', FOUR, '/ / / /500', 200],
  ['network errors that count', `${FOUR}, countingNetworkError: true`, '/ / /502 /502', 503],
  ['network errors that do not', FOUR, '/ / /502 /502', 200],
  ['no failures by default', 'slidingWindowSize: 4', '/500 /500 /500 /500', 200],
  ['fewer calls than the minimum', FOUR.replace('4', '5'), '/500 /500 /500 /500', 200],
  ['a minimum of 0', `${FOUR}, minimumNumberOfCalls: 0`, '/500 /500 /500 /500', 503],
  ['a minimum of its own', `${FOUR}, minimumNumberOfCalls: 3`, '/500 /500 /500', 503],
  ['a threshold of its own', `${FOUR}, failureRateThreshold: 80`, '/ /500 /500 /500', 200],
  [
    'a window of time',
    `${FOUR}, slidingWindowType: time_based, minimumNumberOfCalls: 4`,
    '/500 /500 /500 /500',
    503,
  ],
  [
    'a window of time below the default minimum',
    `${FOUR}, slidingWindowType: TIME_BASED`,
    '/500 /500 /500 /500',
    200,
  ],
])('%s', (_name, policy, paths, want) =>
  withPipeline(pipeline(policy), (harness) => {
    ask(harness, ...paths.split(' '))
    expect(ask(harness, '/')).toEqual([want])
  }),
)

it('opens at the rate of slow calls', () =>
  withPipeline(
    pipeline('slidingWindowSize: 2, slowCallDurationThreshold: 1s, slowCallRateThreshold: 50'),
    (harness) => {
      ask(harness, '/', '/slow')
      expect(ask(harness, '/')).toEqual([200])
      harness.pass(1_004)
      expect(ask(harness, '/')).toEqual([503])
    },
  ))

it('each rule has a circuit of its own; requests that none is for pass', () =>
  withPipeline(
    pipeline(FOUR, '[{url: {exact: /500}}, {methods: [PUT], url: {prefix: /}}]'),
    (harness) => {
      ask(harness, '/500', '/500', '/500', '/500')
      expect(ask(harness, '/500', '/')).toEqual([503, 200])
      expect(harness.start({ method: 'PUT' }).status).toBe(200)
    },
  ))

it('a client that leaves is no result, and gives its permit back', () =>
  withPipeline(
    pipeline(`${FOUR}, permittedNumberOfCallsInHalfOpenState: 1, countingNetworkError: true`),
    (harness) => {
      ask(harness, '/500', '/500', '/500', '/500')
      harness.pass(30_000)
      const trial = harness.start({ path: '/slow' })
      expect(ask(harness, '/')).toEqual([503])
      trial.abort()
      expect(ask(harness, '/', '/')).toEqual([200, 200])
    },
  ))

it('permits that nobody gives back are waited for, or given up after a while', () =>
  withPipeline(
    pipeline(
      `${FOUR}, permittedNumberOfCallsInHalfOpenState: 1, maxWaitDurationInHalfOpenState: 500ms`,
    ),
    (harness) => {
      ask(harness, '/500', '/500', '/500', '/500')
      harness.pass(30_000)
      const trial = harness.start({ path: '/slow' })
      harness.pass(400)
      expect(ask(harness, '/')).toEqual([503])
      harness.pass(101)
      expect(ask(harness, '/')).toEqual([503])
      harness.pass(600)
      expect([trial.status, ...ask(harness, '/')]).toEqual([200, 503]) // open: too late to count
      harness.pass(30_000)
      expect(ask(harness, '/', '/')).toEqual([200, 200])
    },
  ))

const LIMITED = `
flow:
- {filter: limiter, jumpIf: {timeout: END}}
- {filter: breaker}
- {filter: inside}
filters:
- {name: limiter, kind: TimeLimiter, defaultTimeoutDuration: 100ms, urls: [{url: {prefix: /}}]}
- name: breaker
  kind: CircuitBreaker
  policies: [{name: p, slidingWindowSize: 1, COUNTING}]
  urls: [{url: {prefix: /}, policyRef: p}]
- {name: inside, kind: Mock, rules: [{code: 200, delay: 1s}]}
`

it.each([
  ['countingNetworkError: true', 503],
  ['failureStatusCodes: [408]', 503],
  ['countingNetworkError: false', 408],
])('a time limit around it, with %s, is a failure or none', (counting, want) =>
  withPipeline(LIMITED.replace('COUNTING', counting), (harness) => {
    harness.start()
    harness.pass(104)
    const next = harness.start()
    harness.pass(104)
    expect(next.status).toBe(want)
  }),
)

it('a request that is too large to be held is no result', () =>
  withPipeline(
    `
filters:
- name: breaker
  kind: CircuitBreaker
  policies: [{name: p, slidingWindowSize: 1, failureStatusCodes: [413, 500]}]
  urls: [{url: {prefix: /}, policyRef: p}]
- name: retryer
  kind: Retryer
  policies: [{name: p}]
  urls: [{methods: [PUT], url: {prefix: /}, policyRef: p}]
- {name: mock, kind: Mock, rules: [{code: 200}]}
`,
    (harness) => {
      const body = new FakeBody(5_000_000)
      expect(harness.start({ method: 'PUT', body }).status).toBe(413)
      expect(ask(harness, '/')).toEqual([200])
    },
  ))

it('a filter that throws is a failure, whatever statuses are', () => {
  const parsed = decode(circuitBreaker.spec, {
    policies: [{ name: 'p', slidingWindowSize: 1 }],
    urls: [{ url: { prefix: '/' }, policyRef: 'p' }],
  })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  const log = new MemoryLogger()
  const wrapping = create(parsed.value, {
    nodeMs: () => 0,
    log,
    area: ({ bytes }) => ({ words: new Int32Array(bytes / 4), base: 0 }),
    permits: () => null as never,
  } as Partial<FilterContext> as FilterContext)
  const throws = new Step('throws', [], () => {
    throw new Error('boom')
  })
  const flow = flowOf([{ ...node(new Wrap('breaker', [])), wrapping }, node(throws)])
  expect([flow.start().status, flow.start().status]).toEqual([500, 503])
})

it('an update that changes neither rule nor policy keeps the circuit open', () =>
  withPipeline(pipeline(FOUR), async (harness) => {
    ask(harness, '/500', '/500', '/500', '/500')
    await harness.use(pipeline(FOUR).replaceAll('name: p,', 'name: q,').replace('Ref: p', 'Ref: q'))
    expect(ask(harness, '/')).toEqual([503])
    await harness.use(pipeline(`${FOUR}, slowCallRateThreshold: 99`))
    expect(ask(harness, '/')).toEqual([200])
  }))

it('tells the log of changes', () =>
  withPipeline(pipeline(FOUR), (harness) => {
    ask(harness, '/500', '/500', '/500', '/500')
    harness.pass(30_000)
    ask(harness, '/')
    expect(harness.log.records.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'circuit opened'],
      ['info', 'circuit changed'],
    ])
  }))

it.each<[policy: string, want: string]>([
  ['slidingWindowType: COUNT_BASED, slidingWindowSize: 1000000', ''],
  ['slidingWindowType: COUNT', 'slidingWindowType: expected one of COUNT_BASED, TIME_BASED'],
  ['slidingWindowSize: 0', 'slidingWindowSize: expected a whole number'],
  ['slidingWindowSize: 1000001', 'slidingWindowSize: expected a whole number'],
  [
    'slidingWindowType: TIME_BASED, slidingWindowSize: 100001',
    'at most 100000 seconds, got 100001',
  ],
  ['failureRateThreshold: 0', 'failureRateThreshold: expected a whole number'],
  ['failureRateThreshold: 101', 'failureRateThreshold: expected a whole number'],
  ['slowCallRateThreshold: 0.5', 'slowCallRateThreshold: expected a whole number'],
  ['minimumNumberOfCalls: -1', 'minimumNumberOfCalls: expected a whole number'],
  ['permittedNumberOfCallsInHalfOpenState: ten', 'InHalfOpenState: expected a whole number'],
  ['slowCallDurationThreshold: 5', 'slowCallDurationThreshold: expected a duration'],
  ['waitDurationInOpenState: never', 'waitDurationInOpenState: expected a duration'],
  ['maxWaitDurationInHalfOpenState: -1s', 'InHalfOpenState: expected a duration'],
  ['failureStatusCodes: [99]', 'failureStatusCodes/0: expected'],
  ['failureStatusCodes: [500, 500]', 'failureStatusCodes'],
  ['countingNetworkError: 1', 'countingNetworkError: expected true or false'],
  ['failureRateTreshold: 50', 'did you mean "failureRateThreshold"'],
])('checks %s', (policy, want) => {
  const problems = problemsOf(
    'CircuitBreaker',
    `policies: [{name: p, ${policy}}]\nurls: [{url: {prefix: /}, policyRef: p}]`,
  )
  if (want === '') expect(problems).toBe('')
  else expect(problems).toContain(want)
})
