import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { TurnEnd } from '../lib/turn-end.js'
import { turns, until } from './scripted-server.fixture.js'
import { TcpLane } from './tcp-lane.js'

/** A socket with a lane, and the other end of it. */
class Pair {
  readonly server: Server
  readonly near: Socket
  readonly far: Socket
  readonly lane: TcpLane
  readonly buffer: Buffer
  readonly events: string[]
  readonly turnEnd = new TurnEnd<TcpLane>(8, (lane) => lane.letGo())
  /** What the far end has read, in Latin-1. */
  taken = ''
  /** What the callback for reads returns. */
  goesOn = true

  private constructor(server: Server, near: Socket, far: Socket, buffer: Buffer) {
    this.server = server
    this.near = near
    this.far = far
    this.buffer = buffer
    this.events = []
    near.on('end', () => this.events.push('end'))
    near.on('error', (error: NodeJS.ErrnoException) => this.events.push(`error ${error.code}`))
    near.on('close', () => this.events.push('close'))
    far.on('error', () => {})
    const lane = TcpLane.over(
      near,
      this.turnEnd,
      (bytes) => {
        this.events.push(`read ${buffer.toString('latin1', 0, bytes)}`)
        return this.goesOn
      },
      () => this.events.push('drain'),
    )
    if (lane === null) throw new Error('this node has no lane')
    this.lane = lane
  }

  static async open(): Promise<Pair> {
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const buffer = Buffer.alloc(65_536)
    const callback = (): boolean => {
      throw new Error('the stream was asked')
    }
    const near = connect({ port, host: '127.0.0.1', onread: { buffer, callback } })
    const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')])
    return new Pair(server, near, far as Socket, buffer)
  }

  takeAll(): void {
    this.far.on('data', (bytes: Buffer) => {
      this.taken += bytes.toString('latin1')
    })
  }

  close(): void {
    this.near.destroy()
    this.far.destroy()
    this.server.close()
  }

  async sees(event: string): Promise<void> {
    await until(`${event} in ${this.events}`, () => this.events.includes(event))
  }
}

/** Writes until the kernel takes no more; returns all that was written. */
function fill(lane: TcpLane): string {
  let written = ''
  for (let i = 0; ; i++) {
    const text = String.fromCharCode(97 + (i % 26)).repeat(15_000)
    written += text
    if (!lane.write(text)) return written
  }
}

it('text goes out in Latin-1, what comes is told with its length', async () => {
  const pair = await Pair.open()
  pair.takeAll()
  expect(pair.lane.isFree).toBe(true)
  expect(pair.lane.write('caf\xe9 ')).toBe(true)
  expect(pair.lane.write('')).toBe(true)
  expect(pair.lane.write('x')).toBe(true)
  await until('both texts', () => pair.taken === 'caf\xe9 x')
  pair.far.write('one')
  await pair.sees('read one')
  pair.far.write('two')
  await pair.sees('read two')
  pair.close()
})

it('what is held leaves at the end of the turn', async () => {
  const pair = await Pair.open()
  pair.takeAll()
  pair.lane.hold('GET / ')
  expect(pair.lane.isHolding).toBe(true)
  await Promise.resolve()
  expect(pair.lane.isHolding).toBe(true)
  await new Promise((done) => setImmediate(done))
  expect(pair.lane.isHolding).toBe(false)
  await until('what was held', () => pair.taken === 'GET / ')
  pair.close()
})

it('what is held leaves before what comes after it, and once', async () => {
  const pair = await Pair.open()
  pair.takeAll()
  pair.lane.hold('head')
  pair.lane.letGo()
  expect(pair.lane.isHolding).toBe(false)
  pair.near.write(' by stream', 'latin1')
  await until('both', () => pair.taken === 'head by stream')
  await turns()
  expect(pair.taken).toBe('head by stream')
  pair.close()
})

