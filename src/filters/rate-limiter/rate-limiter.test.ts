import { expect, it } from 'vitest'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

const limiter = (policies: string, urls = '[{url: {prefix: /}}]', more = ''): string => `
flow:
- {filter: limiter${more}}
- {filter: mock}
- {filter: busy}
filters:
- name: limiter
  kind: RateLimiter
  policies: ${policies}
  defaultPolicyRef: p
  urls: ${urls}
- {name: mock, kind: Mock, rules: [{pathPrefix: /, code: 200, body: through}]}
- {name: busy, kind: Mock, rules: [{code: 503, body: busy}]}
`
const TWO = '[{name: p, limitForPeriod: 2, limitRefreshPeriod: 1s, timeoutDuration: 0s}]'
const ask = (harness: Harness, times: number, path = '/', method = 'GET'): number[] =>
  Array.from({ length: times }, () => harness.start({ path, method }).status)

it('lets through the limit, answers the rest with 429, and begins anew with the next period', () =>
  withPipeline(limiter(TWO), (harness) => {
    expect(ask(harness, 3)).toEqual([200, 200, 429])
    const refused = harness.start()
    expect([refused.text, refused.header('x-eg-rate-limiter')]).toEqual(['', 'too-many-requests'])
    harness.pass(999)
    expect(ask(harness, 1)).toEqual([429])
    harness.pass(1)
    expect(ask(harness, 3)).toEqual([200, 200, 429])
  }))

it('says how much of the limit of each rule is used', () =>
  withPipeline(limiter(TWO), (harness) => {
    const used = (usedOfPeriod: number): unknown => ({
      limiter: { urls: [{ url: '/*', policy: 'p', limitForPeriod: 2, usedOfPeriod }] },
    })
    expect(harness.pipeline.filterStates()).toEqual(used(0))
    ask(harness, 3)
    expect(harness.pipeline.filterStates()).toEqual(used(2))
    harness.pass(1_000)
    expect(harness.pipeline.filterStates()).toEqual(used(0))
  }))

it('its answer is the result "rateLimited"', () =>
  withPipeline(limiter(TWO, undefined, ', jumpIf: {rateLimited: busy}'), (harness) => {
    expect(ask(harness, 3)).toEqual([200, 200, 503])
  }))

it('keeps fields that earlier filters set, and none of their body', () =>
  withPipeline(
    `
flow:
- {filter: mock, jumpIf: {mocked: limiter}}
- {filter: limiter}
filters:
- {name: mock, kind: Mock, rules: [{code: 200, body: early, headers: {X-Early: "1"}}]}
- name: limiter
  kind: RateLimiter
  policies: [{name: p, limitForPeriod: 1, timeoutDuration: 0s}]
  urls: [{url: {prefix: /}, policyRef: p}]
`,
    (harness) => {
      harness.start()
      const refused = harness.start()
      expect([refused.status, refused.text, refused.header('x-early')]).toEqual([429, '', '1'])
    },
  ))

it('requests wait for a later period, as many as the time-out allows', () =>
  withPipeline(
    limiter('[{name: p, limitForPeriod: 1, limitRefreshPeriod: 100ms, timeoutDuration: 200ms}]'),
    (harness) => {
      const clients = Array.from({ length: 4 }, () => harness.start())
      const statuses = (): number[] => clients.map((client) => client.status)
      expect(statuses()).toEqual([200, 0, 0, 429])
      harness.pass(104)
      expect(statuses()).toEqual([200, 200, 0, 429])
      harness.pass(100)
      expect(statuses()).toEqual([200, 200, 200, 429])
    },
  ))

it('a client that leaves while it waits leaves nothing behind', () =>
  withPipeline(limiter('[{name: p, limitForPeriod: 1, limitRefreshPeriod: 100ms}]'), (harness) => {
    harness.start()
    const waiting = harness.start()
    waiting.abort()
    expect(harness.timers.runningCount).toBe(0)
    harness.pass(200)
    expect(waiting.status).toBe(0)
  }))

