import { expect, it } from 'vitest'
import { Prng } from './prng.js'

it('equal seeds give equal sequences, others give others', () => {
  const draw = (seed: number): string => new Prng(seed).ints(8, 1000).join(' ')
  expect(draw(42)).toBe(draw(42))
  const seeds = [0, 1, 2, -1, 42, 2 ** 31, 2 ** 32 - 2, 0xc0ffee]
  expect(new Set(seeds.map(draw)).size).toBe(seeds.length)
})

it.each([0, -1, 1, 2 ** 31, 2 ** 53 - 1])('seed %d: all draws are in range and spread', (seed) => {
  const prng = new Prng(seed)
  const hits = new Array<number>(10).fill(0)
  for (let i = 0; i < 10_000; i++) {
    const float = prng.float()
    if (!(float >= 0 && float < 1)) expect.fail(`float gave ${float}`)
    const word = prng.uint32()
    if (word >>> 0 !== word) expect.fail(`uint32 gave ${word}`)
    const digit = prng.below(10)
    hits[digit] = (hits[digit] as number) + 1
  }
  // 1,000 each; six standard deviations of a fair draw are 180.
  for (const count of hits) expect(Math.abs(count - 1000)).toBeLessThan(180)
})

it('each bit is set half of the time', () => {
  const prng = new Prng(7)
  const ones = new Array<number>(32).fill(0)
  for (let i = 0; i < 10_000; i++) {
    const word = prng.uint32()
    for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] as number) + ((word >>> bit) & 1)
  }
  for (const count of ones) expect(Math.abs(count - 5000)).toBeLessThan(300)
})

it('chance and pick follow their odds', () => {
  const prng = new Prng(3)
  let yes = 0
  for (let i = 0; i < 10_000; i++) yes += prng.chance(30) ? 1 : 0
  expect(Math.abs(yes - 3000)).toBeLessThan(280)
  expect([prng.chance(0), prng.chance(100)]).toEqual([false, true])
  const picked = new Set(Array.from({ length: 100 }, () => prng.pick(['a', 'b', 'c'])))
  expect([...picked].sort()).toEqual(['a', 'b', 'c'])
})
