import { expect, it } from 'vitest'
import type { Batch, Cursor } from './messages.js'
import { Table } from './table.js'

const limits = { member: { keysMax: 100, bytesMax: 1e6 }, membersMax: 3, bytesMax: 2e6 }
const value = (size: number): Uint8Array => new Uint8Array(size)
const member = (name: string) => ({ name, incarnation: `inc-${name}` })
const batch = (sync: number, from: number, to: number, ...keys: string[]): Batch => ({
  sync,
  from,
  to,
  puts: keys.map((key) => [key, value(10), 1000]),
  deletes: [],
})

function keys(table: Table, prefix = '', nowMs = 0): string[] {
  return table.page(prefix, null, 1e9, nowMs).entries.map(([, key]) => key)
}

it.each<[string, readonly Batch[], readonly (number | null)[], string[]]>([
  ['in order', [batch(1, 0, 1, 'a'), batch(1, 1, 2, 'b')], [1, 2], ['a', 'b']],
  ['doubled', [batch(1, 0, 1, 'a'), batch(1, 0, 1, 'a')], [1, 1], ['a']],
  ['with a gap', [batch(1, 0, 1, 'a'), batch(1, 2, 3, 'c')], [1, 1], ['a']],
  ['overlapping', [batch(1, 0, 2, 'a'), batch(1, 1, 3, 'c')], [2, 3], ['a', 'c']],
  ['from 0 again', [batch(1, 0, 2, 'a'), batch(1, 0, 3, 'c')], [2, 3], ['c']],
  ['from 0 again, late', [batch(1, 0, 3, 'c'), batch(1, 0, 2, 'a')], [3, 3], ['c']],
  ['within what is known', [batch(1, 0, 5, 'a'), batch(1, 2, 4, 'b')], [5, 5], ['a']],
  ['without a beginning', [batch(1, 4, 5, 'a')], [0], []],
  ['anew', [batch(1, 0, 5, 'a'), batch(2, 0, 6, 'b')], [5, 6], ['b']],
  ['anew, without a beginning', [batch(1, 0, 5, 'a'), batch(2, 5, 6, 'b')], [5, 0], ['a']],
  ['of an earlier sync', [batch(2, 0, 5, 'a'), batch(1, 5, 6, 'b')], [5, null], ['a']],
  ['a beat', [batch(1, 0, 5, 'a'), batch(1, 5, 5)], [5, 5], ['a']],
])('batches %s', (_name, batches, haves, wanted) => {
  const table = new Table(limits)
  const acks = batches.map((each) => table.accept(member('m'), 'boot', each, 0))
  expect(acks.map((ack) => ack?.have ?? null)).toEqual(haves)
  expect(keys(table)).toEqual(wanted)
})

it.each<[string, number, Batch, number]>([
  ['a beat', 1000, batch(1, 1, 1), 0],
  ['a change', 1000, batch(1, 1, 2, 'b'), 0],
  ['a beat across a gap', 1000, batch(1, 2, 2), 1000],
  // The entry has outlived its time meanwhile, and was dropped: it starts anew, when it hears so.
  ['a beat after what outlived its time', 10_000, batch(1, 1, 1), 10_000],
])('%s makes what is known as new as it is', (_name, nowMs, next, ageMs) => {
  const table = new Table(limits)
  const long: Batch = { ...batch(1, 0, 1, 'short'), puts: [['long', value(1), 60_000]] }
  const puts = [...long.puts, ['short', value(1), 2_000] as const]
  table.accept(member('m'), 'boot', { ...long, puts }, 0)
  table.expire(nowMs, 0)
  table.accept(member('m'), 'boot', next, nowMs)
  expect(table.page('long', null, 1e9, nowMs).members).toEqual([['m', 'inc-m', ageMs]])
  // It was heard, all the same.
  expect(table.lastBeatMs('inc-m')).toBe(nowMs)
})

it('another boot starts from nothing', () => {
  const table = new Table(limits)
  table.accept(member('m'), 'boot-1', batch(9, 0, 5, 'a'), 0)
  expect(table.accept(member('m'), 'boot-2', batch(1, 5, 6, 'b'), 0)?.have).toBe(0)
  table.accept(member('m'), 'boot-2', batch(1, 0, 1, 'c'), 0)
  expect(keys(table)).toEqual(['c'])
})

it('members beyond the bound are not taken', () => {
  const table = new Table(limits)
  for (const name of ['a', 'b', 'c', 'd']) {
    const ack = table.accept(member(name), 'boot', batch(1, 0, 1, name), 0)
    expect(ack === null).toBe(name === 'd')
  }
  expect(keys(table)).toEqual(['a', 'b', 'c'])
  table.forget('inc-a')
  table.accept(member('d'), 'boot', batch(1, 0, 1, 'd'), 0)
  expect(keys(table)).toEqual(['b', 'c', 'd'])
})

it('bytes are counted as they come and go', () => {
  const table = new Table(limits)
  table.accept(member('m'), 'boot', batch(1, 0, 2, 'a', 'b'), 0)
  const full = table.bytes
  table.accept(member('m'), 'boot', { ...batch(1, 2, 3, 'a'), deletes: ['b', 'none'] }, 0)
  expect(table.bytes).toBe(full / 2)
  table.expire(5000, 0)
  expect(table.bytes).toBe(0)
  table.accept(member('m'), 'boot', batch(2, 0, 9, 'a', 'b'), 0)
  table.clear()
  expect(table.bytes).toBe(0)
})

it('what it keeps does not keep the frame it came in', () => {
  const table = new Table(limits)
  const frame = new Uint8Array(100_000)
  const small = frame.subarray(50, 60)
  table.accept(member('m'), 'boot', { ...batch(1, 0, 1), puts: [['a', small, 1000]] }, 0)
  expect(table.get('inc-m', 'a')?.buffer.byteLength).toBe(10)
})

it('pages put together are the whole, whatever their size', () => {
  const table = new Table({ ...limits, membersMax: 10 })
  const all: string[] = []
  for (const name of ['b', 'a', 'c']) {
    const said = Array.from({ length: 30 }, (_, i) => `${i % 3 === 0 ? 'x' : 'y'}/${i}`)
    table.accept(member(name), 'boot', batch(1, 0, 30, ...said), 0)
  }
  for (const name of ['a', 'b', 'c']) {
    all.push(
      ...keys(table, 'y/')
        .slice(0, 20)
        .map((key) => `${name} ${key}`),
    )
  }
  for (const bytesMax of [1, 100, 500, 1e9]) {
    const got: string[] = []
    let after: Cursor | null = null
    for (let round = 0; round < 100; round++) {
      const page = table.page('y/', after, bytesMax, 0)
      got.push(...page.entries.map(([place, key]) => `${page.members[place]?.[0]} ${key}`))
      after = page.next
      if (after === null) break
    }
    expect(got, `pages of ${bytesMax}`).toEqual(all)
  }
})
