/**
 * What every {@link Store} has to do, whoever implements it. Test support: an implementation's test
 * file runs each case against stores it opens.
 */
import { expect } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import {
  type Compare,
  KEY_BYTES_MAX,
  type KeyValue,
  type Op,
  type Store,
  type StoreEvent,
  type WatchBatch,
} from './contract.js'
import { PromiseStore } from './promise-store.js'

/** What a case gets. */
export interface ContractSubject {
  /** An empty store in service. */
  readonly store: Store
  /** Lets messages and timers run until nothing is left to do for about `ms` of the store's time. */
  settle(ms: number): Promise<void>
  /** Events of the past beyond this count need not be kept; null when the store cannot say. */
  readonly ringEventsMax: number | null
}

export interface ContractCase {
  readonly name: string
  run(subject: ContractSubject): Promise<void>
}

const encoder = new TextEncoder()
const bytes = (text: string): Uint8Array => encoder.encode(text)
const text = (kv: KeyValue | null): string | null =>
  kv === null ? null : new TextDecoder().decode(kv.value)
const put = (key: string, value: string): Op => ({ type: 'put', key, value: bytes(value) })
const absent = (key: string): Compare => ({ target: 'createRevision', key, is: '=', operand: 0 })

/** Runs `act` (and lets the store work) and returns what it came to. */
async function settled<T>(subject: ContractSubject, act: Promise<T>): Promise<T> {
  let over = false
  const end = (): void => {
    over = true
  }
  act.then(end, end)
  for (let turn = 0; turn < 10_000 && !over; turn++) await subject.settle(1)
  return await act
}

async function refusal(subject: ContractSubject, act: Promise<unknown>): Promise<GatewayError> {
  try {
    await settled(subject, act)
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown
    throw thrown
  }
  throw new Error('expected a refusal')
}

class Recorder {
  readonly batches: WatchBatch[] = []
  compacted: number | null = null
  failed: GatewayError | null = null
  onBatch(batch: WatchBatch): void {
    this.batches.push(batch)
  }
  onCompacted(compactRevision: number): void {
    this.compacted = compactRevision
  }
  onFailed(error: GatewayError): void {
    this.failed = error
  }
  get lines(): string[] {
    return this.batches.flatMap(({ revision, events }) =>
      events.map((event) => `${revision} ${line(event)}`),
    )
  }
}

function line(event: StoreEvent): string {
  return event.type === 'put' ? `${event.kv.key}=${text(event.kv)}` : `-${event.key}`
}