it('what is dropped, or held for a socket that is gone, is not sent', async () => {
  const pair = await Pair.open()
  pair.takeAll()
  pair.lane.hold('dropped')
  pair.lane.drop()
  pair.lane.letGo()
  pair.lane.write('sent')
  await until('what was sent', () => pair.taken === 'sent')
  pair.lane.hold('too late')
  pair.near.destroy()
  await pair.sees('close')
  await turns()
  expect(pair.taken).toBe('sent')
  expect(pair.events).toEqual(['close'])
  pair.close()
})

it('a full socket: false, then a drain; what the stream writes meanwhile comes behind', async () => {
  const pair = await Pair.open()
  let written = fill(pair.lane)
  expect([pair.lane.isWaiting, pair.lane.isFree]).toEqual([true, false])
  pair.near.write('by stream', 'latin1')
  written += 'by stream'
  expect(pair.events).toEqual([])
  pair.takeAll()
  await pair.sees('drain')
  expect(pair.lane.isWaiting).toBe(false)
  await until('a free lane', () => pair.lane.isFree)
  expect(pair.lane.write('by lane')).toBe(true)
  written += 'by lane'
  await until('all of it', () => pair.taken.length >= written.length)
  expect(pair.taken === written).toBe(true)
  expect(pair.events).toEqual(['drain'])
  pair.close()
})

it('not free while the stream holds something back', async () => {
  const pair = await Pair.open()
  while (pair.near.write(Buffer.alloc(65_536)));
  expect(pair.lane.isFree).toBe(false)
  pair.takeAll()
  await until('a free lane', () => pair.lane.isFree)
  pair.close()
})

it('reading stops when told to, and goes on with resume', async () => {
  const pair = await Pair.open()
  pair.goesOn = false
  pair.far.write('one')
  await pair.sees('read one')
  pair.far.write('two')
  await turns()
  expect(pair.events).toEqual(['read one'])
  pair.goesOn = true
  pair.near.resume()
  await pair.sees('read two')
  pair.close()
})

it('the end of what the peer sends is told by the stream', async () => {
  const pair = await Pair.open()
  pair.near.resume()
  pair.far.end('last')
  await pair.sees('end')
  expect(pair.events.slice(0, 2)).toEqual(['read last', 'end'])
  pair.close()
})

it('a reset is told by the stream', async () => {
  const pair = await Pair.open()
  pair.far.resetAndDestroy()
  await pair.sees('close')
  expect(pair.events).toEqual(['error ECONNRESET', 'close'])
  pair.close()
})

it('a write to a broken socket is told by the stream', async () => {
  const pair = await Pair.open()
  pair.near.pause() // so that it is the write that finds out
  pair.far.resetAndDestroy()
  await turns()
  for (let i = 0; i < 3; i++) pair.lane.write('x')
  await pair.sees('close')
  expect(pair.events[0]).toMatch(/^error (EPIPE|ECONNRESET)$/)
  pair.close()
})

it('destroyed while a write waits: nothing is told any more, and writes do nothing', async () => {
  const pair = await Pair.open()
  fill(pair.lane)
  pair.near.destroy()
  await pair.sees('close')
  expect(pair.lane.write('x')).toBe(true)
  await turns()
  expect(pair.events).toEqual(['close'])
  pair.close()
})

it.each<[what: string, handle: object | null | undefined]>([
  ['no handle', undefined],
  ['a handle that is gone', null],
  ['an empty handle', {}],
  ['no way to write', { onread: () => {}, readStop: () => 0, reading: true }],
  ['no callback for reads', { writeLatin1String: () => 0, readStop: () => 0, reading: true }],
  ['no state', { writeLatin1String: () => 0, onread: () => {}, readStop: () => 0 }],
  ['no way to stop', { writeLatin1String: () => 0, onread: () => {}, reading: true }],
])('a socket with %s has no lane', (_what, handle) => {
  const socket = { _handle: handle } as unknown as Socket
  const never = (): boolean => {
    throw new Error('called')
  }
  expect(TcpLane.over(socket, new TurnEnd<TcpLane>(1, never), never, never)).toBeNull()
})
