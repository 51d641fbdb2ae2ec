import { expect, it } from 'vitest'
import { configOf } from './config.js'
import { NO_FAULTS } from './faults.js'
import { RaftLog } from './raft-log.js'
import { entry } from './testing/lab.js'

/** A log behind 10@1 with entries of these terms. */
function log(terms: readonly number[], commit = 10): RaftLog {
  const entries = terms.map((term, at) => entry(11 + at, term))
  const base = { index: 10, term: 1 }
  return new RaftLog({ base, entries, commit, applied: 10 }, NO_FAULTS)
}

it.each<[name: string, start: Parameters<typeof log>, message: RegExp]>([
  ['terms that go back', [[2, 1]], /restored log is broken/],
  ['a commit behind the end', [[1, 1], 13], /marks do not fit/],
  ['a commit before the beginning', [[1, 1], 9], /marks do not fit/],
])('refuses to start with %s', (_name, start, message) => {
  expect(() => log(...start)).toThrow(message)
})

it('refuses to start with a gap', () => {
  const base = { index: 10, term: 1 }
  const entries = [entry(12, 1)]
  const start = { base, entries, commit: 10, applied: 10 }
  expect(() => new RaftLog(start, NO_FAULTS)).toThrow(/restored log is broken/)
})

it('knows the term of its base, and none outside', () => {
  const some = log([2, 3])
  expect([9, 10, 11, 12, 13].map((index) => some.termAt(index))).toEqual([-1, 1, 2, 3, -1])
})

it('a slice has one entry at least, and stops at the limit', () => {
  const some = log([1, 1, 1, 1])
  expect(some.slice(11, 0)).toHaveLength(1)
  expect(some.slice(11, 70)).toHaveLength(2)
  expect(some.slice(11, 1000)).toHaveLength(4)
  expect(some.slice(15, 1000)).toEqual([])
  expect(() => some.slice(10, 1000)).toThrow('not in the log')
})

it.each<[index: number, term: number, want: [number, number]]>([
  [14, 9, [14, 5]],
  [99, 9, [15, 5]],
  [15, 4, [13, 3]],
  [15, 3, [13, 3]],
  [15, 2, [10, 1]],
  [15, 0, [10, 1]],
  [5, 9, [5, 0]],
])('the hint for a conflict at %i@%i is %j', (index, term, [at, found]) => {
  expect(log([3, 3, 3, 5, 5]).conflictHint(index, term)).toEqual({ index: at, term: found })
})

it('what is replaced counts as unwritten again', () => {
  const some = log([1, 1, 1])
  expect(some.takeUnwritten()).toEqual([])
  some.merge([entry(12, 2), entry(13, 2)])
  expect(some.durable).toBe(11)
  expect(some.takeUnwritten().map(({ index, term }) => [index, term])).toEqual([
    [12, 2],
    [13, 2],
  ])
  some.durableTo(12)
  expect(some.durable).toBe(12)
  some.durableTo(99) // no more than was handed out
  expect(some.durable).toBe(13)
})

it('its weight is that of what it holds', () => {
  const some = log([])
  expect(some.bytes).toBe(0)
  some.push({ ...entry(11, 1), data: new Uint8Array(100) })
  some.push(entry(12, 1))
  expect(some.bytes).toBe(164)
  some.merge([{ ...entry(12, 2), data: new Uint8Array(8) }])
  expect([some.bytes, some.bytesAfter(11)]).toEqual([172, 40])
  some.commitTo(12)
  some.takeUnwritten()
  some.durableTo(12)
  some.takeCommitted(1000)
  some.appliedTo(12)
  some.compact(11)
  expect(some.bytes).toBe(40)
})

it('gives out what is committed and durable, no more than fits, and waits for it', () => {
  const some = log([1, 1, 1])
  some.push(entry(14, 1))
  some.commitTo(14)
  expect(some.takeCommitted(64).map(({ index }) => index)).toEqual([11, 12])
  expect(some.takeCommitted(64)).toEqual([])
  some.appliedTo(12)
  expect(some.takeCommitted(64).map(({ index }) => index)).toEqual([13]) // 14 is not durable
  expect(() => some.appliedTo(14)).toThrow('given out')
})

it('what was given out before a snapshot may be reported after it', () => {
  const some = log([1, 1, 1], 13)
  some.takeCommitted(1000)
  const meta = { index: 20, term: 2, config: configOf([1]) }
  some.restore(meta)
  expect(some.appliedTo(13)).toEqual([])
  expect(some.takeCommitted(1000)).toEqual([])
  expect(some.takeSnapshot()).toBe(meta)
  expect(some.takeSnapshot()).toBeNull()
  some.merge([entry(21, 2)])
  some.commitTo(21)
  some.takeUnwritten()
  some.durableTo(21)
  some.snapshotInstalled(meta)
  expect(some.applied).toBe(20)
  expect(some.takeCommitted(1000).map(({ index }) => index)).toEqual([21])
})

it('a newer snapshot may come while an older one is being installed', () => {
  const some = log([])
  const old = { index: 20, term: 2, config: configOf([1]) }
  const young = { index: 30, term: 2, config: configOf([1]) }
  some.restore(old)
  some.takeSnapshot()
  some.restore(young)
  some.snapshotInstalled(old)
  expect(some.pendingSnapshot).toBe(young)
  expect(some.takeSnapshot()).toBe(young)
})

it('only what is applied can be compacted', () => {
  const some = log([1, 1, 1], 12)
  expect(() => some.compact(11)).toThrow('not applied')
  some.takeCommitted(1000)
  some.appliedTo(12)
  some.compact(11)
  expect([some.base.index, some.termAt(11), some.termAt(10)]).toEqual([11, 1, -1])
  some.compact(5) // long gone
  expect(some.base.index).toBe(11)
})
