import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { FakeBody, FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { ScriptedServer, turns, until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { withServers } from './backends.fixture.js'
import { proxy, type Spec } from './kind.js'
import { Mirror } from './mirror.js'
import { Pool } from './pool.js'

const MIRRORED: FakeRequest = { headers: [['x-mirror', 'yes']] }

const over = ([main, mirror]: readonly number[], more = ''): string => `
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${main}/m"}]${more}}
  mirrorPool:
    servers: [{url: "http://127.0.0.1:${mirror}/copy"}]
    filter: {headers: {X-Mirror: {exact: "yes"}}}
`

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A main back end that echoes, and a mirror that writes down what it gets and says 500. */
function withEcho(test: (harness: Harness, seen: Seen[]) => Promise<void>): Promise<void> {
  const seen: Seen[] = []
  return withServers(
    2,
    (request, response, server) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString('latin1')
        const { method = '', url = '', headers } = request
        if (server === 0) response.end(`${method} ${url} ${body}`)
        else {
          seen.push({ method, url, headers, body })
          response.writeHead(500).end('not what the client gets')
        }
      })
    },
    over,
    (harness) => test(harness, seen),
  )
}

const copied = (harness: Harness, count = 1): Promise<void> =>
  until('the end of the copies', () => harness.statuses('proxy/mirrorPool').length === count)

it('a request that matches goes to both; only the main answer comes back', () =>
  withEcho(async (harness, seen) => {
    const request: FakeRequest = { method: 'DELETE', path: '/a%2Fb', query: 'q=1', ...MIRRORED }
    const client = await harness.ask(request)
    expect([client.status, client.text]).toEqual([200, 'DELETE /m/a%2Fb?q=1 '])
    await copied(harness)
    expect(seen).toMatchObject([{ method: 'DELETE', url: '/copy/a%2Fb?q=1', body: '' }])
    expect(seen[0]?.headers['x-mirror']).toBe('yes')
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
    expect(harness.statuses('proxy/mirrorPool')).toEqual([500])
  }))

it('one that does not match has no copy', () =>
  withEcho(async (harness, seen) => {
    await harness.ask({ headers: [['x-mirror', 'no']] })
    await harness.ask()
    await turns()
    expect(seen).toEqual([])
    expect(harness.statuses('proxy/mirrorPool')).toEqual([])
  }))

it('a body that is whole is in both', () =>
  withEcho(async (harness, seen) => {
    const client = await harness.ask({ method: 'POST', body: 'whole', ...MIRRORED })
    expect(client.text).toBe('POST /m/ whole')
    await copied(harness)
    expect(seen).toMatchObject([{ method: 'POST', body: 'whole' }])
  }))

it.each([-1, 12])('a body of length %s streams to both', (length) =>
  withEcho(async (harness, seen) => {
    const body = new FakeBody(length)
    const client = harness.start({ method: 'POST', body, ...MIRRORED })
    for (const piece of ['one ', 'two ', 'four']) {
      body.push(piece)
      await turns(3)
    }
    body.end()
    await until('the answer', () => client.ending === 'complete')
    expect(client.text).toBe('POST /m/ one two four')
    await copied(harness)
    expect(seen[0]?.body).toBe('one two four')
    expect(harness.stats.get('proxy/mirrorPool')).toMatchObject([{ bytesIn: 12 }])
  }),
)

/** Both back ends byte by byte. */
async function withBoth(
  test: (harness: Harness, main: ScriptedServer, mirror: ScriptedServer) => Promise<void>,
  more = '',
): Promise<void> {
  const main = await ScriptedServer.listen()
  const mirror = await ScriptedServer.listen()
  try {
    await withPipeline(over([main.port, mirror.port], more), (harness) =>
      test(harness, main, mirror),
    )
  } finally {
    await main.close()
    await mirror.close()
  }
}

const EMPTY_200 = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'

it('a mirror that never answers holds up nobody, and is given up in the end', () =>
  withBoth(async (harness, main, mirror) => {
    const client = harness.start(MIRRORED)
    const peer = await main.peer(0)
    await peer.head()
    peer.send(EMPTY_200)
    await until('the answer', () => client.ending === 'complete')
    const copy = await mirror.peer(0)
    await copy.head()
    expect(harness.statuses('proxy/mirrorPool')).toEqual([])
    harness.pass(61_000) // responseTimeout
    await copy.gone()
    expect(harness.statuses('proxy/mirrorPool')).toEqual([503])
  }))

