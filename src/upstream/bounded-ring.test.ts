import { expect, it } from 'vitest'
import { BoundedRing } from './bounded-ring.js'
import { murmur64 } from './murmur3.js'

it.each([
  ['', '0'],
  ['hello', 'cbd8a7b341bd9b02'],
  ['hello, world', '342fac623a5ebc8e'],
  ['19 Jan 2038 at 3:14:07 AM', 'b89e5988b737affc'],
  ['The quick brown fox jumps over the lazy dog.', 'cd99481f9ee902c9'],
])('murmur64(%j), as in the reference', (text, hex) => {
  expect(murmur64(Buffer.from(text)).toString(16)).toBe(hex)
})

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `http://10.0.0.${i}:9095`)

const owners = (ring: BoundedRing, keys: number): number[] =>
  Array.from({ length: keys }, (_, i) => ring.memberOf(Buffer.from(`session-${i}`)))

it('gives a key to the same member, whatever ring of the same members is asked', () => {
  expect(owners(new BoundedRing(names(5)), 500)).toEqual(owners(new BoundedRing(names(5)), 500))
})

it('gives no member more than a quarter above its share of partitions', () => {
  for (const count of [1, 2, 3, 7, 20]) {
    const loads = new Map<number, number>()
    for (const member of owners(new BoundedRing(names(count)), 20_000)) {
      loads.set(member, (loads.get(member) ?? 0) + 1)
    }
    // Keys spread over partitions by chance; hence some room above the bound.
    for (const load of loads.values()) expect(load).toBeLessThan((20_000 / count) * 1.25 * 1.15)
    expect(loads.size).toBe(count)
  }
})

it('keeps most keys where they are when a member goes', () => {
  const before = owners(new BoundedRing(names(8)), 5_000)
  const after = owners(new BoundedRing(names(7)), 5_000)
  const moved = before.filter((member, i) => member !== 7 && member !== after[i]).length
  expect(moved / 5_000).toBeLessThan(0.25)
})
