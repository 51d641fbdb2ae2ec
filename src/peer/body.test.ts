import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { expect, it } from 'vitest'
import { BODY_BOUNDS, bodyProblem, decodeBody, encodeBody } from './body.js'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

const key = fc
  .string({ maxLength: 10, unit: 'grapheme-ascii' })
  .filter((text) => text !== '__proto__')

/** What travels: no undefined, no negative zero (msgpack has none as integer). */
const plain = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, 127, 128, 65_536, 2 ** 32, -1, -33, 2 ** 53 - 1, 1.5),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.string({ maxLength: 40, unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).value

const asJson = (value: unknown): string =>
  JSON.stringify(value, (_key, each: unknown) => {
    if (each instanceof Uint8Array) return { bytes: [...each] }
    const isBuffer = (each as { type?: unknown } | null)?.type === 'Buffer'
    return isBuffer ? { bytes: (each as { data: unknown }).data } : each
  })

it('gives back plain data', () => {
  fc.assert(
    fc.property(plain, (value) => {
      const decoded = decodeBody(encodeBody(value), { depthMax: 64, itemsMax: 100_000 })
      expect(decoded.ok).toBe(true)
      if (decoded.ok) expect(asJson(decoded.value)).toBe(asJson(value))
    }),
  )
})

it('no field changes the prototype of what is read', () => {
  const decoded = decodeBody(encodeBody(JSON.parse('{"__proto__": {"isAdmin": true}}')))
  expect(decoded.ok && Object.getPrototypeOf(decoded.value)).toBe(Object.prototype)
  expect(decoded.ok && (decoded.value as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

it('what is packed stays when more is packed', () => {
  const first = encodeBody({ a: 'first' })
  encodeBody({ a: 'other' })
  expect(decodeBody(first)).toEqual({ ok: true, value: { a: 'first' } })
})

it.each<[string, string, RegExp]>([
  ['nothing', '', /ends within/],
  ['the byte that is in no format', 'c1', /0xc1/],
  ['that byte in a list', '9101c1', /bytes follow/],
  ['that byte as an item', '91c1', /0xc1/],
  ['an extension', 'd40000', /0xd4/],
  ['an extension of 8-bit length', 'c70100ff', /0xc7/],
  ['a timestamp', 'd6ff00000000', /0xd6/],
  ['a 64-bit integer', 'cf0000000000000001', /0xcf/],
  ['a signed 64-bit integer', 'd30000000000000001', /0xd3/],
  ['a string that lies', 'a561', /ends within/],
  ['a long string that lies', 'dbffffffff61', /ends within/],
  ['bytes that lie', 'c6ffffffff00', /ends within/],
  ['a list that lies', 'ddffffffff01', /ends within/],
  ['a map that lies', 'dfffffffffa161', /ends within/],
  ['a length cut off', 'da00', /ends within/],
  ['a map without its last value', '82a16101a162', /ends within/],
  ['a number as key', '810102', /key/],
  ['a list as key', '819001', /key/],
  ['a long key', `81d941${'61'.repeat(65)}01`, /key of at most/],
  ['more than one value', '0102', /1 bytes follow/],
])('refuses %s', (_name, text, problem) => {
  const decoded = decodeBody(hex(text))
  expect(decoded.ok ? 'decoded' : decoded.problem).toMatch(problem)
})

it.each<[string, Uint8Array, RegExp]>([
  ['a deep list', new Uint8Array(100_000).fill(0x91), /12 levels/],
  ['a deep map', hex(`${'81a161'.repeat(50_000)}01`), /12 levels/],
  [
    'many empty maps',
    Uint8Array.from(Buffer.concat([hex('dd00090000'), Buffer.alloc(0x90000, 0x80)])),
    /524288 values/,
  ],
])('refuses %s without decoding it', (_name, bytes, problem) => {
  expect(bodyProblem(bytes, BODY_BOUNDS)).toMatch(problem)
})

it('every value of 0x00..0x7f is a number', () => {
  for (let token = 0; token < 128; token++) {
    expect(decodeBody(Uint8Array.of(token))).toEqual({ ok: true, value: token })
  }
})

it('a key named __proto__ pollutes nothing', () => {
  const decoded = decodeBody(hex('81a95f5f70726f746f5f5f81a16101'))
  expect(decoded.ok).toBe(true)
  expect(({} as { a?: number }).a).toBe(undefined)
  if (decoded.ok) expect(Object.getPrototypeOf(decoded.value)).toBe(Object.prototype)
})

it('random and damaged bytes never throw, and what passes the walk is decoded by msgpackr', () => {
  const slow = new Packr({ useRecords: false })
  const damaged = fc.tuple(plain, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
    const bytes = encodeBody(value)
    bytes[at % bytes.length] = byte
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged), (bytes) => {
      const decoded = decodeBody(bytes)
      if (bodyProblem(bytes, BODY_BOUNDS) === null) {
        expect(decoded.ok).toBe(true)
        if (decoded.ok) expect(asJson(decoded.value)).toBe(asJson(slow.unpack(bytes)))
      } else expect(decoded.ok).toBe(false)
    }),
    { numRuns: 2000 },
  )
})
