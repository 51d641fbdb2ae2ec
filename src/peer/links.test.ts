import { expect, it } from 'vitest'
import type { ChunkHeader, Message, SnapshotMessage } from '../raft/raft.js'
import { EMPTY_CONFIG } from '../raft/raft.js'
import { encodeFrame, FRAME, FrameDecoder } from './frame.js'
import { Handshake } from './handshake.js'
import { CHANNEL, type Channel, type Introduction } from './identity.js'
import { LINK_TIMING } from './links-contract.js'
import {
  addressOf,
  append,
  heartbeat,
  introduction,
  newcomer,
  type SimPeer,
  SimWorld,
} from './testing/sim-peers.js'
import { CHUNK_BYTES } from './traffic.js'
import type { Connection, ConnectionHandler } from './transport.js'

const ALL_OF = (...names: string[]): string[] =>
  names.flatMap((name) => [`${name} bulk`, `${name} forward`, `${name} raft`])

function connectsOf(peer: SimPeer): number[] {
  return peer.links.status().flatMap((status) => status.links.map((link) => link.connects))
}

it('members build three connections a pair, each dialed by one side', () => {
  const world = new SimWorld()
  const [a, b, c] = world.cluster(['a', 'b', 'c']) as [SimPeer, SimPeer, SimPeer]
  world.time.advance(100)
  expect(a.connected).toEqual(ALL_OF('b', 'c'))
  expect(b.connected).toEqual(ALL_OF('a', 'c'))
  expect(c.connected).toEqual(ALL_OF('a', 'b'))
  expect(world.network.dialed).toBe(9)
  world.time.advance(60_000)
  expect(world.network.dialed).toBe(9)
  expect(a.events).toEqual(expect.arrayContaining(['up b', 'up c', 'forward b', 'forward c']))
  expect(a.events).toHaveLength(4)
  const [status] = a.links.status()
  expect(status?.links[0]?.rttMs).toBe(2)
  expect(status?.links[0]?.clockOffsetMs).toBeCloseTo(0, 0)
})

it('messages of Raft arrive in order, at the right node, with their bytes', () => {
  const world = new SimWorld()
  const [a, b, c] = world.cluster(['a', 'b', 'c']) as [SimPeer, SimPeer, SimPeer]
  world.time.advance(100)
  for (let index = 2; index < 30; index++) a.links.sendRaft(append(1, 2, index, index * 50))
  b.links.sendRaft(heartbeat(2, 3, 7))
  world.time.advance(100)
  expect(b.raft.map((message) => (message.type === 'append' ? message.prevIndex : -1))).toEqual(
    Array.from({ length: 28 }, (_, i) => i + 1),
  )
  expect(c.raft).toEqual([heartbeat(2, 3, 7)])
  expect(a.raft).toEqual([])
})

it('a message without a connection is lost without a word', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  a.links.sendRaft(heartbeat(1, 2, 1))
  a.links.sendRaft(heartbeat(1, 9, 1))
  expect(a.links.sendChunk(2, chunk(1, 2, 0, 1), new Uint8Array(1))).toBe(false)
  expect(
    a.links.sendForward('inc-b', { type: 'notice', service: 'x', body: new Uint8Array(0) }),
  ).toBe('down')
})

function snapshot(from: number, to: number): SnapshotMessage {
  return {
    type: 'snapshot',
    from,
    to,
    term: 1,
    snapshot: { index: 5, term: 1, config: { ...EMPTY_CONFIG, voters: [1, 2] } },
  }
}

function chunk(from: number, to: number, offset: number, length: number): ChunkHeader {
  return { transfer: 1, message: snapshot(from, to), offset, length, totalBytes: 1e9 }
}

