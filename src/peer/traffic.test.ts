import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Message, SnapshotMessage } from '../raft/raft.js'
import { encodeBody } from './body.js'
import { FRAME, FrameDecoder } from './frame.js'
import { CHANNEL, type Channel } from './identity.js'
import { append, heartbeat, type SimPeer, SimWorld } from './testing/sim-peers.js'
import { decodeTraffic, encodeTraffic, type Traffic, trafficProblem } from './traffic.js'

const bytes = Uint8Array.of(1, 2, 3)
const config = { voters: [1, 2], outgoing: [], learners: [], learnersNext: [], autoLeave: false }
const message: SnapshotMessage = {
  type: 'snapshot',
  from: 1,
  to: 2,
  term: 3,
  snapshot: { index: 5, term: 2, config },
}
const header = { transfer: 1, message, offset: 0, length: 3, totalBytes: 10 }
const error = { code: 'NOT_LEADER', message: 'ask b', detail: { leader: 'b', term: 2 } } as const

function roundTrip(traffic: Traffic): unknown {
  const got: (Traffic | string)[] = []
  const decoder = new FrameDecoder({
    admit: () => null,
    onFrame: (type, body) => got.push(decodeTraffic(type, body)),
    onFault: (fault) => got.push(fault.message),
  })
  decoder.push(encodeTraffic(traffic) as Uint8Array)
  return got
}

it.each<[string, Traffic]>([
  ['a ping', { type: 'ping', sentMs: 12.5, wallMs: 1.7e12 }],
  ['a pong', { type: 'pong', sentMs: 0, wallMs: -1 }],
  ['a heartbeat', { type: 'raft', message: heartbeat(1, 2, 2 ** 40) }],
  ['an append', { type: 'raft', message: append(1, 2, 9, 500) }],
  ['a chunk', { type: 'chunk', header, bytes }],
  ['its answer', { type: 'chunk-reply', reply: { transfer: 1, offset: 3, refused: false } }],
  ['a request', { type: 'request', id: 7, service: 'board', timeoutMs: 100, body: bytes }],
  ['a response', { type: 'response', id: 7, body: bytes, error: null }],
  ['an error', { type: 'response', id: 7, body: new Uint8Array(0), error }],
  ['a notice', { type: 'notice', service: 'remote-store', body: bytes }],
])('%s arrives as it was sent', (_name, traffic) => {
  expect(roundTrip(traffic)).toEqual([traffic])
})

it.each<[string, number, unknown]>([
  ['a ping without times', FRAME.PING, []],
  ['a ping of text', FRAME.PING, ['a', 'b']],
  ['a ping that is none', FRAME.PING, null],
  ['a ping of not-a-number', FRAME.PING, [Number.NaN, 1]],
  ['a message of unknown type', FRAME.RAFT, { ...heartbeat(1, 2, 1), type: 'x' }],
  ['a message of no type', FRAME.RAFT, { from: 1 }],
  ['a message with entries out of order', FRAME.RAFT, { ...append(1, 2, 9, 1), prevIndex: 3 }],
  ['a message whose entry has no bytes', FRAME.RAFT, { ...append(1, 2, 9, 1), entries: [{}] }],
  ['a chunk without header', FRAME.CHUNK, { bytes }],
  ['a chunk without bytes', FRAME.CHUNK, { header }],
  [
    'a chunk of another message',
    FRAME.CHUNK,
    { header: { ...header, message: heartbeat(1, 2, 1) }, bytes },
  ],
  ['a chunk of another length', FRAME.CHUNK, { header: { ...header, length: 4 }, bytes }],
  ['a chunk beyond the end', FRAME.CHUNK, { header: { ...header, offset: 8 }, bytes }],
  ['a chunk before the beginning', FRAME.CHUNK, { header: { ...header, offset: -1 }, bytes }],
  ['a chunk reply of text', FRAME.CHUNK_REPLY, { transfer: 1, offset: 'x', refused: false }],
  ['a chunk reply of nothing', FRAME.CHUNK_REPLY, null],
  ['a request without body', FRAME.REQUEST, [1, 'board', 10]],
  ['a request to a strange service', FRAME.REQUEST, [1, '../x', 10, bytes]],
  ['a request with a broken id', FRAME.REQUEST, [1.5, 'board', 10, bytes]],
  ['a request with a negative time', FRAME.REQUEST, [1, 'board', -10, bytes]],
  ['a response without error', FRAME.RESPONSE, [1, bytes]],
  ['a response with half an error', FRAME.RESPONSE, [1, bytes, { code: 'INTERNAL' }]],
  ['an error with a list inside', FRAME.RESPONSE, [1, bytes, { ...error, detail: { x: [1] } }]],
  ['a notice of text', FRAME.NOTICE, ['board', 'text']],
  ['an unknown type', 99, []],
])('%s is refused', (_name, type, value) => {
  expect(typeof decodeTraffic(type, encodeBody(value))).toBe('string')
})

