import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { FakeBody, FakeClient, FakeResponseBody } from '../../http/fake-client.fixture.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf } from '../harness.fixture.js'
import { type Serve, withScripted, withServers } from './backends.fixture.js'
import { MemoryCache } from './memory-cache.js'
import type { MemoryCacheSpec } from './pool-spec.js'

type Fields = readonly (readonly [name: string, value: string])[]

const SPEC: MemoryCacheSpec = {
  expiration: 10_000,
  maxEntryBytes: 1000,
  maxBytes: 10_000,
  codes: [200, 404, 206, 304],
  methods: ['GET', 'HEAD'],
}

class Lab {
  nowMs = 5
  readonly cache: MemoryCache

  constructor(spec: Partial<MemoryCacheSpec> = {}) {
    this.cache = new MemoryCache({ ...SPEC, ...spec }, () => this.nowMs)
  }

  /** A request that the back end answers with `each`; the body is all there unless it is a source. */
  store(each: Ask & Answer): FakeClient {
    const client = clientOf(each)
    const { response } = client.ex
    const { headers = [], body = 'body', status = 200 } = each
    response.status = status
    for (const [name, value] of headers) response.headers.add(name, value)
    if (body instanceof FakeResponseBody) response.source = body
    else if (body !== '') response.source = new FakeResponseBody(body)
    this.cache.keep(client.ex, [...response.headers.flat])
    client.send(client.ex)
    return client
  }

  /** What the cache answers, or null. */
  ask(each: Ask = {}): FakeClient | null {
    const client = clientOf(each)
    if (!this.cache.answers(client.ex)) return null
    client.send(client.ex)
    return client
  }
}

interface Ask {
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly query?: string
  readonly request?: Fields
  readonly upload?: string | FakeBody
}

interface Answer {
  readonly status?: number
  readonly headers?: Fields
  readonly body?: string | FakeResponseBody
}

function clientOf({ method, host, path, query, request, upload }: Ask): FakeClient {
  const client = new FakeClient({
    method: method ?? 'GET',
    path: path ?? '/',
    query: query ?? '',
    headers: request ?? [],
    ...(upload === undefined ? {} : { body: upload }),
  })
  if (host !== undefined) client.ex.request.host = host
  return client
}

it('gives again what it has kept, with its age', () => {
  const lab = new Lab()
  const headers = [
    ['content-type', 'text/plain'],
    ['content-length', '4'],
    ['x-a', '1'],
    ['x-a', '2'],
    ['age', '7'],
  ] as const
  expect(lab.store({ status: 404, headers }).text).toBe('body')
  lab.nowMs += 2_999
  const client = lab.ask()
  expect([client?.status, client?.text]).toEqual([404, 'body'])
  const kept = ['content-type', 'text/plain', 'x-a', '1', 'x-a', '2', 'age', '9']
  expect(client?.headers).toEqual(kept)
  expect(lab.ask()?.headers).toEqual(kept)
})

it('an answer without a body keeps its length', () => {
  const lab = new Lab()
  lab.store({ method: 'HEAD', headers: [['content-length', '5000']], body: '' })
  expect(lab.ask({ method: 'HEAD' })?.headers).toEqual(['content-length', '5000', 'age', '0'])
})

it('keeps it just as long as it was told', () => {
  const lab = new Lab()
  lab.store({})
  lab.nowMs += 9_999
  expect(lab.ask()).not.toBeNull()
  lab.nowMs += 1
  expect(lab.ask()).toBeNull()
  expect([lab.cache.entryCount, lab.cache.bytes]).toEqual([0, 0])
})

it.each<[name: string, first: Ask, second: Ask, isSame: boolean]>([
  ['method', {}, { method: 'HEAD' }, false],
  ['host', {}, { host: 'other.test' }, false],
  ['host in another case', {}, { host: 'GATEWAY.test' }, true],
  ['path', { path: '/a' }, { path: '/A' }, false],
  ['path, coded otherwise', { path: '/a%2Fb' }, { path: '/a/b' }, false],
  ['query', { query: 'a=1' }, { query: 'a=2' }, false],
  ['query and path', { path: '/a', query: 'b' }, { path: '/a%3Fb' }, false],
  ['same query', { query: 'a=1' }, { query: 'a=1' }, true],
  ['other headers', {}, { request: [['x-a', 'b']] }, true],
  ['codings', { request: [['accept-encoding', 'gzip']] }, {}, true],
])('answers are told apart by %s', (_name, first, second, isSame) => {
  const lab = new Lab()
  lab.store(first)
  expect(lab.ask(second) !== null).toBe(isSame)
})

