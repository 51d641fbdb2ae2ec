import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeBase64url } from './base64url.js'

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
