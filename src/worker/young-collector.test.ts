import { getHeapSpaceStatistics } from 'node:v8'
import { expect, it } from 'vitest'
import { YoungCollector } from './young-collector.js'

function youngBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  return space?.space_used_size ?? expect.fail('no young generation')
}

it('what died young is gone, and nothing shows how', () => {
  const collector = new YoungCollector()
  collector.run()
  const garbage = Array.from({ length: 5_000 }, (_, i) => [i, i, i, i])
  expect(garbage.length).toBe(5_000)
  const before = youngBytes()
  garbage.length = 0
  // What lived is moved once before it counts as old.
  collector.run()
  collector.run()
  expect(youngBytes()).toBeLessThan(before - 100_000)
  expect('gc' in globalThis).toBe(false)
})