it.each<[name: string, headers: Fields]>([
  ['coded', [['content-encoding', 'gzip']]],
  ['dependent on codings', [['vary', 'Accept-Encoding']]],
])('an answer that is %s is for those who ask in the same words', (_name, headers) => {
  const lab = new Lab()
  const request = [['accept-encoding', 'gzip, br']] as const
  lab.store({ request, headers })
  expect([lab.ask({ request }) !== null, lab.ask()]).toEqual([true, null])
  expect(lab.ask({ request: [['accept-encoding', 'br']] })).toBeNull()
})

it.each<[name: string, each: Ask & Answer]>([
  ['a status that is not listed', { status: 500 }],
  ['a method that is not listed', { method: 'POST' }],
  ['an answer to a body', { upload: 'body' }],
  ['an answer to a body that streams', { upload: new FakeBody() }],
  ['no-store of the request', { request: [['cache-control', 'no-store']] }],
  ['no-cache of the request', { request: [['cache-control', 'max-age=0, No-Cache']] }],
  ['no-store', { headers: [['cache-control', 'no-store']] }],
  ['no-cache', { headers: [['cache-control', 'no-cache="x"']] }],
  ['must-revalidate', { headers: [['cache-control', 'max-age=9, must-revalidate']] }],
  ['private', { headers: [['cache-control', 'Private']] }],
  [
    'the second of two fields',
    {
      headers: [
        ['cache-control', 'public'],
        ['cache-control', 'no-store'],
      ],
    },
  ],
  ['a cookie', { headers: [['set-cookie', 'a=b']] }],
  ['what depends on other fields', { headers: [['vary', 'Accept-Encoding, Cookie']] }],
  ['what depends on anything', { headers: [['vary', '*']] }],
  ['what was for somebody', { request: [['authorization', 'Basic x']] }],
  ['a part', { status: 206 }],
  ['an answer to a range', { request: [['range', 'bytes=0-1']] }],
  ['not modified', { status: 304, body: '' }],
  ['a body that is too large', { body: 'x'.repeat(1001) }],
  ['a body that turns out too large', { body: new FakeResponseBody('x'.repeat(1001), -1) }],
])('does not keep %s', (_name, each) => {
  const lab = new Lab()
  const client = lab.store(each)
  expect(client.ending).toBe('complete')
  expect([lab.cache.entryCount, lab.cache.bytes]).toEqual([0, 0])
})

it('keeps a body of just the largest size, known or not', () => {
  for (const length of [1000, -1]) {
    const lab = new Lab()
    lab.store({ body: new FakeResponseBody('x'.repeat(1000), length) })
    expect(lab.ask()?.bodyBytes).toBe(1000)
  }
})

it('max-age and public change nothing, as in Easegress', () => {
  const lab = new Lab()
  lab.store({ headers: [['cache-control', 'public, max-age=1']] })
  lab.nowMs += 9_000
  expect(lab.ask()).not.toBeNull()
})

it.each([
  ['no-cache', [['cache-control', 'no-cache']]],
  ['another method', []],
] as const)('does not answer a request: %s', (name, request) => {
  const lab = new Lab()
  lab.store({})
  expect(lab.ask({ request, method: name === 'another method' ? 'POST' : 'GET' })).toBeNull()
  expect(lab.ask({ upload: 'body' })).toBeNull()
})

it('a body is kept when it has all gone by, and only then', () => {
  for (const ending of ['end', 'fail', 'abort'] as const) {
    const lab = new Lab()
    const body = new FakeResponseBody(null)
    const client = lab.store({ body })
    for (const piece of ['one', 'two', 'three']) body.push(piece)
    expect(lab.ask()).toBeNull()
    if (ending === 'end') body.end()
    else if (ending === 'fail') body.fail('cut')
    else client.abort()
    expect(client.text).toBe('onetwothree')
    expect(lab.ask()?.text).toBe(ending === 'end' ? 'onetwothree' : undefined)
    expect(lab.cache.bytes === 0).toBe(ending !== 'end')
  }
})

