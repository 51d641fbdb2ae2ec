import { expect, it } from 'vitest'
import { FakeBody, type FakeRequest } from '../http/fake-client.fixture.js'
import { ScriptedServer, until } from '../upstream/scripted-server.fixture.js'
import { type Harness, withPipeline } from './harness.fixture.js'

/**
 * The answer is one for all filters, as in Easegress: fields that an earlier one has set are in the
 * answer of whichever filter, or the gateway itself, refuses the request.
 */
const BEFORE = `
filters:
- {name: cors, kind: CORSAdaptor, allowedOrigins: [https://a.test]}
- {name: limit, kind: TimeLimiter, defaultTimeoutDuration: 1s, urls: [{url: {prefix: /}}]}
- name: before
  kind: ResponseAdaptor
  header: {set: {X-Before: "yes", Content-Type: text/plain, ETag: '"1"', Cache-Control: max-age=60}}
  body: made before
`
const ORIGIN = ['origin', 'https://a.test'] as const
const ALLOWED = 'access-control-allow-origin'

const refusals: [by: string, status: number, filter: string, request: FakeRequest][] = [
  ['Validator, headers', 400, 'kind: Validator, headers: {A: {values: [b]}}', {}],
  ['Validator, jwt', 403, 'kind: Validator, jwt: {algorithm: HS256, secret: "00"}', {}],
  [
    'Validator, oauth2',
    403,
    'kind: Validator, oauth2: {jwt: {algorithm: HS256, secret: "00"}}',
    {},
  ],
  [
    'Validator, a token that is too long to ask about',
    403,
    'kind: Validator, oauth2: {tokenIntrospect: {endPoint: "http://127.0.0.1:9/"}}',
    { headers: [['authorization', `Bearer ${'x'.repeat(20_000)}`]] },
  ],
  ['Validator, signature', 403, 'kind: Validator, signature: {accessKeys: {a: b}}', {}],
  ['Mock', 418, 'kind: Mock, rules: [{code: 418}]', {}],
  ['Fallback', 418, 'kind: Fallback, mockCode: 418', {}],
  [
    'RateLimiter',
    429,
    'kind: RateLimiter, policies: [{name: p, limitForPeriod: 1, limitRefreshPeriod: 1h, timeoutDuration: 0s}], defaultPolicyRef: p, urls: [{url: {prefix: /}}]',
    {},
  ],
]

const send = async (harness: Harness, request: FakeRequest): Promise<Record<string, unknown>> => {
  const headers = [...(request.headers ?? []), ORIGIN]
  const client = await harness.ask({ ...request, headers })
  return {
    status: client.status,
    before: client.header('x-before'),
    allowed: client.header(ALLOWED),
  }
}

it.each(refusals)('%s', (by, status, filter, request) =>
  withPipeline(`${BEFORE}- {name: it, ${filter}}\n`, async (harness) => {
    if (by === 'RateLimiter') await send(harness, request)
    expect(await send(harness, request)).toEqual({
      status,
      before: 'yes',
      allowed: 'https://a.test',
    })
  }),
)

it('an answer that a filter replaces loses what was about its body', () =>
  withPipeline(
    `${BEFORE}- {name: it, kind: Validator, headers: {A: {values: [b]}}}\n`,
    async (harness) => {
      const client = await harness.ask()
      for (const name of ['content-type', 'etag', 'cache-control']) {
        expect([name, client.header(name)]).toEqual([name, null])
      }
      expect(client.text).toBe('')
    },
  ))

it('Proxy without a back end', async () => {
  const gone = await ScriptedServer.listen()
  const { port } = gone
  await gone.close()
  const proxy = `- {name: it, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${port}"}]}}\n`
  await withPipeline(BEFORE + proxy, async (harness) => {
    expect(await send(harness, {})).toEqual({
      status: 503,
      before: 'yes',
      allowed: 'https://a.test',
    })
  })
})

const overBackend = (port: number, more = ''): string =>
  `${BEFORE}- {name: it, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${port}"}]}}\n${more}`

it('a Proxy that waits for too long', async () => {
  const backend = await ScriptedServer.listen()
  await withPipeline(overBackend(backend.port), async (harness) => {
    const client = harness.start({ headers: [ORIGIN] })
    await (await backend.peer(0)).head()
    harness.pass(1_100)
    await until('the answer', () => client.ending === 'complete')
    // What the inside set goes with it; what was there before the TimeLimiter stays.
    expect([client.status, client.header('x-before'), client.header(ALLOWED)]).toEqual([
      408,
      null,
      'https://a.test',
    ])
  })
  await backend.close()
})

it('an answer of a back end that breaks off before anything of it was sent', async () => {
  const backend = await ScriptedServer.listen()
  // The template makes the flow hold the body.
  const after = '- {name: after, kind: ResponseAdaptor, body: "[[filter.it.rsp.body]]!"}\n'
  await withPipeline(overBackend(backend.port, after), async (harness) => {
    const client = harness.start({ headers: [ORIGIN] })
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-back-end: a\r\netag: "2"\r\n\r\nhalf')
    peer.socket.end()
    await until('the answer', () => client.ending === 'complete')
    expect(client.text).toContain('cut short')
    expect([client.status, client.header('x-before'), client.header(ALLOWED)]).toEqual([
      502,
      'yes',
      'https://a.test',
    ])
    expect([client.header('etag'), client.header('content-type')]).toEqual([
      null,
      'text/plain; charset=utf-8',
    ])
  })
  await backend.close()
})

it.each<[what: string, body: string | FakeBody]>([
  ['announced', new FakeBody(5_000_000)],
  ['that turns out so', new FakeBody(-1)],
])('a body that is too large for a filter, %s', (_what, body) =>
  withPipeline(
    `${BEFORE}- {name: it, kind: Retryer, policies: [{name: p}], urls: [{policyRef: p, url: {prefix: /}}]}\n`,
    async (harness) => {
      const client = harness.start({ method: 'POST', body, headers: [ORIGIN] })
      if (body instanceof FakeBody && body.length < 0) body.push(Buffer.alloc(5_000_000))
      await until('the answer', () => client.ending === 'complete')
      expect([client.status, client.header('x-before'), client.header(ALLOWED)]).toEqual([
        413,
        'yes',
        'https://a.test',
      ])
    },
  ),
)
