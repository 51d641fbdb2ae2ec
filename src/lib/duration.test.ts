import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatDuration, parseDuration } from './duration.js'

it.each<[text: string, ms: number]>([
  ['0', 0],
  ['+0', 0],
  ['-0', 0],
  ['0s', 0],
  ['1ns', 0.000_001],
  ['1us', 0.001],
  ['1µs', 0.001],
  ['1μs', 0.001],
  ['500ms', 500],
  ['1.5s', 1500],
  ['.5s', 500],
  ['1.s', 1000],
  ['1.001s', 1001],
  ['1h30m', 5_400_000],
  ['1m1m', 120_000],
  ['-2s', -2000],
  ['+2s', 2000],
  ['0.0000001ms', 0], // below a nanosecond
  ['2562047h47m16.854775807s', 9_223_372_036_854.775],
])('parseDuration: %s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

it.each<[name: string, text: string]>([
  ['empty', ''],
  ['a sign alone', '-'],
  ['no unit', '5'],
  ['two zeros', '00'],
  ['days', '1d'],
  ['unit alone', 's'],
  ['dot alone', '.s'],
  ['two dots', '1..5s'],
  ['upper case', '1S'],
  ['space before', ' 1s'],
  ['space inside', '1 s'],
  ['number at the end', '1h30'],
  ['two signs', '--1s'],
  ['exponent', '1e3s'],
  ['comma', '1,5s'],
  ['words', 'one second'],
  ['more than 2^63-1 ns', '2562047h47m16.854775808s'],
  ['very long', `${'0'.repeat(1_000_000)}1s`],
])('parseDuration refuses %s', (_name, text) => {
  expect(parseDuration(text)).toBeNull()
})

it.each<[ms: number, text: string]>([
  [0, '0s'],
  [0.000_001, '1ns'],
  [0.0015, '1.5µs'],
  [1, '1ms'],
  [1.5, '1.5ms'],
  [500, '500ms'],
  [1000, '1s'],
  [61_001.5, '1m1.0015s'],
  [3_600_000, '1h0m0s'],
  [5_400_000, '1h30m0s'],
  [-1500, '-1.5s'],
])('formatDuration: %d ms is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

it('parses what it formatted, to the nanosecond', () => {
  // Beyond 2^53 ns a number of milliseconds cannot hold every nanosecond any more.
  const anyMs = fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }).map((ns) => Number(ns) / 1e6)
  fc.assert(
    fc.property(anyMs, (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms === 0 ? 0 : ms)
    }),
  )
})

it('never throws, whatever the text', () => {
  const unit = fc.constantFrom('0', '1', '.', '-', 'h', 'm', 's', 'n', 'µ', ' ', '9')
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 12 }), (units) => {
      const ms = parseDuration(units.join(''))
      expect(ms === null || Number.isFinite(ms)).toBe(true)
    }),
  )
})
