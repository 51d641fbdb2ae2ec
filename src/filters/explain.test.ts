import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FakeClient, type FakeRequest } from '../http/fake-client.fixture.js'
import { rehearse } from '../pipeline/rehearse.js'
import type { Dialect } from '../spec/document.js'
import { type Harness, withPipeline } from './harness.fixture.js'

/** What `egctl explain` would say of the filters, and the status that they would leave. */
function told(harness: Harness, request: FakeRequest = {}) {
  const { ex } = new FakeClient(request)
  const { steps } = rehearse(harness.pipeline, ex)
  return {
    ex,
    steps: steps.map(({ result, isAssumed, detail }) => ({ result, isAssumed, detail })),
  }
}

const PREFLIGHT: [string, string] = ['access-control-request-method', 'PUT']
const MOCK = '- {name: mock, kind: Mock, rules: [{code: 200}]}'

// -- origins -------------------------------------------------------------------------------------

it.each<
  [dialect: Dialect, headers: [string, string][], method: string, result: string, status: number]
>([
  ['v1', [['origin', 'http://ok']], 'GET', '', 200],
  ['v1', [['origin', 'http://ok'], PREFLIGHT], 'OPTIONS', 'preflighted', 200],
  ['v2', [], 'OPTIONS', '', 200],
  ['v2', [['origin', 'http://ok']], 'GET', '', 200],
  ['v2', [['origin', 'http://bad']], 'GET', 'rejected', 200],
  ['v2', [['origin', 'http://ok'], PREFLIGHT], 'OPTIONS', 'preflighted', 204],
])('%s, %j %s: what CORSAdaptor makes of it', (dialect, headers, method, result, status) =>
  withPipeline(
    `
filters:
- {name: cors, kind: CORSAdaptor, allowedOrigins: ['http://ok'], allowedMethods: [GET, PUT]}
${MOCK}`,
    (harness) => {
      const { ex, steps } = told(harness, { method, headers })
      expect(steps[0]).toEqual({ result, isAssumed: false, detail: {} })
      expect(steps).toHaveLength(result === '' ? 2 : 1)
      const answered = harness.start({ method, headers }).status
      expect([ex.response.status, answered]).toEqual([status, status])
    },
    dialect,
  ),
)

// -- limits --------------------------------------------------------------------------------------

it.each<Dialect>(['v1', 'v2'])(
  'says that a limit is used up, and uses nothing of it: %s',
  (dialect) =>
    withPipeline(
      `
filters:
- name: limiter
  kind: RateLimiter
  policies: [{name: two, limitForPeriod: 2, limitRefreshPeriod: 1s, timeoutDuration: 0s}]
  defaultPolicyRef: two
  urls: [{url: {prefix: /limited}}]
${MOCK}`,
      (harness) => {
        const request = { path: '/limited' }
        for (const used of [0, 1]) {
          for (const _again of [1, 2, 3]) {
            expect(told(harness, request).steps[0]).toMatchObject({
              result: '',
              isAssumed: false,
              detail: { policy: 'two', limitForPeriod: 2, usedOfPeriod: used },
            })
          }
          expect(harness.start(request).status).toBe(200)
        }
        const { ex, steps } = told(harness, request)
        expect(steps).toMatchObject([{ result: 'rateLimited', detail: { usedOfPeriod: 2 } }])
        expect(ex.response.status).toBe(429)
        expect(harness.start(request).status).toBe(429)
        expect(told(harness, { path: '/other' }).steps[0]).toEqual({
          result: '',
          isAssumed: false,
          detail: {},
        })
        harness.pass(1_000)
        expect(told(harness, request).steps[0]).toMatchObject({ result: '' })
      },
      dialect,
    ),
)

it('a limit whose requests may wait is used up when no more may wait', () =>
  withPipeline(
    `
filters:
- name: limiter
  kind: RateLimiter
  policies: [{name: one, limitForPeriod: 1, limitRefreshPeriod: 1s, timeoutDuration: 1s}]
  defaultPolicyRef: one
  urls: [{url: {prefix: /}}]
${MOCK}`,
    (harness) => {
      harness.start()
      expect(told(harness).steps[0]?.result).toBe('')
      harness.start()
      expect(told(harness).steps[0]?.result).toBe('rateLimited')
      harness.pass(1_100)
      expect(told(harness).steps[0]?.result).toBe('')
    },
  ))

// -- circuits ------------------------------------------------------------------------------------

