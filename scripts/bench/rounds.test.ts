import { build } from 'hdr-histogram-js'
import { expect, it } from 'vitest'
import type { Bench } from './bench.js'
import { encoded } from './histogram.js'
import type { LoadReport } from './loadgen.js'
import { interleave, type Side } from './rounds.js'
import { cpuMicros, perSecond } from './sample.js'

const doing: string[] = []
const BENCH = { progress: { doing: (text: string) => doing.push(text) } } as unknown as Bench

const side = (name: string): Side => ({ name, load: { connections: 1 } }) as unknown as Side

function histogramOf(ms: number): string {
  const histogram = build({ bitBucketSize: 64, highestTrackableValue: 3_600_000_000_000 })
  histogram.recordValue(ms * 1e6)
  return encoded(histogram)
}

const report = (requests: number, cpuSeconds: number, ms: number): LoadReport =>
  ({
    requests,
    ok: requests - 1,
    elapsedSeconds: 0.5,
    bytesIn: 10,
    bytesOut: 20,
    statuses: { 200: requests - 1, 503: 1 },
    latency: { histogram: histogramOf(ms) },
    serviceTime: { p99: ms * 1e6 },
    client: { saturated: false, starved: ms > 100 },
    watched: { cpuSeconds, userSeconds: 1, systemSeconds: 3, residentBytesAfter: requests },
  }) as unknown as LoadReport

it('sides take turns, in an order that turns round', async () => {
  const order: string[] = []
  const plan = { count: 2, slices: 2, seconds: 0.5 }
  const sides = ['a', 'b', 'c'].map(side)
  const series = await interleave(BENCH, 'x', sides, plan, (_bench, { name }, seconds) => {
    order.push(name)
    expect(seconds).toBe(0.5)
    return Promise.resolve(report(100, 0.001, 1))
  })
  expect(order.join('')).toBe('abccbaabccba')
  expect(series.map(({ name, rounds }) => [name, rounds.length])).toEqual([
    ['a', 2],
    ['b', 2],
    ['c', 2],
  ])
  expect(doing).toEqual(['x, round 1 of 2', 'x, round 2 of 2'])
})

it('slices of a round become one sample', async () => {
  const reports = [report(100, 0.001, 1), report(300, 0.005, 200)]
  const plan = { count: 1, slices: 2, seconds: 0.5 }
  const [series] = await interleave(BENCH, 'x', [side('a')], plan, () =>
    Promise.resolve(reports.shift() as LoadReport),
  )
  const [sample] = series?.rounds ?? []
  expect(sample).toMatchObject({
    requests: 400,
    ok: 398,
    seconds: 1,
    cpuSeconds: 0.006,
    userSeconds: 0.0015, // a quarter of it, as the ticks have it
    residentBytes: 300,
    statuses: { 200: 398, 503: 2 },
    disturbed: true,
  })
  if (sample === undefined) return
  expect(cpuMicros(sample)).toBeCloseTo(15)
  expect(perSecond(sample)).toBe(398)
  expect(sample.latency.max / 200).toBeCloseTo(1, 2)
  expect(sample.latency.p50).toBeCloseTo(1, 2)
})

it('a wrong answer ends it', async () => {
  const plan = { count: 3, slices: 1, seconds: 0.5 }
  let loads = 0
  const fail = () => {
    loads += 1
    return Promise.reject(new Error('a: 1 wrong answers in 10 requests'))
  }
  await expect(interleave(BENCH, 'x', [side('a')], plan, fail)).rejects.toThrow('wrong answers')
  expect(loads).toBe(1)
})
