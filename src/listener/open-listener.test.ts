import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { type Exchange, RESPONDING } from '../http/exchange.js'
import {
  A,
  B,
  CA,
  CLIENT,
  LOCAL,
  P384,
  RSA,
  STRANGER,
  type TestPair,
} from '../lib/certificates.fixture.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type { CertificatePair, ConnectionGate, TlsIdentity, TrafficListener } from './contract.js'
import { openInnerSocket } from './inner-socket.js'
import { openListener } from './open-listener.js'
import { PeerBook } from './peers.js'
import type { UwsExchange } from './uws-exchange.js'
import { UwsListener } from './uws-listener.js'

const open = new Set<{ close(): void }>()
afterEach(() => {
  for (const each of open) each.close()
  open.clear()
})

const named = (pair: TestPair, ...names: string[]): CertificatePair => ({ ...pair, names })
const identity = (clientCa: string, ...pairs: CertificatePair[]): TlsIdentity => ({
  pairs,
  clientCa,
  fingerprint: '',
})
const one = identity('', named(LOCAL, 'localhost'))
const several = identity(
  '',
  named(A, 'a.test'),
  named(B, 'b.test', '*.b.test'),
  named(RSA, 'rsa.test'),
)
const mutual = identity(CA, named(LOCAL, 'localhost'))

interface Served {
  readonly listener: TrafficListener
  connections: number
}

function serve(tls: TlsIdentity): Served {
  const served = { connections: 0 }
  const gate: ConnectionGate = {
    opened: () => {
      served.connections += 1
      return true
    },
    closed: () => {
      served.connections -= 1
    },
  }
  const listener = openListener({ host: '127.0.0.1', port: 0 }, gate, new MemoryLogger(), { tls })
  if (listener === null) throw new Error('cannot listen')
  open.add(listener)
  listener.setHandler({
    keepAlive: true,
    handle: (ex: Exchange) => {
      const chain = (ex.responder as unknown as UwsExchange).peerCertificates()
      const about = ex.request.path === '/peer' ? `${ex.peer} ${chain.length}` : `${ex.scheme} fine`
      ex.respond(200, Buffer.from(about))
      ex.state = RESPONDING
      ex.responder?.send(ex)
    },
    finished: () => {},
  })
  return Object.assign(served, { listener })
}

interface Asked {
  readonly text: string
  /** Common name of the certificate shown. */
  readonly shown: string
  readonly protocol: string | null
}

/** One request on a connection of its own; rejects when there is no answer. */
function ask(port: number, options: ConnectionOptions = {}, path = '/'): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect(
      { port, host: '127.0.0.1', ca: CA, checkServerIdentity: () => undefined, ...options },
      () => socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    )
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (!/\r\n\r\n./.test(text)) return
      // There is none in a session that was resumed.
      const shown = socket.getPeerCertificate().subject?.CN
      resolve({ text, shown: String(shown), protocol: socket.getProtocol() })
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed')))
  })
}

it.each<[kind: string, tls: TlsIdentity, protocol: 'TLSv1.2' | 'TLSv1.3']>([
  ['one certificate', one, 'TLSv1.3'],
  ['one certificate', one, 'TLSv1.2'],
  ['several', several, 'TLSv1.3'],
  ['several', several, 'TLSv1.2'],
])('%s: speaks %s', async (_kind, tls, protocol) => {
  const { listener } = serve(tls)
  const asked = await ask(listener.port, { minVersion: protocol, maxVersion: protocol })
  expect(asked).toMatchObject({ protocol, text: expect.stringContaining('https fine') })
})

