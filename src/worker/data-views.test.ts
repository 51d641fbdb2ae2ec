import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import type { SharedKeys } from '../objects/contract.js'
import type { DataPart } from '../protocol/worker.js'
import { DataViews } from './data-views.js'

const keys = (...data: string[]): SharedKeys => ({ words: [], caps: [], stats: [], data })

function part(prefix: string, more: Partial<DataPart>): DataPart {
  return { type: 'data', prefix, part: 'first', isLast: true, puts: [], deletes: [], ...more }
}

function setUp(): { time: VirtualTime; views: DataViews; asked: string[] } {
  const time = new VirtualTime()
  const asked: string[] = []
  const views = new DataViews(time, (prefixes) => asked.push(prefixes.join()))
  return { time, views, asked }
}

it('asks for what is in use, as long as it is', () => {
  const { views, asked } = setUp()
  views.use(keys())
  views.use(keys('a/'))
  views.use(keys('a/', 'b/'))
  views.drop(keys('a/'))
  expect(asked).toEqual(['a/', 'a/,b/'])
  views.drop(keys('a/', 'b/'))
  expect(asked.at(-1)).toBe('')
  const before = asked.length
  views.ask()
  expect(asked).toHaveLength(before)
  expect(() => views.view('a/')).toThrow('not asked for')
})

it('shows all of it at once, and changes one by one', () => {
  const { views } = setUp()
  views.use(keys('a/'))
  const view = views.view('a/')
  expect(view.get('x')).toBeUndefined()
  views.take(part('a/', { isLast: false, puts: [['x', '1']] }))
  expect([view.get('x'), view.version]).toEqual([undefined, 0])
  views.take(part('a/', { part: 'rest', puts: [['y', '2']] }))
  expect([view.get('x'), view.get('y'), view.version]).toEqual(['1', '2', 1])
  views.take(part('a/', { part: 'change', puts: [['x', '3']], deletes: ['y'] }))
  expect([view.get('x'), view.get('y'), view.version]).toEqual(['3', undefined, 2])
  // A new coordinator sends all of it again: what is gone meanwhile goes.
  views.take(part('a/', { puts: [['z', '4']] }))
  expect([view.get('x'), view.get('z')]).toEqual([undefined, '4'])
  views.take(part('other/', { puts: [['x', '1']] }))
})

it('the rest of what began in another life is left', () => {
  const { views } = setUp()
  views.use(keys('a/'))
  views.take(part('a/', { part: 'rest', puts: [['x', '1']] }))
  expect(views.view('a/').get('x')).toBeUndefined()
})

it('objects wait for their data, but not for ever', async () => {
  const { views, time } = setUp()
  await views.arrived()
  views.use(keys('a/', 'b/'))
  const order: string[] = []
  const waiting = views.arrived().then(() => order.push('arrived'))
  views.take(part('a/', {}))
  await Promise.resolve()
  expect(order).toEqual([])
  views.take(part('b/', {}))
  await waiting
  views.use(keys('c/'))
  const late = views.arrived()
  time.advance(2_000)
  await late
})
