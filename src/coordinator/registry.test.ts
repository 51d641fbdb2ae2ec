import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { Prng } from '../lib/prng.js'
import type { Op, Store } from '../store/contract.js'
import { SimDisk } from '../store/sim-disk.js'
import type { Write } from './plan.js'
import { HISTORY_PREFIX, historyKey, objectKey } from './record.js'
import { Registry, type RegistryChange } from './registry.js'
import { StoreBench } from './store.fixture.js'
import { Sync } from './sync.js'
import {
  type Answer,
  contentOf,
  del,
  delAll,
  forwarding,
  put,
  WriterBench,
} from './writer.fixture.js'

/** Puts something into the store past the writer. */
function force(bench: StoreBench, ...ops: Op[]): void {
  bench.store.txn([], ops, [], (outcome) => {
    if (!outcome.ok) throw outcome.error
  })
  bench.time.advance(20)
}

const garbage = Uint8Array.of(0xc1, 1, 2)

it.each([
  ['garbage', garbage],
  ['nothing', new Uint8Array()],
  ['a number', Uint8Array.of(7)],
  ['null', Uint8Array.of(0xc0)],
])('an object whose record is %s is named, and can be written anew', (_name, value) => {
  const bench = new StoreBench()
  const node = new WriterBench(bench)
  node.done(put('a', 'one'))
  force(bench, { type: 'put', key: objectKey('a'), value })
  force(bench, { type: 'put', key: objectKey('b'), value })
  expect(bench.log.count('record cannot be read')).toBe(2)
  expect(node.registry.object('a')?.text).toBe('one') // the one before it stays
  expect(node.registry.object('b')).toBeNull()
  for (const fresh of [node, new WriterBench(bench)]) {
    fresh.done(put('a', `two ${fresh === node}`))
    fresh.done(put('b', `two ${fresh === node}`))
  }
  expect(node.registry.object('b')?.text).toBe('two false')
})

it('history that cannot be read is named and does no harm', () => {
  const bench = new StoreBench()
  const node = new WriterBench(bench)
  node.done(put('a', 'one'))
  force(bench, { type: 'put', key: historyKey('a', 7), value: garbage })
  expect(bench.log.count('record cannot be read')).toBe(1)
  node.done(put('a', 'two'))
  expect(node.registry.history('a').map((entry) => entry.version)).toEqual([1, 2])
})

it('listed again, it shows the same, and tells the difference alone', () => {
  const bench = new StoreBench()
  const writer = new WriterBench(bench)
  for (const name of ['a', 'b', 'c']) writer.done(put(name, 'one'))
  const registry = new Registry()
  const changes: RegistryChange[] = []
  const list = (): void => {
    const sync = new Sync(bench.store, registry, bench.log, (change) => changes.push(change))
    sync.start((error) => expect(error).toBeNull())
    sync.stop()
  }
  list()
  expect(changes.at(-1)).toMatchObject({ puts: ['a', 'b', 'c'], deletes: [] })
  list()
  expect(changes.at(-1)).toMatchObject({ puts: [], deletes: [] })
  writer.done(put('a', 'two'))
  writer.done(del('b'))
  writer.done(put('d', 'one'))
  for (let i = 0; i < 12; i++) writer.done(put('c', `${i}`)) // prunes its history
  list()
  expect(changes.at(-1)).toMatchObject({ puts: ['a', 'c', 'd'], deletes: ['b'] })
  expect(contentOf(registry)).toEqual(contentOf(writer.registry))
})

it('a change names what is written, what is gone, and the versions between', () => {
  const bench = new StoreBench()
  const node = new WriterBench(bench)
  node.done(put('a', 'one'))
  const changes: RegistryChange[] = []
  const registry = new Registry()
  new Sync(bench.store, registry, bench.log, (change) => changes.push(change)).start(() => {})
  bench.time.advance(1)
  changes.length = 0
  node.done(put('b', 'one'))
  node.done(del('a'))
  const { epoch } = node.registry.version
  expect(changes).toEqual([
    { from: { epoch, version: 1 }, to: { epoch, version: 2 }, puts: ['b'], deletes: [] },
    { from: { epoch, version: 2 }, to: { epoch, version: 3 }, puts: [], deletes: ['a'] },
  ])
})

it('a watch that fell behind is followed by a list', () => {
  const bench = new StoreBench()
  const node = new WriterBench(bench)
  node.done(put('a', 'one'))
  // Its first watch asks for what the store has forgotten.
  let isFirst = true
  const late = new WriterBench(bench, {
    wrapSync: (store) => ({
      ...forwarding(store),
      watch: (prefix, from, watcher) => {
        if (!isFirst) return store.watch(prefix, from, watcher)
        isFirst = false
        bench.time.after(30, () => watcher.onCompacted(from))
        return { cancel: () => {} }
      },
    }),
  })
  node.done(put('b', 'one'))
  expect(late.registry.names()).toEqual(['a'])
  bench.time.advance(30)
  node.done(put('a', 'two'))
  expect(contentOf(late.registry)).toEqual(contentOf(node.registry))
})

it('a sync that was stopped while it listed follows no more', () => {
  const bench = new StoreBench()
  const registry = new Registry()
  const store: Store = {
    ...forwarding(bench.store),
    range: (prefix, consistency, done) => {
      bench.time.after(5, () => bench.store.range(prefix, consistency, done))
    },
    watch: () => expect.fail('it watches'),
  }
  const sync = new Sync(store, registry, bench.log, () => expect.fail('it changed'))
  sync.start(() => expect.fail('it started'))
  sync.stop()
  bench.time.advance(20)
})

