import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { AssertionError } from '../../lib/assert.js'
import { Prng } from '../../lib/prng.js'
import type { Compare, Op, StoreEvent } from '../contract.js'
import { type Command, decodeCommand, encodeCommand, UnknownCommandError } from './command.js'
import { EventRing } from './event-ring.js'
import { compareKeys } from './key-order.js'
import { Machine } from './machine.js'
import { OrderedMap } from './ordered-map.js'
import { UnknownSnapshotError } from './snapshot.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value = 'v', lease?: string): Op =>
  lease === undefined
    ? { type: 'put', key, value: bytes(value) }
    : { type: 'put', key, value: bytes(value), lease }

class Driver {
  readonly machine: Machine
  index = 0
  constructor(machine = new Machine()) {
    this.machine = machine
  }
  apply(command: Command) {
    this.index += 1
    return this.machine.apply(this.index, encodeCommand(command))
  }
  txn(thenOps: Op[], compares: Compare[] = [], elseOps: Op[] = []) {
    return this.apply({ type: 'txn', compares, thenOps, elseOps })
  }
}

function copyOf(machine: Machine): Machine {
  const copy = new Machine()
  for (const chunk of machine.snapshot()) copy.load(chunk)
  return copy
}

it('orders keys by their UTF-8 bytes', () => {
  const unit = fc.constantFrom('a', 'b', '/', '\u007f', 'é', '\ue000', '\uffff', '😀', '\u{10ffff}')
  const key = fc.array(unit, { maxLength: 6 }).map((units) => units.join(''))
  void fc.assert(
    fc.property(key, key, (a, b) => {
      const want = Buffer.compare(Buffer.from(a), Buffer.from(b))
      expect(Math.sign(compareKeys(a, b))).toBe(want)
    }),
    { numRuns: 2000 },
  )
})

it('the ordered map agrees with a sorted array', () => {
  const prng = new Prng(7)
  const map = new OrderedMap<{ key: string; n: number }>()
  const plain = new Map<string, { key: string; n: number }>()
  for (let n = 0; n < 20_000; n++) {
    const key = `${prng.pick(['a', 'b', 'ab', '😀', '\uffff'])}/${prng.below(1200)}`
    if (prng.chance(65)) {
      map.set({ key, n })
      plain.set(key, { key, n })
    } else expect(map.delete(key)).toBe(plain.delete(key))
    if (n % 500 !== 0) continue
    for (const prefix of ['', 'a', 'a/', 'ab/1', '😀', '\uffff/', 'zz']) {
      const want = [...plain.values()]
        .filter((item) => item.key.startsWith(prefix))
        .sort((x, y) => Buffer.compare(Buffer.from(x.key), Buffer.from(y.key)))
      expect(map.withPrefix(prefix)).toEqual(want)
    }
  }
  expect(map.size).toBe(plain.size)
})

it('what was read from the ordered map stays as it was when items are replaced', () => {
  const map = new OrderedMap<{ key: string; n: number }>()
  map.set({ key: 'a', n: 1 })
  map.set({ key: 'b', n: 1 })
  const before = map.withPrefix('')
  map.set({ key: 'a', n: 2 })
  expect(before).toEqual([
    { key: 'a', n: 1 },
    { key: 'b', n: 1 },
  ])
  expect(map.get('a')).toEqual({ key: 'a', n: 2 })
  expect(map.withPrefix('a')).toEqual([{ key: 'a', n: 2 }])
  expect(map.delete('a')).toBe(true)
  expect(map.get('a')).toBe(undefined)
  expect(map.withPrefix('')).toEqual([{ key: 'b', n: 1 }])
})

it('a command survives encoding', () => {
  const command: Command = {
    type: 'txn',
    compares: [
      { target: 'modRevision', key: 'k', is: '<', operand: 2 ** 53 - 1 },
      { target: 'value', key: '😀', is: '!=', operand: bytes('') },
    ],
    thenOps: [
      put('a', 'x'.repeat(200), '77'),
      { type: 'delete', key: 'b' },
      { type: 'get', key: 'c' },
    ],
    elseOps: [
      { type: 'delete-prefix', prefix: '' },
      { type: 'range', prefix: 'é' },
    ],
  }
  expect(decodeCommand(encodeCommand(command))).toEqual(command)
})

it.each<[name: string, bytes: number[]]>([
  ['a kind from the future', [9]],
  ['kind zero', [0]],
])('%s stops the machine and changes nothing', (_name, payload) => {
  const machine = new Machine()
  expect(() => machine.apply(1, new Uint8Array(payload))).toThrow(UnknownCommandError)
  expect(machine.revision).toBe(0)
})

it('a command with bytes missing or left over is a bug, not data', () => {
  const whole = encodeCommand({ type: 'txn', compares: [], thenOps: [put('key')], elseOps: [] })
  for (let length = 1; length < whole.length; length++) {
    expect(() => decodeCommand(whole.subarray(0, length))).toThrow(AssertionError)
  }
  expect(() => decodeCommand(new Uint8Array([...whole, 0]))).toThrow('too many')
})

