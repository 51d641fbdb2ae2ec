import { expect, it } from 'vitest'
import { AssertionError } from '../lib/assert.js'
import { VirtualTime } from '../lib/clock.js'
import { AREA_BYTES_MAX, areaAt, areaBytes, areasBroker } from './areas.js'
import type { SlotBroker } from './slots.js'

it.each<[bytes: number, want: number]>([
  [0, 64],
  [64, 64],
  [65, 128],
  [4_096, 4_096],
  [4_097, 8_192],
  [AREA_BYTES_MAX, AREA_BYTES_MAX],
])('areaBytes(%d) is %d', (bytes, want) => {
  expect(areaBytes(bytes)).toBe(want)
})

it('refuses an area larger than all', () => {
  expect(() => areaBytes(AREA_BYTES_MAX + 1)).toThrow(AssertionError)
})

function areaOf(broker: SlotBroker, key: string, bytes: number) {
  const [place] = broker.claim(0, [key])
  const memory = broker.segments[place?.segment as number] as SharedArrayBuffer
  return areaAt({ memory, index: place?.index as number }, bytes)
}

it.each([64, 1_024, 16_384, 65_536])('areas of %d bytes do not touch each other', (bytes) => {
  const broker = areasBroker(new VirtualTime(), bytes)
  const areas = ['a', 'b', 'c'].map((key) => areaOf(broker, key, bytes))
  areas.forEach(({ words, base }, i) => {
    words.fill(i + 1, base, base + bytes / 4)
  })
  areas.forEach(({ words, base }, i) => {
    expect(words.subarray(base, base + bytes / 4).every((word) => word === i + 1)).toBe(true)
    expect(base % 16).toBe(0)
  })
})

it('an area that is given to another key is zero again, and no other', () => {
  const time = new VirtualTime()
  const broker = areasBroker(time, 128)
  const kept = areaOf(broker, 'kept', 128)
  const old = areaOf(broker, 'old', 128)
  kept.words.fill(1, kept.base, kept.base + 32)
  old.words.fill(2, old.base, old.base + 32)
  broker.release(0, ['old'])
  time.advance(60_000)
  const fresh = areaOf(broker, 'new', 128)
  expect(fresh.base).toBe(old.base)
  expect([...fresh.words.subarray(fresh.base, fresh.base + 32)]).toEqual(Array(32).fill(0))
  expect([...kept.words.subarray(kept.base, kept.base + 32)]).toEqual(Array(32).fill(1))
})
