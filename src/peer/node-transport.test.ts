import { randomBytes } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, it } from 'vitest'
import { systemTime } from '../lib/clock.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { Authority } from './certificates.fixture.js'
import type { Introduction, Peer } from './identity.js'
import { Links } from './links.js'
import type { DialFailedEvent, LinksHandler, RefusedEvent } from './links-contract.js'
import {
  bindProblem,
  certificateNames,
  NodeTransport,
  type PeerListener,
  type PeerTls,
  parsePeerUrl,
} from './node-transport.js'
import { heartbeat, introduction, newcomer } from './testing/sim-peers.js'
import type { Forward } from './traffic.js'

const SECRET = Uint8Array.from(Buffer.from('secret'))

/** Waits until `check` holds; a look every few milliseconds, as events come from two sides. */
async function until(what: string, check: () => boolean): Promise<void> {
  const deadline = Date.now() + 8000
  while (!check()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

class RealPeer implements LinksHandler {
  readonly links: Links
  readonly log = new MemoryLogger()
  readonly transport: NodeTransport
  readonly refused: RefusedEvent[] = []
  readonly dialFailures: DialFailedEvent[] = []
  readonly strangers: string[] = []
  readonly raft: number[] = []
  chunkBytes = 0
  forwarded = 0
  room = 0
  port = 0
  #listener: PeerListener | null = null
  readonly #isTls: boolean

  constructor(
    local: Introduction,
    options: { tls?: PeerTls | null; secret?: Uint8Array | null } = {},
  ) {
    this.#isTls = options.tls != null
    this.transport = new NodeTransport({ tls: options.tls ?? null })
    this.links = new Links({
      time: systemTime,
      random: (below) => Math.floor(Math.random() * below),
      nonce: () => new Uint8Array(randomBytes(32)),
      transport: this.transport,
      log: this.log,
      local: () => local,
      membership: () => ({
        self: local,
        knownUpTo: 0,
        member: () => null,
        nameOf: () => null,
        isPurged: () => false,
        liveBoot: () => null,
      }),
      secret: options.secret === undefined ? SECRET : options.secret,
      allowInsecure: false,
      handler: this,
      timing: { fallbackMs: 60_000, lastMs: 200 },
    })
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#listener = this.transport.listen({
        host: '127.0.0.1',
        port: 0,
        accept: (connection) => this.links.accept(connection),
        onStranger: (_address, reason) => this.strangers.push(reason),
        onListening: (port) => {
          this.port = port
          resolve()
        },
        onFailed: reject,
      })
    })
    return this
  }

  get url(): string {
    return `${this.#isTls ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  get connected(): number {
    return this.links.status().flatMap((peer) => peer.links.filter((link) => link.connected)).length
  }

  async close(): Promise<void> {
    this.links.close()
    await new Promise<void>((resolve) => {
      if (this.#listener === null) resolve()
      else this.#listener.close(resolve)
    })
  }

  onPeerUp(): void {}
  onPeerDown(): void {}
  onRaft(message: { type: string; commit?: unknown }): void {
    this.raft.push(message.commit as number)
  }
  onUnreachable(): void {}
  onChunk(_header: unknown, bytes: Uint8Array): void {
    this.chunkBytes += bytes.byteLength
  }
  onChunkReply(): void {}
  onChunkRoom(_peer: Peer): void {
    this.room += 1
  }
  onForward(_traffic: Forward): void {
    this.forwarded += 1
  }
  onForwardUp(): void {}
  onForwardDown(): void {}
  onRefused(event: RefusedEvent): void {
    this.refused.push(event)
  }
  onDialFailed(event: DialFailedEvent): void {
    this.dialFailures.push(event)
  }
}

async function pair(
  a: ConstructorParameters<typeof RealPeer>[1],
  b: ConstructorParameters<typeof RealPeer>[1],
): Promise<[RealPeer, RealPeer]> {
  const first = await new RealPeer(introduction('a', { admittedAt: 1 }), a).listen()
  const second = await new RealPeer(introduction('b', { admittedAt: 1 }), b).listen()
  first.links.setMembers([{ ...introduction('b'), address: second.url }])
  return [first, second]
}

async function talk(a: RealPeer, b: RealPeer): Promise<void> {
  await until('all connections', () => a.connected === 3 && b.connected === 3)
  for (let commit = 0; commit < 5; commit++) {
    a.links.sendRaft({
      ...heartbeat(1, 2, commit),
      type: 'append',
      prevIndex: 1,
      prevTerm: 1,
      entries: [],
    } as never)
    b.links.sendRaft({
      ...heartbeat(2, 1, commit),
      type: 'append',
      prevIndex: 1,
      prevTerm: 1,
      entries: [],
    } as never)
  }
  await until('all messages', () => a.raft.length === 5 && b.raft.length === 5)
  expect(a.raft).toEqual([0, 1, 2, 3, 4])
  expect(b.raft).toEqual([0, 1, 2, 3, 4])
}

const authority = Authority.create()
if (authority === null) console.log('tests with TLS are skipped: there is no openssl here')
const withTls = it.skipIf(authority === null)
const other = Authority.create()
const ca = authority as Authority

it('two nodes meet over real sockets with a secret', async () => {
  const [a, b] = await pair({}, {})
  await talk(a, b)
  expect(a.links.status()[0]?.links[0]?.rttMs).toBeGreaterThan(0)
  await a.close()
  await until('the end at b', () => b.connected === 0)
  await b.close()
})

it('many megabytes and heartbeats pass each other', async () => {
  const [a, b] = await pair({}, {})
  await until('all connections', () => a.connected === 3 && b.connected === 3)
  const bytes = new Uint8Array(randomBytes(1024 * 1024))
  const message = {
    type: 'snapshot',
    from: 1,
    to: 2,
    term: 1,
    snapshot: {
      index: 1,
      term: 1,
      config: { voters: [1, 2], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
    },
  } as const
  let sent = 0
  const fill = (): void => {
    while (sent < 40) {
      const header = {
        transfer: 1,
        message,
        offset: sent * 1048576,
        length: 1048576,
        totalBytes: 1e9,
      }
      if (!a.links.sendChunk(2, header, bytes)) return
      sent += 1
    }
  }
  a.onChunkRoom = fill
  fill()
  expect(sent).toBeLessThan(40)
  a.links.sendRaft(heartbeat(1, 2, 9))
  await until('the heartbeat', () => b.raft.length === 1)
  await until('all chunks', () => b.chunkBytes === 40 * 1048576)
  await a.close()
  await b.close()
})

withTls('two nodes meet over mutual TLS, by name, without a secret', async () => {
  const [a, b] = await pair(
    { tls: ca.issue('whatever', ['a', 'a.example.com']), secret: null },
    { tls: ca.issue('b', []), secret: null },
  )
  await talk(a, b)
  await a.close()
  await b.close()
})

withTls('a certificate for another name is refused by whoever sees it', async () => {
  const tls = ca.issue('x', ['x'])
  const [a, b] = await pair({ tls: ca.issue('a', ['a']), secret: null }, { tls, secret: null })
  await until('a refusal', () => a.refused.length > 0 && b.refused.length > 0)
  expect(a.refused[0]).toMatchObject({ by: 'us', refusal: { code: 'certificate' } })
  expect(a.refused[0]?.refusal.message).toMatch(/for "x", not for member "b"/)
  expect(b.refused[0]).toMatchObject({ by: 'peer', refusal: { code: 'certificate' } })
  expect(a.connected + b.connected).toBe(0)
  await a.close()
  await b.close()
})

withTls('a certificate of another authority does not get to say a word', async () => {
  const [a, b] = await pair(
    { tls: (other as Authority).issue('a', ['a']), secret: null },
    { tls: ca.issue('b', ['b']), secret: null },
  )
  await until('failures', () => a.dialFailures.length > 2)
  expect(a.dialFailures[0]?.message).toMatch(/TLS: |self.signed|certificate/i)
  expect(a.connected + b.connected + b.refused.length).toBe(0)
  await a.close()
  await b.close()
})

withTls('a client without a certificate does not get to say a word', async () => {
  const b = await new RealPeer(introduction('b'), {
    tls: ca.issue('b', ['b']),
    secret: null,
  }).listen()
  const socket = connectTls({ host: '127.0.0.1', port: b.port, rejectUnauthorized: false })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('close', resolve))
  await until('a word about it', () => b.strangers.length === 1)
  expect(b.strangers[0]).toMatch(/certificate/)
  expect(b.links.stats().halfOpen).toBe(0)
  await b.close()
})

withTls('new certificates are used by new connections', async () => {
  const [a, b] = await pair(
    { tls: ca.issue('a', ['a']), secret: null },
    { tls: ca.issue('x', ['x']), secret: null },
  )
  await until('a refusal', () => a.refused.length > 0)
  b.transport.reload(ca.issue('b', ['b']))
  await talk(a, b)
  await a.close()
  await b.close()
})

withTls(
  'clear text on a TLS port, and TLS on a port in clear text, are called by name',
  async () => {
    const tls = ca.issue('b', ['b'])
    const secure = await new RealPeer(introduction('b'), { tls }).listen()
    const clear = await new RealPeer(introduction('c'), {}).listen()
    const dialer = new RealPeer(newcomer('d'), { tls: ca.issue('d', ['d']) })
    dialer.links.dialGuest(secure.url.replace('https', 'http'), null)
    dialer.links.dialGuest(clear.url.replace('http', 'https'), null)
    await until(
      'both are seen',
      () => secure.strangers.length > 0 && dialer.dialFailures.length > 1,
    )
    expect(secure.strangers[0]).toMatch(/speaks TLS, the peer does not/)
    const faults = (): Record<string, number> => clear.links.stats().faults
    await until('TLS in clear text', () => (faults()['tls'] ?? 0) > 0)
    await dialer.close()
    await secure.close()
    await clear.close()
  },
)

async function http(port: number): Promise<string> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  socket.write('GET /version HTTP/1.1\r\nHost: a\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

it('a client of HTTP gets its line over a real socket', async () => {
  const b = await new RealPeer(introduction('b')).listen()
  expect(await http(b.port)).toMatch(/^HTTP\/1\.1 400 [\s\S]*egctl/)
  await b.close()
})

withTls('a client of HTTP gets its line from a TLS port, too', async () => {
  const b = await new RealPeer(introduction('b'), { tls: ca.issue('b', ['b']) }).listen()
  expect(await http(b.port)).toMatch(/^HTTP\/1\.1 400 [\s\S]*egctl/)
  expect(b.strangers).toEqual(['the peer speaks HTTP'])
  await until('nothing half-open', () => b.links.stats().halfOpen === 0)
  await b.close()
})

it.each<[string, Partial<ConstructorParameters<typeof RealPeer>[1]>, string]>([
  ['another secret', { secret: Uint8Array.of(1, 2, 3) }, 'secret-wrong'],
  ['no secret', { secret: null }, 'secret-missing'],
])('a peer with %s is refused with that reason', async (_name, options, code) => {
  const [a, b] = await pair(options, {})
  await until('refusals', () => a.refused.length > 0 && b.refused.length > 0)
  expect(a.refused[0]).toMatchObject({ by: 'peer', refusal: { code } })
  expect(b.refused[0]).toMatchObject({ by: 'us', refusal: { code } })
  await a.close()
  await b.close()
})

it('nobody listening is told from nobody answering', async () => {
  const b = await new RealPeer(introduction('b')).listen()
  const { url } = b
  await b.close()
  const a = new RealPeer(newcomer('a'))
  const dial = a.links.dialGuest(url, null)
  a.links.dialGuest('http://no-such-host.invalid:2380', null)
  a.links.dialGuest('ftp://127.0.0.1:1', null)
  a.links.dialGuest('https://127.0.0.1:1', null)
  await until('all failures', () => new Set(a.dialFailures.map((each) => each.address)).size === 4)
  const causeOf = (address: string) => a.dialFailures.find((each) => each.address === address)
  expect(causeOf(url)).toMatchObject({ cause: 'refused', message: 'connection refused' })
  expect(causeOf('http://no-such-host.invalid:2380')).toMatchObject({ cause: 'other' })
  expect(causeOf('ftp://127.0.0.1:1')?.message).toMatch(/no peer URL/)
  expect(causeOf('https://127.0.0.1:1')?.message).toMatch(/no peer certificate/)
  dial.close()
  await a.close()
})

it('a port that is taken is reported', async () => {
  const b = await new RealPeer(introduction('b')).listen()
  const failed = await new Promise<NodeJS.ErrnoException>((resolve) => {
    new NodeTransport({ tls: null }).listen({
      host: '127.0.0.1',
      port: b.port,
      accept: () => expect.unreachable(),
      onStranger: () => {},
      onListening: () => expect.unreachable(),
      onFailed: resolve,
    })
  })
  expect(failed.code).toBe('EADDRINUSE')
  await b.close()
})

it.each<[string, boolean]>([
  ['127.0.0.1', true],
  ['127.3.2.1', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['example.com', false],
])('without authentication, %s may be bound: %s', (host, allowed) => {
  const open = { tls: false, secret: false, allowInsecure: false }
  expect(bindProblem(host, open) === null).toBe(allowed)
  for (const guard of ['tls', 'secret', 'allowInsecure']) {
    expect(bindProblem(host, { ...open, [guard]: true })).toBe(null)
  }
})

it.each<[string, ReturnType<typeof parsePeerUrl>]>([
  ['http://10.0.0.1:2380', { host: '10.0.0.1', port: 2380, isTls: false }],
  ['https://node-1.example.com:2380/', { host: 'node-1.example.com', port: 2380, isTls: true }],
  ['http://[::1]:1', { host: '::1', port: 1, isTls: false }],
  ['http://10.0.0.1', null],
  ['10.0.0.1:2380', null],
  ['ftp://10.0.0.1:2380', null],
  ['http://10.0.0.1:0', null],
  ['http://10.0.0.1:65536', null],
  ['http://user@10.0.0.1:2380', null],
  ['http://10.0.0.1:2380/path', null],
  ['http://10.0.0.1:2380\n', null],
  ['', null],
])('peer URL %j', (url, wanted) => {
  expect(parsePeerUrl(url)).toEqual(wanted)
})

it.each<[string, string | undefined, string | undefined, string[]]>([
  ['names', 'DNS:a, DNS:b, IP Address:10.0.0.1', 'c', ['a', 'b']],
  ['one name', 'DNS:a', undefined, ['a']],
  ['a common name alone', undefined, 'a', ['a']],
  ['addresses alone', 'IP Address:10.0.0.1', 'a', []],
  ['a name with a comma, quoted', 'DNS:"x, DNS:a"', 'a', []],
  ['nothing', undefined, undefined, []],
])('names of a certificate with %s', (_name, subjectaltname, common, wanted) => {
  const subject = common === undefined ? {} : { CN: common }
  expect(
    certificateNames({
      ...(subjectaltname === undefined ? {} : { subjectaltname }),
      subject,
    } as never),
  ).toEqual(wanted)
})