it('spends a revision only on what changes something', () => {
  const driver = new Driver()
  const revisions = [
    driver.txn([put('a')]),
    driver.txn([put('a')]), // an equal value counts
    driver.txn([{ type: 'delete', key: 'missing' }]),
    driver.txn([
      { type: 'get', key: 'a' },
      { type: 'delete-prefix', prefix: 'zz' },
    ]),
    driver.txn([put('b')], [{ target: 'version', key: 'a', is: '=', operand: 9 }]),
    driver.txn([put('b'), put('c'), { type: 'delete', key: 'a' }]),
  ].map(({ outcome }) => (outcome.type === 'txn' ? outcome.result.revision : -1))
  expect(revisions).toEqual([1, 2, 2, 2, 2, 3])
  expect(driver.machine.get('b')).toMatchObject({ createRevision: 3, modRevision: 3, version: 1 })
})

it('keeps create revision and version over puts, and begins anew after a delete', () => {
  const driver = new Driver()
  driver.txn([put('a')])
  driver.txn([put('a', 'w')])
  expect(driver.machine.get('a')).toMatchObject({ createRevision: 1, modRevision: 2, version: 2 })
  driver.txn([{ type: 'delete', key: 'a' }])
  driver.txn([put('a')])
  expect(driver.machine.get('a')).toMatchObject({ createRevision: 4, modRevision: 4, version: 1 })
})

it.each<[name: string, compare: Compare, holds: boolean]>([
  [
    'missing key has mod revision 0',
    { target: 'modRevision', key: 'no', is: '=', operand: 0 },
    true,
  ],
  ['missing key has version below 1', { target: 'version', key: 'no', is: '<', operand: 1 }, true],
  [
    'missing key is not unequal by value',
    { target: 'value', key: 'no', is: '!=', operand: bytes('x') },
    false,
  ],
  [
    'missing key is not equal by value',
    { target: 'value', key: 'no', is: '=', operand: bytes('') },
    false,
  ],
  ['equal value', { target: 'value', key: 'a', is: '=', operand: bytes('v') }, true],
  ['other value', { target: 'value', key: 'a', is: '!=', operand: bytes('v') }, false],
  ['longer value', { target: 'value', key: 'a', is: '=', operand: bytes('vv') }, false],
  ['mod revision above', { target: 'modRevision', key: 'a', is: '>', operand: 1 }, true],
  [
    'mod revision not above itself',
    { target: 'modRevision', key: 'a', is: '>', operand: 2 },
    false,
  ],
  ['create revision', { target: 'createRevision', key: 'a', is: '=', operand: 1 }, true],
  ['version unequal', { target: 'version', key: 'a', is: '!=', operand: 2 }, false],
])('compare: %s', (_name, compare, holds) => {
  const driver = new Driver()
  driver.txn([put('a')])
  driver.txn([put('a')])
  const { outcome } = driver.txn([put('then')], [compare], [put('else')])
  expect(outcome.type === 'txn' && outcome.result.succeeded).toBe(holds)
  expect(driver.machine.get('then') !== null).toBe(holds)
  expect(driver.machine.get('else') !== null).toBe(!holds)
})

it('reads inside a transaction see the changes before them', () => {
  const driver = new Driver()
  const { outcome } = driver.txn([
    { type: 'get', key: 'a' },
    put('a', 'new'),
    { type: 'get', key: 'a' },
    { type: 'delete-prefix', prefix: 'a' },
    { type: 'range', prefix: '' },
  ])
  const results = outcome.type === 'txn' ? outcome.result.results : []
  expect(results).toMatchObject([
    { type: 'get', kv: null },
    { type: 'put' },
    { type: 'get', kv: { modRevision: 1 } },
    { type: 'delete', deletedCount: 1 },
    { type: 'range', kvs: [] },
  ])
})

it('a lease takes its keys with it in one revision', () => {
  const driver = new Driver()
  const { outcome } = driver.apply({ type: 'lease-grant', ttlMs: 5000 })
  const id = outcome.type === 'granted' ? outcome.grant.id : ''
  driver.txn([put('z', 'v', id)])
  driver.txn([put('a', 'v', id), put('moved', 'v', id), put('gone', 'v', id)])
  driver.txn([put('moved'), { type: 'delete', key: 'gone' }]) // detached
  const { batch } = driver.apply({ type: 'lease-revoke', lease: Number(id) })
  expect(batch).toEqual({
    revision: 4,
    events: [
      { type: 'delete', key: 'a' },
      { type: 'delete', key: 'z' },
    ],
  })
  expect(driver.machine.get('moved')).toMatchObject({ lease: null })
  expect(driver.apply({ type: 'lease-revoke', lease: Number(id) }).outcome.type).toBe(
    'lease-not-found',
  )
})

it('a put under a lease that is gone refuses the whole transaction', () => {
  const driver = new Driver()
  expect(driver.txn([put('a'), put('b', 'v', '99')]).outcome).toEqual({
    type: 'lease-not-found',
    lease: '99',
  })
  expect(driver.machine.size).toBe(0)
  // Of the list that does not run nothing is asked.
  expect(driver.txn([put('a')], [], [put('b', 'v', '99')]).outcome.type).toBe('txn')
})

