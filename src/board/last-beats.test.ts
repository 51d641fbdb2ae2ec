import { expect, it } from 'vitest'
import type { GatewayError } from '../lib/errors.js'
import { Prng } from '../lib/prng.js'
import { failure, type Store, storeUnavailable } from '../store/contract.js'
import type { EmbeddedStore } from '../store/embedded-store.js'
import { inThreadLog } from '../store/log/in-thread-log.js'
import { openEmbeddedStore } from '../store/open-embedded-store.js'
import { SimDisk } from '../store/sim-disk.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { type LastBeat, LastBeats, readLastBeats } from './last-beats.js'
import { BoardWorld } from './testing/board-world.js'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const NAMES = ['a', 'b', 'c']

/** Three members with one store, as if it were replicated. */
class World extends BoardWorld {
  readonly #store: EmbeddedStore
  /** What writes fail with. */
  failing: GatewayError | null = null
  readonly heardMs = new Map<string, number>()
  readonly log = new MemoryLogger()

  constructor() {
    super()
    const log = new MemoryLogger()
    const spawnLog = inThreadLog(new SimDisk(new Prng(1)), this.time, {
      salt: 5,
      segmentBytes: 1024 * 1024,
      reserveBytes: 4096,
    })
    const listener = { onReady: () => {}, onFailed: () => {}, onStopped: () => {} }
    this.#store = openEmbeddedStore({ time: this.time, log, nodeId: 'a/a', spawnLog, listener })
    this.time.advance(100)
    for (const name of NAMES) this.start(name)
  }

  get store(): Store {
    const store = this.#store
    return {
      range: (prefix, consistency, done) => store.range(prefix, consistency, done),
      get: (key, consistency, done) => store.get(key, consistency, done),
      txn: (compares, thenOps, elseOps, done) => {
        if (this.failing !== null) done(failure(this.failing))
        else store.txn(compares, thenOps, elseOps, done)
      },
      watch: (prefix, fromRevision, watcher) => store.watch(prefix, fromRevision, watcher),
      lease: store.lease,
      limits: () => store.limits(),
    }
  }

  /** Transactions that changed something, which cost an fsync each. */
  get writes(): number {
    return this.#store.status().revision
  }

  start(name: string): void {
    const board = this.add(name)
    board.publish('heartbeat', bytes(`of ${name}`), 5000)
    new LastBeats({
      time: this.time,
      log: this.log,
      board,
      store: this.store,
      members: () => NAMES.map((each) => ({ name: each, incarnation: each })),
      lastHeardMs: (incarnation) => this.heardMs.get(incarnation) ?? null,
      self: { name, incarnation: name },
    })
  }

  get beats(): readonly LastBeat[] {
    let found: readonly LastBeat[] = []
    readLastBeats(this.store, (outcome) => {
      if (outcome.ok) found = outcome.value
    })
    return found
  }
}

it('nothing is written while everybody beats: an idle cluster costs no write', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(120_000)
  expect(world.writes).toBe(0)
})

it('a member that falls silent is written once, with its last word and time', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(10_500)
  const lastMs = world.time.wallMs()
  world.isolate('c')
  world.time.advance(5000)
  expect(world.writes).toBe(0)
  world.time.advance(3000)
  expect(world.beats).toEqual([
    { name: 'c', incarnation: 'c', wallMs: expect.any(Number), heartbeat: bytes('of c') },
  ])
  const [beat] = world.beats
  expect(Math.abs((beat?.wallMs ?? 0) - lastMs)).toBeLessThan(1100)
  world.time.advance(60_000)
  expect(world.writes).toBe(1)
  expect(world.log.count('member is silent')).toBe(1)
})

it('who leads again gives everybody the time to be heard', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(3000)
  world.elect('b', 2)
  world.time.advance(20_000)
  world.isolate('c')
  world.elect('a', 3)
  world.time.advance(5000)
  expect(world.log.count('member is silent')).toBe(0)
  world.time.advance(3000)
  expect(world.log.count('member is silent')).toBe(1)
})

it('who comes back and falls silent again is written again', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(3000)
  world.isolate('c')
  world.time.advance(20_000)
  world.cut.clear()
  world.time.advance(20_000)
  expect(world.writes).toBe(1)
  world.isolate('c')
  world.time.advance(20_000)
  expect(world.writes).toBe(2)
})

it('the next leader does not write what the last one wrote', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(3000)
  world.isolate('c')
  world.time.advance(20_000)
  // Its connections heard of `c` a little later than the last beat.
  world.heardMs.set('c', 3900)
  world.elect('b', 2)
  world.time.advance(30_000)
  expect(world.writes).toBe(1)
})

it('a leader that died is written by the next one, from what its connections heard', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(10_000)
  world.heardMs.set('a', 9900)
  world.stop('a')
  world.elect('b', 2)
  world.time.advance(5000)
  expect(world.writes).toBe(0)
  world.time.advance(3000)
  const [beat] = world.beats
  expect(beat).toMatchObject({ name: 'a', heartbeat: new Uint8Array(0) })
  expect(beat?.wallMs).toBe(world.time.wallMs() - world.time.monotonicMs() + 9900)
})

it('nothing is written of whom nothing is known', () => {
  const world = new World()
  world.stop('c')
  world.elect('a', 1)
  world.time.advance(30_000)
  expect(world.writes).toBe(0)
})

it('what cannot be written is tried again', () => {
  const world = new World()
  world.elect('a', 1)
  world.time.advance(3000)
  world.isolate('c')
  world.failing = storeUnavailable('no quorum', 'unknown')
  world.time.advance(20_000)
  expect(world.writes).toBe(0)
  world.failing = null
  world.time.advance(2000)
  expect(world.writes).toBe(1)
})

it('what is damaged in the store is left out and written over', () => {
  const world = new World()
  const value = Uint8Array.of(0xc1)
  world.store.txn([], [{ type: 'put', key: '/cluster/last-beats/c', value }], [], () => {})
  world.time.advance(100)
  expect(world.beats).toEqual([])
  world.elect('a', 1)
  world.time.advance(3000)
  world.isolate('c')
  world.time.advance(10_000)
  expect(world.beats).toHaveLength(1)
})
