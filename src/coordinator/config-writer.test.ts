import { expect, it } from 'vitest'
import type { GatewayError } from '../lib/errors.js'
import { failure, type Store, storeUnavailable } from '../store/contract.js'
import { HISTORY_BOUNDS } from './plan.js'
import { CONFIG_PREFIX, HISTORY_PREFIX } from './record.js'
import { StoreBench } from './store.fixture.js'
import {
  contentOf,
  del,
  delAll,
  forwarding,
  put,
  WriterBench,
  type WriterOptions,
} from './writer.fixture.js'

function open(options?: WriterOptions): { bench: StoreBench; node: WriterBench } {
  const bench = new StoreBench()
  return { bench, node: new WriterBench(bench, options) }
}

it('creates, updates and deletes, one version each', () => {
  const { node } = open()
  expect(node.done(put('a', 'one'))).toMatchObject({ created: true, changed: true })
  expect(node.registry.object('a')).toEqual({
    name: 'a',
    kind: 'Demo',
    text: 'one',
    spec: { text: 'one' },
    version: 1,
    createdVersion: 1,
    dialect: 'v1',
    createdMs: expect.any(Number),
  })
  const made = node.registry.object('a')?.createdMs
  expect(node.done(put('a', 'two'))).toMatchObject({ created: false, changed: true })
  expect(node.registry.object('a')).toMatchObject({
    version: 2,
    createdVersion: 1,
    createdMs: made,
    text: 'two',
  })
  expect(node.done(del('a'))).toMatchObject({
    created: false,
    changed: true,
    version: { version: 3 },
  })
  expect(node.registry.object('a')).toBeNull()
  expect(node.done(put('a', 'three'))).toMatchObject({ created: true, version: { version: 4 } })
  expect(node.registry.object('a')).toMatchObject({ version: 4, createdVersion: 4 })
})

it('the same text in the other dialect is a change', () => {
  const { node } = open()
  node.done(put('a', 'one'))
  expect(node.done(put('a', 'one', { dialect: 'v2' }))).toMatchObject({ changed: true })
  expect(node.done(put('a', 'one', { dialect: 'v2' }))).toMatchObject({ changed: false })
  expect(node.registry.object('a')).toMatchObject({ dialect: 'v2', version: 2 })
})

it.each([
  ['create over an object', put('a', 'x', { mode: 'create' }), 'OBJECT_EXISTS', 'conflict name: a'],
  ['update of nothing', put('b', 'x', { mode: 'update' }), 'OBJECT_NOT_FOUND', 'not found'],
  ['delete of nothing', del('b'), 'OBJECT_NOT_FOUND', 'not found'],
  ['another kind', put('a', 'x', { kind: 'Else' }), 'KIND_MISMATCH', 'different kinds: Demo, Else'],
  [
    'ifMatch too old',
    put('a', 'x', { ifMatch: 0 }),
    'VERSION_CONFLICT',
    /written at version 1, not at 0/,
  ],
  [
    'ifMatch too new',
    put('a', 'x', { ifMatch: 2 }),
    'VERSION_CONFLICT',
    /written at version 1, not at 2/,
  ],
  ['ifMatch on nothing', put('b', 'x', { ifMatch: 1 }), 'VERSION_CONFLICT', /b does not exist/],
  ['delete with ifMatch', del('a', { ifMatch: 7 }), 'VERSION_CONFLICT', /not at 7/],
])('refuses %s and changes nothing', (_name, write, code, message) => {
  const { bench, node } = open()
  node.done(put('a', 'first'))
  const before = bench.dump(CONFIG_PREFIX)
  const { written, error } = node.write(write)
  expect(written).toBeNull()
  expect(error?.code).toBe(code)
  expect(error?.message).toMatch(message)
  expect(bench.dump(CONFIG_PREFIX)).toEqual(before)
  expect(node.registry.version.version).toBe(1)
})