it('an error code that only a newer version knows stays an error', () => {
  const newer = encodeBody([1, bytes, { ...error, code: 'SOMETHING_NEW' }])
  expect(decodeTraffic(FRAME.RESPONSE, newer)).toMatchObject({ error: { code: 'INTERNAL' } })
})

it.each<[string, number, Channel, boolean, number, boolean]>([
  ['raft on its channel', FRAME.RAFT, CHANNEL.RAFT, false, 1e6, true],
  ['raft on another', FRAME.RAFT, CHANNEL.FORWARD, false, 10, false],
  ['a chunk on its channel', FRAME.CHUNK, CHANNEL.BULK, false, 1024 * 1024 + 500, true],
  ['a chunk among requests', FRAME.CHUNK, CHANNEL.FORWARD, false, 10, false],
  ['a chunk that is too large', FRAME.CHUNK, CHANNEL.BULK, false, 2e6, false],
  ['a request on its channel', FRAME.REQUEST, CHANNEL.FORWARD, false, 1e6, true],
  ['a request among votes', FRAME.REQUEST, CHANNEL.RAFT, false, 10, false],
  ['a ping anywhere', FRAME.PING, CHANNEL.BULK, false, 20, true],
  ['a ping that is too large', FRAME.PING, CHANNEL.BULK, false, 100, false],
  ['a request of a guest', FRAME.REQUEST, CHANNEL.FORWARD, true, 1000, true],
  ['a large request of a guest', FRAME.REQUEST, CHANNEL.FORWARD, true, 1e6, false],
  ['a second HELLO', FRAME.HELLO, CHANNEL.RAFT, false, 10, false],
  ['an unknown type', 200, CHANNEL.RAFT, false, 0, false],
])('%s: admitted or not', (_name, type, channel, guest, size, admitted) => {
  expect(trafficProblem(type, size, channel, guest) === null).toBe(admitted)
})

it('whatever a member sends: the receiver neither throws nor delivers what it should not', () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc
      .tuple(
        fc.constantFrom<Traffic>({ type: 'chunk', header, bytes }, { type: 'raft', message }),
        fc.nat(),
        fc.nat(255),
      )
      .map(([traffic, at, byte]) => {
        const frame = (encodeTraffic(traffic) as Uint8Array).subarray(16)
        frame[at % frame.length] = byte
        return frame
      }),
  )
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(FRAME)), body, (type, given) => {
      const decoded = decodeTraffic(type, given)
      if (typeof decoded === 'string' || decoded.type !== 'raft') return
      // What passes is a message that Raft can take.
      const again = roundTrip({ type: 'raft', message: decoded.message as Message })
      expect(again).toEqual([decoded])
    }),
    { numRuns: 2000 },
  )
})

it('a damaged byte on an open connection costs that connection alone', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = new SimWorld(seed)
    const [a, b] = world.cluster(['a', 'b']) as [SimPeer, SimPeer]
    world.time.advance(100)
    world.network.damageNext()
    a.links.sendRaft(append(1, 2, 9, 200))
    world.time.advance(20)
    expect(Object.values(b.links.stats().faults), `seed ${seed}`).toEqual([1])
    expect(b.raft, `seed ${seed}`).toEqual([])
    world.time.advance(3000)
    expect(b.connected).toHaveLength(3)
  }
})
