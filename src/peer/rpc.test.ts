import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { type Answer, Rpc, type Service } from './rpc.js'
import { addressOf, newcomer, type SimPeer, SimWorld } from './testing/sim-peers.js'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const echo: Service = {
  guests: false,
  onRequest: (body, peer, answer) =>
    answer({ ok: true, body: bytes(`${peer.name} said ${Buffer.from(body)}`) }),
}

function rpcOf(world: SimWorld, peer: SimPeer): Rpc {
  const rpc = new Rpc({ time: world.time, links: peer.links })
  peer.onTraffic = (traffic, from) => rpc.receive(traffic, from)
  peer.onDown = (from) => rpc.peerDown(from)
  return rpc
}

function two(): { world: SimWorld; a: SimPeer; b: SimPeer; ra: Rpc; rb: Rpc; heard: string[] } {
  const world = new SimWorld()
  const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
  const [ra, rb] = [rpcOf(world, a), rpcOf(world, b)]
  world.time.advance(1000)
  return { world, a, b, ra, rb, heard: [] }
}

function text(answer: Answer): string {
  if (answer.ok) return Buffer.from(answer.body).toString()
  return `${answer.error.code} ${answer.error.detail['outcome'] ?? '-'}: ${answer.error.message}`
}

it('a request gets its answer, in both directions', () => {
  const { world, ra, rb, heard } = two()
  ra.serve('echo', echo)
  rb.serve('echo', echo)
  ra.ask('inc-b', 'echo', bytes('x'), 1000, (answer) => heard.push(text(answer)))
  rb.ask('inc-a', 'echo', bytes('y'), 1000, (answer) => heard.push(text(answer)))
  expect(heard).toEqual([])
  world.time.advance(10)
  expect(heard.sort()).toEqual(['a said x', 'b said y'])
})

it('answers find their requests, in whatever order they come', () => {
  const { world, ra, rb, heard } = two()
  rb.serve('slow', {
    onRequest: (body, _peer, answer) => {
      world.time.after(100 - (body[0] as number), () => answer({ ok: true, body }))
    },
  })
  for (const wait of [1, 50, 99]) {
    ra.ask('inc-b', 'slow', Uint8Array.of(wait), 1000, (answer) =>
      heard.push(answer.ok ? `${wait} ${answer.body[0]}` : 'failed'),
    )
  }
  world.time.advance(300)
  expect(heard).toEqual(['99 99', '50 50', '1 1'])
})

it('an error crosses as it is', () => {
  const { world, ra, rb } = two()
  const error = new GatewayError('VERSION_CONFLICT', 'expected 3', { expected: 3, where: 'x' })
  rb.serve('write', { onRequest: (_body, _peer, answer) => answer({ ok: false, error }) })
  const answers: Answer[] = []
  ra.ask('inc-b', 'write', bytes(''), 1000, (answer) => answers.push(answer))
  world.time.advance(10)
  expect(answers[0]?.ok === false && answers[0].error.toJSON()).toEqual(error.toJSON())
})

it.each<[string, (it: ReturnType<typeof two>) => void, RegExp]>([
  ['a service nobody offers', () => {}, /^STORE_UNAVAILABLE none: .*"ask"/],
  ['a peer that is not there', ({ b }) => b.links.close(), /^STORE_UNAVAILABLE none: .*connection/],
  ['no answer', ({ rb }) => rb.serve('ask', { onRequest: () => {} }), /^TIMEOUT unknown: .*500 ms/],
])('%s is a failure', (_name, prepare, wanted) => {
  const all = two()
  const { world, ra, heard } = all
  prepare(all)
  world.time.advance(10)
  ra.ask('inc-b', 'ask', bytes(''), 500, (answer) => heard.push(text(answer)))
  expect(heard).toEqual([])
  world.time.advance(1000)
  expect(heard).toHaveLength(1)
  expect(heard[0]).toMatch(wanted)
})

it('a connection that goes takes its requests with it, outcome unknown', () => {
  const { world, ra, rb, heard } = two()
  rb.serve('ask', { onRequest: () => {} })
  ra.ask('inc-b', 'ask', bytes(''), 60_000, (answer) => heard.push(text(answer)))
  world.time.advance(10)
  world.network.breakSome(100)
  expect(heard).toHaveLength(1)
  expect(heard[0]).toMatch(/^STORE_UNAVAILABLE unknown: .*"b"/)
})