it('takes ifMatch when it is the version of the last write', () => {
  const { node } = open()
  node.done(put('a', 'one'))
  node.done(put('b', 'x'))
  expect(node.done(put('a', 'two', { ifMatch: 1 })).version.version).toBe(3)
  expect(node.done(del('a', { ifMatch: 3 })).version.version).toBe(4)
})

it('an unchanged write makes no version, one of the text alone makes one', () => {
  const { bench, node } = open()
  node.done(put('a', 'one'))
  const revision = bench.store.status().revision
  const again = node.done(put('a', 'one'))
  expect(again).toMatchObject({ changed: false, created: false, version: { version: 1 } })
  expect(bench.store.status().revision).toBe(revision)
  const spaces = node.done(put('a', 'one \n'))
  expect(spaces).toMatchObject({ changed: true, version: { version: 2 } })
  expect(node.registry.object('a')).toMatchObject({ text: 'one \n', spec: { text: 'one' } })
})

it('the same text that decodes to another spec is a change', () => {
  const { node } = open()
  node.done(put('a', 'one'))
  expect(node.done(put('a', 'one', { spec: put('', 'other').spec })).changed).toBe(true)
})

it('delete-all removes every object under one version', () => {
  const { bench, node } = open()
  for (let i = 0; i < 5; i++) node.done(put(`o${i}`, 'x'))
  expect(node.done(delAll())).toMatchObject({ changed: true, version: { version: 6 } })
  expect(node.registry.names()).toEqual([])
  expect([...bench.dump('/config/objects/').keys()]).toEqual([])
  for (let i = 0; i < 5; i++) {
    expect(node.registry.history(`o${i}`).map(({ op, version }) => [op, version])).toEqual([
      ['put', i + 1],
      ['delete', 6],
    ])
  }
  expect(node.done(delAll())).toMatchObject({ changed: false, version: { version: 6 } })
})

it.each([
  ['a creation', put('b', 'x', { requestId: 'same' })],
  ['an update', put('a', 'x', { requestId: 'same' })],
  ['a conditional update', put('a', 'x', { ifMatch: 1, requestId: 'same' })],
  ['a strict creation', put('b', 'x', { mode: 'create', requestId: 'same' })],
  ['a deletion', del('a', { requestId: 'same' })],
  ['a conditional deletion', del('a', { ifMatch: 1, requestId: 'same' })],
  ['the deletion of all', delAll('same')],
])('%s sent twice applies once and gets the same answer', (_name, write) => {
  const { bench, node } = open()
  node.done(put('a', 'first'))
  const first = node.done(write)
  const stored = bench.dump(CONFIG_PREFIX)
  const { pending: _, ...again } = node.done(write)
  expect(first).toMatchObject(again)
  expect(bench.dump(CONFIG_PREFIX)).toEqual(stored)
})

it.each([
  ['an update', put('a', 'one', { requestId: 'same' }), put('a', 'two')],
  ['a creation', put('b', 'one', { requestId: 'same', mode: 'create' }), put('b', 'two')],
  ['a creation undone', put('b', 'one', { requestId: 'same' }), del('b')],
  ['a deletion', del('a', { requestId: 'same' }), put('a', 'new')],
  ['the deletion of all', delAll('same'), put('c', 'new')],
])('%s repeated after a later write does not undo that one', (_name, write, later) => {
  const { node } = open()
  node.done(put('a', 'first'))
  const first = node.done(write)
  node.done(later)
  const stands = contentOf(node.registry)
  const { pending: _, ...again } = node.done(write)
  expect(first).toMatchObject(again)
  expect(contentOf(node.registry)).toEqual(stands)
})

it.each([
  ['the last', []],
  ['an earlier', [put('a', 'between')]],
])('the request id of %s write with another text is refused', (_name, between) => {
  const { node } = open()
  node.done(put('a', 'one', { requestId: 'same' }))
  for (const write of between) node.done(write)
  const { error } = node.write(put('a', 'two', { requestId: 'same' }))
  expect(error?.code).toBe('REQUEST_INVALID')
  expect(error?.message).toMatch(/request id same was used/)
})

