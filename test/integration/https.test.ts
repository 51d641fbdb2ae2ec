/** Servers that speak TLS: certificates, clients that show theirs, and changes of both. */
import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { expect, it } from 'vitest'
import {
  A,
  B,
  CA,
  CLIENT,
  LOCAL,
  RSA,
  STRANGER,
  type TestPair,
} from '../../src/lib/certificates.fixture.js'
import { httpServer, mock, pipeline } from './support/documents.js'
import type { Document } from './support/gateway.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()

const base64 = (pem: string): string => Buffer.from(pem).toString('base64')
const shown = ({ cert, key }: TestPair) => ({
  https: true,
  certBase64: base64(cert),
  keyBase64: base64(key),
})

/** A connection that is kept; `ask` gives the whole answer, which ends with `end`. */
class TlsClient {
  readonly #socket: TLSSocket
  #text = ''
  #failure: string | null = null
  #wake: () => void = () => {}

  constructor(port: number, options: ConnectionOptions = {}) {
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      ca: CA,
      checkServerIdentity: () => undefined,
      ...options,
    })
    world.atEnd(() => void this.#socket.destroy())
    this.#socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    this.#socket.on('error', (error) => {
      this.#failure ??= error.message
      this.#wake()
    })
    this.#socket.on('close', () => {
      this.#failure ??= 'closed'
      this.#wake()
    })
  }

  /** Common name of the certificate that the server has shown. */
  get server(): string {
    return String(this.#socket.getPeerCertificate().subject?.CN)
  }

  async ask(end: string, fields = ''): Promise<string> {
    this.#text = ''
    this.#socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
    while (!this.#text.endsWith(end)) {
      if (this.#failure !== null) throw new Error(this.#failure)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#text
  }

  end(): void {
    this.#socket.destroy()
  }
}

/** One request on a connection of its own: who answered. */
async function server(port: number, end: string, options: ConnectionOptions = {}): Promise<string> {
  const client = new TlsClient(port, options)
  await client.ask(end, 'Connection: close\r\n')
  const name = client.server
  client.end()
  return name
}

it('new certificates serve new connections, while old ones go on and none is lost', async () => {
  const gateway = await world.gateway()
  const child = gateway.childPid()
  const port = await freePort()
  await gateway.create(pipeline('p', mock(200, 'here')))
  await gateway.create(httpServer('s', port, 'p', shown(A)))
  const kept = new TlsClient(port)
  await kept.ask('here')
  let isOver = false
  const failures: string[] = []
  const seen = new Set<string>()
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      try {
        seen.add(await server(port, 'here'))
      } catch (thrown) {
        failures.push(String(thrown))
      }
    }
  })
  for (const pair of [B, LOCAL, RSA, A, B]) {
    await gateway.update(httpServer('s', port, 'p', shown(pair)))
    // From the answer on every new connection gets the new one.
    for (let i = 0; i < 6; i++) {
      const name = await server(port, 'here')
      const common = { [A.cert]: 'a.test', [B.cert]: 'b.test', [LOCAL.cert]: 'local' }
      expect(name).toBe(common[pair.cert] ?? 'rsa.test')
    }
    await kept.ask('here')
    expect(kept.server).toBe('a.test')
  }
  isOver = true
  await Promise.all(clients)
  expect(failures).toEqual([])
  expect([...seen].sort()).toEqual(['a.test', 'b.test', 'local', 'rsa.test'])

  // What cannot be used is refused, and changes nothing.
  const broken = httpServer('s', port, 'p', { ...shown(B), keyBase64: base64(A.key) })
  const refused = await gateway.admin('PUT', '/objects/s', JSON.stringify(broken))
  expect([refused.status, refused.text]).toEqual([
    400,
    expect.stringContaining('keyBase64: does not belong to the first certificate of certBase64'),
  ])
  expect(await server(port, 'here')).toBe('b.test')

  // Clear text on the same port from now on; those with TLS are not answered any more.
  await gateway.update(httpServer('s', port, 'p'))
  await expect(kept.ask('here')).rejects.toThrow()
  await expect(server(port, 'here')).rejects.toThrow()
  const plain = await world.client(port)
  plain.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  expect((await plain.answer()).status).toBe(200)
  expect(gateway.childPid()).toBe(child)
  await gateway.dispose()
})

const v2 = (name: string, port: number, more: object): Document => ({
  kind: 'HTTPServer',
  name,
  port,
  keepAlive: true,
  rules: [{ paths: [{ pathPrefix: '/', backend: 'who', clientMaxBodySize: -1 }] }],
  ...more,
})

