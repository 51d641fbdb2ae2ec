import { pack, unpack } from 'msgpackr'
import { expect, it } from 'vitest'
import { ASK, decode, encode, TELL } from './codec.js'

it('posts bytes of exact size, not the pool of the packer', () => {
  const { parcel, moved } = encode([TELL, { type: 'x' }])
  expect(parcel).toBeInstanceOf(Uint8Array)
  expect((parcel as Uint8Array).byteLength).toBe((parcel as Uint8Array).buffer.byteLength)
  expect((parcel as Uint8Array).byteLength).toBeLessThan(16)
  expect(moved).toEqual([(parcel as Uint8Array).buffer])
})

it('needs nothing of earlier frames: equal shapes do not become records', () => {
  const frames = [1, 2, 3].map((id) => encode([ASK, id, 100, { type: 'x', value: id }]).parcel)
  expect(decode(frames[2] as Uint8Array)).toEqual([ASK, 3, 100, { type: 'x', value: 3 }])
})

it('takes as many attachments as anybody will send', () => {
  const many = Array.from({ length: 300 }, () => new SharedArrayBuffer(4))
  const { parcel } = encode([TELL, { many }])
  const [, message] = decode(parcel)
  expect((message as { many: unknown[] }).many).toEqual(many)
  expect((message as { many: unknown[] }).many[299]).toBe(many[299])
})

it.each<[string, () => unknown]>([
  ['shared memory where nothing carries it', () => pack(new SharedArrayBuffer(4))],
  ['a reference to an attachment outside of a frame', () => unpack(Uint8Array.of(0xd5, 1, 0, 0))],
  ['a reference to a missing attachment', () => decode(Uint8Array.of(0x92, 0, 0xd5, 1, 0, 3))],
  ['a truncated frame', () => decode((encode([TELL, 'text']).parcel as Uint8Array).subarray(0, 4))],
])('refuses %s', (_name, act) => {
  expect(act).toThrow()
})
