import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { TimerWheel } from '../lib/timer-wheel.js'
import { HttpUpstreamClient } from './client.js'
import type {
  ServerOptions,
  UpstreamCall,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamServer,
} from './contract.js'
import { CROWD_MIN, PATIENCE_MS, type Pressure } from './crowd-limit.js'
import { type SystemLookup, SystemResolver } from './resolver.js'
import { type Peer, ScriptedServer, TEST_CERT, turns, until } from './scripted-server.fixture.js'

/** Writes down what it is told, and does what the test put into `during`. */
class Recorder implements UpstreamHandler {
  readonly events: string[] = []
  status = 0
  headers: string[] = []
  bodyLength = Number.NaN
  body = ''
  bodyBytes = 0
  kind: UpstreamErrorKind | null = null
  message = ''
  isOver = false
  /** Bodies that are only counted. */
  isCounting = false
  during: { head?: () => void; body?: () => void; end?: () => void } = {}

  onHead(status: number, headers: readonly string[], bodyLength: number): void {
    this.events.push('head')
    this.status = status
    this.headers = [...headers]
    this.bodyLength = bodyLength
    this.during.head?.()
  }

  onBody(chunk: Uint8Array): void {
    if (this.events.at(-1) !== 'body') this.events.push('body')
    this.bodyBytes += chunk.byteLength
    if (!this.isCounting) this.body += Buffer.from(chunk).toString('latin1')
    this.during.body?.()
  }

  onEnd(): void {
    this.#end('end')
    this.during.end?.()
  }

  onError(kind: UpstreamErrorKind, message: string): void {
    this.#end('error')
    this.kind = kind
    this.message = message
  }

  onDrain(): void {
    this.events.push('drain')
  }

  onBatchEnd(): void {
    this.events.push('batch')
  }

  async over(): Promise<this> {
    await until(`an end after ${this.events}`, () => this.isOver)
    return this
  }

  #end(event: string): void {
    if (this.isOver) this.events.push('AFTER THE END')
    this.events.push(event)
    this.isOver = true
  }
}

interface Rig {
  time: VirtualTime
  client: HttpUpstreamClient
  /** The scripted back end and its pool. */
  backend: ScriptedServer
  server: UpstreamServer
  send(over?: Partial<UpstreamRequest>, recorder?: Recorder): { call: UpstreamCall; got: Recorder }
  /** A request that is answered, so that one more connection is idle. */
  warm(): Promise<Peer>
  /** Lets `ms` pass for the client. */
  pass(ms: number): void
}

interface RigOptions extends Partial<ServerOptions> {
  host?: string
  lookup?: SystemLookup
  isTls?: boolean
  idleMax?: number
  pressure?: Pressure
}

function request(over: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return { method: 'GET', target: '/', host: '', headers: [], bodyLength: 0, body: null, ...over }
}

const TLS = { verify: true, ca: TEST_CERT, cert: '', key: '', serverName: '' }
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** Runs `test` against a client and a back end of its own, and sees that nothing leaks. */
async function withRig(options: RigOptions, test: (rig: Rig) => Promise<void>): Promise<void> {
  const { host = '127.0.0.1', lookup, isTls = false, idleMax = 100, pressure, ...rest } = options
  const backend = isTls ? await ScriptedServer.listenTls() : await ScriptedServer.listen()
  const time = new VirtualTime()
  const timers = new TimerWheel(time)
  const resolver =
    lookup === undefined ? new SystemResolver(time) : new SystemResolver(time, lookup)
  const pressed = pressure === undefined ? {} : { pressure }
  const client = new HttpUpstreamClient({ timers, resolver, idleMax, ...pressed })
  const scheme = isTls ? 'https' : 'http'
  const server = client.acquire({ scheme, host, port: backend.port }, rest)
  const rig: Rig = {
    time,
    client,
    backend,
    server,
    send: (over = {}, got = new Recorder()) => ({
      call: client.send(server, request(over), got),
      got,
    }),
    async warm() {
      const index = backend.peers.length
      const { got } = rig.send()
      const peer = await backend.peer(index)
      await peer.head()
      peer.send(ANSWER)
      expect((await got.over()).status).toBe(200)
      return peer
    },
    pass(ms) {
      for (let left = ms; left > 0; left -= 1000) {
        time.advance(Math.min(left, 1000))
        timers.advance()
      }
    },
  }
  try {
    await test(rig)
  } finally {
    const closed = client.close(0)
    time.advance(10)
    timers.advance()
    await closed
    expect(client.stats).toMatchObject({ open: 0, connecting: 0, busy: 0, idle: 0, queued: 0 })
    expect(client.idleCount).toBe(0)
    await backend.close()
  }
}

// --- one request

it('sends a request in one piece and delivers an answer in one stack', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const { got, call } = send({ target: '/a?b', headers: ['x-a', 'b'] })
    const peer = await backend.peer(0)
    expect(await peer.head()).toBe(
      `GET /a?b HTTP/1.1\r\nhost: ${server.hostField}\r\nx-a: b\r\n\r\n`,
    )
    peer.send('HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-B: c\r\n\r\nhello')
    await got.over()
    expect(got).toMatchObject({
      status: 201,
      headers: ['content-length', '5', 'x-b', 'c'],
      bodyLength: 5,
      body: 'hello',
      events: ['head', 'body', 'end'],
    })
    expect(call.isDone).toBe(true)
    expect(server.counts).toEqual({ open: 1, connecting: 0, busy: 0, idle: 1, queued: 0 })
  })
})

it('tells nothing before send has returned, also what it refuses at once', async () => {
  await withRig({}, async ({ send }) => {
    const { got } = send({ headers: ['a', 'b\r\nc: d'] })
    expect(got.events).toEqual([])
    expect(await got.over()).toMatchObject({ kind: 'aborted', events: ['error'] })
    expect(got.message).not.toContain('c: d')
  })
})

type Script = (peer: Peer) => void | Promise<void>
const say =
  (...parts: string[]): Script =>
  async (peer) => {
    for (const part of parts) {
      peer.send(part)
      await turns()
    }
  }
const thenEnd =
  (text: string): Script =>
  (peer) => {
    peer.socket.end(text, 'latin1')
  }
const thenReset =
  (text: string): Script =>
  async (peer) => {
    if (text !== '') await new Promise((done) => peer.socket.write(text, 'latin1', done))
    peer.socket.resetAndDestroy()
  }

const SIZED = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'

