import { expect, it } from 'vitest'
import { isOlder, Pairs } from './pairs.js'

it.each<[name: string, a: number, b: number]>([
  ['small', 1, 2],
  ['lower half with its highest bit', 7, -1],
  ['upper half with its highest bit', -1, 7],
  ['extremes', -(2 ** 31), 2 ** 31 - 1],
])('keeps both halves: %s', (_name, a, b) => {
  const words = new Int32Array(new SharedArrayBuffer(128))
  const pairs = new Pairs({ words, base: 16 })
  pairs.load(3)
  expect([pairs.a, pairs.b]).toEqual([0, 0])
  expect(pairs.replace(3, a, b)).toBe(true)
  expect([words[16 + 6], words[16 + 7]]).toEqual([a, b])
  pairs.load(3)
  expect([pairs.a, pairs.b]).toEqual([a, b])
})

it('replaces only what it has seen, and shows what came between', () => {
  const area = { words: new Int32Array(new SharedArrayBuffer(64)), base: 0 }
  const [one, two] = [new Pairs(area), new Pairs(area)]
  one.load(0)
  two.load(0)
  expect(two.replace(0, 1, 2)).toBe(true)
  expect(one.replace(0, 3, 4)).toBe(false)
  expect([one.a, one.b]).toEqual([1, 2])
  expect(one.replace(0, 3, 4)).toBe(true)
  two.load(0)
  expect([two.a, two.b]).toEqual([3, 4])
})

it.each<[a: number, b: number, want: boolean]>([
  [1, 2, true],
  [2, 1, false],
  [2, 2, false],
  [2 ** 31 - 1, -(2 ** 31), true],
  [-(2 ** 31), 2 ** 31 - 1, false],
])('isOlder(%d, %d) is %s', (a, b, want) => {
  expect(isOlder(a, b)).toBe(want)
})