it('one request id may be used for several objects and for put and delete', () => {
  const { node } = open()
  for (const name of ['a', 'b']) node.done(put(name, 'x', { requestId: 'same' }))
  for (const name of ['a', 'b']) node.done(del(name, { requestId: 'same' }))
  expect(node.registry.version.version).toBe(4)
  expect(node.registry.names()).toEqual([])
})

it.each(['before the answer', 'never'])(
  'a write of unknown outcome, applied %s, is settled by its repetition',
  (when) => {
    let isLossy = true
    const { bench, node } = open({
      wrap: (store) => ({
        ...forwarding(store),
        txn(compares, thenOps, elseOps, done) {
          if (!isLossy) return store.txn(compares, thenOps, elseOps, done)
          isLossy = false
          const unknown = { ok: false, error: storeUnavailable('gone', 'unknown') } as const
          if (when === 'never') done(unknown)
          else store.txn(compares, thenOps, elseOps, () => done(unknown))
        },
      }),
    })
    const write = put('a', 'one', { mode: 'create' })
    expect(node.write(write).error?.detail).toEqual({ outcome: 'unknown' })
    const again = node.done(write)
    expect(again).toMatchObject({ created: true, changed: true, version: { version: 1 } })
    expect(bench.dump(HISTORY_PREFIX).size).toBe(1)
  },
)

it('a write whose first try arrives after its repetition applies once', () => {
  let late: (() => void) | null = null
  const { bench, node } = open({
    wrap: (store) => ({
      ...forwarding(store),
      txn(compares, thenOps, elseOps, done) {
        if (late !== null) return store.txn(compares, thenOps, elseOps, done)
        late = () => store.txn(compares, thenOps, elseOps, () => {})
        done({ ok: false, error: storeUnavailable('gone', 'unknown') })
      },
    }),
  })
  const write = put('a', 'one')
  expect(node.write(write).error?.code).toBe('STORE_UNAVAILABLE')
  node.done(write)
  const stored = bench.dump(CONFIG_PREFIX)
  ;(late as (() => void) | null)?.()
  bench.time.advance(20)
  expect(bench.dump(CONFIG_PREFIX)).toEqual(stored)
})

