import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { clearPermits, NodePermits, permitsBroker } from './permits.js'
import type { SlotBroker } from './slots.js'

const WORKERS = 3
const CAP = 3

function slotOf(broker: SlotBroker, key: string) {
  const [place] = broker.claim(0, [key])
  const memory = broker.segments[place?.segment as number] as SharedArrayBuffer
  return { memory, index: place?.index as number }
}

function permitsOf(broker: SlotBroker, key: string): NodePermits[] {
  const slot = slotOf(broker, key)
  return Array.from({ length: WORKERS }, (_, worker) => new NodePermits(slot, worker))
}

it('gives out no more than the cap over all workers, and again what came back', () => {
  const [a, b] = permitsOf(permitsBroker(new VirtualTime(), WORKERS), 'x') as NodePermits[]
  expect([a?.acquire(1, 2), b?.acquire(1, 2), a?.acquire(1, 2)]).toEqual([true, true, false])
  b?.release(1)
  expect([a?.acquire(1, 2), b?.acquire(1, 2)]).toEqual([true, false])
  expect(b?.acquire(1, 3)).toBe(true)
})

it('a new round begins with all permits; what is late for the old one changes nothing', () => {
  const [a, b] = permitsOf(permitsBroker(new VirtualTime(), WORKERS), 'x') as [
    NodePermits,
    NodePermits,
  ]
  expect([a.acquire(4, 1), b.acquire(4, 1)]).toEqual([true, false])
  expect([b.acquire(8, 1), b.acquire(8, 1)]).toEqual([true, false])
  expect(a.acquire(4, 9)).toBe(false)
  a.release(4)
  expect(b.acquire(8, 1)).toBe(false)
  b.release(8)
  expect(a.acquire(8, 1)).toBe(true)
})

it('the dead take nothing along, of this key and no other', () => {
  const broker = permitsBroker(new VirtualTime(), WORKERS)
  const x = permitsOf(broker, 'x') as [NodePermits, NodePermits, NodePermits]
  const y = permitsOf(broker, 'y') as [NodePermits, NodePermits, NodePermits]
  expect([x[0].acquire(1, 2), x[1].acquire(1, 2), y[0].acquire(1, 1)]).toEqual([true, true, true])
  clearPermits(broker.segments, 1)
  expect([x[1].acquire(1, 2), x[1].acquire(1, 2)]).toEqual([true, false])
  expect(y[2].acquire(1, 1)).toBe(false)
})

it('agrees with counting on one hand, over rounds and deaths', () => {
  const step = fc.record({
    do: fc.constantFrom('acquire', 'acquire', 'acquire', 'release', 'round', 'gone'),
    worker: fc.integer({ min: 0, max: WORKERS - 1 }),
    pick: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const broker = permitsBroker(new VirtualTime(), WORKERS)
      const permits = permitsOf(broker, 'x')
      const held: number[][] = permits.map(() => [])
      let round = 0
      for (const { do: what, worker, pick } of steps) {
        const own = held[worker] as number[]
        const out = held.flat().filter((each) => each === round).length
        if (what === 'round') round += 1
        else if (what === 'gone') {
          clearPermits(broker.segments, worker)
          own.length = 0
        } else if (what === 'acquire') {
          expect(permits[worker]?.acquire(round, CAP)).toBe(out < CAP)
          if (out < CAP) own.push(round)
        } else if (own.length > 0) {
          const [given] = own.splice(pick % own.length, 1)
          permits[worker]?.release(given as number)
        }
      }
    }),
    { numRuns: 500 },
  )
})

it('a slot that is given to another key starts anew on every row', () => {
  const time = new VirtualTime()
  const broker = permitsBroker(time, WORKERS)
  const [, old] = permitsOf(broker, 'old')
  old?.acquire(7, 1)
  broker.release(0, ['old'])
  time.advance(60_000)
  const [, fresh] = permitsOf(broker, 'new')
  expect([fresh?.acquire(0, 1), fresh?.acquire(0, 1)]).toEqual([true, false])
  expect(old?.acquire(0, 2)).toBe(true) // it is indeed the same slot
})