it('each rule has a limit of its own; the first that matches decides; others are not limited', () =>
  withPipeline(
    limiter(
      `[{name: p, limitForPeriod: 1, limitRefreshPeriod: 1s, timeoutDuration: 0s},
        {name: q, limitForPeriod: 2, limitRefreshPeriod: 1s, timeoutDuration: 0s}]`,
      `[{url: {exact: /a}}, {methods: [POST], url: {prefix: /a}, policyRef: q}, {url: {regex: b$}}]`,
    ),
    (harness) => {
      expect(ask(harness, 2, '/a', 'POST')).toEqual([200, 429])
      expect(ask(harness, 3, '/ab', 'POST')).toEqual([200, 200, 429])
      expect(ask(harness, 2, '/ab')).toEqual([200, 429])
      expect(ask(harness, 5, '/c')).toEqual([200, 200, 200, 200, 200])
    },
  ))

it.each<[name: string, policies: string, urls: string | undefined, want: number[]]>([
  ['nothing', TWO, undefined, [429]],
  [
    'the name of the policy',
    TWO.replace('name: p', 'name: q'),
    '[{url: {prefix: /}, policyRef: q}]',
    [429],
  ],
  ['another rule', TWO, '[{url: {exact: /x}}, {url: {prefix: /}}]', [429]],
  ['the limit', TWO.replace('d: 2', 'd: 3'), undefined, [200, 200, 200, 429]],
  ['the period', TWO.replace('1s', '2s'), undefined, [200, 200, 429]],
  ['the rule', TWO, '[{methods: [GET], url: {prefix: /}}]', [200, 200, 429]],
])(
  'what an update leaves of the permits given out, when it changes %s',
  (_name, policies, urls, want) =>
    withPipeline(limiter(TWO), async (harness) => {
      ask(harness, 2)
      await harness.use(limiter(policies, urls))
      expect(ask(harness, want.length)).toEqual(want)
    }),
)

it('defaults are 50 in 10 ms, and a wait of at most 100 ms', () =>
  withPipeline(limiter('[{name: p}]'), (harness) => {
    const clients = Array.from({ length: 551 }, () => harness.start())
    const count = (status: number): number =>
      clients.filter((client) => client.status === status).length
    expect([count(200), count(0), count(429)]).toEqual([50, 500, 1])
    harness.pass(104)
    expect([count(200), count(0), count(429)]).toEqual([550, 0, 1])
  }))

it.each<[fields: string, want: string]>([
  ['policies: []\nurls: []', ''],
  ['urls: []', 'policies: is required'],
  ['policies: [{name: p, limitForPeriod: 0}]\nurls: []', 'limitForPeriod: expected a whole number'],
  ['policies: [{name: p, limitForPeriod: "5"}]\nurls: []', 'write 5 without quotes'],
  [
    'policies: [{name: p, limitForPeriod: 1.5}]\nurls: []',
    'limitForPeriod: expected a whole number',
  ],
  [
    'policies: [{name: p, limitRefreshPeriod: 0}]\nurls: []',
    'limitRefreshPeriod: expected a duration',
  ],
  ['policies: [{name: p, limitRefreshPeriod: 10}]\nurls: []', 'add a unit'],
  ['policies: [{name: p, timeoutDuration: -1s}]\nurls: []', 'timeoutDuration: expected a duration'],
  ['policies: [{}]\nurls: []', 'policies/0/name: is required'],
  ['policies: [{name: p}, {name: p}]\nurls: []', 'policies/1'],
  ['policies: [{name: p}]\nurls: [{url: {prefix: /}}]', 'urls/0/policyRef: expected policyRef'],
  ['policies: [{name: p}]\nurls: [{url: {prefix: /}, policyRef: q}]', 'no policy "q" in policies'],
  ['policies: [{name: p}]\nurls: [{policyRef: p}]', 'urls/0/url: is required'],
  [
    'policies: [{name: p}]\nurls: [{url: {}, policyRef: p}]',
    'at least one of exact, prefix and regex',
  ],
  ['policies: [{name: p, limitPerPeriod: 5}]\nurls: []', 'did you mean "limitForPeriod"'],
])('checks %j', (fields, want) => {
  const problems = problemsOf('RateLimiter', fields)
  if (want === '') expect(problems).toBe('')
  else expect(problems).toContain(want)
})
