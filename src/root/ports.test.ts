import { createServer, type Server } from 'node:net'
import { expect, it } from 'vitest'
import { PortBroker } from './ports.js'

const HOST = '127.0.0.1'

function listening(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: 0 }, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('no address')
      resolve({ server, port: address.port })
    })
  })
}

const closed = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve))

/** One that was free a moment ago. */
async function freePort(): Promise<number> {
  const { server, port } = await listening(HOST)
  await closed(server)
  return port
}

const GRANTED = { granted: true, reason: '' }

it('grants a free port, and leaves it free', async () => {
  const broker = new PortBroker()
  const port = await freePort()
  expect(await broker.claim(0, HOST, port)).toEqual(GRANTED)
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: HOST, port }, resolve)
  })
  await closed(server)
})

it('grants a free port on all addresses', async () => {
  expect(await new PortBroker().claim(0, '', await freePort())).toEqual(GRANTED)
})

it('says that a port is in use, until it is not', async () => {
  const broker = new PortBroker()
  const { server, port } = await listening(HOST)
  const busy = { granted: false, reason: `port ${port} is in use by another process` }
  expect(await broker.claim(0, HOST, port)).toEqual(busy)
  expect(await broker.claim(1, HOST, port)).toEqual(busy)
  await closed(server)
  expect(await broker.claim(0, HOST, port)).toEqual(GRANTED)
})

it('says that an address is not of this machine', async () => {
  // TEST-NET-1, RFC 5737.
  expect(await new PortBroker().claim(0, '192.0.2.1', 8080)).toEqual({
    granted: false,
    reason: 'address 192.0.2.1 is not one of this machine',
  })
})

it('says what else is wrong', async () => {
  const { granted, reason } = await new PortBroker().claim(0, 'no such host.invalid', 8080)
  expect(granted).toBe(false)
  expect(reason).toMatch(/^cannot listen on no such host\.invalid port 8080: /)
})

it.skipIf(process.getuid?.() === 0)('says that a port needs a privilege', async () => {
  const { granted, reason } = await new PortBroker().claim(0, HOST, 1)
  // Some machines let everybody bind all ports.
  if (!granted) expect(reason).toBe('port 1 needs a privilege that this process does not have')
})

it('workers that claim at once share one probe', async () => {
  const broker = new PortBroker()
  const port = await freePort()
  // Two probes at once would see each other.
  const grants = await Promise.all([0, 1, 2, 3, 4, 5].map((w) => broker.claim(w, HOST, port)))
  expect(grants).toEqual(grants.map(() => GRANTED))
})

it('a port that a worker holds is granted without a probe, until the last one lets go', async () => {
  const broker = new PortBroker()
  const port = await freePort()
  await broker.claim(0, HOST, port)
  const { server } = await listening(HOST)
  const ours = createServer()
  await new Promise<void>((resolve) => ours.listen({ host: HOST, port }, resolve))
  expect(await broker.claim(1, HOST, port)).toEqual(GRANTED)
  broker.release(0, HOST, port)
  expect(await broker.claim(2, HOST, port)).toEqual(GRANTED)
  broker.workerGone(1)
  broker.release(2, HOST, port)
  expect((await broker.claim(0, HOST, port)).granted).toBe(false)
  await closed(ours)
  await closed(server)
})

it('what a worker asked for before it ended is not held by its next life', async () => {
  const broker = new PortBroker()
  const port = await freePort()
  const late = broker.claim(0, HOST, port)
  broker.workerGone(0)
  expect((await late).granted).toBe(false)
  const { server } = await listeningOn(port)
  // Nobody of ours holds it: the stranger is seen.
  expect((await broker.claim(1, HOST, port)).granted).toBe(false)
  await closed(server)
})

it('releasing what is not held does nothing', async () => {
  const broker = new PortBroker()
  const port = await freePort()
  broker.release(0, HOST, port)
  broker.workerGone(7)
  expect(await broker.claim(0, HOST, port)).toEqual(GRANTED)
  broker.release(1, HOST, port)
  const { server } = await listeningOn(port)
  expect(await broker.claim(1, HOST, port)).toEqual(GRANTED) // worker 0 still holds it
  await closed(server)
})

function listeningOn(port: number): Promise<{ server: Server }> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: HOST, port }, () => resolve({ server }))
  })
}
