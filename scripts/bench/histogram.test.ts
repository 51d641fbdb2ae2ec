import { build } from 'hdr-histogram-js'
import { expect, it } from 'vitest'
import { curveOf, encoded, latencyOf, mergedHistogram } from './histogram.js'

const MS = 1e6

function encodedOf(valuesMs: readonly number[]): string {
  const histogram = build({ highestTrackableValue: 3_600_000_000_000, bitBucketSize: 64 })
  for (const ms of valuesMs) histogram.recordValue(ms * MS)
  return encoded(histogram)
}

const upTo = (count: number, first = 1): number[] =>
  Array.from({ length: count }, (_, i) => first + i)

it('adds up what several runs saw', () => {
  const sum = mergedHistogram([encodedOf(upTo(500)), encodedOf(upTo(500, 501))])
  const { p50, p90, p99, p999, max } = latencyOf(sum)
  expect(sum.totalCount).toBe(1000)
  for (const [got, want] of [
    [p50, 500],
    [p90, 900],
    [p99, 990],
    [p999, 999],
    [max, 1000],
  ] as const) {
    expect(got / want).toBeCloseTo(1, 2)
  }
})

it('an encoding survives being decoded and encoded again', () => {
  const first = encodedOf([0.001, 1, 3_599_000])
  expect(latencyOf(mergedHistogram([encoded(mergedHistogram([first]))]))).toEqual(
    latencyOf(mergedHistogram([first])),
  )
})

it('there is no histogram of nothing', () => {
  expect(() => mergedHistogram([])).toThrow('nothing')
})

it('a curve rises, ends at the last value, and is finer towards it', () => {
  const points = curveOf(mergedHistogram([encodedOf(upTo(1024))]))
  expect(points[0]?.percentile).toBe(0)
  expect(points.at(-1)?.percentile).toBeCloseTo(100 * (1 - 1 / 1024))
  expect((points.at(-1)?.ms ?? 0) / 1024).toBeCloseTo(1, 2)
  for (const [i, point] of points.slice(1).entries()) {
    expect(point.percentile).toBeGreaterThan(points[i]?.percentile ?? 0)
    expect(point.ms).toBeGreaterThanOrEqual(points[i]?.ms ?? 0)
  }
  expect(points).toHaveLength(41) // four for each halving, ten halvings
})

it('a curve of one value is one point', () => {
  expect(curveOf(mergedHistogram([encodedOf([5])]))).toHaveLength(1)
})
