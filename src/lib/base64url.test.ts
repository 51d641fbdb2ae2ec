import fc from 'fast-check'
import { expect, it } from 'vitest'
import { asciiOfBase64url, decodeBase64url } from './base64url.js'

it.each<[name: string, text: string, want: string | null]>([
  ['nothing', '', ''],
  ['one byte', 'YQ', 'a'],
  ['two bytes', 'YWI', 'ab'],
  ['three bytes', 'YWJj', 'abc'],
  ['both special digits', '-_-_', '\xfb\xff\xbf'],
  ['padding', 'YQ==', null],
  ['digits of plain base64', '+/+/', null],
  ['a lone digit', 'YWJjY', null],
  ['bits left over, one byte', 'YR', null],
  ['bits left over, two bytes', 'YWJ', null],
  ['a blank', 'YW I', null],
  ['a line break at the end', 'YWJj\n', null],
  ['beyond ASCII', 'YWJ\xe9', null],
])('decodeBase64url: %s', (_name, text, want) => {
  expect(decodeBase64url(text)?.toString('latin1') ?? null).toBe(want)
  const isAscii = want !== null && /^[\0-\x7f]*$/.test(want)
  expect(asciiOfBase64url(text)).toBe(isAscii ? want : null)
})

it('takes what encoders write, and each sequence of bytes in one spelling alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = Buffer.from(bytes).toString('base64url')
      expect(decodeBase64url(text)).toEqual(Buffer.from(bytes))
    }),
  )
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      const bytes = decodeBase64url(text)
      if (bytes !== null) expect(bytes.toString('base64url')).toBe(text)
    }),
  )
})

it('asciiOfBase64url: what decodeBase64url gives, if that is ASCII', () => {
  const wanted = (text: string): string | null => {
    const bytes = decodeBase64url(text)
    return bytes?.every((byte) => byte < 0x80) ? bytes.toString('latin1') : null
  }
  const check = (text: string): void => {
    expect(asciiOfBase64url(text), JSON.stringify(text)).toBe(wanted(text))
  }
  fc.assert(fc.property(fc.string({ maxLength: 12 }), check))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      check(Buffer.from(bytes).toString('base64url'))
      check(Buffer.from(bytes.map((byte) => byte & 0x7f)).toString('base64url'))
    }),
  )
  // Each unit in each place, also those that are a digit when cut to a byte.
  const good = Buffer.from('abcdefgh').toString('base64url')
  for (let unit = 0; unit < 0x300; unit++) {
    for (let at = 0; at < good.length; at++) {
      check(good.slice(0, at) + String.fromCharCode(unit) + good.slice(at + 1))
    }
  }
})

it('asciiOfBase64url: as long as a token may be, and longer', () => {
  const text = 'x'.repeat(12_288)
  const encoded = Buffer.from(text).toString('base64url')
  expect(asciiOfBase64url(encoded)).toBe(text)
  expect(asciiOfBase64url(`${encoded}YQ`)).toBeNull()
  expect(asciiOfBase64url('YQ')).toBe('a')
})