it.each<[name: string, script: Script, want: Partial<Recorder>, idle: number]>([
  ['body in pieces', say(SIZED, 'he', 'llo'), { body: 'hello', bodyLength: 5 }, 1],
  ['head in pieces', say('HTTP/1.', '1 200 OK\r', '\ncontent-length: 0\r\n', '\r\n'), {}, 1],
  ['chunks', say(`${CHUNKED}2\r\nhe\r\n`, '3\r\nllo\r\n0\r\n\r\n'), { body: 'hello' }, 1],
  [
    'an interim answer first',
    say('HTTP/1.1 100 Continue\r\n\r\n', `${SIZED}hello`),
    { status: 200 },
    1,
  ],
  [
    'Connection: close',
    say('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
    {},
    0,
  ],
  ['HTTP/1.0', say('HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx'), { body: 'x' }, 0],
  [
    'the end of the connection as end of the body',
    thenEnd('HTTP/1.1 200 OK\r\n\r\nall'),
    { body: 'all', bodyLength: -1 },
    0,
  ],
  ['an answer and the end in one', thenEnd(`${SIZED}hello`), { body: 'hello' }, 0],
  ['204 and nothing', say('HTTP/1.1 204 No Content\r\n\r\n'), { bodyLength: 0 }, 1],
  [
    '304 with a length',
    say('HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n'),
    { bodyLength: 0 },
    1,
  ],
  ['more body than declared', say(`${SIZED}hello!!`), { body: 'hello' }, 0],
  ['a second answer nobody asked for', say(`${SIZED}hello${SIZED}hello`), { body: 'hello' }, 0],
])('back end: %s', async (_name, script, want, idle) => {
  await withRig({}, async ({ send, backend, server }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    await script(peer)
    expect(await got.over()).toMatchObject({ ...want, kind: null })
    await until('the pool to settle', () => server.counts.idle === idle && server.counts.busy === 0)
    expect(server.counts.open).toBe(idle)
    if (idle === 0) await peer.gone()
  })
})

it.each<[name: string, script: Script, kind: UpstreamErrorKind, events: string[]]>([
  ['closes without a word', thenEnd(''), 'closed-early', ['error']],
  ['resets without a word', thenReset(''), 'reset', ['error']],
  ['closes in the head', thenEnd('HTTP/1.1 200 OK\r\ncont'), 'closed-early', ['error']],
  [
    'closes after an interim answer',
    thenEnd('HTTP/1.1 100 Continue\r\n\r\n'),
    'closed-early',
    ['error'],
  ],
  [
    'closes in a sized body',
    thenEnd(`${SIZED}hel`),
    'closed-early',
    ['head', 'body', 'batch', 'error'],
  ],
  ['closes before any body', thenEnd(SIZED), 'closed-early', ['head', 'batch', 'error']],
  [
    'closes in a chunk',
    thenEnd(`${CHUNKED}5\r\nhel`),
    'closed-early',
    ['head', 'body', 'batch', 'error'],
  ],
  [
    'closes before the last chunk',
    thenEnd(`${CHUNKED}1\r\nh\r\n`),
    'closed-early',
    ['head', 'body', 'batch', 'error'],
  ],
  [
    'sends a bad chunk',
    say(`${CHUNKED}5\r\nhello\r\nzz\r\n`),
    'malformed',
    ['head', 'body', 'error'],
  ],
  [
    'sends two lengths',
    say('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'),
    'malformed',
    ['error'],
  ],
  [
    'sends both framings',
    say('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'),
    'malformed',
    ['error'],
  ],
  ['speaks another protocol', say('SSH-2.0-OpenSSH_9.2\r\n'), 'malformed', ['error']],
  [
    'switches protocols unasked',
    say('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'),
    'malformed',
    ['error'],
  ],
])('back end that %s', async (_name, script, kind, events) => {
  await withRig({}, async ({ send, backend, server }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    await script(peer)
    expect(await got.over()).toMatchObject({ kind, events })
    expect(got.message).toContain(`127.0.0.1:${backend.port}: `)
    expect(server.counts.open).toBe(0)
    await peer.gone()
  })
})

it('a reset in the middle of a body is told, after what came', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(`${SIZED}hel`)
    await until('the first bytes', () => got.bodyBytes === 3)
    peer.socket.resetAndDestroy()
    expect(await got.over()).toMatchObject({ kind: 'reset', body: 'hel' })
    expect(server.counts.open).toBe(0)
  })
})

it('HEAD: the length is passed on, no body is waited for', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const { got } = send({ method: 'HEAD' })
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(SIZED)
    expect(await got.over()).toMatchObject({ bodyLength: 0, headers: ['content-length', '5'] })
    expect(server.counts.idle).toBe(1)
  })
})

it('nobody listening is refused', async () => {
  const unused = createServer().listen(0, '127.0.0.1')
  await until('a port', () => unused.address() !== null)
  const { port } = unused.address() as { port: number }
  await new Promise((resolve) => unused.close(resolve))
  await withRig({}, async ({ client }) => {
    const server = client.acquire({ scheme: 'http', host: '127.0.0.1', port })
    const got = new Recorder()
    client.send(server, request({ method: 'POST' }), got)
    expect(await got.over()).toMatchObject({ kind: 'refused', events: ['error'] })
    expect(server.counts.open).toBe(0)
  })
})

// --- keep-alive

it('uses the connection again that was used last', async () => {
  await withRig({}, async ({ send, backend, client }) => {
    const [a, b] = [send(), send()]
    const [first, second] = [await backend.peer(0), await backend.peer(1)]
    await first.head()
    await second.head()
    second.send(ANSWER)
    first.send(ANSWER)
    await a.got.over()
    await b.got.over()
    const last = a.got.events.length > 0 && client.stats.idle === 2
    expect(last).toBe(true)
    const { got } = send()
    await until('a request', () => first.received !== '' || second.received !== '')
    const peer = first.received !== '' ? first : second
    peer.send(ANSWER)
    await got.over()
    for (let i = 0; i < 5; i++) {
      const again = send()
      await until('the same peer', () => peer.received.split('GET').length === i + 3)
      peer.send(ANSWER)
      await again.got.over()
    }
    expect(backend.peers).toHaveLength(2)
    expect(client.stats).toMatchObject({ connectionsOpened: 2, reused: 6, retried: 0 })
  })
})

it('the next request can be sent from onEnd on the same connection', async () => {
  await withRig({}, async ({ send, backend, client }) => {
    const second = new Recorder()
    const first = new Recorder()
    first.during.end = () => send({ target: '/2' }, second)
    send({ target: '/1' }, first)
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(ANSWER)
    expect(await peer.head()).toContain('GET /2 ')
    peer.send(ANSWER)
    await second.over()
    expect(client.stats).toMatchObject({ connectionsOpened: 1, reused: 1 })
  })
})