it('a mirror that cannot be reached is counted, and nothing else', async () => {
  const main = await ScriptedServer.listen()
  const gone = await ScriptedServer.listen()
  const { port } = gone
  await gone.close()
  try {
    await withPipeline(over([main.port, port]), async (harness) => {
      const client = harness.start({ method: 'POST', body: 'x', ...MIRRORED })
      const peer = await main.peer(0)
      await peer.expects('x')
      peer.send(EMPTY_200)
      await until('the answer', () => client.ending === 'complete')
      await copied(harness)
      expect([client.status, harness.statuses('proxy/mirrorPool')]).toEqual([200, [503]])
    })
  } finally {
    await main.close()
  }
})

it('a mirror that takes nothing is given up once it lags too far; the request goes on', () =>
  withBoth(async (harness, main, mirror) => {
    const chunk = Buffer.alloc(65_536, 'x')
    const total = 400
    const body = new FakeBody(total * chunk.byteLength)
    const client = harness.start({ method: 'POST', body, ...MIRRORED })
    const copy = await mirror.peer(0)
    copy.socket.pause()
    const peer = await main.peer(0)
    for (let sent = 0; sent < total; sent++) {
      await until('room', () => !body.isPaused)
      body.push(chunk)
      peer.received = ''
      peer.reads.length = 0
      await turns(1)
    }
    body.end()
    await turns()
    peer.send(EMPTY_200)
    await until('the answer', () => client.ending === 'complete')
    expect(client.status).toBe(200)
    expect(harness.statuses('proxy/mirrorPool')).toEqual([503])
    expect(harness.stats.get('proxy/mainPool')).toMatchObject([
      { status: 200, bytesIn: total * chunk.byteLength },
    ])
    copy.socket.resume()
  }))

it('a client that goes in the middle of a body ends its copy', () =>
  withBoth(async (harness, main, mirror) => {
    const body = new FakeBody(10)
    const client = harness.start({ method: 'POST', body, ...MIRRORED })
    body.push('half')
    const copy = await mirror.peer(0)
    await copy.expects('half')
    const peer = await main.peer(0)
    await peer.expects('half')
    client.abort()
    await copy.gone()
    await peer.gone()
    expect(harness.statuses('proxy/mirrorPool')).toEqual([499])
  }))

it('a client that goes after its request does not: the copy is a request of its own', () =>
  withBoth(async (harness, main, mirror) => {
    const client = harness.start(MIRRORED)
    const copy = await mirror.peer(0)
    await copy.head()
    await (await main.peer(0)).head()
    client.abort()
    copy.send(EMPTY_200)
    await copied(harness)
    expect(harness.statuses('proxy/mirrorPool')).toEqual([200])
  }))