/** Cases name behaviour; each runs on a store of its own. */
export const CONTRACT_CASES: readonly ContractCase[] = [
  {
    name: 'an empty store has no keys, and a put is read back with its revisions',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const before = await settled(subject, store.range(''))
      expect(before.kvs).toEqual([])
      const { succeeded, revision } = await settled(subject, store.txn([], [put('a', '1')]))
      expect(succeeded).toBe(true)
      expect(revision).toBe(before.revision + 1)
      for (const consistency of ['linearizable', 'local'] as const) {
        const { kv } = await settled(subject, store.get('a', consistency))
        expect(text(kv)).toBe('1')
        expect(kv).toMatchObject({
          createRevision: revision,
          modRevision: revision,
          version: 1,
          lease: null,
        })
      }
      expect((await settled(subject, store.get('b'))).kv).toBeNull()
    },
  },
  {
    name: 'a range lists what starts with the prefix, ordered by UTF-8 bytes, at one revision',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const keys = ['p/b', 'p/\uffff', 'p/😀', 'p', 'p/', 'p/a', 'q', 'o/z', 'p/a/b', 'p/é']
      const { revision } = await settled(
        subject,
        store.txn(
          [],
          keys.map((key) => put(key, key)),
        ),
      )
      const list = await settled(subject, store.range('p/'))
      expect(list.kvs.map((kv) => kv.key)).toEqual([
        'p/',
        'p/a',
        'p/a/b',
        'p/b',
        'p/é',
        'p/\uffff',
        'p/😀',
      ])
      expect(list.revision).toBe(revision)
      expect((await settled(subject, store.range(''))).kvs).toHaveLength(keys.length)
      expect((await settled(subject, store.range('nothing'))).kvs).toEqual([])
    },
  },
  {
    name: 'a range of many keys is complete',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const perTxn = Math.min(100, store.limits().opsMax)
      for (let from = 0; from < 1500; from += perTxn) {
        const ops = Array.from({ length: perTxn }, (_, i) => put(`k/${from + i}`, `${from + i}`))
        await settled(subject, store.txn([], ops))
      }
      const { kvs } = await settled(subject, store.range('k/'))
      expect(new Set(kvs.map((kv) => kv.key)).size).toBe(1500)
    },
  },
  {
    name: 'of two that create the same key, one succeeds, and the other sees what is there',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const create = (value: string) =>
        store.txn([absent('lock')], [put('lock', value)], [{ type: 'get', key: 'lock' }])
      const [first, second] = await settled(subject, Promise.all([create('1'), create('2')]))
      expect([first.succeeded, second.succeeded].sort()).toEqual([false, true])
      const [winner, loser] = first.succeeded ? [first, second] : [second, first]
      expect(loser.revision).toBe(winner.revision)
      expect(loser.results).toMatchObject([
        { type: 'get', kv: { createRevision: winner.revision } },
      ])
    },
  },
  {
    name: 'compare and set by revision loses against a write in between',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const { revision } = await settled(subject, store.txn([], [put('a', '1')]))
      const swap = (value: string) =>
        store.txn(
          [{ target: 'modRevision', key: 'a', is: '=', operand: revision }],
          [put('a', value)],
        )
      expect((await settled(subject, swap('2'))).succeeded).toBe(true)
      expect((await settled(subject, swap('3'))).succeeded).toBe(false)
      expect(text((await settled(subject, store.get('a'))).kv)).toBe('2')
    },
  },
  {
    name: 'a missing key compares as revision and version 0, and its value never',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const holds = async (compare: Compare) =>
        (await settled(subject, store.txn([compare], [], []))).succeeded
      expect(await holds({ target: 'version', key: 'x', is: '=', operand: 0 })).toBe(true)
      expect(await holds({ target: 'modRevision', key: 'x', is: '<', operand: 1 })).toBe(true)
      expect(await holds({ target: 'value', key: 'x', is: '=', operand: bytes('') })).toBe(false)
      expect(await holds({ target: 'value', key: 'x', is: '!=', operand: bytes('y') })).toBe(false)
    },
  },
  {
    name: 'a transaction is one revision, a failed compare, a read or deleting nothing is none',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const base = (await settled(subject, store.txn([], [put('a', '1'), put('b', '1')]))).revision
      const after = async (compares: Compare[], ops: Op[]) =>
        (await settled(subject, store.txn(compares, ops))).revision - base
      expect(await after([], [put('a', '1')])).toBe(1)
      expect(await after([], [{ type: 'delete', key: 'no' }])).toBe(1)
      expect(await after([absent('a')], [put('a', '2')])).toBe(1)
      expect(await after([], [{ type: 'range', prefix: '' }])).toBe(1)
      expect(await after([], [{ type: 'delete-prefix', prefix: '' }])).toBe(2)
      expect((await settled(subject, store.range(''))).kvs).toEqual([])
    },
  },
  {
    name: 'results come one for each operation, and reads see the changes before them',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      await settled(subject, store.txn([], [put('a/1', 'x'), put('a/2', 'x'), put('b', 'x')]))
      const { results } = await settled(
        subject,
        store.txn(
          [],
          [
            put('c', 'new'),
            { type: 'get', key: 'c' },
            { type: 'delete', key: 'b' },
            { type: 'delete', key: 'missing' },
            { type: 'delete-prefix', prefix: 'a/' },
            { type: 'range', prefix: '' },
          ],
        ),
      )
      expect(results).toMatchObject([
        { type: 'put' },
        { type: 'get', kv: { key: 'c', version: 1 } },
        { type: 'delete', deletedCount: 1 },
        { type: 'delete', deletedCount: 0 },
        { type: 'delete', deletedCount: 2 },
        { type: 'range', kvs: [{ key: 'c' }] },
      ])
    },
  },
  {
    name: 'refuses malformed transactions and changes nothing',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const { opsMax, bytesMax } = store.limits()
      const many = Array.from({ length: opsMax + 1 }, (_, i) => put(`k${i}`, ''))
      const rows: [what: string, compares: Compare[], ops: Op[]][] = [
        ['an empty key', [], [put('', 'x')]],
        ['a lone surrogate', [], [put('a\ud800', 'x')]],
        ['a lone surrogate in a prefix', [], [{ type: 'delete-prefix', prefix: '\udc00' }]],
        ['a key that is too long', [], [put('k'.repeat(KEY_BYTES_MAX + 1), 'x')]],
        ['an empty key compared', [absent('')], [put('a', 'x')]],
        [
          'a fractional revision',
          [{ ...absent('a'), target: 'version', operand: 0.5, is: '=' }],
          [put('a', 'x')],
        ],
        [
          'a negative revision',
          [{ ...absent('a'), target: 'version', operand: -1, is: '=' }],
          [put('a', 'x')],
        ],
        ['two puts of a key', [], [put('a', '1'), put('a', '2')]],
        ['a put and a delete of a key', [], [put('a', '1'), { type: 'delete', key: 'a' }]],
        [
          'a put under a deleted prefix',
          [],
          [{ type: 'delete-prefix', prefix: 'a' }, put('ab', '1')],
        ],
        ['too many operations', [], many],
        ['too many compares', many.map(() => absent('a')), [put('a', 'x')]],
        ['too many bytes', [], [{ type: 'put', key: 'a', value: new Uint8Array(bytesMax + 1) }]],
      ]
      for (const [what, compares, ops] of rows) {
        const error = await refusal(subject, store.txn(compares, ops))
        expect(error.code, what).toBe('REQUEST_INVALID')
      }
      expect((await refusal(subject, store.get(''))).code).toBe('REQUEST_INVALID')
      expect((await refusal(subject, store.range('\ud800'))).code).toBe('REQUEST_INVALID')
      expect((await settled(subject, store.range(''))).kvs).toEqual([])
    },
  },
  {
    name: 'a watch brings each change once, in order, one batch a transaction',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const { revision: base } = await settled(subject, store.txn([], [put('w/old', '0')]))
      const seen = new Recorder()
      const watch = store.watch('w/', base + 1, seen)
      expect(seen.batches).toEqual([])
      await settled(subject, store.txn([], [put('w/a', '1'), put('other', '1'), put('w/b', '1')]))
      await settled(subject, store.txn([], [put('other', '2')]))
      await settled(subject, store.txn([], [{ type: 'delete-prefix', prefix: 'w/' }]))
      await subject.settle(50)
      expect(seen.lines).toEqual([
        `${base + 1} w/a=1`,
        `${base + 1} w/b=1`,
        `${base + 3} -w/a`,
        `${base + 3} -w/b`,
        `${base + 3} -w/old`,
      ])
      expect(seen.batches).toHaveLength(2)
      watch.cancel()
      watch.cancel()
      await settled(subject, store.txn([], [put('w/a', '3')]))
      await subject.settle(50)
      expect(seen.batches).toHaveLength(2)
    },
  },
  {
    name: 'a watch from the past joins the present without gap or double',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const { revision: base } = await settled(subject, store.range(''))
      for (let i = 1; i <= 20; i++) await settled(subject, store.txn([], [put(`k/${i}`, `${i}`)]))
      const seen = new Recorder()
      const writes: Promise<unknown>[] = []
      store.watch('', base + 5, seen)
      for (let i = 21; i <= 40; i++) writes.push(store.txn([], [put(`k/${i}`, `${i}`)]))
      await settled(subject, Promise.all(writes))
      await subject.settle(50)
      expect(seen.batches.map((batch) => batch.revision)).toEqual(
        Array.from({ length: 36 }, (_, i) => base + 5 + i),
      )
    },
  },
  {
    name: 'a watch cancelled at once is never called; one from the future waits for it',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const { revision: base } = await settled(subject, store.txn([], [put('a', '1')]))
      const cancelled = new Recorder()
      store.watch('', base, cancelled).cancel()
      const future = new Recorder()
      store.watch('', base + 2, future)
      for (const value of ['2', '3']) await settled(subject, store.txn([], [put('a', value)]))
      await subject.settle(50)
      expect(cancelled.batches).toEqual([])
      expect(future.lines).toEqual([`${base + 2} a=3`])
      expect(() => store.watch('', 0, future)).toThrow(GatewayError)
    },
  },
  {
    name: 'a watch from before what is kept is told so, and is over',
    async run(subject) {
      if (subject.ringEventsMax === null) return
      const store = new PromiseStore(subject.store)
      const { revision: base } = await settled(subject, store.range(''))
      const perTxn = 1000
      for (let count = 0; count <= subject.ringEventsMax + perTxn; count += perTxn) {
        const ops = Array.from({ length: perTxn }, (_, i) => put(`k/${i}`, ''))
        await settled(subject, store.txn([], ops))
      }
      const seen = new Recorder()
      store.watch('', base + 1, seen)
      await subject.settle(50)
      expect(seen.compacted).toBeGreaterThan(base)
      await settled(subject, store.txn([], [put('a', '1')]))
      await subject.settle(50)
      expect(seen.batches).toEqual([])
    },
  },
  {
    name: 'a lease that ends takes its keys with it; kept alive it does not end',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const kept = await settled(subject, store.leaseGrant(1))
      const left = await settled(subject, store.leaseGrant(1))
      expect(kept.ttlMs).toBeGreaterThanOrEqual(1)
      expect(kept.id).not.toBe(left.id)
      for (const { id } of [kept, left]) {
        const op: Op = { type: 'put', key: `held/${id}`, value: bytes(id), lease: id }
        await settled(subject, store.txn([], [op]))
      }
      for (let third = 0; third < 6; third++) {
        await subject.settle(kept.ttlMs / 3)
        expect(await settled(subject, store.leaseKeepAlive(kept.id))).toEqual(kept)
      }
      const { kvs } = await settled(subject, store.range('held/'))
      expect(kvs).toMatchObject([{ key: `held/${kept.id}`, lease: kept.id }])
      const error = await refusal(subject, store.leaseKeepAlive(left.id))
      expect(error).toMatchObject({
        code: 'REQUEST_INVALID',
        detail: { reason: 'lease-not-found' },
      })
    },
  },
  {
    name: 'revoking a lease deletes its keys in one revision; a second revoke finds nothing',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      const { id } = await settled(subject, store.leaseGrant(60_000))
      const keys = ['l/b', 'l/a']
      const ops = keys.map((key): Op => ({ type: 'put', key, value: bytes(''), lease: id }))
      const { revision } = await settled(subject, store.txn([], ops))
      const seen = new Recorder()
      store.watch('l/', revision + 1, seen)
      expect(await settled(subject, store.leaseRevoke(id))).toBe(revision + 1)
      await subject.settle(50)
      expect(seen.batches).toHaveLength(1)
      expect(seen.lines.sort()).toEqual([`${revision + 1} -l/a`, `${revision + 1} -l/b`])
      const error = await refusal(subject, store.leaseRevoke(id))
      expect(error.detail).toMatchObject({ reason: 'lease-not-found' })
    },
  },
  {
    name: 'a put under a lease that does not exist, or an impossible TTL, is refused whole',
    async run(subject) {
      const store = new PromiseStore(subject.store)
      for (const lease of ['123456', 'nonsense', '', '-1', '0']) {
        const op: Op = { type: 'put', key: 'a', value: bytes('x'), lease }
        const error = await refusal(subject, store.txn([], [put('b', 'x'), op]))
        expect(error.detail, lease).toMatchObject({ reason: 'lease-not-found' })
      }
      expect((await settled(subject, store.range(''))).kvs).toEqual([])
      for (const ttlMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect((await refusal(subject, store.leaseGrant(ttlMs))).code).toBe('REQUEST_INVALID')
      }
    },
  },
]
