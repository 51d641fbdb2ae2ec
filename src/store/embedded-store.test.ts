import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import type { GatewayError } from '../lib/errors.js'
import { Prng } from '../lib/prng.js'
import type { Logger } from '../telemetry/log.js'
import type { Op, Outcome, TxnResult, WatchBatch } from './contract.js'
import { CONTRACT_CASES, type ContractSubject } from './contract-suite.js'
import type { EmbeddedStore } from './embedded-store.js'
import { ENTRY } from './log/format.js'
import { inThreadLog } from './log/in-thread-log.js'
import { type LogRequest, packEntries, type SpawnLog } from './log/messages.js'
import { RING_EVENTS_MAX } from './machine/event-ring.js'
import { nodeIdOf } from './node-id.js'
import { openEmbeddedStore } from './open-embedded-store.js'
import { SimDisk } from './sim-disk.js'

const silent: Logger = {
  debugOn: false,
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}
const LOG = { salt: 5, segmentBytes: 1024 * 1024, reserveBytes: 4096 }
const put = (key: string, value = 'v'): Op => ({ type: 'put', key, value: Buffer.from(value) })

/** A store on a simulated disk whose time moves only when told to. */
class Bench {
  readonly time = new VirtualTime()
  readonly disk: SimDisk
  readonly requests: LogRequest[] = []
  readonly store: EmbeddedStore
  ready = false
  stopped = false
  failed: GatewayError | null = null

  constructor(disk = new SimDisk(new Prng(1)), snapshotAfterBytes?: number, spawn?: SpawnLog) {
    this.disk = disk
    const log = spawn ?? inThreadLog(disk, this.time, LOG)
    this.store = openEmbeddedStore({
      time: this.time,
      log: silent,
      nodeId: 'eg-1/1',
      spawnLog: (receive, exited) => {
        const link = log(receive, exited)
        return {
          tell: (request) => {
            this.requests.push(request)
            link.tell(request)
          },
        }
      },
      listener: {
        onReady: () => {
          this.ready = true
        },
        onFailed: (error) => {
          this.failed = error
        },
        onStopped: () => {
          this.stopped = true
        },
      },
      ...(snapshotAfterBytes === undefined ? {} : { snapshotAfterBytes }),
    })
  }

  static ready(disk?: SimDisk, snapshotAfterBytes?: number): Bench {
    const bench = new Bench(disk, snapshotAfterBytes)
    bench.time.advance(10)
    expect(bench.ready).toBe(true)
    return bench
  }

  /** The outcome is there once time has moved. */
  txn(...ops: Op[]): { outcome: Outcome<TxnResult> | null } {
    const answer: { outcome: Outcome<TxnResult> | null } = { outcome: null }
    this.store.txn([], ops, [], (outcome) => {
      expect(answer.outcome).toBeNull()
      answer.outcome = outcome
    })
    return answer
  }

  keys(): string[] {
    const keys: string[] = []
    this.store.range('', 'local', (outcome) => {
      if (outcome.ok) keys.push(...outcome.value.kvs.map((kv) => kv.key))
    })
    return keys
  }
}

it.each(CONTRACT_CASES)('contract: $name', async ({ run }) => {
  const bench = Bench.ready()
  const subject: ContractSubject = {
    store: bench.store,
    settle: async (ms) => bench.time.advance(ms),
    ringEventsMax: RING_EVENTS_MAX,
  }
  await run(subject)
})

it('answers nothing before it has recovered, and says why', () => {
  const bench = new Bench()
  const answer = bench.txn(put('a'))
  expect(answer.outcome).toMatchObject({
    ok: false,
    error: { code: 'STORE_UNAVAILABLE', detail: { outcome: 'none' } },
  })
  bench.time.advance(10)
  expect(bench.store.status()).toMatchObject({ state: 'serving', revision: 0, failure: null })
})

it('writes that arrive while the disk works go into one write, and are answered in order', () => {
  const bench = Bench.ready()
  const before = bench.requests.length
  const order: number[] = []
  for (let i = 0; i < 100; i++) {
    bench.store.txn([], [put(`k/${i}`)], [], (outcome) => {
      if (outcome.ok) order.push(outcome.value.revision)
    })
  }
  bench.time.advance(10)
  const writes = bench.requests.slice(before).filter((request) => request.type === 'write')
  expect(writes.map((request) => request.entries.count)).toEqual([1, 99])
  expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
})

it('refuses more than it may hold, without losing what it holds', () => {
  const bench = Bench.ready()
  const value = Buffer.alloc(4 * 1024 * 1024)
  const answers = Array.from({ length: 20 }, (_, i) =>
    bench.txn({ type: 'put', key: `k/${i}`, value }),
  )
  const refused = answers.filter(({ outcome }) => outcome !== null)
  expect(refused.length).toBeGreaterThan(0)
  for (const { outcome } of refused) {
    expect(outcome).toMatchObject({ ok: false, error: { code: 'OVERLOADED' } })
  }
})