it.each<[name: string, act: (peer: Peer) => void]>([
  ['is closed by the back end', (peer) => peer.socket.end()],
  ['is reset by the back end', (peer) => peer.socket.resetAndDestroy()],
  ['gets bytes nobody asked for', (peer) => peer.send('HTTP/1.1 408 Request Timeout\r\n\r\n')],
])('an idle connection that %s is dropped at once', async (_name, act) => {
  await withRig({}, async ({ warm, server, client }) => {
    const peer = await warm()
    expect(server.counts.idle).toBe(1)
    act(peer)
    await until('the drop', () => server.counts.open === 0)
    expect(client.stats.idleDropped).toBe(1)
    await warm()
    expect(client.stats.retried).toBe(0)
  })
})

it('an idle connection is closed after the keep-alive time, counted from its last use', async () => {
  await withRig({ keepAliveMs: 10_000 }, async ({ warm, send, pass, server }) => {
    const peer = await warm()
    pass(8_000)
    const { got } = send()
    await peer.head()
    peer.send(ANSWER)
    await got.over()
    pass(9_000)
    expect(server.counts.idle).toBe(1)
    pass(1_100)
    expect(server.counts.open).toBe(0)
    await peer.gone()
  })
})

it.each<[hint: string, keptMs: number, goneMs: number]>([
  ['timeout=5', 3_900, 4_100],
  ['timeout=1', 400, 600],
  ['timeout=0', -1, 0],
  ['timeout=600', 59_900, 60_100],
])(
  'a connection goes before a back end with Keep-Alive: %s closes it',
  async (hint, kept, gone) => {
    await withRig({}, async ({ send, backend, server, pass }) => {
      const { got } = send()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\nKeep-Alive: ${hint}\r\ncontent-length: 0\r\n\r\n`)
      await got.over()
      pass(kept)
      expect(server.counts.idle).toBe(kept < 0 ? 0 : 1)
      pass(gone - Math.max(0, kept))
      expect(server.counts.open).toBe(0)
    })
  },
)

it('no more connections stay idle than allowed over all servers', async () => {
  await withRig({ idleMax: 1 }, async ({ send, backend, client }) => {
    const gots = [send().got, send().got]
    for (const i of [0, 1]) {
      const peer = await backend.peer(i)
      await peer.head()
      peer.send(ANSWER)
    }
    for (const got of gots) await got.over()
    expect(client.stats).toMatchObject({ open: 1, idle: 1 })
  })
})

/** Has `count` requests to `server` answered, all of them under way at the same time. */
async function atOnce({ client, backend }: Rig, server: UpstreamServer, count: number) {
  const gots = Array.from({ length: count }, () => {
    const got = new Recorder()
    client.send(server, request(), got)
    return got
  })
  const asked = () => backend.peers.filter(({ received }) => received.includes('\r\n\r\n'))
  await until('all requests', () => asked().length === count)
  for (const peer of asked()) {
    peer.received = ''
    peer.send(ANSWER)
  }
  for (const got of gots) await got.over()
}

it('no more connections to one server stay idle than it may keep', async () => {
  await withRig({ keptMax: 2 }, async (rig) => {
    for (const count of [4, 3, 2, 1]) {
      await atOnce(rig, rig.server, count)
      expect(rig.server.counts).toMatchObject({ open: 2, idle: 2 })
    }
  })
  await withRig({ keptMax: 0 }, async (rig) => {
    await atOnce(rig, rig.server, 2)
    expect(rig.server.counts).toMatchObject({ open: 0, idle: 0 })
  })
})

it('servers with one limit keep no more together, others are not touched by it', async () => {
  await withRig({}, async (rig) => {
    const keptTogether = { name: 'a proxy', max: 3 }
    const { origin } = rig.server
    const one = rig.client.acquire(origin, { keptTogether, queueMax: 1 })
    const two = rig.client.acquire(origin, { keptTogether, queueMax: 2 })
    const other = rig.client.acquire(origin, { keptTogether: { name: 'b', max: 3 } })
    await atOnce(rig, one, 2)
    await atOnce(rig, two, 2)
    await atOnce(rig, other, 2)
    expect([one.counts.idle, two.counts.idle, other.counts.idle]).toEqual([2, 1, 2])
    one.release()
    await until('its connections are closed', () => one.counts.open === 0)
    await atOnce(rig, two, 4)
    expect(two.counts).toMatchObject({ open: 3, idle: 3 })
    two.release()
    other.release()
  })
})

// --- the second try

/** One idle connection that the back end closes only when the next request arrives. */
async function stale(rig: Rig, over: Partial<UpstreamRequest>): Promise<Recorder> {
  const peer = await rig.warm()
  const { got } = rig.send(over)
  await peer.head()
  peer.socket.resetAndDestroy()
  return got
}

it.each<[over: Partial<UpstreamRequest>, want: string]>([
  [{}, 'GET / HTTP/1.1\r\n'],
  [{ method: 'DELETE' }, 'DELETE / HTTP/1.1\r\n'],
  [{ method: 'PUT', bodyLength: 5, body: Buffer.from('hello') }, '\r\n\r\nhello'],
])('%j goes out once more when the connection was stale', async (over, want) => {
  await withRig({}, async (rig) => {
    const got = await stale(rig, over)
    const fresh = await rig.backend.peer(1)
    await fresh.expects(want)
    fresh.send(ANSWER)
    expect(await got.over()).toMatchObject({ status: 200, events: ['head', 'body', 'end'] })
    expect(rig.client.stats).toMatchObject({ retried: 1, connectionsOpened: 2, open: 1 })
  })
})

it('bytes that come before the request has left are not its answer', async () => {
  await withRig({}, async (rig) => {
    // The first is put off, and alone: so the second is not, and the third is again.
    const peer = await rig.warm()
    peer.socket.setNoDelay(true)
    const { got: second } = rig.send()
    await peer.head()
    peer.send(ANSWER)
    await second.over()
    let got: Recorder | null = null
    // Between the timers and the end of the turn the loop reads: before what is sent here leaves.
    setTimeout(() => {
      peer.send('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n')
      got = rig.send().got
    }, 1)
    const other = await rig.backend.peer(rig.backend.peers.length)
    await other.head()
    other.send(ANSWER)
    await until('a request', () => got !== null)
    expect((await (got as unknown as Recorder).over()).status).toBe(200)
    expect(peer.received).toBe('')
    expect(rig.client.stats).toMatchObject({ retried: 1 })
  })
})

it('requests of one turn leave together, each whole', async () => {
  await withRig({}, async (rig) => {
    const sent = Array.from({ length: 90 }, (_, i) => rig.send({ target: `/${i}` }).got)
    const asked: string[] = []
    for (let i = 0; i < sent.length; i++) {
      const peer = await rig.backend.peer(i)
      asked.push((await peer.head()).split(' ')[1] as string)
      peer.send(ANSWER)
    }
    for (const got of sent) expect((await got.over()).body).toBe('ok')
    expect(asked.sort()).toEqual(sent.map((_, i) => `/${i}`).sort())
    // Again, on connections that are there: all of them leave in this turn.
    for (const peer of rig.backend.peers) peer.received = ''
    const again = sent.map((_, i) => rig.send({ target: `/again/${i}` }))
    again.at(-1)?.call.cancel() // held still, and never sent
    await turns()
    const served = rig.backend.peers.filter((peer) => peer.received.startsWith('GET /again/'))
    expect(served).toHaveLength(sent.length - 1)
    for (const peer of served) peer.send(ANSWER)
    for (const { got } of again.slice(0, -1)) expect((await got.over()).status).toBe(200)
  })
})

it('a streamed body that is still in hand is sent again, and goes on', async () => {
  await withRig({}, async (rig) => {
    const peer = await rig.warm()
    const { got, call } = rig.send({ method: 'PUT', bodyLength: -1 })
    call.writeBody(Buffer.from('one'))
    await peer.expects('3\r\none\r\n')
    call.writeBody(Buffer.from('two'))
    await peer.expects('3\r\ntwo\r\n')
    peer.socket.resetAndDestroy()
    const fresh = await rig.backend.peer(1)
    await fresh.expects('3\r\none\r\n3\r\ntwo\r\n')
    call.writeBody(Buffer.from('three'))
    call.endBody()
    await fresh.expects('5\r\nthree\r\n0\r\n\r\n')
    fresh.send(ANSWER)
    expect(await got.over()).toMatchObject({ status: 200 })
  })
})

it.each<[name: string, over: Partial<UpstreamRequest>]>([
  ['POST', { method: 'POST', bodyLength: 2, body: Buffer.from('hi') }],
  ['PATCH', { method: 'PATCH' }],
])('%s is not sent twice', async (_name, over) => {
  await withRig({}, async (rig) => {
    const got = await stale(rig, over)
    expect(await got.over()).toMatchObject({ kind: 'reset' })
    expect(rig.backend.peers).toHaveLength(1)
    expect(rig.client.stats).toMatchObject({ retried: 0, open: 0 })
  })
})

it('a streamed body of which more than 64 KiB are sent is not sent twice', async () => {
  await withRig({}, async (rig) => {
    const peer = await rig.warm()
    const { got, call } = rig.send({ method: 'PUT', bodyLength: -1 })
    for (let i = 0; i < 5; i++) call.writeBody(Buffer.alloc(16_384, 'x'))
    await until('the body', () => peer.received.length > 5 * 16_384)
    peer.socket.resetAndDestroy()
    expect(await got.over()).toMatchObject({ kind: 'reset' })
    expect(rig.client.stats.retried).toBe(0)
  })
})

it('there is no third try', async () => {
  await withRig({}, async (rig) => {
    const got = await stale(rig, {})
    const fresh = await rig.backend.peer(1)
    await fresh.head()
    fresh.socket.resetAndDestroy()
    expect(await got.over()).toMatchObject({ kind: 'reset' })
    expect(rig.backend.peers).toHaveLength(2)
  })
})

it('there is no second try after the first byte of an answer', async () => {
  await withRig({}, async (rig) => {
    const peer = await rig.warm()
    const { got } = rig.send()
    await peer.head()
    peer.socket.end('H')
    expect(await got.over()).toMatchObject({ kind: 'closed-early' })
    expect(rig.client.stats.retried).toBe(0)
  })
})

it('a second try needs no room beside the stale connection', async () => {
  await withRig({ connectionsMax: 1 }, async (rig) => {
    const got = await stale(rig, {})
    const fresh = await rig.backend.peer(1)
    await fresh.head()
    fresh.send(ANSWER)
    expect(await got.over()).toMatchObject({ status: 200 })
    expect(rig.client.stats).toMatchObject({ open: 1, queued: 0 })
  })
})

// --- request bodies

it('a body at hand leaves with the head, small or large', async () => {
  await withRig({}, async ({ warm, send }) => {
    const peer = await warm()
    peer.reads.length = 0
    const small = send({ method: 'POST', bodyLength: 3, body: Uint8Array.of(0, 0xff, 10) })
    await peer.expects('content-length: 3\r\n\r\n\0\xff\n')
    expect(peer.reads).toHaveLength(1)
    peer.send(ANSWER)
    await small.got.over()
    peer.received = ''
    const body = Buffer.alloc(300_000, 'abc')
    const large = send({ method: 'POST', bodyLength: body.length, body })
    await until('all of it', () => peer.received.endsWith(body.toString()))
    peer.send(ANSWER)
    expect((await large.got.over()).status).toBe(200)
  })
})

it.each<[name: string, bodyLength: number, want: string]>([
  ['sized', 8, 'content-length: 8\r\n\r\nonetwo!!'],
  [
    'of unknown length',
    -1,
    'transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n2\r\n!!\r\n0\r\n\r\n',
  ],
])(
  'a small body %s that follows at once leaves with the head in one write',
  async (_n, bodyLength, want) => {
    await withRig({}, async ({ warm, send }) => {
      const peer = await warm()
      peer.reads.length = 0
      const { call, got } = send({ method: 'POST', bodyLength })
      const lent = Buffer.from('one')
      call.writeBody(lent)
      lent.fill('x')
      call.writeBody(Buffer.from('two'))
      call.writeBody(Buffer.from('!!'))
      call.endBody()
      await peer.expects(want)
      expect(peer.reads).toHaveLength(1)
      peer.send(ANSWER)
      expect((await got.over()).status).toBe(200)
    })
  },
)

it('the head goes alone when no body follows at once', async () => {
  await withRig({}, async ({ warm, send }) => {
    const peer = await warm()
    const { call, got } = send({ method: 'POST', bodyLength: -1 })
    expect(await peer.head()).toMatch(/chunked\r\n\r\n$/)
    call.writeBody(Buffer.from('one'))
    await peer.expects('3\r\none\r\n')
    call.endBody()
    await peer.expects('0\r\n\r\n')
    peer.send(ANSWER)
    expect((await got.over()).status).toBe(200)
  })
})

it('a body given before the connection is up is kept, and pushes back at 64 KiB', async () => {
  await withRig({}, async ({ send, backend }) => {
    const { call, got } = send({ method: 'POST', bodyLength: 100_000 })
    expect(call.writeBody(Buffer.alloc(60_000, 'a'))).toBe(true)
    expect(call.writeBody(Buffer.alloc(30_000, 'b'))).toBe(false)
    const peer = await backend.peer(0)
    await until('what is there', () => peer.received.endsWith('b'))
    await until('room', () => got.events.includes('drain'))
    call.writeBody(Buffer.alloc(10_000, 'c'))
    await until('the rest', () => peer.received.endsWith('c'))
    expect(peer.received.length - peer.received.indexOf('\r\n\r\n') - 4).toBe(100_000)
    peer.send(ANSWER)
    expect((await got.over()).status).toBe(200)
  })
})

it('an upload that the back end does not read pushes back, and drains', async () => {
  await withRig({}, async ({ send, backend }) => {
    const { call, got } = send({ method: 'POST', bodyLength: -1 })
    const peer = await backend.peer(0)
    await peer.head()
    peer.socket.pause()
    const chunk = Buffer.alloc(65_536, 'x')
    let sent = 0
    for (let hasRoom = true; hasRoom && sent < 1000; sent++) hasRoom = call.writeBody(chunk)
    expect(sent).toBeLessThan(1000)
    expect(got.events).toEqual([])
    peer.socket.resume()
    await until('a drain', () => got.events.includes('drain'))
    call.endBody()
    await until('the end', () => peer.received.endsWith('0\r\n\r\n'))
    peer.send(ANSWER)
    expect((await got.over()).events.filter((event) => event === 'drain')).toHaveLength(1)
  })
})

it.each([
  ['http', false],
  ['https', true],
])(
  '%s: a long upload arrives as it was given, while others use the same memory',
  async (_n, isTls) => {
    await withRig({ isTls, tls: { ...TLS, verify: false } }, async ({ send, backend }) => {
      const pieces = 120
      const { call, got } = send({ method: 'POST', bodyLength: pieces * 65_536 })
      const peer = await backend.peer(0)
      await peer.head()
      const other = send({ method: 'POST', bodyLength: -1 })
      const otherPeer = await backend.peer(1)
      await otherPeer.head()
      const lent = Buffer.alloc(65_536)
      const want: string[] = []
      for (let i = 0; i < pieces; i++) {
        lent.fill(i)
        want.push(lent.toString('latin1'))
        const drains = got.events.length
        if (i === 10) peer.socket.pause()
        if (!call.writeBody(lent)) {
          lent.fill(0xff)
          other.call.writeBody(lent)
          peer.socket.resume()
          await until('room', () => got.events.length > drains)
        }
      }
      const body = want.join('')
      await until('all of it', () => peer.received.length === body.length)
      expect(peer.received === body).toBe(true)
      peer.send(ANSWER)
      expect((await got.over()).status).toBe(200)
    })
  },
)

it.each<[name: string, breach: (call: UpstreamCall) => void]>([
  ['longer', (call) => call.writeBody(Buffer.from('123456'))],
  ['shorter', (call) => call.endBody()],
])('a body %s than announced ends the call and the connection', async (_name, breach) => {
  await withRig({}, async ({ send, backend, server }) => {
    const { call, got } = send({ method: 'POST', bodyLength: 5 })
    const peer = await backend.peer(0)
    await peer.head()
    breach(call)
    expect(await got.over()).toMatchObject({ kind: 'aborted' })
    expect(server.counts.open).toBe(0)
    await peer.gone()
  })
})

it('an answer before the end of the upload is delivered, its connection not used again', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const { call, got } = send({ method: 'POST', bodyLength: 1000 })
    call.writeBody(Buffer.from('start'))
    const peer = await backend.peer(0)
    await peer.expects('start')
    peer.send('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno')
    expect(await got.over()).toMatchObject({ status: 413, body: 'no', kind: null })
    expect(call.writeBody(Buffer.from('more'))).toBe(true)
    expect(server.counts.open).toBe(0)
    await peer.gone()
  })
})

// --- flow control

it('resume inside onHead delivers head, body and end in one stack', async () => {
  await withRig({}, async ({ send, backend }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    const after: string[][] = []
    got.during.head = () => {
      call.pause()
      after.push([...got.events])
      call.resume()
      after.push([...got.events])
    }
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(ANSWER)
    await got.over()
    expect(after).toEqual([['head'], ['head', 'body', 'end']])
  })
})

it('a call paused in onHead gets the rest when it resumes, though the buffer was used since', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    got.during.head = () => call.pause()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(ANSWER)
    await until('the head', () => got.status === 200)
    const other = send()
    const second = await backend.peer(1)
    await second.head()
    second.send(ANSWER.replace('ok', 'XX'))
    await other.got.over()
    expect(got.events).toEqual(['head'])
    call.resume()
    expect(got).toMatchObject({ body: 'ok', events: ['head', 'body', 'end'] })
    expect(server.counts).toMatchObject({ open: 2, idle: 2 })
    // Reading must have been taken up again.
    peer.socket.end()
    await until('the drop', () => server.counts.open === 1)
  })
})

it('a paused call keeps a slow reader from filling memory', async () => {
  await withRig({}, async ({ send, backend }) => {
    const got = new Recorder()
    got.isCounting = true
    const { call } = send({}, got)
    const peer = await backend.peer(0)
    await peer.head()
    const total = 64 * 1024 * 1024
    got.during.body = () => call.pause()
    peer.send(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`)
    const block = Buffer.alloc(1024 * 1024, 'x')
    for (let i = 0; i < total / block.length; i++) peer.socket.write(block)
    await until('the first bytes', () => got.bodyBytes > 0)
    await turns(200)
    // What one read takes at most.
    expect(got.bodyBytes).toBeLessThanOrEqual(262_144)
    expect(peer.socket.writableLength).toBeGreaterThan(total / 2)
    got.during = {}
    call.resume()
    expect(await got.over()).toMatchObject({ bodyBytes: total, kind: null })
  })
})

