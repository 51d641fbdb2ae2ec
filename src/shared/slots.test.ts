import fc from 'fast-check'
import { expect, it } from 'vitest'
import { AssertionError } from '../lib/assert.js'
import { VirtualTime } from '../lib/clock.js'
import { WORDS_PER_SLOT } from './contract.js'
import { type SlotBroker, SlotTable } from './slots.js'
import { wordsAt, wordsBroker } from './words.js'

function wordsOf(broker: SlotBroker, place: { segment: number; index: number }) {
  const memory = broker.segments[place.segment] as SharedArrayBuffer
  return wordsAt({ memory, index: place.index })
}

it('equal keys get the same slot over workers, others get others, all of them zero', () => {
  const broker = wordsBroker(new VirtualTime())
  const [a, b] = broker.claim(0, ['a', 'b'])
  const [b1, a1, c] = broker.claim(1, ['b', 'a', 'c'])
  expect([a1, b1]).toEqual([a, b])
  expect(new Set([a, b, c].map((place) => JSON.stringify(place))).size).toBe(3)
  const { words, base } = wordsOf(broker, c as { segment: number; index: number })
  expect([...words.subarray(base, base + WORDS_PER_SLOT)]).toEqual(Array(WORDS_PER_SLOT).fill(0))
})

it('adds segments when the slots run out, and keeps the old ones', () => {
  const broker = wordsBroker(new VirtualTime())
  const keys = Array.from({ length: 600 }, (_, i) => `key ${i}`)
  const first = broker.claim(0, keys.slice(0, 1))
  const [segment] = broker.segments
  const places = broker.claim(0, keys)
  expect(places[0]).toEqual(first[0])
  expect(broker.segments).toHaveLength(3)
  expect(broker.segments[0]).toBe(segment)
  expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(600)
})

it('a slot keeps its words for 60 s after its last holder, then starts from zero', () => {
  const time = new VirtualTime()
  const broker = wordsBroker(time)
  const write = (value: number): void => {
    const [place] = broker.claim(0, ['a'])
    const { words, base } = wordsOf(broker, place as { segment: number; index: number })
    words[base] = value
    words[base + WORDS_PER_SLOT - 1] = value
  }
  const read = (): number[] => {
    const [place] = broker.claim(0, ['a'])
    const { words, base } = wordsOf(broker, place as { segment: number; index: number })
    return [words[base] as number, words[base + WORDS_PER_SLOT - 1] as number]
  }
  write(7)
  broker.workerGone(0)
  time.advance(59_999)
  expect(read()).toEqual([7, 7])
  broker.release(0, ['a'])
  time.advance(60_000)
  broker.claim(1, ['b']) // takes the freed slot
  expect(read()).toEqual([0, 0])
})

/** The rules again, without order or free lists. */
class SlowBroker {
  readonly held = new Map<string, Set<number>>()
  readonly idleSince = new Map<string, number>()

  claim(worker: number, key: string, nowMs: number): 'same' | 'new' {
    const idle = this.idleSince.get(key)
    const alive = this.held.has(key) && (idle === undefined || nowMs - idle < 60_000)
    if (!alive) this.held.set(key, new Set())
    this.held.get(key)?.add(worker)
    this.idleSince.delete(key)
    return alive ? 'same' : 'new'
  }

  release(worker: number, key: string, nowMs: number): void {
    const held = this.held.get(key)
    if (held?.delete(worker) && held.size === 0) this.idleSince.set(key, nowMs)
  }
}

it('SlotBroker agrees with a slow twin', () => {
  const worker = fc.integer({ min: 0, max: 2 })
  const key = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.oneof(
    fc.record({ do: fc.constant('claim' as const), worker, key }),
    fc.record({ do: fc.constant('release' as const), worker, key }),
    fc.record({ do: fc.constant('gone' as const), worker }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 30_000, 60_000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const time = new VirtualTime()
      const fast = wordsBroker(time)
      const slow = new SlowBroker()
      const stamps = new Map<string, number>()
      let stamp = 0
      for (const each of steps) {
        const nowMs = time.monotonicMs()
        if (each.do === 'wait') time.advance(each.ms)
        else if (each.do === 'gone') {
          fast.workerGone(each.worker)
          for (const name of slow.held.keys()) slow.release(each.worker, name, nowMs)
        } else if (each.do === 'release') {
          fast.release(each.worker, [each.key])
          slow.release(each.worker, each.key, nowMs)
        } else {
          const [place] = fast.claim(each.worker, [each.key])
          const { words, base } = wordsOf(fast, place as { segment: number; index: number })
          const kept = slow.claim(each.worker, each.key, nowMs) === 'same'
          expect(words[base]).toBe(kept ? stamps.get(each.key) : 0)
          stamp += 1
          words[base] = stamp
          stamps.set(each.key, stamp)
        }
      }
    }),
    { numRuns: 300 },
  )
})

it('SlotTable claims a key once, however many generations use it, and releases it with the last', () => {
  const broker = wordsBroker(new VirtualTime())
  const table = new SlotTable()
  const claim = (keys: readonly string[]): void => {
    const missing = table.missing(keys)
    const from = table.segmentCount
    const places = broker.claim(0, missing)
    table.add(missing, places, broker.segments.slice(from), from)
    table.use(keys)
  }
  expect(table.missing(['a', 'b', 'a'])).toEqual(['a', 'b'])
  claim(['a', 'b'])
  expect(table.missing(['a', 'b', 'c'])).toEqual(['c'])
  claim(['b', 'c'])
  const { memory, index } = table.find('b')
  expect({ memory, index }).toEqual({ memory: broker.segments[0], index })
  expect(table.drop(['a', 'b'])).toEqual(['a'])
  expect(table.drop(['b', 'c'])).toEqual(['b', 'c'])
  expect(table.missing(['b'])).toEqual(['b'])
})

it.each<[string, (table: SlotTable) => unknown]>([
  ['using', (table) => table.use(['a'])],
  ['dropping', (table) => table.drop(['a'])],
  ['finding', (table) => table.find('a')],
  [
    'finding without its segment',
    (table) => {
      table.add(['a'], [{ segment: 3, index: 0 }], [], 0)
      table.find('a')
    },
  ],
])('SlotTable: %s a key that was not claimed is a bug', (_name, act) => {
  expect(() => act(new SlotTable())).toThrow(AssertionError)
})