it.each([
  ['one certificate', one],
  ['several', several],
])('%s: older versions, and ciphers that keep nothing secret, are refused', async (_kind, tls) => {
  const { listener } = serve(tls)
  const { port } = listener
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  await expect(ask(port, old)).rejects.toThrow()
  const weak = { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:AES128-GCM-SHA256' } as const
  await expect(ask(port, weak)).rejects.toThrow()
})

it('offers no HTTP/2: a client that can do both goes on with HTTP/1.1', async () => {
  for (const tls of [one, several]) {
    const { listener } = serve(tls)
    const asked = await ask(listener.port, { ALPNProtocols: ['h2', 'http/1.1'] })
    expect(asked.text).toMatch(/^HTTP\/1\.1 200 /)
  }
})

it.each<[asked: string | undefined, shown: string]>([
  ['a.test', 'a.test'],
  ['b.test', 'b.test'],
  ['B.TEST', 'b.test'],
  ['x.b.test', 'b.test'],
  ['x.y.b.test', 'a.test'],
  ['rsa.test', 'rsa.test'],
  ['elsewhere.test', 'a.test'],
  [undefined, 'a.test'],
])('a client that asks for %s sees the certificate of %s', async (servername, shown) => {
  const { listener } = serve(several)
  const options = servername === undefined ? {} : { servername }
  expect((await ask(listener.port, options)).shown).toBe(shown)
})

it('of several certificates for a name the first counts, a wildcard too', async () => {
  const tls = identity('', named(A, 'x.test'), named(B, '*.b.test'), named(RSA, 'www.b.test'))
  const { listener } = serve(tls)
  expect((await ask(listener.port, { servername: 'www.b.test' })).shown).toBe('b.test')
})

it.each([
  ['P-384', P384],
  ['RSA', RSA],
])('%s can be served', async (_kind, pair) => {
  const { listener } = serve(identity('', named(pair, 'x')))
  expect((await ask(listener.port)).text).toContain('https fine')
})

it('certificates that cannot be used are told of', () => {
  const broken = named({ cert: LOCAL.cert, key: A.key }, 'localhost')
  for (const tls of [identity('', broken), identity(CA, broken)]) expect(() => serve(tls)).toThrow()
})

it.each<[protocol: 'TLSv1.2' | 'TLSv1.3']>([['TLSv1.2'], ['TLSv1.3']])(
  'asks for a certificate where it has to, and says who it is (%s)',
  async (maxVersion) => {
    const { listener } = serve(mutual)
    const { port } = listener
    await expect(ask(port, { maxVersion })).rejects.toThrow()
    await expect(ask(port, { maxVersion, ...STRANGER })).rejects.toThrow()
    const asked = await ask(port, { maxVersion, ...CLIENT }, '/peer')
    // The client's own, and the authority it was verified by.
    expect(asked.text).toMatch(/127\.0\.0\.1 2$/)
  },
)

it('a resumed session is of the same client', async () => {
  const { listener } = serve(mutual)
  const session = await new Promise<Buffer>((resolve, reject) => {
    const options = { port: listener.port, host: '127.0.0.1', ca: CA, servername: 'localhost' }
    const socket = connect({ ...options, ...CLIENT }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    })
    open.add({ close: () => socket.destroy() })
    socket.on('session', resolve)
    socket.on('error', reject)
  })
  const asked = await ask(listener.port, { servername: 'localhost', session, ...CLIENT }, '/peer')
  expect(asked.text).toMatch(/127\.0\.0\.1 [12]$/)
})

it('clients without TLS have no certificates', async () => {
  const { listener } = serve(one)
  expect((await ask(listener.port, {}, '/peer')).text).toMatch(/127\.0\.0\.1 0$/)
})

/** Sends bytes in clear text; resolves with what came back when the connection ends. */
function sendPlain(
  port: number,
  bytes: Uint8Array,
  end: 'waits' | 'ends' | 'resets',
): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.write(bytes)
      if (end === 'ends') socket.end()
      if (end === 'resets') socket.resetAndDestroy()
    })
    open.add({ close: () => socket.destroy() })
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(chunks)))
  })
}

const HELLO = Buffer.from('160301020001', 'hex')

it.each([
  ['one certificate', one],
  ['client certificates', mutual],
])('%s: clients that do not speak TLS, or not to the end, harm nobody', async (_kind, tls) => {
  const served = serve(tls)
  const { port } = served.listener
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  // In clear text, an alert at most, never an answer.
  expect((await sendPlain(port, request, 'waits')).toString('latin1')).not.toContain('HTTP')
  for (let i = 0; i < 50; i++) {
    await sendPlain(port, Buffer.alloc(1 + i * 37, i), 'ends')
    await sendPlain(
      port,
      HELLO.subarray(0, 1 + (i % HELLO.length)),
      i % 2 === 0 ? 'ends' : 'resets',
    )
  }
  expect((await ask(port, CLIENT)).text).toContain('fine')
  const deadline = Date.now() + 5_000
  while (served.connections > 0 && Date.now() < deadline) await new Promise(setImmediate)
  expect([served.connections, served.listener.connectionCount]).toEqual([0, 0])
})

it('a stranger at the inner socket is refused', async () => {
  // Whoever gets there without the token: as if there were no front.
  const peers = new PeerBook()
  let inner: UwsListener | null = null
  const socket = openInnerSocket((path) => {
    inner = UwsListener.openInner(path, peers, new MemoryLogger(), {
      stallMs: 1_000,
      leftoverBytesMax: 0,
    })
    return inner !== null
  })
  open.add(inner as unknown as UwsListener)
  const text = await new Promise<string>((resolve) => {
    const client = connectTcp({ path: socket?.path ?? '' }, () => {
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    })
    let got = ''
    client.on('data', (chunk) => {
      got += chunk.toString()
    })
    client.on('close', () => resolve(got))
  })
  socket?.close()
  expect(text).toMatch(/^HTTP\/1\.1 400 /)
})
