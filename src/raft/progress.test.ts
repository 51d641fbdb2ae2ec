import { expect, it } from 'vitest'
import { Inflights, Progress } from './progress.js'

const limits = { countMax: 3, bytesMax: 100 }

it('a window is full by count or by bytes, and frees from the front', () => {
  const window = new Inflights(limits)
  window.add(5, 10)
  window.add(7, 10)
  expect([window.full, window.count, window.bytes]).toEqual([false, 2, 20])
  window.add(9, 10)
  expect(window.full).toBe(true)
  window.free(4)
  expect(window.count).toBe(3)
  window.free(7)
  expect([window.full, window.count, window.bytes]).toEqual([false, 1, 10])
  window.add(10, 500) // one always fits, however large
  expect(window.full).toBe(true)
  window.free(10)
  expect([window.count, window.bytes]).toEqual([0, 0])
})

it('a full window takes no more', () => {
  const window = new Inflights({ countMax: 1, bytesMax: 100 })
  window.add(1, 1)
  expect(() => window.add(2, 1)).toThrow('full window')
})

it('a window stays small over a long run', () => {
  const window = new Inflights(limits)
  for (let index = 1; index < 10_000; index++) {
    window.add(index, 1)
    if (index > 2) window.free(index - 2)
  }
  expect([window.count, window.bytes]).toEqual([2, 2])
})

function replicating(match: number, next: number): Progress {
  const peer = new Progress(2, match + 1, limits)
  peer.match = match
  peer.becomeReplicate()
  peer.next = next
  return peer
}

it.each<[name: string, peer: () => Progress, rejected: number, hint: number, want: object | null]>([
  ['replicating: an old refusal', () => replicating(5, 9), 5, 3, null],
  ['replicating: a gap', () => replicating(5, 9), 8, 5, { state: 'probe', next: 6 }],
  ['probing: for another append', () => new Progress(2, 10, limits), 8, 3, null],
  ['probing: back to the hint', () => new Progress(2, 10, limits), 9, 3, { next: 4 }],
  ['probing: one back at least', () => new Progress(2, 10, limits), 9, 20, { next: 9 }],
  ['probing: never below 1', () => new Progress(2, 1, limits), 0, 0, { next: 1 }],
])('a refusal, %s', (_name, make, rejected, hint, want) => {
  const peer = make()
  peer.paused = true
  expect(peer.retreat(rejected, hint)).toBe(want !== null)
  if (want !== null) expect(peer).toMatchObject({ ...want, paused: false })
})

it('a refusal while a snapshot is under way is old news', () => {
  const peer = new Progress(2, 10, limits)
  peer.becomeSnapshot(9)
  expect(peer.retreat(9, 0)).toBe(false)
  expect(() => peer.sent(0, 0, 0)).toThrow('snapshot')
})

it.each<[delivered: boolean, next: number]>([
  [true, 10],
  [false, 4],
])('after a snapshot (delivered: %s) it goes on at %i', (delivered, next) => {
  const peer = new Progress(2, 4, limits)
  peer.match = 3
  peer.becomeSnapshot(9)
  if (!delivered) peer.pendingSnapshot = 0
  peer.becomeProbe()
  expect(peer).toMatchObject({ state: 'probe', next, pendingSnapshot: 0 })
})

it('an advanced commit index is worth telling once, and only what the follower has', () => {
  const peer = replicating(5, 9)
  expect(peer.canBumpCommit(0)).toBe(false)
  expect(peer.canBumpCommit(7)).toBe(true)
  peer.sent(0, 0, 7)
  expect(peer.canBumpCommit(7)).toBe(false)
  peer.sent(0, 0, 8)
  expect(peer.canBumpCommit(20)).toBe(false) // it knows as much as it can have
})