it('a bulk transfer over a slow line delays no heartbeat', () => {
  const bytesPerMs = 2000
  const world = new SimWorld(1, { bytesPerMs })
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  let offset = 0
  const fill = (): void => {
    while (a.links.sendChunk(2, chunk(1, 2, offset, CHUNK_BYTES), new Uint8Array(CHUNK_BYTES))) {
      offset += CHUNK_BYTES
    }
  }
  a.onRoom = fill
  fill()
  const sentAtMs: number[] = []
  for (let beat = 0; beat < 100; beat++) {
    sentAtMs.push(world.time.monotonicMs())
    a.links.sendRaft(heartbeat(1, 2, beat))
    world.time.advance(100)
  }
  world.time.advance(100)
  const latest = Math.max(...b.raftAtMs.map((atMs, beat) => atMs - (sentAtMs[beat] as number)))
  expect(b.raft).toHaveLength(100)
  // A turn of the line, 16 KiB, before it, another before a ping that is ahead, and the latency.
  expect(latest).toBeLessThan(3 * (16_384 / bytesPerMs) + 5)
  // The line was busy with chunks all the while, and no more than a few waited.
  expect(b.chunks.length).toBeGreaterThan((0.9 * 10_000 * bytesPerMs) / CHUNK_BYTES)
  expect(a.links.status()[0]?.links[CHANNEL.BULK]?.queuedBytes).toBeLessThan(3 * CHUNK_BYTES)
})

it('heartbeats pass appends that wait, and only the newest of them is kept', () => {
  const world = new SimWorld(1, { bytesPerMs: 100 })
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  for (let index = 2; index < 12; index++) a.links.sendRaft(append(1, 2, index, 100_000))
  for (let commit = 1; commit <= 5; commit++) a.links.sendRaft(heartbeat(1, 2, commit))
  world.time.advance(60_000)
  const types = b.raft.map((message) => message.type)
  expect(types.filter((type) => type === 'append')).toHaveLength(10)
  expect(b.raft.filter((message) => message.type === 'heartbeat')).toEqual([heartbeat(1, 2, 5)])
  expect(types.indexOf('heartbeat')).toBe(1)
})

it('what waits is bounded: appends above it are lost, and Raft is told', () => {
  const world = new SimWorld(1, { bytesPerMs: 100 })
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  for (let index = 2; index < 42; index++) a.links.sendRaft(append(1, 2, index, 1_000_000))
  expect(a.unreachable).toEqual([])
  const [link] = a.links.status()[0]?.links ?? []
  expect(link?.queuedBytes).toBeLessThanOrEqual(12 * 1024 * 1024)
  expect(link?.dropped).toBe(27)
  world.time.advance(1)
  expect(new Set(a.unreachable)).toEqual(new Set([2]))
  world.time.advance(300_000)
  const got = b.raft.map((message) => (message.type === 'append' ? message.prevIndex : -1))
  expect(got).toEqual(Array.from({ length: 13 }, (_, i) => i + 1))
})

it('requests above the bound are refused, and taken again later', () => {
  const world = new SimWorld(1, { bytesPerMs: 1000 })
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  const body = new Uint8Array(1024 * 1024)
  const send = (): string => a.links.sendForward('inc-b', { type: 'notice', service: 'x', body })
  const answers = Array.from({ length: 30 }, send)
  expect(answers.filter((answer) => answer === 'sent').length).toBe(16)
  expect(answers.at(-1)).toBe('full')
  world.time.advance(30_000)
  expect(send()).toBe('sent')
  world.time.advance(30_000)
  expect(b.forwarded).toHaveLength(17)
  const long = { type: 'notice', service: 'x', body: new Uint8Array(17 * 1024 * 1024) } as const
  expect(a.links.sendForward('inc-b', long)).toBe('too-long')
})

/** A heartbeat that finds its way to one node and names another. */
function misdirected(via: number, to: number): Message {
  let reads = 0
  const message = heartbeat(1, via, 1)
  const get = (): number => (reads++ === 0 ? via : to)
  return Object.defineProperty(message, 'to', { enumerable: true, get })
}

it.each<[string, Message]>([
  ['from another node', heartbeat(3, 2, 1)],
  ['from nobody that exists', heartbeat(77, 2, 1)],
  ['to another node', misdirected(2, 3)],
  ['to nobody', misdirected(2, 0)],
])('a message %s costs the connection', (_name, message) => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b', 'c']) as [SimPeer, SimPeer]
  world.time.advance(100)
  a.links.sendRaft(message)
  world.time.advance(20)
  expect(b.raft).toEqual([])
  expect(b.links.stats().faults).toEqual({ body: 1 })
})

