import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { addRow, mergeRows, StatsCells } from './stats.js'
import { BUCKET_COUNT, bucketMiddleMs, bucketOf, CELLS_PER_ROW } from './stats-layout.js'

interface Sample {
  readonly status: number
  readonly durationMs: number
  readonly bytesIn: number
  readonly bytesOut: number
}

function rowOf(samples: readonly Sample[]): Float64Array {
  const cells = new Float64Array(CELLS_PER_ROW)
  const row = new StatsCells(cells)
  for (const each of samples) row.record(each.status, each.durationMs, each.bytesIn, each.bytesOut)
  return cells
}

const anySample: fc.Arbitrary<Sample> = fc.record({
  status: fc.integer({ min: 100, max: 599 }),
  durationMs: fc.double({ min: 0, max: 130_000, noNaN: true }),
  bytesIn: fc.integer({ min: 0, max: 2 ** 40 }),
  bytesOut: fc.integer({ min: 0, max: 2 ** 40 }),
})

it('rows of several workers merged say what a list of all exchanges says', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anySample, { maxLength: 30 }), { maxLength: 4 }), (perWorker) => {
      const all = perWorker.flat()
      const snapshot = mergeRows(perWorker.map(rowOf))
      const sum = (of: (sample: Sample) => number) =>
        all.reduce((total, each) => total + of(each), 0)
      expect(snapshot.count).toBe(all.length)
      expect(snapshot.errCount).toBe(sum((each) => (each.status >= 400 ? 1 : 0)))
      expect(snapshot.bytesIn).toBe(sum((each) => each.bytesIn))
      expect(snapshot.bytesOut).toBe(sum((each) => each.bytesOut))
      const durations = all.map((each) => each.durationMs).sort((a, b) => a - b)
      expect(snapshot.minMs).toBe(durations[0] ?? 0)
      expect(snapshot.maxMs).toBe(durations.at(-1) ?? 0)
      expect(snapshot.meanMs).toBeCloseTo(sum((each) => each.durationMs) / (all.length || 1), 6)
      const codes = new Map<number, number>()
      for (const { status } of all) codes.set(status, (codes.get(status) ?? 0) + 1)
      expect(snapshot.codes()).toEqual(new Map([...codes].sort(([a], [b]) => a - b)))
      const percents = [0, 25, 50, 95, 99.9, 100]
      const percentiles = snapshot.percentiles(percents)
      percents.forEach((percent, i) => {
        const rank = Math.max(1, Math.ceil((percent / 100) * durations.length))
        expectClose(percentiles[i] as number, durations[rank - 1] ?? 0)
      })
    }),
  )
})

/** Within 0.8 %, or half a microsecond where that is more. */
function expectClose(gotMs: number, wantMs: number): void {
  expect(Math.abs(gotMs - wantMs)).toBeLessThanOrEqual(Math.max(0.000_501, wantMs * 0.0079))
}

it('every duration lies within 0.8 % of the middle of its bucket, and buckets ascend', () => {
  const prng = new Prng(0xc0ffee)
  let last = -1
  for (let us = 0; us < 134_000_000; us += 1 + prng.below(1 + us / 100)) {
    const bucket = bucketOf(us / 1000)
    expectClose(bucketMiddleMs(bucket), us / 1000)
    if (bucket < last) expect.fail(`bucket of ${us} us is ${bucket}, after ${last}`)
    last = bucket
  }
  expect(last).toBe(BUCKET_COUNT - 1)
})

it.each<[string, durationMs: number, bucket: number]>([
  ['nothing', 0, 0],
  ['less than the clock can tell', 0.0004, 0],
  ['not a number', Number.NaN, 0],
  ['before it started', -5, 0],
  ['a millisecond', 1, bucketOf(1.001)],
  ['two minutes', 120_000, bucketOf(120_001)],
  ['a day', 86_400_000, BUCKET_COUNT - 1],
  ['for ever', Number.POSITIVE_INFINITY, BUCKET_COUNT - 1],
])('bucketOf: %s', (_name, durationMs, bucket) => {
  expect(bucketOf(durationMs)).toBe(bucket)
})

it.each([0, 99, 600, -1, Number.NaN, 1e9])(
  'a status of %d counts but has no code, and harms no other cell',
  (status) => {
    const cells = rowOf([{ status, durationMs: 1, bytesIn: 1, bytesOut: 1 }])
    expect(mergeRows([cells]).count).toBe(1)
    expect([...mergeRows([cells]).codes()]).toEqual([])
    expect(cells.filter((cell) => cell !== 0).length).toBeLessThanOrEqual(8)
  },
)

it('a row that saw nothing changes nothing, its zero minimum least of all', () => {
  const busy = rowOf([{ status: 200, durationMs: 5, bytesIn: 0, bytesOut: 0 }])
  const sum = new Float64Array(CELLS_PER_ROW)
  addRow(sum, rowOf([]))
  addRow(sum, busy)
  addRow(sum, rowOf([]))
  expect(sum).toEqual(busy)
})

it('no exchange yet: all is zero', () => {
  const snapshot = mergeRows([])
  expect(snapshot).toMatchObject({ count: 0, errCount: 0, minMs: 0, maxMs: 0, meanMs: 0 })
  expect(snapshot.percentiles([50, 99])).toEqual([0, 0])
})

it('a snapshot is not moved by what comes later', () => {
  const cells = rowOf([{ status: 200, durationMs: 5, bytesIn: 0, bytesOut: 0 }])
  const before = mergeRows([cells])
  new StatsCells(cells).record(500, 900, 1, 1)
  expect(before.codes()).toEqual(new Map([[200, 1]]))
  expect(before.percentiles([100])[0]).toBe(5)
})