it('the pace of the client reaches the back end', () => {
  const lab = new Lab()
  const body = new FakeResponseBody(null)
  const client = new FakeClient()
  client.chunksAtOnce = 1
  client.ex.response.source = body
  lab.cache.keep(client.ex, [])
  client.send(client.ex)
  body.push('one')
  expect(body.isPaused).toBe(true)
  client.resume()
  expect(body.isPaused).toBe(false)
  client.abort()
  expect(body.cancels).toBe(1)
})

it('stays within its bound; the oldest go', () => {
  const lab = new Lab()
  for (let i = 0; i < 50; i++) {
    lab.store({ path: `/${i}`, body: 'x'.repeat(1 + ((i * 37) % 900)) })
    expect(lab.cache.bytes).toBeLessThanOrEqual(10_000)
  }
  const kept = Array.from({ length: 50 }, (_, i) => lab.ask({ path: `/${i}` }) !== null)
  const first = kept.indexOf(true)
  expect(first).toBeGreaterThan(0)
  expect(kept.slice(first).every((each) => each)).toBe(true)
  expect(kept.filter((each) => each).length).toBe(lab.cache.entryCount)
})

it('bodies on their way have a bound too; those beyond go by', () => {
  const lab = new Lab({ maxBytes: 2048 })
  const bodies = Array.from({ length: 3 }, () => new FakeResponseBody(null))
  const clients = bodies.map((body, i) => lab.store({ path: `/${i}`, body }))
  for (const body of bodies) body.push('x'.repeat(900))
  expect(lab.cache.bytes).toBeLessThanOrEqual(2048)
  for (const body of bodies) body.end()
  expect(clients.map(({ bodyBytes }) => bodyBytes)).toEqual([900, 900, 900])
  expect(lab.ask({ path: '/2' })).toBeNull()
})

it('a newer answer takes the place of an older', () => {
  const lab = new Lab()
  lab.store({ body: 'old' })
  const { bytes } = lab.cache
  lab.nowMs += 6_000
  lab.store({ body: 'new' })
  lab.nowMs += 6_000
  expect([lab.ask()?.text, lab.cache.entryCount, lab.cache.bytes]).toEqual(['new', 1, bytes])
})

// -- in a Proxy ----------------------------------------------------------------------------------

const CACHE = 'memoryCache: {expiration: 1m, maxEntryBytes: 100000, codes: [200], methods: [GET]}'
const over =
  (more = '', cache = CACHE) =>
  (ports: readonly number[]): string =>
    `
filters:
- name: proxy
  kind: Proxy
  mainPool:
    servers: [${ports.map((port) => `{url: "http://127.0.0.1:${port}"}`).join(', ')}]
    ${cache}
${more.replace(/^/gm, '  ')}
- {name: after, kind: ResponseAdaptor, header: {add: {X-After: "1"}}}
`

/** Answers with a number that grows, and the target. */
function counting(body = ''): Serve {
  let count = 0
  return (request, response) => {
    count += 1
    response.setHeader('x-count', count)
    response.end(`${count} ${request.url} ${body}`)
  }
}

const counts = async (harness: Harness, queries: string[]): Promise<string[]> => {
  const texts: string[] = []
  for (const query of queries) texts.push((await harness.ask({ query })).text.trim())
  return texts
}

it('the back end is asked once for each query until the time is over', () =>
  withServers(1, counting(), over(), async (harness) => {
    expect(await counts(harness, ['a', 'b', 'a', 'b'])).toEqual([
      '1 /?a',
      '2 /?b',
      '1 /?a',
      '2 /?b',
    ])
    expect(harness.statuses('proxy/mainPool')).toEqual([200, 200])
    const hit = await harness.ask({ query: 'a' })
    expect(hit.headers.slice(-4)).toEqual(['age', '0', 'x-after', '1'])
    harness.pass(60_000)
    expect(await counts(harness, ['a'])).toEqual(['3 /?a'])
  }))

