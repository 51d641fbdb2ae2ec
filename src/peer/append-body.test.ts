import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Message } from '../raft/raft.js'
import { packAppend, readAppend } from './append-body.js'
import { decodeBody, encodeBody } from './body.js'

const whole = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000),
  fc.maxSafeNat(),
)
const id = whole.map((value) => Math.max(1, value))
const data = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(255, 256, 257).map((length) => new Uint8Array(length).fill(7)),
)
const entry = fc.record({ index: whole, term: whole, data, change: fc.constant(null) })
const envelope = { from: id, to: id, term: whole }
const appends: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('append' as const),
    ...envelope,
    prevIndex: whole,
    prevTerm: whole,
    entries: fc.oneof(
      fc.array(entry, { maxLength: 3 }),
      fc.array(entry, { minLength: 15, maxLength: 16, size: 'max' }),
    ),
    commit: whole,
  }),
  fc.record({
    type: fc.constant('append-reply' as const),
    ...envelope,
    accepted: fc.boolean(),
    index: whole,
    hintIndex: whole,
    hintTerm: whole,
    commit: whole,
  }),
)

const general = (body: Uint8Array): unknown => {
  const decoded = decodeBody(body)
  return decoded.ok ? decoded.value : decoded.problem
}

const reply: Message = {
  type: 'append-reply',
  from: 1,
  to: 2,
  term: 3,
  accepted: true,
  index: 4,
  hintIndex: 0,
  hintTerm: 0,
  commit: 4,
}
const request: Message = {
  type: 'append',
  from: 1,
  to: 2,
  term: 3,
  prevIndex: 4,
  prevTerm: 3,
  entries: [{ index: 5, term: 3, data: Uint8Array.of(1, 2, 3), change: null }],
  commit: 4,
}
const many = (count: number, bytes: number): Message => ({
  ...request,
  entries: Array.from({ length: count }, (_, i) => ({
    index: 5 + i,
    term: 3,
    data: new Uint8Array(bytes),
    change: null,
  })),
})

it('writes and reads the bytes of the general way', () => {
  fc.assert(
    fc.property(appends, (message) => {
      const body = packAppend(message) as Uint8Array
      expect(Buffer.compare(body, encodeBody(message))).toBe(0)
      expect(readAppend(body)).toEqual(general(body))
    }),
  )
})

it.each<[string, Message]>([
  ['256 entries', many(256, 100)],
  ['an entry of nearly all that fits', many(1, 65_000)],
])('takes %s', (_, message) => {
  const body = packAppend(message) as Uint8Array
  expect(Buffer.compare(body, encodeBody(message))).toBe(0)
  expect(readAppend(body)).toEqual(message)
})

it.each<[string, Message]>([
  ['257 entries', many(257, 1)],
  ['an entry that is larger', many(1, 66_000)],
  ['entries that are larger together', many(200, 1000)],
  [
    'a change of the members',
    { ...request, entries: [{ ...changing(), data: new Uint8Array(1) }] },
  ],
  ['a negative number', { ...reply, hintTerm: -1 }],
  ['half a number', { ...request, commit: 0.5 }],
  ['no number', { ...request, term: Number.NaN }],
  ['another message', { type: 'heartbeat', from: 1, to: 2, term: 3, commit: 4, round: 0 }],
])('leaves %s to the general way', (_, message) => {
  expect(packAppend(message)).toBe(null)
  // And is none the worse for it.
  expect(readAppend(packAppend(reply) as Uint8Array)).toEqual(reply)
})

function changing() {
  const change = { changes: [{ op: 'remove', id: 2 }], transition: 'auto' } as const
  return { index: 5, term: 3, change }
}

it.each<[string, object]>([
  ['nobody as sender', { ...reply, from: 0 }],
  ['nobody as receiver', { ...request, to: 0 }],
  ['a flag that is none', { ...reply, accepted: 1 }],
  ['a field more', { ...reply, more: 1 }],
  ['a field less', { type: 'append', from: 1, to: 2, term: 3 }],
  ['its fields in another order', Object.fromEntries(Object.entries(reply).reverse())],
  [
    'data that is text',
    { ...request, entries: [{ index: 5, term: 3, data: 'abc', change: null }] },
  ],
  ['a number beyond the safe ones', { ...request, commit: 2 ** 53 }],
  ['entries that are none', { ...request, entries: 7 }],
  ['257 entries', many(257, 1)],
  ['an entry of 64 KiB', many(1, 65_536)],
  [
    'a change of the members',
    { ...request, entries: [{ ...changing(), data: new Uint8Array(1) }] },
  ],
  ['a negative number', { ...reply, hintTerm: -1 }],
  ['half a number', { ...request, commit: 0.5 }],
])('does not read a message with %s', (_, value) => {
  expect(readAppend(encodeBody(value))).toBe(null)
})

it.each([
  ['a reply', reply],
  ['a request', request],
])('%s cut anywhere, or with more behind it, is not read', (_, message) => {
  const body = encodeBody(message)
  for (let length = 0; length < body.length; length++) {
    expect(readAppend(body.slice(0, length)), `${length} bytes`).toBe(null)
  }
  expect(readAppend(Uint8Array.of(...body, 0))).toBe(null)
})

it('a changed byte is read as the general way reads it, or left to that', () => {
  fc.assert(
    fc.property(appends, fc.nat(), fc.nat(255), (message, at, byte) => {
      const body = encodeBody(message)
      body[at % body.length] = byte
      const got = readAppend(body)
      if (got !== null) expect(got).toEqual(general(body))
    }),
    { numRuns: 300 },
  )
})
