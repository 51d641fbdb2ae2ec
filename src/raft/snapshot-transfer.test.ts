import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { configOf } from './config.js'
import type { SnapshotMessage } from './message.js'
import {
  type ChunkHeader,
  type ChunkReply,
  SnapshotReceiver,
  SnapshotSender,
} from './snapshot-transfer.js'

const message: SnapshotMessage = {
  type: 'snapshot',
  from: 1,
  to: 2,
  term: 3,
  snapshot: { index: 9, term: 3, config: configOf([1, 2]) },
}

function sender(
  totalBytes: number,
  over: Partial<ConstructorParameters<typeof SnapshotSender>[0]> = {},
) {
  return new SnapshotSender({
    transfer: 1,
    message,
    totalBytes,
    chunkBytes: 10,
    windowChunks: 2,
    retryTicks: 3,
    retriesMax: 2,
    ...over,
  })
}

const chunk = (offset: number, length: number, over: Partial<ChunkHeader> = {}): ChunkHeader => ({
  transfer: 1,
  message,
  offset,
  length,
  totalBytes: 25,
  ...over,
})

it('sends no more ahead than its window', () => {
  const some = sender(35)
  expect([some.next()?.offset, some.next()?.offset, some.next()]).toEqual([0, 10, null])
  some.acknowledge({ transfer: 1, offset: 10, refused: false })
  expect([some.next()?.offset, some.next()]).toEqual([20, null])
  some.acknowledge({ transfer: 1, offset: 30, refused: false })
  expect(some.next()).toMatchObject({ offset: 30, length: 5 })
  expect(some.state).toBe('sending')
  some.acknowledge({ transfer: 1, offset: 35, refused: false })
  expect([some.state, some.next()]).toEqual(['done', null])
})

it('a snapshot of no bytes takes one chunk', () => {
  const some = sender(0)
  expect(some.next()).toMatchObject({ offset: 0, length: 0 })
  expect(some.next()).toBeNull()
  const receiver = new SnapshotReceiver()
  const empty = chunk(0, 0, { totalBytes: 0 })
  expect(receiver.accept(empty)).toEqual({ do: 'write', fresh: true })
  const done = receiver.written(empty)!
  expect(done.complete).toBe(message)
  some.acknowledge(done.reply)
  expect(some.state).toBe('done')
})

it('goes back to the last acknowledgement after silence, and gives up in the end', () => {
  const some = sender(50)
  some.next()
  some.next()
  some.acknowledge({ transfer: 1, offset: 10, refused: false })
  some.next()
  for (let tick = 0; tick < 3; tick++) some.tick()
  expect(some.next()).toMatchObject({ offset: 10 })
  for (let tick = 0; tick < 6; tick++) some.tick()
  expect(some.state).toBe('failed')
  expect(some.next()).toBeNull()
})

it.each<[name: string, reply: ChunkReply, state: string]>([
  ['a refusal', { transfer: 1, offset: 0, refused: true }, 'failed'],
  ['an answer to another transfer', { transfer: 2, offset: 99, refused: false }, 'sending'],
  ['a late acknowledgement', { transfer: 1, offset: 0, refused: false }, 'sending'],
])('%s', (_name, reply, state) => {
  const some = sender(50)
  some.next()
  some.acknowledge(reply)
  expect(some.state).toBe(state)
})

it('an aborted transfer stays so', () => {
  const some = sender(5)
  some.next()
  some.abort()
  some.acknowledge({ transfer: 1, offset: 5, refused: false })
  expect(some.state).toBe('failed')
})

it('a receiver keeps what continues, one chunk after the other', () => {
  const some = new SnapshotReceiver()
  expect(some.accept(chunk(0, 10))).toEqual({ do: 'write', fresh: true })
  // The next one came before this one was written: it will be sent again.
  expect(some.accept(chunk(10, 10))).toMatchObject({ do: 'reply', reply: { offset: 0 } })
  expect(some.written(chunk(0, 10))).toMatchObject({ reply: { offset: 10 }, complete: null })
  expect(some.accept(chunk(20, 5))).toMatchObject({ do: 'reply', reply: { offset: 10 } })
  expect(some.accept(chunk(0, 10))).toMatchObject({ do: 'reply', reply: { offset: 10 } })
  expect(some.accept(chunk(10, 10))).toEqual({ do: 'write', fresh: false })
  some.written(chunk(10, 10))
  some.accept(chunk(20, 5))
  expect(some.written(chunk(20, 5))).toMatchObject({ reply: { offset: 25 }, complete: message })
  // The last reply was lost.
  expect(some.accept(chunk(20, 5))).toMatchObject({ do: 'reply', reply: { offset: 25 } })
})

it.each<[name: string, header: ChunkHeader, refused: boolean]>([
  ['an older transfer', chunk(0, 10, { transfer: 0 }), true],
  ['another length under the same number', chunk(10, 10, { totalBytes: 99 }), true],
  ['more bytes than there are', chunk(20, 10), true],
  ['a negative place', chunk(-5, 10), true],
  ['a new transfer from the middle', chunk(10, 10, { transfer: 2 }), false],
])('a receiver does not keep %s', (_name, header, refused) => {
  const some = new SnapshotReceiver()
  some.accept(chunk(0, 10))
  some.written(chunk(0, 10))
  expect(some.accept(header)).toMatchObject({ do: 'reply', reply: { refused } })
  expect(some.receivedBytes).toBe(10)
})

it('a newer transfer replaces an older one, even while that is being written', () => {
  const some = new SnapshotReceiver()
  some.accept(chunk(0, 10))
  const next = chunk(0, 10, { transfer: 2 })
  expect(some.accept(next)).toEqual({ do: 'write', fresh: true })
  expect(some.written(chunk(0, 10))).toBeNull()
  expect(some.written(next)).toMatchObject({ reply: { transfer: 2, offset: 10 } })
})

it('after a failed write nothing of the transfer is worth anything', () => {
  const some = new SnapshotReceiver()
  some.accept(chunk(0, 10))
  some.written(chunk(0, 10))
  some.reset()
  expect(some.accept(chunk(10, 10))).toMatchObject({ do: 'reply', reply: { refused: true } })
  expect(some.accept(chunk(0, 10, { transfer: 2 }))).toEqual({ do: 'write', fresh: true })
})

it('bytes arrive whole over a link that loses, doubles and reorders', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const prng = new Prng(seed)
    const bytes = Uint8Array.from(prng.ints(prng.below(60), 256))
    const from = sender(bytes.length, { chunkBytes: 1 + prng.below(9), retriesMax: 1000 })
    const to = new SnapshotReceiver()
    const got: number[] = []
    let complete = false
    const link: (() => void)[] = []
    const send = (deliver: () => void) => {
      if (prng.chance(25)) return
      link.push(deliver)
      if (prng.chance(10)) link.push(deliver)
    }
    for (let round = 0; from.state === 'sending' && round < 5000; round++) {
      if (prng.chance(30)) from.tick()
      for (let header = from.next(); header !== null; header = from.next()) {
        const sent = header
        send(() => {
          const verdict = to.accept(sent)
          if (verdict.do === 'reply') return send(() => from.acknowledge(verdict.reply))
          got.push(...bytes.slice(sent.offset, sent.offset + sent.length))
          const done = to.written(sent)!
          complete ||= done.complete !== null
          send(() => from.acknowledge(done.reply))
        })
      }
      if (link.length > 0) link.splice(prng.below(link.length), 1)[0]?.()
    }
    expect([from.state, complete, got], `seed ${seed}`).toEqual(['done', true, [...bytes]])
  }
})
