import { expect, it } from 'vitest'
import { Outbox } from './outbox.js'

const frame = (tag: number, bytes = 1): Uint8Array => new Uint8Array(bytes).fill(tag)

function drain(outbox: Outbox): number[] {
  const tags: number[] = []
  for (let next = outbox.shift(); next !== null; next = outbox.shift()) tags.push(next[0] as number)
  return tags
}

it('lets urgent frames pass the others, each lane in order', () => {
  const outbox = new Outbox({ urgentMax: 10, bytesMax: 100 })
  expect(outbox.isEmpty).toBe(true)
  outbox.push(frame(1))
  outbox.push(frame(2))
  outbox.pushUrgent(frame(3), null)
  outbox.pushUrgent(frame(4), null)
  expect(outbox.isEmpty).toBe(false)
  expect(drain(outbox)).toEqual([3, 4, 1, 2])
  expect(outbox.isEmpty).toBe(true)
})

it('drops the oldest urgent frame', () => {
  const outbox = new Outbox({ urgentMax: 2, bytesMax: 100 })
  const lost = [1, 2, 3, 4].map((tag) => outbox.pushUrgent(frame(tag), null))
  expect(lost).toEqual([0, 0, 1, 1])
  expect(drain(outbox)).toEqual([3, 4])
})

it('a newer frame of the same key takes the place of the older, until that is sent', () => {
  const outbox = new Outbox({ urgentMax: 2, bytesMax: 100 })
  outbox.pushUrgent(frame(1), 'heartbeat')
  outbox.pushUrgent(frame(2), null)
  expect(outbox.pushUrgent(frame(3), 'heartbeat')).toBe(0)
  expect(drain(outbox)).toEqual([3, 2])
  outbox.pushUrgent(frame(4), 'heartbeat')
  expect(drain(outbox)).toEqual([4])
})

it('a dropped frame gives its key free', () => {
  const outbox = new Outbox({ urgentMax: 1, bytesMax: 100 })
  outbox.pushUrgent(frame(1), 'heartbeat')
  outbox.pushUrgent(frame(2), null)
  outbox.pushUrgent(frame(3), 'heartbeat')
  expect(drain(outbox)).toEqual([3])
})

it('refuses what is new when it is full, and counts bytes back', () => {
  const outbox = new Outbox({ urgentMax: 1, bytesMax: 100 })
  expect([outbox.push(frame(1, 60)), outbox.push(frame(2, 60)), outbox.push(frame(3, 40))]).toEqual(
    [true, false, true],
  )
  expect(outbox.bytes).toBe(100)
  outbox.shift()
  expect(outbox.push(frame(4, 60))).toBe(true)
  expect(drain(outbox)).toEqual([3, 4])
  expect(outbox.bytes).toBe(0)
})

it('takes one frame of any size', () => {
  const outbox = new Outbox({ urgentMax: 1, bytesMax: 100 })
  expect(outbox.push(frame(1, 1000))).toBe(true)
  expect(outbox.push(frame(2, 1))).toBe(false)
})

it('keeps order over many frames', () => {
  const outbox = new Outbox({ urgentMax: 1, bytesMax: 1e6 })
  const seen: number[] = []
  for (let tag = 0; tag < 1000; tag++) {
    outbox.push(frame(tag % 251))
    if (tag % 3 !== 0) seen.push((outbox.shift() as Uint8Array)[0] as number)
  }
  seen.push(...drain(outbox))
  expect(seen).toEqual(Array.from({ length: 1000 }, (_, tag) => tag % 251))
})
