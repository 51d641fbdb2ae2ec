import { expect, it } from 'vitest'
import { CROWD_MIN, CrowdLimit, LoopPressure } from './crowd-limit.js'

it('a loop is full when nine tenths of the time since the last look were work', () => {
  const times = { idle: 0, active: 0 }
  const pressure = new LoopPressure(() => ({ ...times }))
  let now = 1_000
  const pass = (idle: number, active: number): boolean => {
    times.idle += idle
    times.active += active
    now += idle + active
    return pressure.isFull(now)
  }
  expect(pressure.isFull(now)).toBe(false) // nothing has been seen yet
  expect(pass(0, 30)).toBe(true)
  expect(pass(10, 90)).toBe(true)
  expect(pass(11, 89)).toBe(false)
  expect(pass(0, 19)).toBe(false) // too early to look again
  expect(pass(0, 1)).toBe(true)
  expect(pass(5, 14)).toBe(true)
  expect(pass(9_000, 1_000)).toBe(false)
  expect(pass(0, 50)).toBe(true)
})

it('the limit rises with each that was held back too long, and comes down by and by', () => {
  const limit = new CrowdLimit()
  expect([limit.isReached(CROWD_MIN - 1, 0), limit.isReached(CROWD_MIN, 0)]).toEqual([false, true])
  limit.rise(10_000)
  limit.rise(10_000)
  expect([limit.isReached(67, 10_001), limit.isReached(68, 11_999)]).toEqual([false, true])
  expect([limit.isReached(50, 12_000), limit.isReached(51, 12_001)]).toEqual([false, true])
  for (let now = 14_000; now < 30_000; now += 2_000) limit.isReached(40, now)
  expect([limit.isReached(CROWD_MIN - 1, 40_000), limit.isReached(CROWD_MIN, 40_000)]).toEqual([
    false,
    true,
  ])
})