it('writes of two nodes at once: the loser plans anew, none is lost', () => {
  const bench = new StoreBench()
  const nodes = [new WriterBench(bench), new WriterBench(bench)] as const
  const answers = [0, 1, 2, 3, 4].flatMap((i) =>
    nodes.map((node, n) => node.submit(put(`o${n}-${i}`, 'x'))),
  )
  bench.time.advance(100)
  const versions = answers.map(({ written }) => written?.version.version)
  expect([...versions].sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect(nodes[0].registry.size).toBe(10)
  expect(contentOf(nodes[0].registry)).toEqual(contentOf(nodes[1].registry))
  // There was something to plan anew.
  const tried = nodes.flatMap(({ attempts }) => attempts.flatMap(({ batch }) => batch))
  expect(tried.length).toBeGreaterThan(10)
})

it('two creations of one name at once: one is made, the other refused, and its queue goes on', () => {
  const bench = new StoreBench()
  const nodes = [new WriterBench(bench), new WriterBench(bench)] as const
  const winner = nodes[0].submit(put('a', 'x', { mode: 'create' }))
  const loser = nodes[1].submit(put('a', 'x', { mode: 'create' }))
  const next = nodes[1].submit(put('b', 'x'))
  bench.time.advance(100)
  expect(winner.written).toMatchObject({ created: true })
  expect(loser.error?.code).toBe('OBJECT_EXISTS')
  expect(next.written).toMatchObject({ created: true })
})

it('a write is answered once the registry shows it', () => {
  const bench = new StoreBench()
  const node = new WriterBench(bench, {
    wrapSync: (store) => ({
      ...forwarding(store),
      watch: (prefix, from, watcher) =>
        store.watch(prefix, from, {
          onBatch: (batch) => {
            bench.time.after(50, () => watcher.onBatch(batch))
          },
          onCompacted: () => {},
          onFailed: () => {},
        }),
    }),
  })
  const answers = [node.submit(put('a', 'one')), node.submit(put('a', 'two'))]
  bench.time.advance(40)
  expect(answers.map(({ written }) => written)).toEqual([null, null])
  bench.time.advance(30)
  expect(node.registry.object('a')?.text).toBe('one')
  expect(answers[0]?.written).not.toBeNull()
  bench.time.advance(100)
  expect(answers[1]?.written?.version.version).toBe(2)
})

it('one request sent through two nodes at once applies once', () => {
  const bench = new StoreBench()
  const nodes = [new WriterBench(bench), new WriterBench(bench)]
  const write = put('a', 'x', { mode: 'create' })
  const answers = nodes.map((node) => node.submit(write))
  bench.time.advance(100)
  for (const { written } of answers) {
    expect(written).toMatchObject({ created: true, version: { version: 1 } })
  }
  expect(bench.dump(HISTORY_PREFIX).size).toBe(1)
})

it('a loser waits for the registry before it tries again', () => {
  const bench = new StoreBench()
  const loser = new WriterBench(bench)
  const winner = new WriterBench(bench)
  loser.sync.stop()
  winner.done(put('a', 'x'))
  const answer = loser.submit(put('b', 'x'))
  bench.time.advance(1_000)
  expect(loser.attempts).toHaveLength(1)
  expect(answer).toEqual({ written: null, error: null })
})

it('gives up after ten lost tries, and the queue goes on', () => {
  const bench = new StoreBench()
  const rival = new WriterBench(bench)
  let rivalry = 10
  const node = new WriterBench(bench, {
    wrap: (store) => ({
      ...forwarding(store),
      txn(compares, thenOps, elseOps, done) {
        if (rivalry-- > 0) rival.submit(put('rival', `${rivalry}`))
        bench.time.after(5, () => store.txn(compares, thenOps, elseOps, done))
      },
    }),
  })
  const answer = node.submit(put('a', 'x'))
  const next = node.submit(put('b', 'x'))
  bench.time.advance(1_000)
  expect(answer.error?.code).toBe('OVERLOADED')
  expect(next.written?.version.version).toBe(11)
})

it('refuses more than 1,024 waiting writes, at once', () => {
  const { bench, node } = open()
  const answers = Array.from({ length: 1_026 }, (_, i) => node.submit(put(`o${i % 3}`, `${i}`)))
  expect(answers.filter(({ error }) => error?.code === 'OVERLOADED')).toHaveLength(1)
  expect(answers.at(-1)?.error?.detail).toEqual({ outcome: 'none' })
  bench.time.advance(5_000)
  expect(answers.filter(({ written }) => written !== null)).toHaveLength(1_025)
})

it('a failed store fails every write that waits, and says so', () => {
  const { bench, node } = open()
  bench.disk.failWhen = (call) => call === 'fdatasync'
  const answers = [1, 2, 3].map((i) => node.submit(put(`o${i}`, 'x')))
  bench.time.advance(100)
  for (const { error } of answers) expect(error?.code).toBe('STORE_UNAVAILABLE')
})

it('keeps ten versions of an object, deletions among them', () => {
  const { bench, node } = open()
  for (let i = 0; i < 7; i++) {
    node.done(put('a', `${i}`))
    node.done(del('a'))
  }
  const kept = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
  expect(node.registry.history('a').map((entry) => entry.version)).toEqual(kept)
  expect(bench.dump('/config/history/a/').size).toBe(10)
})

it('the deletion of all keeps to ten versions as well', () => {
  const { bench, node } = open()
  for (let i = 0; i < 12; i++) node.done(put('a', `${i}`))
  node.done(delAll())
  expect(node.registry.history('a')).toHaveLength(10)
  expect(node.registry.history('a').at(-1)).toMatchObject({ op: 'delete', version: 13 })
  expect(bench.dump('/config/history/a/').size).toBe(10)
})

it('keeps histories within their bytes, the oldest goes first', () => {
  const bytesMax = 20_000
  const { bench, node } = open({ history: { ...HISTORY_BOUNDS, bytesMax } })
  for (let i = 0; i < 60; i++) node.done(put(`o${i}`, 'x'.repeat(i % 2 === 0 ? 10 : 900)))
  const stored = bench.dump(HISTORY_PREFIX)
  const bytes = [...stored.values()].reduce((sum, value) => sum + value.byteLength, 0)
  expect(bytes).toBeLessThanOrEqual(bytesMax)
  expect(bytes).toBeGreaterThan(bytesMax - 2_000)
  expect(node.registry.historyBytes).toBe(bytes)
  const versions = [...node.registry.allHistory()].map((entry) => entry.version)
  expect(versions.at(-1)).toBe(60)
  expect(versions).toEqual(versions.map((_, i) => 60 - versions.length + 1 + i))
  // One large entry may cost any number of small ones.
  node.done(put('large', 'x'.repeat(19_500)))
  expect(node.registry.historyBytes).toBeLessThanOrEqual(bytesMax)
})

it('a node that starts later prunes the oldest too, not the first by name', () => {
  const bench = new StoreBench()
  const first = new WriterBench(bench)
  for (const name of ['z', 'm', 'a', 'k']) first.done(put(name, 'x'.repeat(1_000)))
  const later = new WriterBench(bench, { history: { ...HISTORY_BOUNDS, bytesMax: 3_500 } })
  later.done(put('new', 'x'.repeat(1_000)))
  expect([...later.registry.allHistory()].map((entry) => entry.name)).toEqual(['a', 'k', 'new'])
})

it('never asks for more operations than the store takes', () => {
  const opsMax = 20
  let most = 0
  const bench = new StoreBench()
  const node = new WriterBench(bench, {
    history: { versionsMax: 2, bytesMax: 3_000 },
    wrap: (store) => ({
      ...forwarding(store),
      limits: () => ({ ...store.limits(), opsMax }),
      txn(compares, thenOps, elseOps, done) {
        most = Math.max(most, thenOps.length)
        store.txn(compares, thenOps, elseOps, done)
      },
    }),
  })
  for (let i = 0; i < 40; i++) node.done(put(`o${i}`, 'x'))
  for (let i = 0; i < 40; i++) node.done(put(`o${i}`, 'y'))
  node.done(delAll())
  node.done(put('large', 'x'.repeat(2_900)))
  expect(most).toBe(opsMax)
  // What did not fit into one transaction is pruned by the next ones.
  for (let i = 0; i < 3; i++) node.done(put('other', `${i}`))
  expect(node.registry.historyBytes).toBeLessThanOrEqual(3_000)
})

it('deletes thousands of objects at once, and takes up the next write', () => {
  const { bench, node } = open()
  for (let i = 0; i < 1_100; i++) {
    node.submit(put(`o${i}`, 'x'))
    if (i % 500 === 0) bench.time.advance(5_000)
  }
  bench.time.advance(5_000)
  node.done(put('last', 'x'))
  expect(node.registry.size).toBeGreaterThan(1_000)
  const all = delAll()
  node.done(all)
  expect(node.registry.size).toBe(0)
  expect(node.done(all).version).toEqual(node.registry.version)
})

it.each([
  ['just below', 3_900_000, null],
  ['above', 4_300_000, 'DOCUMENT_TOO_LARGE'],
])('a document %s what one transaction takes', (_name, length, code) => {
  const node = new WriterBench(new StoreBench(undefined, undefined, 16 * 1024 * 1024))
  const write = put('a', 'x'.repeat(length), { spec: put('', 'x').spec })
  const { error } = node.write(write)
  expect(error?.code ?? null).toBe(code)
})

/** A store that loses what it is asked, and what it answers, when it is told to. */
function lossy() {
  const lost = { requests: false, answers: false, reads: false }
  const wrap = (store: Store): Store => ({
    ...forwarding(store),
    txn: (compares, thenOps, elseOps, done) => {
      if (lost.requests) return
      store.txn(compares, thenOps, elseOps, lost.answers ? () => {} : done)
    },
    get: (key, consistency, done) => {
      if (lost.reads) done(failure(storeUnavailable('no leader', 'none')))
      else store.get(key, consistency, done)
    },
  })
  return { lost, wrap }
}

it.each([
  ['was lost', { requests: true, answers: false }],
  ['was applied', { requests: false, answers: true }],
])('a write handed to a leader that is gone is looked for: it %s', (_name, how) => {
  const { lost, wrap } = lossy()
  const { bench, node } = open({ wrap, patienceMs: 10_000 })
  node.done(put('a', 'one'))
  Object.assign(lost, how)
  const answer = node.submit(put('a', 'two'))
  bench.time.advance(5_000)
  expect(answer).toEqual({ written: null, error: null })
  Object.assign(lost, { requests: false, answers: false })
  node.writer.onLeader()
  bench.time.advance(20)
  expect(answer.written).toMatchObject({ version: { version: 2 }, changed: true })
  expect(node.registry.object('a')?.text).toBe('two')
  expect(node.done(put('a', 'three')).version.version).toBe(3)
})

it('an outcome that stays unknown is said to be so when patience is over', () => {
  const { lost, wrap } = lossy()
  const { bench, node } = open({ wrap, patienceMs: 1_000 })
  node.done(put('a', 'one'))
  Object.assign(lost, { requests: true, reads: true })
  const answer = node.submit(put('a', 'two'))
  node.writer.onLeader()
  bench.time.advance(900)
  expect(answer.error).toBeNull()
  bench.time.advance(200)
  expect(answer.error).toMatchObject({ code: 'STORE_UNAVAILABLE', detail: { outcome: 'unknown' } })
  Object.assign(lost, { requests: false, reads: false })
  expect(node.done(put('a', 'three')).version.version).toBe(2)
})

it('what needs no transaction is not said before all that was acknowledged is known', () => {
  const bench = new StoreBench()
  let isLate = false
  const held: (() => void)[] = []
  // The watch of this node lags behind.
  const wrapSync = (store: Store): Store => ({
    ...forwarding(store),
    watch: (prefix, from, watcher) =>
      store.watch(prefix, from, {
        ...watcher,
        onBatch: (batch) => {
          if (isLate) held.push(() => watcher.onBatch(batch))
          else watcher.onBatch(batch)
        },
      }),
  })
  const late = new WriterBench(bench, { wrapSync })
  const other = new WriterBench(bench)
  other.done(put('a', 'one'))
  isLate = true
  other.done(put('a', 'two'))
  other.done(put('b', 'new'))
  // By what it shows, the first changes nothing, and the second is of an object that is not there.
  const same = late.submit(put('a', 'one'))
  bench.time.advance(50)
  expect(same).toEqual({ written: null, error: null })
  const update = late.submit(put('b', 'newer', { mode: 'update' }))
  isLate = false
  for (const deliver of held) deliver()
  bench.time.advance(50)
  expect(same.written).toMatchObject({ changed: true, version: { version: 4 } })
  expect(update.written).toMatchObject({ changed: true, version: { version: 5 } })
})

it('without any hope of a quorum every write fails at once, with the reason', () => {
  let why: GatewayError | null = null
  const { node } = open({ patienceMs: 10_000, hopeless: () => why })
  node.done(put('a', 'one'))
  why = storeUnavailable('no quorum: 1 of 3', 'none')
  for (const write of [put('a', 'two'), put('a', 'one'), del('a'), del('nothing')]) {
    expect(node.write(write).error).toBe(why)
  }
  why = null
  expect(node.done(put('a', 'two')).version.version).toBe(2)
})