it('an answer after the connection was replaced goes nowhere', () => {
  const { world, a, ra, rb, heard } = two()
  const answers: ((answer: Answer) => void)[] = []
  rb.serve('ask', { onRequest: (_body, _peer, answer) => answers.push(answer) })
  ra.ask('inc-b', 'ask', bytes(''), 60_000, (answer) => heard.push(text(answer)))
  world.time.advance(10)
  world.network.breakSome(100)
  world.time.advance(1000)
  const before = a.forwarded.length
  for (const answer of answers) answer({ ok: true, body: bytes('late') })
  world.time.advance(100)
  expect(a.forwarded.length).toBe(before)
  expect(heard).toHaveLength(1)
})

it('nobody answers for another', () => {
  const world = new SimWorld()
  const [a, , c] = world.cluster(['a', 'b', 'c']) as [SimPeer, SimPeer, SimPeer]
  const ra = rpcOf(world, a)
  world.time.advance(1000)
  const heard: string[] = []
  ra.ask('inc-b', 'ask', bytes(''), 500, (answer) => heard.push(text(answer)))
  c.links.sendForward('inc-a', { type: 'response', id: 1, body: bytes('forged'), error: null })
  world.time.advance(100)
  expect(heard).toEqual([])
  world.time.advance(1000)
  expect(heard[0]).toMatch(/^TIMEOUT/)
})

it('guests are answered by services for guests alone', () => {
  const { world, rb, heard } = two()
  rb.serve('secrets', echo)
  rb.serve('join', { ...echo, guests: true })
  const d = world.add(newcomer('d'))
  const rd = rpcOf(world, d)
  d.links.dialGuest(addressOf('b'), null)
  world.time.advance(100)
  for (const service of ['secrets', 'join']) {
    rd.ask('inc-b', service, bytes('x'), 500, (answer) => heard.push(text(answer)))
  }
  world.time.advance(100)
  expect(heard[0]).toMatch(/^STORE_UNAVAILABLE none: .*no member/)
  expect(heard[1]).toBe('d said x')
})

it('requests that wait for an answer are bounded for each peer, and time out here too', () => {
  const { world, ra, rb, heard } = two()
  let count = 0
  rb.serve('ask', { onRequest: () => (count += 1) })
  const ask = (): void =>
    ra.ask('inc-b', 'ask', bytes(''), 5000, (answer) => heard.push(text(answer)))
  for (let i = 0; i < 1030; i++) ask()
  world.time.advance(100)
  expect(count).toBe(1024)
  expect(heard.filter((each) => each.startsWith('OVERLOADED none'))).toHaveLength(6)
  world.time.advance(10_000)
  ask()
  world.time.advance(100)
  expect(count).toBe(1025)
})

it('a notice arrives, without an answer', () => {
  const { world, a, ra, rb, heard } = two()
  rb.serve('news', { onNotice: (body, peer) => heard.push(`${peer.name} ${body.length}`) })
  expect(ra.tell('inc-b', 'news', bytes('abc'))).toBe(true)
  expect(ra.tell('inc-b', 'nothing', bytes('abc'))).toBe(true)
  expect(ra.tell('inc-z', 'news', bytes('abc'))).toBe(false)
  world.time.advance(10)
  expect(heard).toEqual(['a 3'])
  expect(a.forwarded).toEqual([])
})

it('an answer that is too long becomes an error', () => {
  const { world, ra, rb, heard } = two()
  rb.serve('ask', {
    onRequest: (_body, _peer, answer) => answer({ ok: true, body: new Uint8Array(17e6) }),
  })
  ra.ask('inc-b', 'ask', bytes(''), 5000, (answer) => heard.push(text(answer)))
  world.time.advance(100)
  expect(heard).toEqual(['INTERNAL unknown: the answer is too long for one frame'])
  ra.ask('inc-b', 'ask', new Uint8Array(17e6), 5000, (answer) => heard.push(text(answer)))
  world.time.advance(100)
  expect(heard[1]).toMatch(/^DOCUMENT_TOO_LARGE none/)
})
