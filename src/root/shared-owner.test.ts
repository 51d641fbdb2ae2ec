import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { Prng } from '../lib/prng.js'
import type { SharedClass, StatsNewsMessage } from '../protocol/worker.js'
import { NodeCap } from '../shared/rows.js'
import { StatsBlocks, StatsReader } from '../shared/stats-blocks.js'
import { SharedOwner } from './shared-owner.js'

const claim = (of: SharedClass, ...keys: string[]) =>
  ({ type: 'claim-shared', parts: [{ class: of, keys, segments: 0 }] }) as const

function capOf(owner: SharedOwner, worker: number, key: string): NodeCap {
  const [part] = owner.claim(worker, claim('caps', key)).parts
  const place = part?.places[0]
  const memory = part?.segments[place?.segment ?? 0]
  if (place === undefined || memory === undefined) throw new Error('nothing granted')
  return new NodeCap({ memory, index: place.index }, worker)
}

it('workers that claim one key share its memory; segments known are not sent again', () => {
  const owner = new SharedOwner(new VirtualTime(), 2)
  const [first] = owner.claim(0, claim(64, 'a', 'b')).parts
  const [second] = owner.claim(1, {
    type: 'claim-shared',
    parts: [{ class: 64, keys: ['b'], segments: 1 }],
  }).parts
  expect(first?.segments).toHaveLength(1)
  expect(second?.segments).toEqual([])
  expect(second?.places[0]).toEqual(first?.places[1])
})

it('answers each part of a claim in its order', () => {
  const owner = new SharedOwner(new VirtualTime(), 2)
  const { parts } = owner.claim(0, {
    type: 'claim-shared',
    parts: [
      { class: 'caps', keys: ['a'], segments: 0 },
      { class: 64, keys: ['a', 'b', 'c'], segments: 0 },
      { class: 4096, keys: [], segments: 0 },
    ],
  })
  expect(parts.map(({ places }) => places.length)).toEqual([1, 3, 0])
})

it('the caps of a dead worker are given back, those of others stay', () => {
  const owner = new SharedOwner(new VirtualTime(), 2)
  const caps = [capOf(owner, 0, 'port'), capOf(owner, 1, 'port')] as const
  for (let i = 0; i < 3; i++) expect(caps[0].acquire(5)).toBe(true)
  for (let i = 0; i < 2; i++) expect(caps[1].acquire(5)).toBe(true)
  expect(caps[1].acquire(5)).toBe(false)
  owner.workerGone(0)
  expect(caps[1].total).toBe(2)
  expect([1, 2, 3, 4].map(() => caps[1].acquire(5))).toEqual([true, true, true, false])
  // The next life finds the same cap, and none of its own in it.
  const next = capOf(owner, 0, 'port')
  expect(next.own).toBe(0)
  expect(next.total).toBe(5)
})

it('what is released stays for a minute, then goes to another key', () => {
  const time = new VirtualTime()
  const owner = new SharedOwner(time, 1)
  const placeOf = (key: string) => owner.claim(0, claim(64, key)).parts[0]?.places[0]
  const first = placeOf('a')
  const release = { type: 'release-shared', parts: [{ class: 64, keys: ['a'] }] } as const
  owner.release(0, release)
  expect(placeOf('b')).not.toEqual(first)
  expect(placeOf('a')).toEqual(first)
  owner.release(0, release)
  time.advance(60_001)
  expect(placeOf('c')).toEqual(first)
})

const news = (blocks: StatsBlocks): StatsNewsMessage => {
  const taken = blocks.takeNews() ?? { blocks: [], opened: [], closed: [] }
  return { type: 'stats-news', ...taken }
}

it('a coordinator that starts later is told of all rows in use, with one piece of news', () => {
  const owner = new SharedOwner(new VirtualTime(), 1)
  const blocks = new StatsBlocks()
  expect(owner.currentStats(0)).toBeNull()
  blocks.open('a').record(200, 1, 1, 1)
  owner.onStats(0, news(blocks))
  blocks.open('b')
  blocks.close('a')
  owner.onStats(0, news(blocks))
  blocks.open('a')
  owner.onStats(0, news(blocks))
  const current = owner.currentStats(0)
  expect(current?.blocks).toHaveLength(1)
  expect(current?.opened.map(({ key }) => key).sort()).toEqual(['a', 'b'])
  // Closed, and read by nobody yet: it would never be free otherwise.
  expect(current?.closed).toEqual([{ key: 'a', row: 0 }])
})

it('rows are free once a coordinator has read them, but not those of a life before', () => {
  const owner = new SharedOwner(new VirtualTime(), 1)
  const blocks = new StatsBlocks()
  blocks.open('a')
  blocks.open('b')
  owner.onStats(0, news(blocks))
  blocks.close('a')
  owner.onStats(0, news(blocks))
  expect(owner.onStatsRead(0, [0, 1])).toEqual([0])
  expect(owner.onStatsRead(0, [0])).toEqual([])
  expect(owner.currentStats(0)?.closed).toEqual([])
  blocks.close('b')
  owner.onStats(0, news(blocks))
  owner.workerGone(0)
  expect(owner.onStatsRead(0, [1])).toEqual([])
  expect(owner.currentStats(0)).toBeNull()
})

it.each([1, 2, 3, 4, 5, 6])(
  'the news in short tell a new coordinator what all of them told the old one (seed %i)',
  (seed) => {
    const prng = new Prng(seed)
    const owner = new SharedOwner(new VirtualTime(), 1)
    const blocks = new StatsBlocks()
    let reader = new StatsReader()
    const counts = new Map<string, number>()
    const uses = new Map<string, number>()
    const keys = Array.from({ length: 8 }, (_, i) => `k${i}`)
    for (let step = 0; step < 600; step++) {
      const key = prng.pick(keys)
      const used = uses.get(key) ?? 0
      if (prng.chance(40)) {
        blocks.open(key).record(200, 1, 0, 0)
        counts.set(key, (counts.get(key) ?? 0) + 1)
        uses.set(key, used + 1)
      } else if (used > 0) {
        blocks.close(key)
        uses.set(key, used - 1)
      }
      if (prng.chance(30)) {
        const told = news(blocks)
        owner.onStats(0, told)
        blocks.free(owner.onStatsRead(0, reader.apply(0, told)))
      }
      if (prng.chance(5)) {
        // A coordinator dies with what it knew of the past; the next knows of what is open.
        const told = news(blocks)
        owner.onStats(0, told)
        if (prng.chance(50)) reader.apply(0, told) // read, but nobody heard of it
        const next = new StatsReader()
        const current = owner.currentStats(0)
        if (current !== null) blocks.free(owner.onStatsRead(0, next.apply(0, current)))
        reader = next
        for (const each of keys) counts.set(each, reader.read(each).count)
      }
      if (prng.chance(10)) {
        const told = news(blocks)
        owner.onStats(0, told)
        blocks.free(owner.onStatsRead(0, reader.apply(0, told)))
        for (const each of keys) {
          expect(reader.read(each).count, `step ${step}, ${each}`).toBe(counts.get(each) ?? 0)
        }
      }
    }
  },
)
