import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { FakeClient, type FakeRequest, FakeResponseBody } from '../../http/fake-client.fixture.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { UnaskedCoding } from '../unasked-coding.js'
import { proxyOver, proxyV2Over, type Serve, withServers } from './backends.fixture.js'

const TEXT = 'text that nobody wanted to be packed. '.repeat(100)

/** Whatever it is asked, the answer is in gzip. */
const packing: Serve = (request, response) => {
  const body = gzipSync(TEXT)
  response.writeHead(200, {
    'content-encoding': 'gzip',
    'content-length': body.byteLength,
    etag: '"strong"',
  })
  response.end(request.method === 'HEAD' ? '' : body)
}

it.each(['v1', 'v2'] as const)(
  'a client that says nothing of codings gets what is in the gzip: %s',
  (dialect) =>
    withServers(
      1,
      packing,
      (ports) => (dialect === 'v1' ? proxyOver(ports) : proxyV2Over(ports)),
      async (harness) => {
        const client = await harness.ask()
        expect([client.status, client.ending, client.text]).toEqual([200, 'complete', TEXT])
        const { headers } = client
        expect(headers).not.toContain('content-encoding')
        expect(headers).not.toContain('content-length')
        expect(client.header('etag')).toBe('W/"strong"')
      },
      dialect,
    ),
)

it.each<[name: string, request: FakeRequest]>([
  ['gzip', { headers: [['accept-encoding', 'gzip']] }],
  ['another coding', { headers: [['accept-encoding', 'br']] }],
  ['no coding at all', { headers: [['accept-encoding', 'identity']] }],
  ['a part', { headers: [['range', 'bytes=0-9']] }],
])('what comes is handed on to a client that asks for %s', (_name, request) =>
  withServers(1, packing, proxyOver, async (harness) => {
    const client = await harness.ask(request)
    expect(client.header('content-encoding')).toBe('gzip')
    expect(Buffer.concat(client.chunks)).toEqual(gzipSync(TEXT))
    expect(client.header('etag')).toBe('"strong"')
  }),
)

it('the answer to HEAD tells of the answer to GET as the back end has it', () =>
  withServers(1, packing, proxyOver, async (harness) => {
    const client = await harness.ask({ method: 'HEAD' })
    expect([client.header('content-encoding'), client.text]).toEqual(['gzip', ''])
  }))

it('with compression it stays packed, as it would be packed again', () =>
  withServers(
    1,
    packing,
    (ports) => proxyV2Over(ports, { proxy: 'compression: {minLength: 1}' }),
    async (harness) => {
      const client = await harness.ask()
      expect(client.header('content-encoding')).toBe('gzip')
      expect(Buffer.concat(client.chunks)).toEqual(gzipSync(TEXT))
    },
    'v2',
  ))

it('the cache keeps it packed, and each client gets it as it likes', async () => {
  let asked = 0
  await withServers(
    1,
    (request, response, server) => {
      asked += 1
      packing(request, response, server)
    },
    (ports) =>
      proxyV2Over(ports, {
        pool: 'memoryCache: {expiration: 1m, maxEntryBytes: 4096, codes: [200], methods: [GET]}',
      }),
    async (harness) => {
      for (const _again of [1, 2]) expect((await harness.ask()).text).toBe(TEXT)
      const packed = await harness.ask({ headers: [['accept-encoding', 'gzip']] })
      expect(packed.header('content-encoding')).toBe('gzip')
      expect(asked).toBe(2)
    },
    'v2',
  )
})

it('a client whose request is redirected gets it unpacked too', () =>
  withServers(
    1,
    (request, response, server) => {
      if (request.url === '/end') packing(request, response, server)
      else response.writeHead(302, { location: '/end' }).end()
    },
    (ports) => proxyV2Over(ports, { proxy: 'maxRedirection: 1' }),
    async (harness) => expect((await harness.ask()).text).toBe(TEXT),
    'v2',
  ))

// -- back ends that lie --------------------------------------------------------------------------

const whole = gzipSync(TEXT)

