import { expect, it } from 'vitest'
import { ScriptedServer } from '../../upstream/scripted-server.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (limiter: string, jump = ''): string => `
flow:
- {filter: limiter${jump}}
- {filter: mock}
- {filter: fallback}
filters:
- name: limiter
  kind: TimeLimiter
  ${limiter}
- name: mock
  kind: Mock
  rules:
  - {path: /slow, code: 200, delay: 1s, body: slow, headers: {X-Slow: "1"}}
  - {code: 200, body: fast}
- {name: fallback, kind: Fallback, mockCode: 203, mockBody: instead}
`
const ALL = 'defaultTimeoutDuration: 100ms\n  urls: [{url: {prefix: /}}]'

it('answers with 408 once the time is over, and not before', () =>
  withPipeline(pipeline(ALL), (harness) => {
    const client = harness.start({ path: '/slow' })
    harness.pass(99)
    expect(client.ending).toBe('open')
    harness.pass(5)
    expect([client.status, client.text, client.ending]).toEqual([408, '', 'complete'])
    expect(client.headers).toEqual(['x-eg-time-limiter', 'timed-out'])
    expect(harness.timers.runningCount).toBe(0)
  }))

it('leaves alone what is done in time', () =>
  withPipeline(pipeline(ALL), (harness) => {
    const client = harness.start()
    expect([client.status, client.text, client.headers]).toEqual([200, 'fast', []])
    expect(harness.timers.runningCount).toBe(0)
  }))

it('"timeout" is a result that jumps', () =>
  withPipeline(pipeline(ALL, ', jumpIf: {timeout: fallback}'), (harness) => {
    const client = harness.start({ path: '/slow' })
    harness.pass(104)
    expect([client.status, client.text]).toEqual([203, 'instead'])
  }))

it.each<[path: string, method: string, limitMs: number | null]>([
  ['/slow', 'GET', 100],
  ['/slow', 'PUT', 300],
  ['/slow', 'POST', null],
])('%s %s has %s ms', (path, method, limitMs) =>
  withPipeline(
    pipeline(`defaultTimeoutDuration: 100ms
  urls:
  - {methods: [PUT], url: {exact: /slow}, timeoutDuration: 300ms}
  - {methods: [GET, PUT], url: {prefix: /}}`),
    (harness) => {
      const client = harness.start({ path, method })
      harness.pass((limitMs ?? 1_000) - 1)
      expect(client.ending).toBe('open')
      harness.pass(104)
      expect(client.status).toBe(limitMs === null ? 200 : 408)
    },
  ),
)

it('the default of the default is 500 ms', () =>
  withPipeline(pipeline('urls: [{url: {prefix: /}}]'), (harness) => {
    const client = harness.start({ path: '/slow' })
    harness.pass(499)
    expect(client.ending).toBe('open')
    harness.pass(5)
    expect(client.status).toBe(408)
  }))

it('a client that leaves takes the timer along', () =>
  withPipeline(pipeline(ALL), (harness) => {
    harness.start({ path: '/slow' }).abort()
    expect(harness.timers.runningCount).toBe(0)
  }))

it('keeps fields set before it, and none that were set inside', () =>
  withPipeline(
    `
flow:
- {filter: before, jumpIf: {mocked: limiter}}
- {filter: limiter}
- {filter: inside, jumpIf: {mocked: sleep}}
- {filter: sleep}
filters:
- {name: before, kind: Mock, rules: [{code: 201, headers: {X-Before: "1"}}]}
- {name: limiter, kind: TimeLimiter, defaultTimeoutDuration: 100ms, urls: [{url: {prefix: /}}]}
- {name: inside, kind: Mock, rules: [{code: 202, headers: {X-Inside: "1"}, body: half}]}
- {name: sleep, kind: Mock, rules: [{code: 203, delay: 1s}]}
`,
    (harness) => {
      const client = harness.start()
      harness.pass(104)
      expect([client.status, client.text]).toEqual([408, ''])
      expect(client.headers).toEqual(['x-before', '1', 'x-eg-time-limiter', 'timed-out'])
    },
  ))

const RETRIED = `
filters:
- {name: limiter, kind: TimeLimiter, defaultTimeoutDuration: 250ms, urls: [{url: {prefix: /}}]}
- name: retryer
  kind: Retryer
  policies: [{name: p, maxAttempts: 9, waitDuration: 100ms, failureStatusCodes: [500]}]
  urls: [{url: {prefix: /}, policyRef: p}]
- {name: mock, kind: Mock, rules: [{code: 500}]}
`

it('ends retries that it encloses', () =>
  withPipeline(RETRIED, (harness) => {
    const client = harness.start()
    for (let ms = 0; ms < 260; ms += 4) harness.pass(4)
    expect([client.status, client.header('x-eg-retryer')]).toEqual([408, null])
    expect(harness.timers.runningCount).toBe(0)
  }))

it('behind a Retryer, each attempt has its own time', () =>
  withPipeline(
    `
filters:
- name: retryer
  kind: Retryer
  policies: [{name: p, waitDuration: 0s, countingNetworkError: true}]
  urls: [{url: {prefix: /}, policyRef: p}]
- {name: limiter, kind: TimeLimiter, defaultTimeoutDuration: 250ms, urls: [{url: {prefix: /}}]}
- {name: mock, kind: Mock, rules: [{code: 200, delay: 1s}]}
`,
    (harness) => {
      const client = harness.start()
      harness.pass(254)
      expect(client.ending).toBe('open')
      harness.pass(254)
      expect(client.ending).toBe('open')
      harness.pass(254)
      expect([client.status, client.header('x-eg-retryer')]).toEqual([
        408,
        'Failed-after-3-attempts',
      ])
    },
  ))

it('gives up the call of a Proxy, and its connection', async () => {
  const server = await ScriptedServer.listen()
  await withPipeline(
    `
filters:
- {name: limiter, kind: TimeLimiter, defaultTimeoutDuration: 100ms, urls: [{url: {prefix: /}}]}
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${server.port}"}]}
`,
    async (harness) => {
      const client = harness.start()
      const backEnd = await server.peer(0)
      await backEnd.head()
      harness.pass(104)
      expect([client.status, harness.statuses('proxy/mainPool')]).toEqual([408, [499]])
      await backEnd.gone()
    },
  )
  await server.close()
})

it.each<[fields: string, want: string]>([
  ['urls: []', ''],
  ['urls: [{url: {prefix: /}, policyRef: ignored}]', ''],
  ['defaultTimeoutDuration: 1s', 'urls: is required'],
  ['defaultTimeoutDuration: 0\nurls: []', 'defaultTimeoutDuration: expected a duration'],
  ['defaultTimeoutDuration: -1s\nurls: []', 'defaultTimeoutDuration: expected a duration'],
  ['defaultTimeoutDuration: 5\nurls: []', 'add a unit'],
  ['urls: [{url: {prefix: /}, timeoutDuration: soon}]', 'urls/0/timeoutDuration: expected'],
  ['urls: [{timeoutDuration: 1s}]', 'urls/0/url: is required'],
  ['urls: [{url: {regex: "("}}]', 'urls/0/url/regex: expected'],
  ['urls: [{url: {prefix: /}, methods: [get]}]', 'urls/0/methods/0: expected'],
  ['urls: [{url: {prefix: /}, timeoutDuraton: 1s}]', 'did you mean "timeoutDuration"'],
])('checks %j', (fields, want) => {
  const problems = problemsOf('TimeLimiter', fields)
  if (want === '') expect(problems).toBe('')
  else expect(problems).toContain(want)
})