it('a failing sync fails the store: the write under way is unknown, the waiting one never was', () => {
  const bench = Bench.ready()
  const batches: WatchBatch[] = []
  let watchFailed = false
  bench.txn(put('before'))
  bench.time.advance(5)
  bench.store.watch('', 1, {
    onBatch: (batch) => batches.push(batch),
    onCompacted: () => {},
    onFailed: () => {
      watchFailed = true
    },
  })
  bench.time.advance(1)
  bench.disk.failWhen = (call) => call === 'fdatasync'
  const first = bench.txn(put('a'))
  const second = bench.txn(put('b'))
  bench.time.advance(5)
  const unavailable = (outcome: string) => ({
    ok: false,
    error: { code: 'STORE_UNAVAILABLE', detail: { outcome } },
  })
  expect(first.outcome).toMatchObject(unavailable('unknown'))
  expect(second.outcome).toMatchObject(unavailable('none'))
  expect(bench.txn(put('c')).outcome).toMatchObject(unavailable('none'))
  let read: unknown = null
  bench.store.get('before', 'linearizable', (outcome) => {
    read = outcome
  })
  expect(read).toMatchObject(unavailable('none'))
  expect(bench.keys()).toEqual(['before'])
  expect(bench.store.status()).toMatchObject({ state: 'failed' })
  expect(bench.failed?.message).toContain('EIO')
  expect(batches).toHaveLength(1)
  expect(watchFailed).toBe(true)
  bench.store.stop()
  bench.time.advance(5)
  expect(bench.stopped).toBe(true)
})

it('a log thread that ends takes the store with it, once', () => {
  let end = (_reason: string): void => {}
  const disk = new SimDisk(new Prng(1))
  const time = new VirtualTime()
  const bench = new Bench(disk, undefined, (receive, exited) => {
    end = exited
    return inThreadLog(disk, time, LOG)(receive, exited)
  })
  time.advance(1)
  time.advance(1)
  time.advance(10)
  expect(bench.ready).toBe(true)
  const answer = bench.txn(put('a'))
  end('exit code 1')
  end('exit code 1')
  expect(answer.outcome).toMatchObject({ ok: false, error: { detail: { outcome: 'unknown' } } })
  expect(bench.failed?.message).toContain('the log thread ended: exit code 1')
  bench.store.stop()
  expect(bench.stopped).toBe(true)
})

it('a clean stop answers what is under way and leaves a log that opens', () => {
  const bench = Bench.ready()
  const first = bench.txn(put('a'))
  const second = bench.txn(put('b'))
  bench.store.stop()
  expect(bench.txn(put('c')).outcome).toMatchObject({ ok: false })
  bench.time.advance(10)
  expect(first.outcome).toMatchObject({ ok: true })
  expect(second.outcome).toMatchObject({ ok: true })
  expect(bench.stopped).toBe(true)
  bench.disk.restart('all-lost')
  expect(Bench.ready(bench.disk).keys()).toEqual(['a', 'b'])
})

it('snapshots as the log grows, and restarts from one with revisions, leases and versions', () => {
  const bench = Bench.ready(undefined, 10_000)
  let lease = ''
  bench.store.lease.grant(60_000, (outcome) => {
    if (outcome.ok) lease = outcome.value.id
  })
  bench.time.advance(5)
  bench.txn({ type: 'put', key: 'leased', value: Buffer.from('x'), lease })
  for (let i = 0; i < 300; i++) {
    bench.txn(put(`k/${i % 20}`, 'x'.repeat(100)))
    bench.time.advance(1)
  }
  expect(bench.disk.list().filter((name) => name.endsWith('.snapshot'))).toHaveLength(2)
  const before = bench.store.status()
  let content: unknown = null
  bench.store.range('', 'local', (outcome) => {
    content = outcome
  })
  bench.disk.restart('all-lost')
  const again = Bench.ready(bench.disk, 10_000)
  again.store.range('', 'local', (outcome) => expect(outcome).toEqual(content))
  expect(again.store.status()).toMatchObject({
    revision: before.revision,
    keyCount: before.keyCount,
    appliedIndex: before.appliedIndex + 1,
  })
  // Watches from before the restart list again unless the log still held the events.
  let compacted = 0
  again.store.watch('', 1, {
    onBatch: () => {},
    onCompacted: (revision) => {
      compacted = revision
    },
    onFailed: () => {},
  })
  again.time.advance(1)
  expect(compacted).toBeGreaterThan(0)
  // The TTL of a lease starts anew.
  again.time.advance(59_000)
  expect(again.keys()).toContain('leased')
  again.time.advance(2_000)
  expect(again.keys()).not.toContain('leased')
})

it('each start is a new term, voted for by this node', () => {
  const bench = Bench.ready()
  bench.disk.killProcess()
  const again = Bench.ready(bench.disk)
  const votes = [...bench.requests, ...again.requests].flatMap((request) =>
    request.type === 'write' && request.hardState !== null ? [request.hardState] : [],
  )
  expect(votes).toEqual([
    { term: 2, vote: `${nodeIdOf('1')}` },
    { term: 3, vote: `${nodeIdOf('1')}` },
  ])
})

it('an entry or command that this version does not know stops the apply, and is not skipped', () => {
  for (const [type, payload, message] of [
    [99, Buffer.alloc(0), 'an entry of type 99 at index 4'],
    [ENTRY.command, Buffer.from([77]), 'a command of kind 77'],
  ] as const) {
    const bench = Bench.ready()
    bench.txn(put('a'))
    bench.time.advance(5)
    bench.store.stop()
    bench.time.advance(5)
    const time = new VirtualTime()
    const link = inThreadLog(
      bench.disk,
      time,
      LOG,
    )(
      () => {},
      () => {},
    )
    time.advance(5)
    const entries = [
      { index: 4, term: 2, type, payload },
      { index: 5, term: 2, type: ENTRY.noop, payload: Buffer.alloc(0) },
    ]
    link.tell({
      type: 'write',
      seq: 1,
      hardState: null,
      install: null,
      entries: packEntries(entries),
      commit: null,
    })
    time.advance(5)
    bench.disk.killProcess()
    const again = new Bench(bench.disk)
    again.time.advance(10)
    expect(again.ready).toBe(false)
    expect(again.failed?.message).toContain(message)
    expect(again.store.status()).toMatchObject({ state: 'failed', appliedIndex: 3 })
  }
})