it('pausing and resuming at every chunk loses nothing', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    got.during.head = () => call.pause()
    got.during.body = () => {
      call.pause()
      if (got.bodyBytes % 2 === 0) setImmediate(() => call.resume())
      else call.resume()
    }
    const peer = await backend.peer(0)
    await peer.head()
    const digits = Array.from({ length: 3000 }, (_, i) => String(i % 10))
    peer.send(`${CHUNKED}${digits.map((digit) => `1\r\n${digit}\r\n`).join('')}0\r\n\r\n`)
    await until('the head', () => got.status === 200)
    call.resume()
    expect(await got.over()).toMatchObject({ body: digits.join(''), kind: null })
    expect(server.counts.idle).toBe(1)
  })
})

it.each<[name: string, script: Script, want: Partial<Recorder>]>([
  ['closed, complete', thenEnd(`${SIZED}hello`), { body: 'hello', kind: null }],
  ['closed, cut short', thenEnd(`${SIZED}hel`), { body: 'hel', kind: 'closed-early' }],
])('a connection %s while paused: first the bytes, then the end', async (_name, script, want) => {
  await withRig({}, async ({ send, backend, server }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    got.during.head = () => call.pause()
    const peer = await backend.peer(0)
    await peer.head()
    await script(peer)
    await until('the head', () => got.status === 200)
    await turns()
    expect(got.events).toEqual(['head'])
    call.resume()
    expect(await got.over()).toMatchObject(want)
    await until('the end to be seen', () => server.counts.open === 0)
  })
})

