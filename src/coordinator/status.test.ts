import { expect, it } from 'vitest'
import type { AnyObjectKind, StatusView } from '../objects/contract.js'
import type { TopPath } from '../protocol/worker.js'
import { RATE_TICK_MS } from '../shared/rates.js'
import { StatsBlocks, StatsReader } from '../shared/stats-blocks.js'
import { mergeTopPaths, objectStatus, RateBook } from './status.js'

const path = (name: string, more: Partial<TopPath> = {}): TopPath => ({
  path: name,
  count: 1,
  errors: 0,
  totalMs: 1,
  minMs: 1,
  maxMs: 1,
  bytesIn: 1,
  bytesOut: 1,
  ...more,
})

it('adds up what workers counted by path', () => {
  const one = {
    count: 3,
    errors: 1,
    totalMs: 10.5,
    minMs: 2.7,
    maxMs: 5.9,
    bytesIn: 7,
    bytesOut: 9,
  }
  const two = { count: 1, errors: 1, totalMs: 20, minMs: 1.2, maxMs: 20, bytesIn: 1, bytesOut: 2 }
  expect(mergeTopPaths([[path('/a', one)], [], [path('/a', two)]])).toEqual([
    {
      path: '/a',
      status: { count: 4, errCount: 2, min: 1, max: 20, mean: 7, reqSize: 8, respSize: 11 },
    },
  ])
})

it('gives the ten paths that were asked most, equal ones by name', () => {
  const all = Array.from({ length: 15 }, (_, i) => path(`/${i}`, { count: i < 5 ? 1 : 2 }))
  const shown = mergeTopPaths([all]).map((each) => each.path)
  expect(shown).toEqual(['/10', '/11', '/12', '/13', '/14', '/5', '/6', '/7', '/8', '/9'])
  expect(mergeTopPaths([])).toEqual([])
  expect(mergeTopPaths([[path('/', { count: 0, totalMs: 0 })]])[0]?.status).toMatchObject({
    mean: 0,
  })
})

const kind = {
  status: () => ({ state: 'running', zone: 1, error: 'x' }),
} as unknown as AnyObjectKind
const view = { failure: '' } as StatusView

it('a status has its keys in the order of the alphabet, health and whole seconds', () => {
  const status = objectStatus(kind, 'a', {}, view, 1_620_000_000_999)
  expect(JSON.stringify(status)).toBe(
    '{"error":"x","health":"","state":"running","timestamp":1620000000,"zone":1}',
  )
})

it('a failure to build is the health, unless the kind has one of its own', () => {
  expect(objectStatus(kind, 'a', {}, { ...view, failure: 'bad' }, 0)['health']).toBe('bad')
  const own = { status: () => ({ health: 'own' }) } as unknown as AnyObjectKind
  expect(objectStatus(own, 'a', {}, { ...view, failure: 'bad' }, 0)['health']).toBe('own')
})

it('rates follow what is counted, tick by tick', () => {
  const reader = new StatsReader()
  const blocks = new StatsBlocks()
  const row = blocks.open('server/a')
  reader.apply(0, blocks.takeNews() ?? expect.fail('no news'))
  const book = new RateBook(reader)
  for (let i = 0; i < 10; i++) row.record(i === 0 ? 500 : 200, 1, 10, 20)
  expect(book.block('server/a')).toMatchObject({ count: 10, errCount: 1, m1: 0 })
  expect([book.count('server/a'), book.count('nobody')]).toEqual([10, 0])
  book.tick(true)
  const perSecond = 10 / (RATE_TICK_MS / 1_000)
  expect(book.block('server/a')).toMatchObject({ m1: perSecond, m15: perSecond, m1Err: 0.2 })
  book.tick(true)
  expect(book.block('server/a')['m1']).toBeLessThan(perSecond)
  expect(book.block('nobody')).toMatchObject({ count: 0, m1: 0, codes: {} })
})

it('what nobody writes any more is forgotten, once all workers are current for two ticks', () => {
  const reader = new StatsReader()
  const blocks = new StatsBlocks()
  const tell = (): void => {
    reader.apply(0, blocks.takeNews() ?? expect.fail('no news'))
  }
  blocks.open('gone').record(200, 1, 1, 1)
  blocks.open('stays').record(200, 1, 1, 1)
  tell()
  const book = new RateBook(reader)
  book.tick(true)
  blocks.close('gone')
  tell()
  book.tick(true)
  expect(reader.read('gone').count).toBe(1)
  // A worker that starts anew has no rows for a moment: nothing may be forgotten then.
  book.tick(false)
  book.tick(true)
  expect([...reader.keys()].sort()).toEqual(['gone', 'stays'])
  book.tick(true)
  expect([...reader.keys()]).toEqual(['stays'])
  expect(reader.read('stays').count).toBe(1)
})
