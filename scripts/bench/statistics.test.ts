import { expect, it } from 'vitest'
import { Prng } from '../../src/lib/prng.js'
import { addedRatio, median, pairedRatio, spreadOf } from './statistics.js'

it.each<[name: string, values: number[], want: number]>([
  ['one value', [7], 7],
  ['an odd count, unsorted', [9, 1, 5], 5],
  ['an even count lies between the two in the middle', [4, 1, 3, 2], 2.5],
  ['by size, not by text', [10, 9, 100], 10],
])('median of %s', (_name, values, want) => {
  expect(median(values)).toBe(want)
})

it('there is no median of nothing', () => {
  expect(() => median([])).toThrow('no median')
})

it('a spread has the lowest and the highest', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 })
})

it('pairs rounds: a disturbance that hits both sides of a round leaves the ratio alone', () => {
  const bases = [10, 20, 40, 80, 10, 10, 10, 10, 10]
  const ratio = pairedRatio(
    bases.map((base) => base * 1.2),
    bases,
  )
  expect(ratio.median).toBeCloseTo(1.2)
  expect(ratio.low).toBeCloseTo(1.2)
  expect(ratio.high).toBeCloseTo(1.2)
})

it('refuses sides with different numbers of rounds', () => {
  expect(() => pairedRatio([1, 2], [1])).toThrow('paired')
})

it('gives the same interval again', () => {
  const values = [1.1, 1.3, 1.2, 1.15, 1.4]
  const bases = [1, 1, 1, 1, 1]
  expect(pairedRatio(values, bases)).toEqual(pairedRatio(values, bases))
})

it('what is added is counted from the floor', () => {
  expect(addedRatio([4, 4, 4], [3, 3, 3], [1, 1, 1])).toEqual({ median: 1.5, low: 1.5, high: 1.5 })
})

it('a floor that is above the bases now and then leaves no upper end', () => {
  const ratio = addedRatio([3, 3, 3, 3, 3], [2, 2, 2, 2, 2], [1, 1, 1, 2.5, 2.5])
  expect(ratio.median).toBe(2)
  expect(ratio.high).toBe(Number.POSITIVE_INFINITY)
})

it('the interval holds the true ratio about as often as it says', () => {
  const prng = new Prng(42)
  let held = 0
  const rounds = 60
  for (let trial = 0; trial < rounds; trial++) {
    const values = Array.from({ length: 9 }, () => 1.1 + 0.2 * (prng.float() - 0.5))
    const { low, high } = pairedRatio(
      values,
      values.map(() => 1),
    )
    if (low <= 1.1 && 1.1 <= high) held += 1
  }
  // 95 % nominal; medians of nine are coarse.
  expect(held / rounds).toBeGreaterThan(0.85)
})