it('a chunk that speaks for another costs the connection', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b', 'c']) as [SimPeer, SimPeer]
  world.time.advance(100)
  a.links.sendChunk(2, chunk(3, 2, 0, 1), new Uint8Array(1))
  world.time.advance(20)
  expect(b.chunks).toEqual([])
  expect(b.links.stats().faults).toEqual({ body: 1 })
})

it('chunks and their answers arrive', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(100)
  a.links.sendChunk(2, chunk(1, 2, 0, 3), new Uint8Array(3))
  b.links.sendChunkReply(1, { transfer: 1, offset: 3, refused: false })
  world.time.advance(20)
  expect(b.chunks).toEqual([chunk(1, 2, 0, 3)])
  expect(a.chunkReplies).toEqual([{ transfer: 1, offset: 3, refused: false }])
})

it('a peer that is silent is taken for dead, and found again', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  world.network.isolate('b', ['a', 'b'])
  world.time.advance(3000)
  expect(a.connected).toEqual(ALL_OF('b'))
  world.time.advance(3000)
  expect(a.connected).toEqual([])
  expect(a.events.at(-1)).toBe('down b')
  expect(a.links.status()[0]?.links[0]?.failure).toMatch(/heard|answer/)
  expect(a.links.silentMs('inc-b')).toBe(null)
  world.network.heal()
  world.time.advance(10_000)
  expect([a.connected, b.connected]).toEqual([ALL_OF('b'), ALL_OF('a')])
})

it('a connection that broke on one side alone is replaced at once', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  world.network.lose('a')
  world.time.advance(500)
  expect([a.connected, b.connected]).toEqual([ALL_OF('b'), ALL_OF('a')])
  expect(world.network.openCount).toBe(3)
  expect(b.events.filter((event) => event === 'down a')).toEqual([])
  a.links.sendRaft(heartbeat(1, 2, 1))
  b.links.sendRaft(heartbeat(2, 1, 1))
  world.time.advance(50)
  expect([a.raft.length, b.raft.length]).toEqual([1, 1])
})

it.each<[string, number, number]>([
  ['an old one after a probe', 5000, LINK_TIMING.fallbackMs + LINK_TIMING.probeMs],
  ['a young one when a handshake would be over', 100, LINK_TIMING.handshakeMs],
])('a connection that the other side lost gives way: %s', (_, ageMs, withinMs) => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(ageMs)
  // a should dial, and believes that it need not.
  world.network.lose('b')
  expect([a.connected, b.connected]).toEqual([ALL_OF('b'), []])
  world.time.advance(withinMs + LINK_TIMING.firstMs + 50)
  expect([a.connected, b.connected]).toEqual([ALL_OF('b'), ALL_OF('a')])
  expect(world.network.openCount).toBe(3)
  b.links.sendForward('inc-a', { type: 'notice', service: 'x', body: new Uint8Array(0) })
  world.time.advance(50)
  expect(a.forwarded).toHaveLength(1)
})

it('a peer that is not there is dialed less and less often', () => {
  const world = new SimWorld()
  world.cluster(['a', 'b'])
  world.time.advance(1000)
  world.kill('b')
  const before = world.network.dialed
  world.time.advance(60_000)
  const perChannel = (world.network.dialed - before) / 3
  expect(perChannel).toBeGreaterThan(30)
  expect(perChannel).toBeLessThan(70)
})

it('a restarted peer is let in under its new boot at once', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  world.time.advance(1000)
  world.kill('b')
  const again = world.add(introduction('b', { bootId: 'boot-2' }))
  again.members = [{ ...introduction('a'), address: addressOf('a') }]
  again.links.setMembers(again.members)
  world.time.advance(500)
  expect(a.connected).toEqual(ALL_OF('b'))
  expect(a.links.peer('inc-b')?.bootId).toBe('boot-2')
  expect(a.events.filter((event) => event.endsWith(' b') && !event.startsWith('forward'))).toEqual([
    'up b',
    'down b',
    'up b',
  ])
})