it('tells when a batch is over, so that small pieces can be gathered', async () => {
  await withRig({}, async ({ send, backend }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(`${CHUNKED}1\r\na\r\n1\r\nb\r\n`)
    await until('a batch', () => got.events.includes('batch'))
    peer.send('1\r\nc\r\n0\r\n\r\n')
    await got.over()
    expect(got.events).toEqual(['head', 'body', 'batch', 'body', 'end'])
  })
})

// --- giving up

it.each<[name: string, answer: string]>([
  ['before the answer', ''],
  ['in the middle of a body', `${SIZED}he`],
])('cancel %s closes the connection and is the last of it', async (_name, answer) => {
  await withRig({}, async ({ send, backend, server }) => {
    const { call, got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(answer)
    if (answer !== '') await until('some body', () => got.body === 'he')
    const told = got.events.length
    call.cancel()
    call.cancel()
    call.discard()
    call.resume()
    expect(server.counts.open).toBe(0)
    await peer.gone()
    expect(got.events).toHaveLength(told)
  })
})

it('cancel while connecting, and while waiting for a connection', async () => {
  await withRig({ connectionsMax: 1 }, async ({ send, server }) => {
    const [first, second, third] = [send(), send(), send()]
    expect(server.counts).toMatchObject({ connecting: 1, queued: 2 })
    second.call.cancel()
    expect(server.counts).toMatchObject({ connecting: 1, queued: 1 })
    first.call.cancel()
    expect(server.counts).toMatchObject({ connecting: 1, queued: 0 })
    third.call.cancel()
    expect(server.counts).toMatchObject({ open: 0, queued: 0 })
    expect([first, second, third].flatMap(({ got }) => got.events)).toEqual([])
  })
})

it.each<[name: string, inHead: string, later: string, idle: number]>([
  ['all at hand', ANSWER, '', 1],
  ['a little to come', `${SIZED}he`, 'llo', 1],
  ['all chunks at hand', `${CHUNKED}1\r\na\r\n0\r\n\r\n`, '', 1],
  ['an unknown rest', `${CHUNKED}1\r\na\r\n`, '', 0],
  ['a long rest', 'HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n', '', 0],
  [
    'a rest that closes',
    'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok',
    '',
    0,
  ],
  ['more than declared', `${ANSWER}!`, '', 0],
])('discard with %s', async (_name, inHead, later, idle) => {
  await withRig({}, async ({ send, backend, server }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    got.during.head = () => call.discard()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(inHead)
    await until('the head', () => got.status === 200)
    peer.send(later)
    await until('the pool to settle', () => server.counts.idle === idle && server.counts.busy === 0)
    expect(server.counts.open).toBe(idle)
    expect(got.events).toEqual(['head'])
  })
})

it('discard of a paused call reads the rest away', async () => {
  await withRig({}, async ({ send, backend, server }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    got.during.head = () => call.pause()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(`${SIZED}he`)
    await until('the head', () => got.status === 200)
    call.discard()
    peer.send('llo')
    await until('the rest', () => server.counts.idle === 1)
    const again = send()
    await peer.head()
    peer.send(ANSWER)
    expect(await again.got.over()).toMatchObject({ status: 200, body: 'ok' })
  })
})

it('a discarded rest that does not come is not waited for', async () => {
  await withRig({}, async ({ send, backend, server, pass }) => {
    const got = new Recorder()
    const { call } = send({}, got)
    got.during.head = () => call.discard()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(SIZED)
    await until('the head', () => got.status === 200)
    expect(server.counts.busy).toBe(1)
    pass(3_000)
    expect(server.counts.open).toBe(0)
  })
})

// --- time

it('a connection that does not come up in time', async () => {
  const lookup: SystemLookup = () => {}
  await withRig({ host: 'never.test', lookup, connectTimeoutMs: 2_000 }, async (rig) => {
    const { got } = rig.send()
    rig.pass(1_900)
    expect(got.events).toEqual([])
    rig.pass(200)
    expect(got).toMatchObject({ kind: 'connect-timeout' })
    expect(rig.server.counts.open).toBe(0)
  })
})

it.each<[name: string, sent: string]>([
  ['silent', ''],
  ['stuck in the head', 'HTTP/1.1 200 OK\r\nx-a'],
  ['stuck after an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
])('a back end that is %s runs into the response time-out', async (_name, sent) => {
  await withRig({ responseTimeoutMs: 2_000 }, async ({ send, backend, pass, server, client }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    pass(1_900)
    peer.send(sent)
    await turns()
    expect(got.events).toEqual([])
    pass(200)
    expect(got).toMatchObject({ kind: 'response-timeout' })
    expect(server.counts.open).toBe(0)
    expect(client.stats.retried).toBe(0)
  })
})

it('without a response time-out a back end may think, but not stop inside the head', async () => {
  await withRig({ idleTimeoutMs: 2_000 }, async ({ send, backend, pass }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    pass(3_600_000)
    peer.send('HTTP/1.1 103 Early Hints\r\n\r\n')
    await turns()
    pass(3_600_000)
    expect(got.events).toEqual([])
    peer.send('HTTP/1.1 200 OK\r\nx-a')
    await turns()
    pass(2_100)
    expect(got).toMatchObject({ kind: 'response-timeout' })
  })
})

it('silence inside a body ends it; a slow body that moves, and a paused one, may take long', async () => {
  await withRig({ idleTimeoutMs: 2_000 }, async ({ send, backend, pass }) => {
    const { call, got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n')
    await until('the head', () => got.status === 200)
    for (let bytes = 1; bytes <= 4; bytes++) {
      pass(1_900)
      peer.send('x')
      await until('a byte', () => got.bodyBytes === bytes)
    }
    call.pause()
    pass(60_000)
    expect(got.isOver).toBe(false)
    call.resume()
    pass(1_900)
    expect(got.isOver).toBe(false)
    pass(200)
    expect(got).toMatchObject({ kind: 'idle-timeout', body: 'xxxx' })
  })
})

it('an upload that the back end stops reading runs into the idle time-out', async () => {
  await withRig({ idleTimeoutMs: 2_000 }, async ({ send, backend, pass }) => {
    const { call, got } = send({ method: 'POST', bodyLength: -1 })
    const peer = await backend.peer(0)
    await peer.head()
    peer.socket.pause()
    pass(60_000)
    expect(got.isOver).toBe(false)
    const chunk = Buffer.alloc(1_048_576)
    for (let i = 0; i < 100 && call.writeBody(chunk); i++);
    pass(1_900)
    expect(got.isOver).toBe(false)
    pass(200)
    expect(got).toMatchObject({ kind: 'idle-timeout' })
  })
})

// --- bounds

it('at the bound of connections requests wait in order, and one too many is refused', async () => {
  await withRig({ connectionsMax: 1, queueMax: 2 }, async ({ send, backend, server, client }) => {
    const sent = ['/0', '/1', '/2', '/3'].map((target) => send({ target }))
    expect(server.counts).toMatchObject({ open: 1, queued: 2 })
    expect(await sent[3]?.got.over()).toMatchObject({ kind: 'overloaded' })
    const peer = await backend.peer(0)
    for (const i of [0, 1, 2]) {
      expect(await peer.head()).toContain(`GET /${i} `)
      peer.send(ANSWER)
      expect(await sent[i]?.got.over()).toMatchObject({ status: 200 })
    }
    expect(client.stats).toMatchObject({ connectionsOpened: 1, reused: 2, refused: 1 })
  })
})

it('who waits gets a new connection when one closes', async () => {
  await withRig({ connectionsMax: 1 }, async ({ send, backend }) => {
    const [first, second] = [send({ target: '/1' }), send({ target: '/2' })]
    const peer = await backend.peer(0)
    await peer.head()
    peer.socket.end('HTTP/1.1 200 OK\r\n\r\n')
    await first.got.over()
    const fresh = await backend.peer(1)
    expect(await fresh.head()).toContain('GET /2 ')
    fresh.send(ANSWER)
    expect((await second.got.over()).status).toBe(200)
  })
})

it('who waits too long is refused, the others go on waiting', async () => {
  await withRig(
    { connectionsMax: 1, queueTimeoutMs: 1_000 },
    async ({ send, pass, server, backend }) => {
      const first = send()
      const second = send()
      pass(600)
      const third = send()
      pass(500)
      expect(second.got).toMatchObject({ kind: 'overloaded' })
      expect(server.counts.queued).toBe(1)
      pass(300)
      expect(third.got.isOver).toBe(false)
      pass(300)
      expect(third.got).toMatchObject({ kind: 'overloaded' })
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(ANSWER)
      expect((await first.got.over()).status).toBe(200)
    },
  )
})

// --- names

const found = (...addresses: string[]): LookupAddress[] =>
  addresses.map((address) => ({ address, family: 4 }))

it('a name that does not resolve', async () => {
  const lookup: SystemLookup = (_name, _options, done) =>
    done(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), [])
  await withRig({ host: 'a.test', lookup }, async ({ send, server }) => {
    expect(await send().got.over()).toMatchObject({ kind: 'dns' })
    expect(server.counts.open).toBe(0)
  })
})

it('the second address is tried when nobody listens at the first', async () => {
  const lookup: SystemLookup = (_name, _options, done) =>
    done(null, found('127.0.0.9', '127.0.0.1'))
  await withRig({ host: 'a.test', lookup }, async ({ send, backend, server }) => {
    expect(server.hostField).toBe(`a.test:${backend.port}`)
    const { got } = send()
    const peer = await backend.peer(0)
    expect(await peer.head()).toContain(`host: a.test:${backend.port}\r\n`)
    peer.send(ANSWER)
    expect((await got.over()).status).toBe(200)
  })
})

it('localhost reaches a server that listens on 127.0.0.1 only', async () => {
  await withRig({ host: 'localhost' }, async ({ send, backend }) => {
    const { got } = send()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(ANSWER)
    expect((await got.over()).status).toBe(200)
  })
})

it('connections to an address that the name has left are given up, also under load', async () => {
  let addresses = found('127.0.0.1')
  const lookup: SystemLookup = (_name, _options, done) => done(null, addresses)
  await withRig({ host: 'a.test', lookup }, async ({ warm, send, pass, server }) => {
    const peer = await warm()
    addresses = found('127.0.0.2')
    for (let i = 0; i < 4 && server.counts.open === 1; i++) {
      pass(5_100)
      const { got } = send()
      await peer.head()
      peer.send(ANSWER)
      await got.over()
    }
    expect(server.counts.open).toBe(0)
    await peer.gone()
  })
})

// --- TLS

it.each<[name: string, host: string, tls: Partial<typeof TLS>]>([
  ['a certificate of a given authority', '127.0.0.1', {}],
  ['a certificate for a name', 'localhost', {}],
  ['no verification', '127.0.0.1', { verify: false, ca: '' }],
])('https with %s', async (_name, host, tls) => {
  await withRig(
    { isTls: true, host, tls: { ...TLS, ...tls } },
    async ({ send, backend, client }) => {
      for (const connections of [1, 1]) {
        const { got } = send({ method: 'POST', bodyLength: 2, body: Buffer.from('hi') })
        const peer = await backend.peer(0)
        await peer.expects('\r\n\r\nhi')
        peer.received = ''
        peer.send(`${CHUNKED}2\r\nok\r\n`)
        peer.send('0\r\n\r\n')
        expect(await got.over()).toMatchObject({ status: 200, body: 'ok' })
        expect(client.stats.connectionsOpened).toBe(connections)
      }
    },
  )
})

it('https pauses and resumes', async () => {
  await withRig({ isTls: true, tls: TLS }, async ({ send, backend, server }) => {
    const got = new Recorder()
    got.isCounting = true
    const { call } = send({}, got)
    got.during.body = () => {
      call.pause()
      setImmediate(() => call.resume())
    }
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(`HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`)
    expect(await got.over()).toMatchObject({ bodyBytes: 1_000_000 })
    expect(server.counts.idle).toBe(1)
  })
})

it.each<[name: string, tls: Partial<typeof TLS>]>([
  ['an authority we do not know', { ca: '' }],
  ['another name', { serverName: 'other.test' }],
])('https refuses a certificate of %s', async (_name, tls) => {
  await withRig({ isTls: true, tls: { ...TLS, ...tls } }, async ({ send, server }) => {
    expect(await send().got.over()).toMatchObject({ kind: 'tls' })
    expect(server.counts.open).toBe(0)
  })
})

it('https to a server that speaks no TLS', async () => {
  await withRig({}, async ({ client, backend }) => {
    const server = client.acquire({ scheme: 'https', host: '127.0.0.1', port: backend.port })
    const got = new Recorder()
    client.send(server, request(), got)
    const peer = await backend.peer(0)
    peer.send('HTTP/1.1 400 Bad Request\r\n\r\n')
    expect(await got.over()).toMatchObject({ kind: 'tls' })
  })
})

it('TLS material that cannot be used is found out by acquire', async () => {
  await withRig({}, async ({ client }) => {
    const tls = { ...TLS, cert: 'nonsense', key: 'nonsense' }
    expect(() => client.acquire({ scheme: 'https', host: 'a', port: 1 }, { tls })).toThrow()
  })
})

// --- holders and the end

it('equal servers share a pool, which goes with its last holder', async () => {
  await withRig({}, async ({ client, backend, warm, server, send }) => {
    const origin = { scheme: 'http', host: '127.0.0.1', port: backend.port } as const
    expect(client.acquire(origin)).toBe(server)
    expect(client.acquire(origin, { connectionsMax: 1 })).not.toBe(server)
    const peer = await warm()
    server.release()
    expect(server.counts.idle).toBe(1)
    const busy = send()
    await peer.head()
    server.release()
    expect(client.acquire(origin)).not.toBe(server)
    expect(await send().got.over()).toMatchObject({ kind: 'aborted' })
    peer.send(ANSWER)
    expect(await busy.got.over()).toMatchObject({ status: 200 })
    expect(server.counts.open).toBe(0)
    await peer.gone()
    expect(() => server.release()).toThrow(/more often/)
  })
})

it('close lets requests end that are under way, and takes no more', async () => {
  await withRig({ connectionsMax: 1 }, async ({ client, backend, send }) => {
    const [first, waiting] = [send(), send()]
    const peer = await backend.peer(0)
    await peer.head()
    let isClosed = false
    const closed = client.close(60_000).then(() => {
      isClosed = true
    })
    expect(await send().got.over()).toMatchObject({ kind: 'aborted' })
    peer.send(ANSWER)
    expect(await first.got.over()).toMatchObject({ status: 200 })
    await peer.head()
    expect(isClosed).toBe(false)
    peer.send(ANSWER)
    expect(await waiting.got.over()).toMatchObject({ status: 200 })
    await closed
    expect(client.stats.open).toBe(0)
  })
})

it('close ends what is not done in time', async () => {
  await withRig({ connectionsMax: 1 }, async ({ client, backend, send, pass }) => {
    const [first, waiting] = [send(), send()]
    await (await backend.peer(0)).head()
    const closed = client.close(1_000)
    pass(1_100)
    await closed
    expect([first.got.kind, waiting.got.kind]).toEqual(['aborted', 'aborted'])
  })
})

// --- more than the thread can do

const FULL: Pressure = { isFull: () => true }

/** Sends `count` requests, and waits until the back end has the `expected` heads. */
async function crowd(
  { send, backend }: Rig,
  count: number,
  expected: number,
): Promise<{ sent: ReturnType<Rig['send']>[]; peers: Peer[] }> {
  const sent = Array.from({ length: count }, (_, i) => send({ target: `/${i}` }))
  const peers: Peer[] = []
  for (let i = 0; i < expected; i++) {
    const peer = await backend.peer(i)
    await peer.expects('\r\n\r\n')
    peers.push(peer)
  }
  await turns()
  return { sent, peers }
}

it('a thread with time to spare holds nothing back', async () => {
  await withRig({ pressure: { isFull: () => false } }, async (rig) => {
    const { sent, peers } = await crowd(rig, CROWD_MIN + 8, CROWD_MIN + 8)
    expect(rig.server.counts).toMatchObject({ busy: CROWD_MIN + 8, queued: 0 })
    for (const peer of peers) peer.send(ANSWER)
    for (const { got } of sent) expect((await got.over()).status).toBe(200)
  })
})

it('a thread without sends a crowd through few connections, first come, first served', async () => {
  await withRig({ pressure: FULL }, async (rig) => {
    const { sent, peers } = await crowd(rig, CROWD_MIN + 3, CROWD_MIN)
    expect(rig.server.counts).toMatchObject({ open: CROWD_MIN, busy: CROWD_MIN, queued: 3 })
    sent[CROWD_MIN + 1]?.call.cancel()
    expect(rig.server.counts.queued).toBe(2)
    const peer = peers[5] as Peer
    for (const next of [CROWD_MIN, CROWD_MIN + 2]) {
      peer.received = ''
      peer.send(ANSWER)
      await peer.expects(`GET /${next} `)
    }
    for (const each of peers) each.send(ANSWER)
    for (const [i, { got }] of sent.entries()) {
      if (i !== CROWD_MIN + 1) expect((await got.over()).status).toBe(200)
    }
    expect(rig.backend.peers).toHaveLength(CROWD_MIN)
    expect(rig.server.counts).toMatchObject({ busy: 0, idle: CROWD_MIN, queued: 0 })
  })
})

it('whoever was held back for long enough is served all the same', async () => {
  await withRig({ pressure: FULL }, async (rig) => {
    const { sent } = await crowd(rig, CROWD_MIN + 3, CROWD_MIN)
    rig.pass(PATIENCE_MS - 1)
    await turns()
    expect(rig.backend.peers).toHaveLength(CROWD_MIN)
    rig.pass(10)
    for (let i = 0; i < 3; i++) await (await rig.backend.peer(CROWD_MIN + i)).head()
    expect(rig.server.counts).toMatchObject({ busy: CROWD_MIN + 3, queued: 0 })
    // The limit has risen: the next is not held back.
    const { call } = rig.send()
    await (await rig.backend.peer(CROWD_MIN + 3)).head()
    call.cancel()
    for (const { call: each } of sent) each.cancel()
  })
})

it('a crowd that was let in before grows smaller before others follow', async () => {
  let isFull = false
  await withRig({ pressure: { isFull: () => isFull } }, async (rig) => {
    const { sent, peers } = await crowd(rig, CROWD_MIN + 2, CROWD_MIN + 2)
    isFull = true
    const later = [rig.send(), rig.send()]
    expect(rig.server.counts.queued).toBe(2)
    for (const [i, counts] of [
      { busy: CROWD_MIN + 1, idle: 1, queued: 2 },
      { busy: CROWD_MIN, idle: 2, queued: 2 },
      { busy: CROWD_MIN, idle: 2, queued: 1 },
      { busy: CROWD_MIN, idle: 2, queued: 0 },
      { busy: CROWD_MIN - 1, idle: 3, queued: 0 },
    ].entries()) {
      peers[i]?.send(ANSWER)
      await sent[i]?.got.over()
      expect(rig.server.counts, `answer ${i}`).toMatchObject(counts)
    }
    for (const { call } of [...sent, ...later]) call.cancel()
  })
})

it('those held back are served by a pool that is given up, and by no connection that was not there', async () => {
  await withRig({ pressure: FULL }, async (rig) => {
    const { sent, peers } = await crowd(rig, CROWD_MIN + 2, CROWD_MIN)
    rig.server.release()
    for (const peer of peers) peer.send(ANSWER)
    for (let i = 0; i < 2; i++) await peers[i]?.expects(`GET /${CROWD_MIN + i} `)
    for (let i = 0; i < 2; i++) peers[i]?.send(ANSWER)
    for (const { got } of sent) expect((await got.over()).status).toBe(200)
    expect(rig.backend.peers).toHaveLength(CROWD_MIN)
  })
})
