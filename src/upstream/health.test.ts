import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { HealthTable, healthBytes } from './health.js'

const area = (servers: number) => ({
  words: new Int32Array(healthBytes(servers) / Int32Array.BYTES_PER_ELEMENT),
  base: 0,
})

it('takes a server out after so many failures in a row, and back after so many successes', () => {
  const table = new HealthTable(area(2), 3, 2)
  const results = [false, false, true, false, false, false, true, false, true, true]
  const states = results.map((passed) => {
    table.record(0, passed)
    return table.isUp(0)
  })
  expect(states).toEqual([true, true, true, true, true, false, false, false, false, true])
  expect([table.isUp(1), table.version]).toEqual([true, 2])
})

it('workers see what others found', () => {
  const memory = area(1)
  const [one, two] = [new HealthTable(memory, 2, 1), new HealthTable(memory, 2, 1)]
  expect(one.record(0, false)).toBe(false)
  expect(two.record(0, false)).toBe(true)
  expect([one.isUp(0), one.version]).toEqual([false, 1])
})

it('one worker makes a round of checks', () => {
  const memory = area(1)
  const workers = [1, 2, 3].map(() => new HealthTable(memory, 1, 1))
  const leads = (nowMs: number): number =>
    workers.filter((worker) => worker.lead(nowMs, 1_000)).length
  expect([0, 10, 700, 1_004, 1_900, 2_003, 9_000].map(leads)).toEqual([1, 0, 0, 1, 1, 0, 1])
})

it('agrees with a slow, obvious twin', () => {
  const prng = new Prng(0x4ea17)
  for (let round = 0; round < 200; round++) {
    const [fails, passes] = [1 + prng.below(4), 1 + prng.below(4)]
    const table = new HealthTable(area(1), fails, passes)
    let up = true
    let row: boolean[] = []
    for (let i = 0; i < 60; i++) {
      const passed = prng.chance(50)
      row = passed === up ? [] : [...row, passed]
      if (row.length >= (up ? fails : passes)) {
        up = !up
        row = []
      }
      table.record(0, passed)
      expect(table.isUp(0), `round ${round} result ${i}`).toBe(up)
    }
  }
})