it('a peer that is back on one connection is soon back on all', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new SimWorld(seed)
    const [a] = world.cluster(['a', 'b']) as [SimPeer]
    world.time.advance(1000)
    world.kill('b')
    world.time.advance(20_000 + 100 * seed)
    const again = world.add(introduction('b', { bootId: 'boot-2' }))
    again.members = [{ ...introduction('a'), address: addressOf('a') }]
    again.links.setMembers(again.members)
    const countAfterMs: number[] = []
    while (a.connected.length < ALL_OF('b').length && countAfterMs.length < 5_000) {
      world.time.advance(1)
      countAfterMs.push(a.connected.length)
    }
    const first = countAfterMs.findIndex((count) => count > 0)
    expect(countAfterMs.length - first, `seed ${seed}`).toBeLessThan(40)
  }
})

it('a peer restarted on another machine is let in once the old boot does not answer', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  world.time.advance(1000)
  // Power lost: no connection is closed.
  world.network.isolate('b', ['a', 'b'])
  const again = world.add(introduction('b', { bootId: 'boot-2' }), {
    transport: world.network.transport('elsewhere'),
  })
  again.members = [{ ...introduction('a'), address: addressOf('a') }]
  again.links.setMembers(again.members)
  world.time.advance(3500)
  expect(again.connected).toEqual(ALL_OF('a'))
  expect(a.links.peer('inc-b')?.bootId).toBe('boot-2')
})

it('a copy of a live data directory is refused for as long as the other lives', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  const copy = world.add(introduction('b', { bootId: 'boot-2' }), {
    transport: world.network.transport('elsewhere'),
  })
  copy.members = [{ ...introduction('a'), address: addressOf('a') }]
  copy.links.setMembers(copy.members)
  world.time.advance(30_000)
  expect(copy.connected).toEqual([])
  expect(b.connected).toEqual(ALL_OF('a'))
  const told = copy.refused.filter((event) => event.by === 'peer')
  expect(told.length).toBeGreaterThan(5)
  expect(new Set(told.map((event) => event.refusal.code))).toEqual(new Set(['copied']))
  expect(told.every((event) => event.trusted)).toBe(true)
  expect(a.links.peer('inc-b')?.bootId).toBe('boot-b')
  // Said once, not with every attempt.
  expect(copy.log.count('peer connection refused')).toBe(3)
})

it('who is not known by the one that should dial dials itself', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  const c = world.add(introduction('c', { admittedAt: 11 }))
  c.members = ['a', 'b'].map((name) => ({ ...introduction(name), address: addressOf(name) }))
  c.links.setMembers(c.members)
  world.time.advance(900)
  expect(c.connected).toEqual([])
  world.time.advance(200)
  expect(c.connected).toEqual(ALL_OF('a', 'b'))
  c.links.sendRaft(heartbeat(3, 1, 1))
  a.links.sendRaft(heartbeat(1, 3, 2))
  world.time.advance(50)
  expect([a.raft.length, c.raft.length]).toEqual([1, 1])
  world.acquaint(['a', 'b', 'c'])
  world.time.advance(20_000)
  expect([a.connected, b.connected, c.connected]).toEqual([
    ALL_OF('b', 'c'),
    ALL_OF('a', 'c'),
    ALL_OF('a', 'b'),
  ])
  expect(connectsOf(c)).toEqual([1, 1, 1, 1, 1, 1])
})

it('two that dial each other at the same time end up with one connection', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = new SimWorld(seed, { latencyMs: [1, 400] })
    const [a, b] = world.cluster(['a', 'b'], { timing: { fallbackMs: 1 } }) as [SimPeer, SimPeer]
    world.time.advance(30_000)
    expect([a.connected, b.connected], `seed ${seed}`).toEqual([ALL_OF('b'), ALL_OF('a')])
    const before = world.network.dialed
    world.time.advance(60_000)
    expect(world.network.dialed, `seed ${seed}`).toBe(before)
    expect(world.network.openCount, `seed ${seed}`).toBe(3)
    // Who should dial has won, or nobody had to.
    expect(Math.max(...connectsOf(a), ...connectsOf(b)), `seed ${seed}`).toBeLessThanOrEqual(2)
  }
})

