import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatByteSize, parseByteSize } from './byte-size.js'

it.each<[text: string, bytes: number]>([
  ['0B', 0],
  ['10B', 10],
  ['1kB', 1000],
  ['1KB', 1000],
  ['64KiB', 65_536],
  ['1.5 MB', 1_500_000],
  ['4MiB', 4_194_304],
  ['0.5KiB', 512],
  ['1GB', 1_000_000_000],
  ['1GiB', 1_073_741_824],
  ['2TB', 2_000_000_000_000],
  ['1TiB', 1_099_511_627_776],
])('parseByteSize: %s is %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes)
})

it.each<[name: string, text: string]>([
  ['empty', ''],
  ['a number without a unit', '10'],
  ['an ambiguous k', '1k'],
  ['an ambiguous M', '1M'],
  ['a bare i', '1Ki'],
  ['kiB in lower case', '1kiB'],
  ['lower case', '1kb'],
  ['a sign', '-1B'],
  ['part of a byte', '0.3B'],
  ['two spaces', '1  MB'],
  ['a unit alone', 'MB'],
  ['too much to count', '99999TiB'],
  ['very long', `${'1'.repeat(1_000_000)}B`],
])('parseByteSize refuses %s', (_name, text) => {
  expect(parseByteSize(text)).toBeNull()
})

it('formats exactly: the text means the same number again', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 45 }),
      fc.constantFrom(1, 2 ** 10, 2 ** 20),
      (n, k) => {
        const bytes = Math.floor(n / k) * k
        const text = formatByteSize(bytes)
        expect(parseByteSize(text) ?? Number(text)).toBe(bytes)
      },
    ),
  )
})

it.each<[bytes: number, text: string]>([
  [0, '0'],
  [1000, '1000'],
  [1024, '1KiB'],
  [65_536, '64KiB'],
  [-1, '-1'],
])('formatByteSize: %d is %s', (bytes, text) => {
  expect(formatByteSize(bytes)).toBe(text)
})
