import { expect, it } from 'vitest'
import { type Counted, TopPaths } from './top-paths.js'

const counted = (pattern: string): Counted => ({ pattern, place: -1 })

it('counts by pattern, most asked first', () => {
  const top = new TopPaths()
  top.record(top.placeOf(counted('/a')), 200, 5, 10, 100)
  top.record(top.placeOf(counted('/b')), 200, 1, 1, 1)
  top.record(top.placeOf(counted('/b')), 404, 3, 2, 2)
  top.record(top.placeOf(counted('/b')), 399, 2, 3, 3)
  top.record(top.placeOf(counted('/c')), 500, 1, 0, 0)
  top.record(top.placeOf(counted('/c')), 500, 1, 0, 0)
  expect(top.top(2)).toEqual([
    { path: '/b', count: 3, errors: 1, totalMs: 6, minMs: 1, maxMs: 3, bytesIn: 6, bytesOut: 6 },
    { path: '/c', count: 2, errors: 2, totalMs: 2, minMs: 1, maxMs: 1, bytesIn: 0, bytesOut: 0 },
  ])
  expect(top.top(10)).toHaveLength(3)
  expect(new TopPaths().top(10)).toEqual([])
})

it('is bounded: what comes after a thousand patterns is counted together', () => {
  const top = new TopPaths()
  for (let i = 0; i < 3_000; i++) top.record(top.placeOf(counted(`/${i}`)), 200, 1, 0, 0)
  top.record(top.placeOf(counted('/5')), 200, 1, 0, 0)
  const all = top.top(10_000)
  expect(all).toHaveLength(1_001)
  expect(all[0]).toMatchObject({ path: '*', count: 2_000 })
  expect(all[1]).toMatchObject({ path: '/5', count: 2 })
})

it('one that is asked again and again after the bound stays with the others', () => {
  const top = new TopPaths()
  for (let i = 0; i < 1_000; i++) top.record(top.placeOf(counted(`/${i}`)), 200, 1, 0, 0)
  for (let i = 0; i < 3; i++) top.record(top.placeOf(counted('/late')), 200, 1, 0, 0)
  expect(top.top(1)).toMatchObject([{ path: '*', count: 3 }])
})

it('what is looked up once keeps its place, and is not told before it was counted', () => {
  const top = new TopPaths()
  const route = counted('/a')
  const place = top.placeOf(route)
  expect(top.top(10)).toEqual([])
  top.record(place, 200, 1, 0, 0)
  for (let i = 0; i < 100; i++) top.record(top.placeOf(counted(`/${i}`)), 200, 1, 0, 0)
  expect(top.placeOf(route)).toBe(place)
  // A route of the next generation.
  expect(top.placeOf(counted('/a'))).toBe(place)
  top.record(place, 200, 1, 0, 0)
  expect(top.top(1)).toMatchObject([{ path: '/a', count: 2 }])
})
