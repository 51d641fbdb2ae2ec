import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { clearRows, NodeCap, NodeGauge, rowsBroker } from './rows.js'
import type { SlotBroker } from './slots.js'

const WORKERS = 3

function slotOf(broker: SlotBroker, key: string) {
  const [place] = broker.claim(0, [key])
  const memory = broker.segments[place?.segment as number] as SharedArrayBuffer
  return { memory, index: place?.index as number }
}

it('a gauge is the sum of what the workers counted; a dead one counts no more', () => {
  const broker = rowsBroker(new VirtualTime(), WORKERS)
  const slot = slotOf(broker, 'connections')
  const other = new NodeGauge(slotOf(broker, 'else'), 1)
  const gauges = [0, 1, 2].map((worker) => new NodeGauge(slot, worker))
  for (const [worker, gauge] of gauges.entries()) gauge.add(10 ** worker)
  gauges[1]?.add(-3)
  other.add(5)
  expect(gauges.map((gauge) => gauge.sum())).toEqual([108, 108, 108])
  clearRows(broker.segments, 1)
  expect(gauges[0]?.sum()).toBe(101)
  expect(other.sum()).toBe(0)
})

it.each<[string, cap: number, want: boolean]>([
  ['below the cap', 3, true],
  ['at the cap', 2, false],
  ['above a lowered cap', 1, false],
  ['nothing allowed', 0, false],
  ['less than nothing', -1, false],
])('NodeCap.acquire with two permits out: %s', (_name, cap, want) => {
  const broker = rowsBroker(new VirtualTime(), WORKERS)
  const slot = slotOf(broker, 'a')
  const one = new NodeCap(slot, 0)
  const two = new NodeCap(slot, 2)
  expect([one.acquire(2), two.acquire(2)]).toEqual([true, true])
  expect(one.acquire(cap)).toBe(want)
  expect(two.total).toBe(want ? 3 : 2)
})

it('NodeCap agrees with counting on one hand, also when workers die', () => {
  const cap = 4
  const step = fc.record({
    do: fc.constantFrom('acquire', 'acquire', 'release', 'gone'),
    worker: fc.integer({ min: 0, max: WORKERS - 1 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const broker = rowsBroker(new VirtualTime(), WORKERS)
      const slot = slotOf(broker, 'a')
      const caps = Array.from({ length: WORKERS }, (_, worker) => new NodeCap(slot, worker))
      const out = new Array<number>(WORKERS).fill(0)
      const total = (): number => out.reduce((sum, each) => sum + each, 0)
      for (const { do: what, worker } of steps) {
        const held = out[worker] as number
        if (what === 'acquire') {
          expect(caps[worker]?.acquire(cap)).toBe(total() < cap)
          if (total() < cap) out[worker] = held + 1
        } else if (what === 'gone') {
          clearRows(broker.segments, worker)
          out[worker] = 0
        } else if (held > 0) {
          caps[worker]?.release()
          out[worker] = held - 1
        }
        expect(caps[0]?.total).toBe(total())
        expect(caps.map((each) => each.own)).toEqual(out)
      }
    }),
  )
})

it('a slot of rows that is given to another key starts from zero on every row', () => {
  const time = new VirtualTime()
  const broker = rowsBroker(time, WORKERS)
  const before = new NodeGauge(slotOf(broker, 'old'), 2)
  before.add(9)
  broker.release(0, ['old'])
  time.advance(60_000)
  const after = new NodeGauge(slotOf(broker, 'new'), 2)
  expect(after.sum()).toBe(0)
  after.add(1)
  expect(before.own).toBe(1) // it is indeed the same slot
})