it('a purged member is cut off and told so', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  a.purged.add('inc-b')
  a.members = []
  a.links.setMembers([])
  world.time.advance(3000)
  expect([a.connected, b.connected]).toEqual([[], []])
  const told = b.refused.filter((event) => event.by === 'peer')
  expect(told[0]).toMatchObject({ refusal: { code: 'purged' }, trusted: true })
  expect(a.links.status()).toEqual([])
})

it('a newcomer is a guest: it may ask, and cannot speak in Raft', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  const d = world.add(newcomer('d'))
  const dial = d.links.dialGuest(addressOf('a'), null)
  world.time.advance(100)
  expect(d.connected).toEqual(['a forward'])
  expect(a.links.peer('inc-d')?.guest).toBe(true)
  d.links.sendForward('inc-a', { type: 'notice', service: 'join', body: Uint8Array.of(1) })
  world.time.advance(20)
  expect(a.forwarded).toEqual([
    { from: 'd', traffic: { type: 'notice', service: 'join', body: Uint8Array.of(1) } },
  ])
  const large = { type: 'notice', service: 'join', body: new Uint8Array(70_000) } as const
  d.links.sendForward('inc-a', large)
  world.time.advance(20)
  expect(a.forwarded).toHaveLength(1)
  expect(a.links.stats().faults).toEqual({ type: 1 })
  dial.close()
  world.time.advance(10_000)
  expect(d.connected).toEqual([])
})

it('a guest that becomes a member gets all three connections', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  const c = world.add(newcomer('c'))
  const dial = c.links.dialGuest(addressOf('a'), 'a')
  world.time.advance(1000)
  dial.close()
  c.local = introduction('c')
  world.acquaint(['a', 'b', 'c'])
  world.time.advance(5000)
  expect([a.connected, b.connected, c.connected]).toEqual([
    ALL_OF('b', 'c'),
    ALL_OF('a', 'c'),
    ALL_OF('a', 'b'),
  ])
  expect(a.links.peer('inc-c')?.guest).toBe(false)
})

it('who becomes a member while it is introducing itself is no guest in the end', () => {
  // One after the other, at every moment of the handshake.
  for (let firstMs = 0; firstMs < 8; firstMs++) {
    for (let secondMs = 0; secondMs < 8; secondMs++) {
      const at = `at ${firstMs} and ${secondMs} ms`
      const world = new SimWorld(8 * firstMs + secondMs + 1)
      const [a, b] = ['a', 'b'].map((name) => world.add(newcomer(name))) as [SimPeer, SimPeer]
      const admit = (peer: SimPeer, other: SimPeer): void => {
        peer.local = introduction(peer.name)
        peer.members = [{ ...introduction(other.name), address: addressOf(other.name) }]
        peer.links.setMembers(peer.members)
      }
      a.links.dialGuest(addressOf('b'), 'b')
      b.links.dialGuest(addressOf('a'), 'a')
      world.time.advance(firstMs)
      admit(a, b)
      world.time.advance(secondMs)
      admit(b, a)
      world.time.advance(10_000)
      expect([a.connected, b.connected], at).toEqual([ALL_OF('b'), ALL_OF('a')])
      const heard: boolean[] = []
      for (const [peer, other] of [
        [a, b],
        [b, a],
      ] as const) {
        peer.onTraffic = (_traffic, { guest }) => heard.push(guest)
        const notice = { type: 'notice', service: 'x', body: Uint8Array.of(1) } as const
        other.links.sendForward(peer.local.incarnation, notice)
      }
      world.time.advance(100)
      expect(heard, at).toEqual([false, false])
    }
  }
})