it('revoking an empty lease spends no revision', () => {
  const driver = new Driver()
  driver.apply({ type: 'lease-grant', ttlMs: 5000 })
  const { outcome, batch } = driver.apply({ type: 'lease-revoke', lease: 1 })
  expect(outcome).toEqual({ type: 'revoked', lease: '1', revision: 0 })
  expect(batch).toBeNull()
})

it('equal commands give equal states, events and snapshots, also from a snapshot on', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const prng = new Prng(seed)
    const one = new Driver()
    let other = new Driver()
    for (let step = 0; step < 120; step++) {
      if (prng.chance(5)) {
        const index = other.index
        other = new Driver(copyOf(other.machine))
        other.index = index
      }
      const command = randomCommand(prng, one.index)
      const a = one.apply(command)
      expect(other.apply(command), `seed ${seed} step ${step}`).toEqual(a)
    }
    expect([...other.machine.snapshot()]).toEqual([...one.machine.snapshot()])
    checkEvents(one.machine)
  }
})

function randomCommand(prng: Prng, index: number): Command {
  const key = () => `k/${prng.below(12)}`
  if (prng.chance(10)) return { type: 'lease-grant', ttlMs: 5000 + prng.below(9) }
  if (prng.chance(10)) return { type: 'lease-revoke', lease: 1 + prng.below(index + 1) }
  const ops = (): Op[] => {
    const used = new Set<string>()
    const list: Op[] = []
    for (let i = prng.below(4); i >= 0; i--) {
      const k = key()
      if (used.has(k)) continue
      used.add(k)
      if (prng.chance(30)) list.push({ type: 'delete', key: k })
      else if (prng.chance(25)) list.push(put(k, `${i}`, `${1 + prng.below(index + 1)}`))
      else list.push(put(k, `${i}`))
    }
    return list
  }
  const compares: Compare[] = prng.chance(40)
    ? [
        {
          target: 'version',
          key: key(),
          is: prng.pick(['=', '<', '>', '!=']),
          operand: prng.below(3),
        },
      ]
    : []
  return { type: 'txn', compares, thenOps: ops(), elseOps: ops() }
}

/** Replaying all events must give the state. */
function checkEvents(machine: Machine): void {
  const state = new Map<string, number>()
  for (const { events } of machine.events.since(1)) {
    for (const event of events) {
      if (event.type === 'put') state.set(event.kv.key, event.kv.modRevision)
      else expect(state.delete(event.key)).toBe(true)
    }
  }
  expect(state.size).toBe(machine.size)
  for (const kv of machine.range('')) expect(state.get(kv.key)).toBe(kv.modRevision)
}

it('a snapshot is of one moment, however slowly it is read, and comes in bounded chunks', () => {
  const driver = new Driver()
  for (let i = 0; i < 40; i++) driver.txn([put(`k/${i}`, 'x'.repeat(100_000))])
  const chunks = driver.machine.snapshot()
  const copy = new Machine()
  for (let next = chunks.next(), n = 0; next.done !== true; next = chunks.next(), n++) {
    expect(next.value.byteLength).toBeLessThan(1_250_000)
    copy.load(next.value)
    driver.txn([put(`k/${n}`, 'changed'), put('k/new')])
  }
  expect(copy.size).toBe(40)
  expect(copy.revision).toBe(40)
  expect(copy.range('k/').every((kv) => kv.value.length === 100_000)).toBe(true)
})

it('refuses a snapshot of another format, and stops rather than write a value that was given away', () => {
  const machine = new Machine()
  expect(() => machine.load(new Uint8Array([1, 2, 0, 0, 0]))).toThrow(UnknownSnapshotError)
  const driver = new Driver()
  driver.txn([put('empty', ''), put('a', 'value')])
  expect([...driver.machine.snapshot()]).toHaveLength(2)
  const value = driver.machine.get('a')?.value as Uint8Array<ArrayBuffer>
  structuredClone(value, { transfer: [value.buffer] })
  expect(() => [...driver.machine.snapshot()]).toThrow('transferred away')
})

it.each<[name: string, eventsMax: number, bytesMax: number]>([
  ['by count', 3, 1e9],
  ['by bytes', 1e9, 3 * 70],
])('the ring of events is bounded %s and says what is gone', (_name, eventsMax, bytesMax) => {
  const ring = new EventRing(0, eventsMax, bytesMax)
  const event: StoreEvent = { type: 'delete', key: 'abcdef' }
  for (let revision = 1; revision <= 5000; revision++) ring.push({ revision, events: [event] })
  expect(ring.compactRevision).toBe(4997)
  expect(ring.since(4998).map((batch) => batch.revision)).toEqual([4998, 4999, 5000])
  expect(ring.since(5000)).toHaveLength(1)
  expect(ring.since(5001)).toEqual([])
  ring.push({ revision: 5001, events: [event, event, event, event] })
  expect(ring.compactRevision).toBe(5001)
})