it('a sync that was stopped follows no more', () => {
  const bench = new StoreBench()
  const node = new WriterBench(bench)
  let count = 0
  const sync = new Sync(bench.store, new Registry(), bench.log, () => {
    count += 1
  })
  sync.start(() => {})
  bench.time.advance(1)
  sync.stop()
  node.done(put('a', 'one'))
  expect(count).toBe(1)
})

// -- random writes against a model ---------------------------------------------------------------

interface Known {
  kind: string
  text: string
  version: number
  createdVersion: number
}

/** What should come of writes, told in the plainest way. */
class Model {
  readonly objects = new Map<string, Known>()
  version = 0

  /** An error code, or what is answered. */
  write(write: Write): string | { version: number; created: boolean; changed: boolean } {
    if (write.type === 'delete-all') {
      const changed = this.objects.size > 0
      if (changed) this.version += 1
      this.objects.clear()
      return { version: this.version, created: false, changed }
    }
    const { name, ifMatch } = write
    const known = this.objects.get(name)
    if (write.type === 'delete') {
      if (known === undefined) return 'OBJECT_NOT_FOUND'
      if (ifMatch !== null && ifMatch !== known.version) return 'VERSION_CONFLICT'
      this.objects.delete(name)
      this.version += 1
      return { version: this.version, created: false, changed: true }
    }
    const { mode, kind, text } = write
    if (known !== undefined && mode === 'create') return 'OBJECT_EXISTS'
    if (known === undefined && mode === 'update') return 'OBJECT_NOT_FOUND'
    if (known !== undefined && known.kind !== kind) return 'KIND_MISMATCH'
    if (ifMatch !== null && ifMatch !== known?.version) return 'VERSION_CONFLICT'
    if (known?.text === text) return { version: this.version, created: false, changed: false }
    this.version += 1
    const createdVersion = known?.createdVersion ?? this.version
    this.objects.set(name, { kind, text, version: this.version, createdVersion })
    return { version: this.version, created: known === undefined, changed: true }
  }
}

function draw(prng: Prng, model: Model): Write {
  const name = prng.pick(['a', 'b', 'c', 'd', 'é~1'])
  const at = model.objects.get(name)?.version ?? model.version
  const ifMatch = prng.chance(20) ? Math.max(0, at - prng.below(2)) : null
  if (prng.chance(3)) return delAll()
  if (prng.chance(20)) return { ...del(name), ifMatch } as Write
  return put(name, prng.pick(['one', 'two', 'three', 'x'.repeat(1 + prng.below(300))]), {
    mode: prng.pick(['create', 'update', 'apply', 'apply']),
    kind: prng.chance(90) ? 'Demo' : 'Else',
    ifMatch,
  })
}

function shortOf({ written, error }: Answer): unknown {
  if (error !== null) return error.code
  if (written === null) return 'no answer'
  const { version, created, changed } = written
  return { version: version.version, created, changed }
}

it.each([1, 2, 3, 4, 5])('random writes: the registry is as the model says (seed %i)', (seed) => {
  const prng = new Prng(seed)
  const disk = new SimDisk(prng)
  const time = new VirtualTime()
  const history = { versionsMax: 4, bytesMax: 2_500 }
  const open = (bench: StoreBench): WriterBench => new WriterBench(bench, { history })
  let bench = new StoreBench(time, disk)
  let nodes = [open(bench), open(bench)]
  const model = new Model()
  /** The last write that changed something, and its answer. */
  let last: { readonly write: Write; readonly answer: unknown } | null = null
  for (let step = 0; step < 250; step++) {
    const where = `seed ${seed}, step ${step}`
    const node = prng.pick(nodes)
    if (last !== null && prng.chance(15)) {
      expect(shortOf(node.write(last.write)), `${where}, repeated`).toEqual(last.answer)
    } else {
      const write = draw(prng, model)
      const answer = model.write(write)
      expect(shortOf(node.write(write)), where).toEqual(answer)
      if (typeof answer !== 'string' && answer.changed) last = { write, answer }
    }
    for (const { registry } of nodes) {
      expect(registry.version.version, where).toBe(model.version)
      const objects = registry.names().map((name) => registry.object(name))
      expect(objects, where).toEqual(
        [...model.objects]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, known]) => ({
            name,
            ...known,
            spec: { text: known.text },
            dialect: 'v1',
            createdMs: expect.any(Number),
          })),
      )
      expect(registry.historyBytes, where).toBeLessThanOrEqual(history.bytesMax)
      for (const name of registry.names()) {
        expect(registry.history(name).length, where).toBeLessThanOrEqual(history.versionsMax)
      }
    }
    if (prng.chance(4)) {
      const fresh = open(bench)
      expect(contentOf(fresh.registry), where).toEqual(contentOf(node.registry))
      fresh.sync.stop()
      const stored = [...bench.dump(HISTORY_PREFIX).keys()]
      const known = node.registry.keys().filter((key) => key.startsWith(HISTORY_PREFIX))
      expect(known.sort(), where).toEqual(stored.sort())
    }
    if (prng.chance(2)) {
      const before = contentOf(node.registry)
      bench.store.stop()
      time.advance(100)
      expect(bench.hasStopped, where).toBe(true)
      bench = new StoreBench(time, disk)
      nodes = [open(bench), open(bench)]
      for (const { registry } of nodes) expect(contentOf(registry), where).toEqual(before)
    }
  }
})
