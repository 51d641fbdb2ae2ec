import { expect, it } from 'vitest'
import { Ewma, httpStat, StatsRates } from './rates.js'
import { mergeRows, StatsCells } from './stats.js'
import { CELLS_PER_ROW } from './stats-layout.js'

it('the first tick sets the rate, in events per second', () => {
  const ewma = new Ewma(1)
  expect(ewma.perSecond).toBe(0)
  ewma.tick(50)
  expect(ewma.perSecond).toBe(10)
})

it.each<[minutes: number]>([[1], [5], [15]])(
  'over %d minutes: a steady rate stays, and silence leaves 1/e after that time',
  (minutes) => {
    const ewma = new Ewma(minutes)
    for (let tick = 0; tick < 1000; tick++) ewma.tick(50)
    expect(ewma.perSecond).toBeCloseTo(10, 9)
    for (let tick = 0; tick < minutes * 12; tick++) ewma.tick(0)
    expect(ewma.perSecond).toBeCloseTo(10 / Math.E, 9)
  },
)

it('rates follow totals; totals that start again are not negative events', () => {
  const rates = new StatsRates()
  rates.tick({ count: 100, errCount: 10 })
  expect(rates.requests.m1.perSecond).toBe(20)
  expect(rates.errors.m15.perSecond).toBe(2)
  rates.tick({ count: 200, errCount: 20 })
  expect(rates.requests.m5.perSecond).toBe(20)
  rates.tick({ count: 100, errCount: 0 })
  expect(rates.requests.m1.perSecond).toBeCloseTo(20, 9)
  expect(rates.errors.m1.perSecond).toBeLessThan(2)
})

it('the v1 block has its fields and units, and each error ratio is its own', () => {
  const cells = new Float64Array(CELLS_PER_ROW)
  const row = new StatsCells(cells)
  const rates = new StatsRates()
  for (let i = 0; i < 75; i++) row.record(200, 10.9, 100, 1000)
  for (let i = 0; i < 25; i++) row.record(503, 40.2, 0, 10)
  rates.tick(mergeRows([cells]))
  for (let i = 0; i < 100; i++) row.record(200, 10.9, 0, 0)
  rates.tick(mergeRows([cells]))
  const stat = httpStat(mergeRows([cells]), rates)
  expect(stat).toMatchObject({
    count: 200,
    errCount: 25,
    min: 10,
    max: 40,
    mean: 14,
    reqSize: 7500,
    respSize: 75_250,
    codes: { 200: 175, 503: 25 },
    m1: 20,
  })
  const alpha = (minutes: number) => 1 - Math.exp(-5 / 60 / minutes)
  expect(stat.m1Err).toBeCloseTo(5 - 5 * alpha(1), 9)
  expect(stat.m1ErrPercent).toBeCloseTo((5 - 5 * alpha(1)) / 20, 9)
  expect(stat.m5ErrPercent).toBeCloseTo((5 - 5 * alpha(5)) / 20, 9)
  expect(stat.m15ErrPercent).toBeCloseTo((5 - 5 * alpha(15)) / 20, 9)
  expect(stat.p25).toBeCloseTo(10.9, 0)
  expect(Math.abs(stat.p95 - 40.2)).toBeLessThan(0.4)
  expect(Object.keys(stat).sort().join(' ')).toBe(
    'codes count errCount m1 m15 m15Err m15ErrPercent m1Err m1ErrPercent m5 m5Err m5ErrPercent ' +
      'max mean min p25 p50 p75 p95 p98 p99 p999 reqSize respSize',
  )
})

it('no request yet: zeros, no division by zero', () => {
  const stat = httpStat(mergeRows([]), new StatsRates())
  for (const [field, value] of Object.entries(stat)) {
    expect(value, field).toEqual(field === 'codes' ? {} : 0)
  }
})