it('says that a circuit is open, and does not half open it', () =>
  withPipeline(
    `
filters:
- name: breaker
  kind: CircuitBreaker
  policies: [{name: two, slidingWindowSize: 2, minimumNumberOfCalls: 2, failureStatusCodes: [500], permittedNumberOfCallsInHalfOpenState: 1, waitDurationInOpenState: 10s}]
  defaultPolicyRef: two
  urls: [{url: {prefix: /}}]
- {name: mock, kind: Mock, rules: [{code: 500, path: /bad}, {code: 200}]}`,
    (harness) => {
      expect(told(harness).steps[0]).toMatchObject({
        result: '',
        isAssumed: false,
        detail: { policy: 'two', circuit: 'closed' },
      })
      harness.start({ path: '/bad' })
      harness.start({ path: '/bad' })
      const { ex, steps } = told(harness)
      expect(steps).toMatchObject([{ result: 'shortCircuited', detail: { circuit: 'open' } }])
      expect(ex.response.status).toBe(503)
      harness.pass(10_001)
      for (const _again of [1, 2]) {
        expect(told(harness).steps[0]).toMatchObject({ result: '', detail: { circuit: 'open' } })
      }
      expect(harness.start().status).toBe(200)
      expect(told(harness).steps[0]).toMatchObject({ result: '', detail: { circuit: 'closed' } })
    },
  ))

it('says so of the circuit of a pool', () =>
  withPipeline(
    `
resilience:
- {name: cb, kind: CircuitBreaker, slidingWindowSize: 1, minimumNumberOfCalls: 1, waitDurationInOpenState: 10s}
filters:
- name: proxy
  kind: Proxy
  pools: [{servers: [{url: "http://127.0.0.1:1"}], circuitBreakerPolicy: cb}]`,
    async (harness) => {
      expect(told(harness).steps[0]).toMatchObject({
        result: '',
        detail: { server: 'http://127.0.0.1:1', circuit: 'closed' },
      })
      expect((await harness.ask()).status).toBe(503)
      const { ex, steps } = told(harness)
      expect(steps[0]).toMatchObject({ result: 'shortCircuited', detail: { circuit: 'open' } })
      expect(ex.response.status).toBe(503)
      harness.pass(10_001)
      expect(told(harness).steps[0]).toMatchObject({ result: '', detail: { circuit: 'open' } })
    },
    'v2',
  ))

it('tells of attempts and time', () =>
  withPipeline(
    `
filters:
- name: retryer
  kind: Retryer
  policies: [{name: again, maxAttempts: 7}]
  defaultPolicyRef: again
  urls: [{url: {prefix: /}}]
- name: limiter
  kind: TimeLimiter
  defaultTimeoutDuration: 3s
  urls: [{url: {exact: /}}]
${MOCK}`,
    (harness) => {
      const details = (path: string) => told(harness, { path }).steps.map(({ detail }) => detail)
      expect(details('/')).toMatchObject([
        { policy: 'again', maxAttempts: 7 },
        { timeoutMs: 3_000 },
        {},
      ])
      expect(details('/x')).toMatchObject([{ maxAttempts: 7 }, {}, {}])
    },
  ))

// -- files ---------------------------------------------------------------------------------------

it.each<[name: string, fields: string, request: FakeRequest]>([
  ['a file', '', { path: '/a.txt' }],
  ['the index of a folder', '', { path: '/' }],
  ['no such file', '', { path: '/b.txt' }],
  ['a folder', '', { path: '/sub' }],
  ['a path out of the root', '', { path: '/../a.txt' }],
  ['another method', '', { path: '/a.txt', method: 'POST' }],
  ['a hidden file', ', hidden: [a.txt]', { path: '/a.txt' }],
  ['a second try', ', tryFiles: ["{path}", /a.txt]', { path: '/b.txt' }],
  ['an answer for nothing', ', tryFiles: ["{path}", "=410 Gone"]', { path: '/b.txt' }],
  ['a part', '', { path: '/a.txt', headers: [['range', 'bytes=1-2']] }],
  ['no such part', '', { path: '/a.txt', headers: [['range', 'bytes=9-']] }],
  [
    'a compressed form',
    ', precompressed: gz',
    { path: '/a.txt', headers: [['accept-encoding', 'gzip']] },
  ],
  ['a version that is there', '', { path: '/a.txt', headers: [['if-none-match', '*']] }],
])('tells what FileServer would answer: %s', async (_name, fields, request) => {
  const root = mkdtempSync(join(tmpdir(), 'explain-'))
  try {
    writeFileSync(join(root, 'a.txt'), 'text')
    writeFileSync(join(root, 'a.txt.gz'), 'packed')
    writeFileSync(join(root, 'index.html'), 'index')
    mkdirSync(join(root, 'sub'))
    await withPipeline(
      `filters:\n- {name: files, kind: FileServer, root: ${root}${fields}}`,
      async (harness) => {
        const { ex, steps } = told(harness, request)
        const client = await harness.ask(request)
        expect(ex.response.status).toBe(client.status)
        expect(steps[0]?.isAssumed).toBe(false)
        const named = (name: string) => ex.response.headers.get(name)
        for (const name of ['content-encoding', 'etag', 'content-range', 'allow']) {
          expect(named(name)).toBe(client.header(name))
        }
        const { file, bytes } = steps[0]?.detail ?? {}
        if (client.status === 200 && client.text === 'text') {
          expect([file, bytes]).toEqual([join(root, 'a.txt'), 4])
        }
        if (client.text === 'packed') expect(file).toBe(join(root, 'a.txt.gz'))
      },
      'v2',
    )
  } finally {
    rmSync(root, { recursive: true })
  }
})