it('a main answer before the end of the body gives the copy up', () =>
  withBoth(async (harness, main, mirror) => {
    const body = new FakeBody(10)
    const client = harness.start({ method: 'POST', body, ...MIRRORED })
    body.push('half')
    const peer = await main.peer(0)
    await peer.expects('half')
    const copy = await mirror.peer(0)
    await copy.expects('half')
    peer.send('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    await until('the answer', () => client.ending === 'complete')
    await copy.gone()
    expect([client.status, harness.statuses('proxy/mirrorPool')]).toEqual([413, [499]])
  }))

it.each<[what: string, send: (text: (piece: string) => void) => void, status: number]>([
  ['a whole short answer', (send) => send('HTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\nno'), 404],
  [
    'a chunked answer',
    (send) => send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'),
    200,
  ],
])('after %s the connection is used again', (_what, send, status) =>
  withBoth(async (harness, main, mirror) => {
    const peer = async (): Promise<void> => {
      const last = await main.peer(0)
      await last.head()
      last.send(EMPTY_200)
    }
    for (let round = 1; round <= 3; round++) {
      const client = harness.start(MIRRORED)
      const copy = await mirror.peer(0)
      await copy.head()
      send((text) => copy.send(text))
      await copied(harness, round)
      await peer()
      await until('the answer', () => client.ending === 'complete')
    }
    expect(mirror.peers.length).toBe(1)
    expect(harness.statuses('proxy/mirrorPool')).toEqual([status, status, status])
  }),
)

it.each<[what: string, answer: string]>([
  ['one that is announced as huge', 'HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n'],
  [
    'one that turns out huge',
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${`4000\r\n${'x'.repeat(16_384)}\r\n`.repeat(20)}`,
  ],
])('an answer of the mirror is not read for ever: %s', (_what, answer) =>
  withBoth(async (harness, main, mirror) => {
    const client = harness.start(MIRRORED)
    const copy = await mirror.peer(0)
    await copy.head()
    copy.send(answer)
    await copied(harness)
    await copy.gone()
    const peer = await main.peer(0)
    await peer.head()
    peer.send(EMPTY_200)
    await until('the answer', () => client.ending === 'complete')
    expect(harness.statuses('proxy/mirrorPool')).toEqual([200])
  }),
)

it('nor one that drips', () =>
  withBoth(async (harness, main, mirror) => {
    const client = harness.start(MIRRORED)
    const peer = await main.peer(0)
    await peer.head()
    peer.send(EMPTY_200)
    await until('the answer', () => client.ending === 'complete')
    const copy = await mirror.peer(0)
    await copy.head()
    copy.send('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
    for (let i = 0; i < 6; i++) {
      copy.send('.')
      await turns()
      harness.pass(2_000)
    }
    await copy.gone()
    expect(harness.statuses('proxy/mirrorPool')).toEqual([200])
  }))

it('an answer from the cache has a copy all the same', () =>
  withBoth(async (harness, main, mirror) => {
    for (let round = 1; round <= 2; round++) {
      const client = harness.start(MIRRORED)
      const copy = await mirror.peer(0)
      await copy.head()
      copy.send(EMPTY_200)
      if (round === 1) {
        const peer = await main.peer(0)
        await peer.head()
        peer.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      }
      await until('the answer', () => client.ending === 'complete')
      expect(client.text).toBe('ok')
      await copied(harness, round)
    }
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }, ', memoryCache: {expiration: 1m, maxEntryBytes: 100, codes: [200], methods: [GET]}'))

it('with too many copies under way a request has none, which is counted', () =>
  withBoth(async (harness, _main, mirror) => {
    const spec = { servers: [{ url: `http://127.0.0.1:${mirror.port}`, tags: [], weight: 0 }] }
    const pool = new Pool(
      'mirrorPool',
      {
        ...spec,
        spanName: '',
        serversTags: [],
        loadBalance: { policy: 'roundRobin', headerHashKey: '' },
        responseTimeout: 1_000,
      },
      harness.contextOf('proxy'),
    )
    const copies = new Mirror(pool, 2)
    for (let i = 0; i < 3; i++) copies.copy(new FakeClient().ex)
    expect([copies.copies, harness.statuses('proxy/mirrorPool')]).toEqual([2, [503]])
    for (let i = 0; i < 2; i++) {
      const peer = await mirror.peer(i)
      await peer.head()
      peer.send(EMPTY_200)
    }
    await until('the copies to end', () => copies.copies === 0)
    expect(harness.statuses('proxy/mirrorPool')).toEqual([503, 200, 200])
    pool.close()
  }))

it('has its statistics in the status', () => {
  const server = { servers: [{ url: 'http://a' }] }
  const spec = { mainPool: server, candidatePools: [], mirrorPool: server } as unknown as Spec
  expect(proxy.status?.(spec, (key) => key)).toEqual({
    mainPool: { stat: 'mainPool' },
    mirrorPool: { stat: 'mirrorPool' },
  })
})

const mirrorPool = (fields: string): string =>
  `mainPool: {servers: [{url: "http://a"}]}\nmirrorPool: {${fields}}`
const FILTER = 'filter: {headers: {a: {exact: b}}}'

it.each<[fields: string, problem: string]>([
  [
    'servers: [{url: "http://b"}]',
    'line 7, column 15: filters/0/mirrorPool/filter: is required: expected either headers or probability',
  ],
  ['servers: [{url: "http://b"}], filter: {}', 'mirrorPool/filter: expected either headers or'],
  [FILTER, 'mirrorPool/servers: expected at least one server'],
  [`servers: [], ${FILTER}`, 'mirrorPool/servers: expected at least one server'],
  [`servers: [{url: b}], ${FILTER}`, 'mirrorPool/servers/0/url: expected a URL'],
  [
    `servers: [{url: "http://b"}], ${FILTER}, memoryCache: {expiration: 1s, maxEntryBytes: 1, codes: [200], methods: [GET]}`,
    'mirrorPool/memoryCache: answers to copies are dropped, none can be kept',
  ],
  [`servers: [{url: "http://b"}], ${FILTER}, mirror: 1`, 'mirrorPool/mirror: there is no such'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Proxy', mirrorPool(fields))).toContain(problem)
})

it('no list is a mirror', () => {
  expect(problemsOf('Proxy', 'mainPool: {servers: [{url: "http://a"}]}\nmirrorPool: []')).toContain(
    'mirrorPool: expected a mapping',
  )
})