it('guests that dial each other do not dial on and on', () => {
  const world = new SimWorld()
  const [a, b] = ['a', 'b'].map((name) => world.add(newcomer(name))) as [SimPeer, SimPeer]
  a.links.dialGuest(addressOf('b'), 'b')
  b.links.dialGuest(addressOf('a'), null)
  world.time.advance(60_000)
  expect([a.connected, b.connected]).toEqual([['b forward'], ['a forward']])
  expect(world.network.dialed).toBeLessThan(5)
})

it('a reader dials members for requests, nothing else', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  const r = world.add(introduction('r', { nodeId: 0, admittedAt: 11 }))
  r.members = ['a', 'b'].map((name) => ({ ...introduction(name), address: addressOf(name) }))
  r.links.setMembers(r.members)
  world.time.advance(5000)
  expect(r.connected).toEqual(['a forward', 'b forward'])
  expect(a.links.peer('inc-r')).toMatchObject({ guest: false, nodeId: 0 })
})

/** Dials like a stranger, and keeps what comes back. */
function stranger(
  world: SimWorld,
  address: string,
): { connection: Connection; got: Buffer[]; over: string[] } {
  const got: Buffer[] = []
  const over: string[] = []
  const handler: ConnectionHandler = {
    onOpen: () => {},
    onData: (bytes) => got.push(Buffer.from(bytes)),
    onDrained: () => {},
    onClosed: (reason) => over.push(reason),
  }
  return { connection: world.network.transport('stranger').connect(address, handler), got, over }
}

it.each<[string, Uint8Array, string]>([
  ['garbage', Uint8Array.of(1, 2, 3), 'magic'],
  ['traffic before the handshake', encodeFrame(FRAME.RAFT, Uint8Array.of(0x80)), 'type'],
  [
    'the head of a large hello',
    encodeFrame(FRAME.HELLO, new Uint8Array(5000)).slice(0, 16),
    'type',
  ],
  ['a hello that is none', encodeFrame(FRAME.HELLO, Uint8Array.of(0xc1)), 'malformed'],
])('%s closes the connection and nothing else', (_name, bytes, code) => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  world.time.advance(1000)
  const { connection, over } = stranger(world, addressOf('a'))
  connection.send(bytes)
  world.time.advance(100)
  expect(over).toHaveLength(1)
  expect(a.connected).toEqual(ALL_OF('b'))
  const { refused, faults, halfOpen } = a.links.stats()
  expect({ ...refused, ...faults }).toEqual({ [code]: 1 })
  expect(halfOpen).toBe(0)
})

/** Does the handshake by hand, for any channel; tells what came of it. */
function intrude(world: SimWorld, address: string, self: Introduction, channel: Channel): string[] {
  const heard: string[] = []
  const handshake = Handshake.dial({
    self,
    nonce: new Uint8Array(32),
    secret: Uint8Array.from(Buffer.from('secret')),
    allowInsecure: false,
    remote: { address, isLoopback: true, certificateNames: null },
    judge: () => ({ ok: true, guest: false }),
    channel,
    expect: null,
  })
  const say = (): void => {
    for (const { type, body } of handshake.take()) connection.send(encodeFrame(type, body))
  }
  const decoder = new FrameDecoder({
    admit: () => null,
    onFrame: (type, body) => {
      if (handshake.outcome === null) handshake.receive(type, body)
      else heard.push(`frame ${type}`)
      say()
    },
    onFault: (fault) => heard.push(fault.message),
  })
  const connection: Connection = world.network.transport('stranger').connect(address, {
    onOpen: say,
    onData: (bytes) => decoder.push(bytes),
    onDrained: () => {},
    onClosed: () => heard.push('closed'),
  })
  world.time.advance(100)
  return heard
}

it.each<[string, Introduction, Channel, boolean]>([
  ['a newcomer among votes', newcomer('d'), CHANNEL.RAFT, false],
  ['a newcomer among snapshots', newcomer('d'), CHANNEL.BULK, false],
  ['a newcomer with a request', newcomer('d'), CHANNEL.FORWARD, true],
  ['a reader among votes', introduction('d', { nodeId: 0, admittedAt: 11 }), CHANNEL.RAFT, false],
  [
    'a reader with a request',
    introduction('d', { nodeId: 0, admittedAt: 11 }),
    CHANNEL.FORWARD,
    true,
  ],
  ['a member not heard of among votes', introduction('d', { admittedAt: 11 }), CHANNEL.RAFT, true],
])('%s: let in or not', (_name, self, channel, letIn) => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  world.time.advance(100)
  const heard = intrude(world, addressOf('a'), self, channel)
  expect(heard.includes('closed')).toBe(!letIn)
  expect(a.links.peer('inc-d') !== null).toBe(letIn)
})