/** Answers with what the client's certificate says, and how it asked. */
const WHO: Document = {
  kind: 'Pipeline',
  name: 'who',
  filters: [
    { name: 'name', kind: 'CertExtractor', target: 'subject', field: 'CommonName' },
    {
      name: 'organization',
      kind: 'CertExtractor',
      target: 'subject',
      field: 'Organization',
      headerKey: 'X-Organization',
    },
    {
      name: 'answer',
      kind: 'ResponseBuilder',
      template:
        'body: \'{{.req.Scheme}} {{.req.Header.Get "Tls-Subject-Commonname"}} {{.req.Header.Values "X-Organization"}}.\'\n',
    },
  ],
}

it('a pipeline learns who the client is by its certificate, and strangers are kept out', async () => {
  const gateway = await world.gateway()
  const port = await freePort()
  await gateway.create(WHO)
  const ca = { caCertBase64: base64(CA) }
  await gateway.create(v2('s', port, { ...shown(LOCAL), ...ca }))
  const client = new TlsClient(port, CLIENT)
  const forged = 'Tls-Subject-Commonname: forged\r\n'
  for (let i = 0; i < 3; i++) {
    expect(await client.ask('.', forged)).toContain('\r\n\r\nhttps client.test [One Two].')
  }
  for (const options of [{}, STRANGER]) await expect(server(port, '.', options)).rejects.toThrow()

  // Several certificates, by the host that clients ask for.
  const several = { certs: { a: A.cert, rsa: base64(RSA.cert) }, keys: { a: A.key, rsa: RSA.key } }
  await gateway.update(v2('s', port, { ...shown(LOCAL), ...ca, ...several }))
  for (const [servername, name] of [
    ['a.test', 'a.test'],
    ['rsa.test', 'rsa.test'],
    ['elsewhere.test', 'local'],
  ] as const) {
    expect(await server(port, '.', { ...CLIENT, servername })).toBe(name)
  }
  await client.ask('.')

  // Nobody has to show a certificate any more: no trace of one in the headers.
  await gateway.update(v2('s', port, { ...shown(LOCAL), ...several }))
  const anyone = new TlsClient(port)
  expect(await anyone.ask('.', forged)).toContain('\r\n\r\nhttps  [].')
  await expect(client.ask('.')).rejects.toThrow()
  await gateway.dispose()
})

it("a port is one server's, with or without TLS", async () => {
  const gateway = await world.gateway()
  const port = await freePort()
  await gateway.create(pipeline('p', mock(200, 'here')))
  await gateway.create(httpServer('first', port, 'p', shown(A)))
  await gateway.create(httpServer('second', port, 'p'))
  expect(await gateway.status('second')).toMatchObject({
    error: `port ${port} is held by HTTPServer first`,
  })
  expect(await server(port, 'here')).toBe('a.test')
  await gateway.remove('first')
  await until('the second', 5_000, async () => {
    const { state } = (await gateway.status('second')) as { state: string }
    return state === 'running'
  })
  const plain = await world.client(port)
  plain.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  expect((await plain.answer()).body.toString()).toBe('here')
  await gateway.dispose()
})

it('two hundred handshakes, and as many that come to nothing, leave nothing behind', async () => {
  const gateway = await world.gateway()
  const child = gateway.childPid()
  const ports = [await freePort(), await freePort()] as const
  await gateway.create(pipeline('p', mock(200, 'here')))
  await gateway.create(WHO)
  await gateway.create(httpServer('one', ports[0], 'p', { ...shown(A), maxConnections: 64 }))
  const several = { certs: { b: B.cert }, keys: { b: B.key }, maxConnections: 64 }
  await gateway.create(v2('several', ports[1], { ...shown(A), ...several }))
  const cutAt = (port: number, bytes: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = connectTcp(port, '127.0.0.1', () => {
        socket.write(Buffer.alloc(bytes, 22))
        if (bytes % 2 === 0) socket.end()
        else socket.resetAndDestroy()
      })
      socket.resume() // the alert that comes back
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
  let left = 100
  const work = async (): Promise<void> => {
    for (let n = left--; n > 0; n = left--) {
      for (const [port, end] of [
        [ports[0], 'here'],
        [ports[1], '.'],
      ] as const) {
        await server(port, end)
        await cutAt(port, n % 40)
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  // All places are free again: the cap counts what is really there.
  for (const [port, end] of [
    [ports[0], 'here'],
    [ports[1], '.'],
  ] as const) {
    await until('free places', 5_000, async () => {
      const all = Array.from({ length: 60 }, () => new TlsClient(port))
      const asked = await Promise.allSettled(all.map((client) => client.ask(end)))
      for (const client of all) client.end()
      return asked.every(({ status }) => status === 'fulfilled')
    })
  }
  expect(gateway.childPid()).toBe(child)
  await gateway.dispose()
})