it.each<[name: string, body: Buffer, ending: string]>([
  ['is no gzip', Buffer.from('plain all the same'), 'broken'],
  ['ends too early', whole.subarray(0, whole.byteLength - 12), 'broken'],
  [
    'is damaged',
    Buffer.concat([whole.subarray(0, 40), Buffer.alloc(20), whole.subarray(60)]),
    'broken',
  ],
  ['has a wrong checksum', Buffer.concat([whole.subarray(0, -8), Buffer.alloc(8)]), 'broken'],
  [
    'has two members',
    Buffer.concat([gzipSync(TEXT.slice(0, 9)), gzipSync(TEXT.slice(9))]),
    'complete',
  ],
])('a body that says gzip and %s', (_name, body, ending) =>
  withServers(
    1,
    (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'GZIP', 'content-length': body.byteLength })
      response.end(body)
    },
    proxyOver,
    async (harness) => {
      const client = await harness.ask()
      expect(client.ending).toBe(ending)
      if (ending === 'complete') expect(client.text).toBe(TEXT)
      expect(harness.upstream.stats.busy).toBe(0)
    },
  ),
)

it.each<[limit: number, ending: string]>([
  [TEXT.length, 'complete'],
  [TEXT.length - 1, 'broken'],
])('serverMaxBodySize counts what comes out: %d', (limit, ending) =>
  withServers(
    1,
    packing,
    (ports) => proxyV2Over(ports, { proxy: `serverMaxBodySize: ${limit}` }),
    async (harness) => {
      const client = await harness.ask()
      expect([client.status, client.ending]).toEqual([200, ending])
      expect(client.bodyBytes).toBeLessThanOrEqual(limit)
    },
    'v2',
  ),
)

it('a bomb costs no more than may go through', () =>
  withServers(
    1,
    (_request, response) => {
      const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bomb.byteLength })
      response.end(bomb)
    },
    (ports) => proxyV2Over(ports),
    async (harness) => {
      const client = await harness.ask()
      expect(client.ending).toBe('broken')
      expect(client.bodyBytes).toBeLessThanOrEqual(4 * 1024 * 1024)
    },
    'v2',
  ))

// -- by itself -----------------------------------------------------------------------------------

/** An exchange with an answer in gzip to a request that said nothing. */
function packed(fields: readonly (readonly [string, string])[] = []): FakeClient {
  const client = new FakeClient()
  const { response } = client.ex
  response.headers.add('content-encoding', 'gzip')
  for (const [name, value] of fields) response.headers.add(name, value)
  response.source = new FakeResponseBody('not looked at', 13)
  return client
}

it.each<[name: string, field: readonly [string, string]]>([
  ['no-transform', ['cache-control', 'max-age=1, no-transform']],
  ['a second coding', ['content-encoding', 'gzip']],
])('leaves alone what is under %s', (_name, field) => {
  const client = packed([field])
  new UnaskedCoding().apply(client.ex, -1)
  expect(client.ex.response.headers.get('content-encoding')).toBe('gzip')
})

it('what ends in any way makes room for another', async () => {
  const coding = new UnaskedCoding()
  const ends: readonly ((client: FakeClient) => void)[] = [
    (client) => client.send(client.ex),
    (client) => client.ex.response.discard(),
    (client) => {
      client.send(client.ex)
      client.abort()
    },
  ]
  for (const end of ends) {
    const client = packed()
    coding.apply(client.ex, -1)
    expect(coding.streams).toBe(1)
    end(client)
    await until('its memory is given back', () => coding.streams === 0)
  }
})

it('hands on as it is what there is no room for', () => {
  const coding = new UnaskedCoding()
  const clients = Array.from({ length: 513 }, () => packed())
  for (const { ex } of clients) coding.apply(ex, -1)
  const left = clients.filter(({ ex }) => ex.response.headers.has('content-encoding'))
  expect([left.length, coding.streams]).toEqual([1, 512])
  for (const { ex } of clients) ex.response.discard()
  expect(coding.streams).toBe(0)
})

it.each(['data', 'end'])(
  'who takes what comes out, and throws at its %s, costs the request alone',
  (step) =>
    withServers(1, packing, proxyOver, async (harness) => {
      const client = harness.start({}, (made) => {
        Object.assign(made, {
          [step]: () => {
            throw new Error('boom')
          },
        })
      })
      await until('the end', () => client.ending !== 'open')
      expect([client.status, client.ending]).toEqual([200, 'cut'])
      expect(harness.log.records.splice(0)).toMatchObject([{ fields: { filter: 'proxy' } }])
    }),
)