it('a client of HTTP is told where to go', () => {
  const world = new SimWorld()
  world.cluster(['a', 'b'])
  const { connection, got, over } = stranger(world, addressOf('a'))
  connection.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  world.time.advance(100)
  expect(Buffer.concat(got).toString()).toContain('egctl')
  expect(over).toHaveLength(1)
})

it('half-open connections are bounded in number and in time', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  world.time.advance(1000)
  const strangers = Array.from({ length: 100 }, () => stranger(world, addressOf('a')))
  world.time.advance(100)
  expect(a.links.stats().halfOpen).toBe(64)
  expect(strangers.slice(0, 36).every((each) => each.over.length === 1)).toBe(true)
  const late = world.add(newcomer('z'))
  late.links.dialGuest(addressOf('a'), 'a')
  world.time.advance(100)
  expect(late.connected).toEqual(['a forward'])
  world.time.advance(5000)
  expect(a.links.stats().halfOpen).toBe(0)
  expect(strangers.every((each) => each.over.length === 1)).toBe(true)
})

it('guests are bounded in number', () => {
  const world = new SimWorld()
  const [a] = world.cluster(['a', 'b']) as [SimPeer]
  const guests = Array.from({ length: 70 }, (_, i) => {
    const guest = world.add(newcomer(`guest-${i}`))
    guest.links.dialGuest(addressOf('a'), null)
    world.time.advance(50)
    return guest
  })
  world.time.advance(500)
  expect(guests.filter((guest) => guest.connected.length === 1)).toHaveLength(64)
  expect(guests.at(-1)?.refused.at(-1)?.refusal.code).toBe('overloaded')
  expect(a.links.stats().peers).toBe(65)
  expect(a.connected).toEqual(expect.arrayContaining(ALL_OF('b')))
})

it('close ends everything, and nothing is dialed any more', () => {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  world.time.advance(1000)
  a.links.close()
  const before = world.network.dialed
  world.time.advance(500)
  expect([a.connected, b.connected]).toEqual([[], []])
  a.links.setMembers(a.members)
  world.time.advance(100)
  expect(a.connected).toEqual([])
  expect(world.network.dialed - before).toBeLessThan(10)
})

it('whatever the network does, everybody is connected once it stops', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new SimWorld(seed, { latencyMs: [1, 50] })
    const names = ['a', 'b', 'c']
    world.cluster(names)
    for (let step = 0; step < 30; step++) {
      const what = world.prng.below(5)
      if (what === 0) world.network.cut(world.prng.pick(names), world.prng.pick(names))
      else if (what === 1) world.network.heal()
      else if (what === 2) world.network.breakSome(30)
      for (const peer of world.peers.values()) {
        const to = 1 + world.prng.below(3)
        if (to !== peer.local.nodeId) peer.links.sendRaft(heartbeat(peer.local.nodeId, to, step))
      }
      world.time.advance(world.prng.below(3000))
    }
    world.network.heal()
    world.time.advance(20_000)
    for (const peer of world.peers.values()) {
      const others = names.filter((name) => name !== peer.name)
      expect(peer.connected, `seed ${seed}, ${peer.name}`).toEqual(ALL_OF(...others))
      expect(peer.links.stats().faults, `seed ${seed}`).toEqual({})
      // Ups and downs take turns.
      for (const other of others) {
        const turns = peer.events.filter(
          (event) => event === `up ${other}` || event === `down ${other}`,
        )
        expect(turns.every((event, i) => event.startsWith(i % 2 === 0 ? 'up' : 'down'))).toBe(true)
      }
    }
  }
})