it('goes on in the next generation when nothing of it changed', () => {
  let ports: readonly number[] = []
  return withServers(
    1,
    counting(),
    (all) => {
      ports = all
      return over()(all)
    },
    async (harness) => {
      await harness.ask()
      await harness.use(over('compression: {minLength: 99999}')(ports))
      expect((await harness.ask()).text).toBe('1 / ')
      await harness.use(over('', CACHE.replace('1m', '2m'))(ports))
      expect((await harness.ask()).text).toBe('2 / ')
      await harness.use(over('', '')(ports))
      expect((await harness.ask()).text).toBe('3 / ')
    },
  )
})

it.each<[name: string, body: string]>([
  ['small', ''],
  ['large', 'large '.repeat(10_000)],
])('a %s body is kept as it came, and compressed for whoever likes it', (_name, body) =>
  withServers(1, counting(body), over('compression: {minLength: 0}'), async (harness) => {
    const gzip = { headers: [['accept-encoding', 'gzip']] } as const
    const identity = { headers: [['accept-encoding', 'identity']] } as const
    for (const request of [gzip, identity, gzip]) {
      const client = await harness.ask(request)
      const bytes = Buffer.concat(client.chunks)
      const isCoded = client.header('content-encoding') === 'gzip'
      expect(isCoded).toBe(request === gzip)
      expect((isCoded ? gunzipSync(bytes) : bytes).toString()).toBe(`1 / ${body}`)
      expect(client.header('vary')).toBe('Accept-Encoding')
    }
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }),
)

it('a fallback is not kept', () =>
  withScripted(
    async (harness, backend) => {
      for (const _ of [1, 2]) {
        const client = harness.start()
        const peer = await backend.peer(0)
        await peer.head()
        peer.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno')
        await until('the answer', () => client.ending !== 'open')
        expect([client.status, client.text]).toEqual([203, 'instead'])
      }
      expect(harness.statuses('proxy/mainPool')).toEqual([200, 200])
    },
    (port) =>
      over('failureCodes: [200]\nfallback: {forCodes: true, mockCode: 203, mockBody: instead}')([
        port,
      ]),
  ))

const main = (cache: string): string =>
  `mainPool: {servers: [{url: "http://a"}], memoryCache: {${cache}}}`

it.each<[fields: string, problem: string]>([
  ['maxEntryBytes: 1, codes: [200], methods: [GET]', 'memoryCache/expiration: is required'],
  [
    'expiration: 0s, maxEntryBytes: 1, codes: [200], methods: [GET]',
    'memoryCache/expiration: expected',
  ],
  ['expiration: 1s, codes: [200], methods: [GET]', 'memoryCache/maxEntryBytes: is required'],
  [
    'expiration: 1s, maxEntryBytes: 0, codes: [200], methods: [GET]',
    'maxEntryBytes: expected a whole number in 1..4294967295',
  ],
  ['expiration: 1s, maxEntryBytes: 1, methods: [GET]', 'memoryCache/codes: is required'],
  ['expiration: 1s, maxEntryBytes: 1, codes: [], methods: [GET]', 'memoryCache/codes: expected'],
  ['expiration: 1s, maxEntryBytes: 1, codes: [99], methods: [GET]', 'codes/0: expected a status'],
  ['expiration: 1s, maxEntryBytes: 1, codes: [200, 200], methods: [GET]', 'memoryCache/codes'],
  ['expiration: 1s, maxEntryBytes: 1, codes: [200]', 'memoryCache/methods: is required'],
  ['expiration: 1s, maxEntryBytes: 1, codes: [200], methods: []', 'memoryCache/methods: expected'],
  ['expiration: 1s, maxEntryBytes: 1, codes: [200], methods: [get]', 'memoryCache/methods/0: '],
  [
    'expiration: 1s, maxEntryBytes: 1, codes: [200], methods: [GET], maxBytes: 1023',
    'memoryCache/maxBytes: expected',
  ],
])('a spec is refused: %s', (cache, problem) => {
  expect(problemsOf('Proxy', main(cache))).toContain(problem)
})
