import fc from 'fast-check'
import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { failure, type Store, storeUnavailable } from '../store/contract.js'
import type { HistoryBounds } from './draft.js'
import type { Write } from './plan.js'
import { HISTORY_PREFIX } from './record.js'
import { StoreBench } from './store.fixture.js'
import {
  type Answer,
  contentOf,
  del,
  delAll,
  forwarding,
  put,
  WriterBench,
  type WriterOptions,
} from './writer.fixture.js'

const versionOf = ({ written }: Answer): number | undefined => written?.version.version

/** A node whose first transaction takes a while, and what is told once all the others have waited. */
function together(
  writes: readonly Write[],
  options: WriterOptions = {},
): { node: WriterBench; answers: Answer[]; sizes: number[] } {
  const bench = new StoreBench()
  const node = new WriterBench(bench, options)
  const answers = [put('first', 'x'), ...writes].map((write) => node.submit(write))
  bench.time.advance(1_000)
  const sizes = node.attempts.map(({ batch }) => batch.length)
  return { node, answers: answers.slice(1), sizes: sizes.slice(1) }
}

// -- one batch --------------------------------------------------------------------------------------

it('a write alone starts at once; those that come meanwhile go together, a version each', () => {
  const writes = Array.from({ length: 40 }, (_, i) => put(`o${i}`, 'x'))
  const { node, answers, sizes } = together(writes)
  expect(sizes).toEqual([40])
  expect(answers.map(versionOf)).toEqual(writes.map((_, i) => i + 2))
  expect(node.registry.object('o7')).toMatchObject({ version: 9, createdVersion: 9 })
  expect(node.registry.history('o7')).toMatchObject([{ version: 9, op: 'put', created: true }])
})

it('one store revision makes them, and a node that watches sees them at once', () => {
  const bench = new StoreBench()
  const node = new WriterBench(bench)
  node.submit(put('first', 'x'))
  for (let i = 0; i < 5; i++) node.submit(put(`o${i}`, 'x'))
  const before = bench.store.status().revision
  bench.time.advance(100)
  expect(bench.store.status().revision).toBe(before + 2)
})

it('what is wrong with one of them is said of it alone, judged by those before it', () => {
  const { node, answers, sizes } = together([
    put('a', 'one', { mode: 'create' }),
    put('a', 'two', { mode: 'create' }),
    put('b', 'x', { mode: 'update' }),
    put('a', 'one'),
    put('a', 'x', { kind: 'Else' }),
    put('first', 'y', { ifMatch: 7 }),
    del('nothing'),
    put('c', 'x'),
    put('a', 'x', { ifMatch: 1 }),
  ])
  expect(sizes).toEqual([9])
  expect(answers.map(({ error, written }) => error?.code ?? written?.version.version)).toEqual([
    2,
    'OBJECT_EXISTS',
    'OBJECT_NOT_FOUND',
    2,
    'KIND_MISMATCH',
    'VERSION_CONFLICT',
    'OBJECT_NOT_FOUND',
    3,
    'VERSION_CONFLICT',
  ])
  expect(answers[3]?.written).toMatchObject({ changed: false, created: false })
  expect(node.registry.names()).toEqual(['a', 'c', 'first'])
})

it.each<[string, Write[], number[]]>([
  ['a second write of an object', [put('a', '1'), put('b', '1'), put('a', '2')], [2, 1]],
  ['its deletion', [put('a', '1'), del('a'), put('b', '1')], [1, 2]],
  ['the deletion of all', [put('a', '1'), delAll(), put('b', '1')], [1, 1, 1]],
])('%s waits for the next transaction, and so does what follows', (_name, writes, wanted) => {
  const { answers, sizes } = together(writes)
  expect(sizes).toEqual(wanted)
  expect(answers.map(versionOf)).toEqual(writes.map((_, i) => i + 2))
})

it('a repetition in one batch is the same write', () => {
  const write = put('a', 'one', { mode: 'create' })
  const { node, answers } = together([write, write])
  for (const { written } of answers) {
    expect(written).toMatchObject({ created: true, changed: true, version: { version: 2 } })
  }
  expect(node.registry.history('a')).toHaveLength(1)
})

it('long ones do not go with others', () => {
  const spec = put('', 'x').spec
  const bench = new StoreBench(undefined, undefined, 16 * 1024 * 1024)
  const node = new WriterBench(bench)
  node.submit(put('first', 'x'))
  const long = 'x'.repeat(300_000)
  const writes = [put('a', long, { spec }), put('b', long, { spec }), put('c', 'x')]
  const huge = put('huge', 'x'.repeat(4_300_000), { spec })
  const answers = [...writes, huge, put('d', 'x')].map((write) => node.submit(write))
  bench.time.advance(1_000)
  expect(node.attempts.map(({ batch }) => batch.length)).toEqual([1, 1, 2, 2])
  expect(answers.map(({ error }) => error?.code ?? null)).toEqual([
    ...[null, null, null],
    'DOCUMENT_TOO_LARGE',
    null,
  ])
})

it('what a store refuses together is tried one by one', () => {
  const isBad = (key: string): boolean => key.endsWith('/bad')
  const { answers } = together([put('a', 'x'), put('bad', 'x'), put('b', 'x')], {
    wrap: (store) => ({
      ...forwarding(store),
      txn(compares, thenOps, elseOps, done) {
        if (!thenOps.some((op) => op.type === 'put' && isBad(op.key))) {
          store.txn(compares, thenOps, elseOps, done)
        } else done(failure(new GatewayError('REQUEST_INVALID', 'too much', { outcome: 'none' })))
      },
    }),
  })
  expect(answers.map(({ error, written }) => error?.code ?? written?.version.version)).toEqual([
    2,
    'REQUEST_INVALID',
    3,
  ])
})

it('a refusal is not said before what it was judged by has come through', () => {
  let held: (() => void) | null = null
  const bench = new StoreBench()
  let isSlow = false
  const node = new WriterBench(bench, {
    patienceMs: 10_000,
    wrap: (store) => ({
      ...forwarding(store),
      txn(...args) {
        if (isSlow) held = () => store.txn(...args)
        else store.txn(...args)
      },
    }),
  })
  node.submit(put('first', 'x'))
  const made = node.submit(put('a', '1', { mode: 'create' }))
  const refused = node.submit(put('a', '2', { mode: 'create' }))
  isSlow = true
  bench.time.advance(500)
  expect([made, refused]).toEqual([
    { written: null, error: null },
    { written: null, error: null },
  ])
  ;(held as (() => void) | null)?.()
  bench.time.advance(100)
  expect(versionOf(made)).toBe(2)
  expect(refused.error?.code).toBe('OBJECT_EXISTS')
})

it('a batch whose outcome is not known is looked for as a whole: each is made once', () => {
  for (const isApplied of [true, false]) {
    const bench = new StoreBench()
    let isLossy = false
    const node = new WriterBench(bench, {
      patienceMs: 10_000,
      wrap: (store) => ({
        ...forwarding(store),
        txn(compares, thenOps, elseOps, done) {
          if (!isLossy) return store.txn(compares, thenOps, elseOps, done)
          isLossy = false
          const unknown = failure(storeUnavailable('gone', 'unknown'))
          if (isApplied) store.txn(compares, thenOps, elseOps, () => done(unknown))
          else done(unknown)
        },
      }),
    })
    node.done(put('first', 'x'))
    node.submit(put('second', 'x'))
    isLossy = false
    const writes = [put('a', '1', { mode: 'create' }), put('b', '1'), del('first'), del('none')]
    const answers = writes.map((write) => node.submit(write))
    isLossy = true
    bench.time.advance(1_000)
    const all = answers.map(({ error, written }) => error?.code ?? written?.version.version)
    expect(all).toEqual([3, 4, 5, 'OBJECT_NOT_FOUND'])
    expect(bench.dump(HISTORY_PREFIX).size).toBe(5)
  }
})

it('what may still come through is not said to have failed for good', () => {
  const bench = new StoreBench()
  let why: GatewayError | null = null
  const node = new WriterBench(bench, {
    patienceMs: 10_000,
    hopeless: () => why,
    wrap: (store) => ({
      ...forwarding(store),
      txn(_compares, _thenOps, _elseOps, done) {
        done(failure(storeUnavailable('gone', 'unknown')))
      },
      get(key, consistency, done) {
        store.get(key, consistency, (outcome) => {
          // It answers, and then everything is gone.
          why = storeUnavailable('no quorum: 1 of 3', 'none')
          done(outcome)
        })
      },
    }),
  })
  const answer = node.submit(put('a', 'x'))
  bench.time.advance(1_000)
  expect(answer.error?.detail).toEqual({ outcome: 'unknown' })
})

// -- against one after the other --------------------------------------------------------------------

const NAMES = ['a', 'b', 'c', 'd', 'e']
const name = fc.constantFrom(...NAMES)
const requestId = fc.oneof(
  { arbitrary: fc.uuid(), weight: 6 },
  { arbitrary: fc.constantFrom('r1', 'r2', 'r3'), weight: 1 },
)
const ifMatch = fc.option(fc.integer({ min: 1, max: 30 }), { freq: 4 })
const anyPut: fc.Arbitrary<Write> = fc
  .record({
    name,
    text: fc.constantFrom('1', '2', '3 '),
    mode: fc.constantFrom('apply' as const, 'create' as const, 'update' as const),
    kind: fc.constantFrom('Demo', 'Demo', 'Demo', 'Else'),
    ifMatch,
    requestId,
  })
  .map(({ name, text, ...more }) => put(name, text, more))
const anyDelete: fc.Arbitrary<Write> = fc
  .record({ name, ifMatch, requestId })
  .map(({ name, ...more }) => ({ type: 'delete', name, ...more }))
const anyWrite = fc.oneof(
  { arbitrary: anyPut, weight: 12 },
  { arbitrary: anyDelete, weight: 4 },
  { arbitrary: requestId.map((id) => delAll(id)), weight: 1 },
)
const anyBounds: fc.Arbitrary<HistoryBounds> = fc.record({
  versionsMax: fc.integer({ min: 1, max: 10 }),
  bytesMax: fc.constantFrom(200, 1_000, 1_000_000),
})

const said = ({ written, error }: Answer): unknown =>
  error !== null
    ? { code: error.code, message: error.message }
    : { version: written?.version, created: written?.created, changed: written?.changed }

/** But for times, and for revisions of the store. */
function stateOf({ registry }: WriterBench): unknown {
  const { version, history, historyBytes } = contentOf(registry) as Record<string, unknown>
  const objects = registry.names().map((each) => ({ ...registry.object(each), createdMs: 0 }))
  return { version, history, historyBytes, objects }
}

it('answers and leaves what it would one after the other, whatever comes together', () => {
  let together = 0
  fc.assert(
    fc.property(
      fc.array(anyWrite, { minLength: 1, maxLength: 60 }),
      anyBounds,
      fc.constantFrom(8, 20, 1_024),
      (writes, history, opsMax) => {
        const wrap = (store: Store): Store => ({
          ...forwarding(store),
          limits: () => ({ ...store.limits(), opsMax }),
          txn(compares, thenOps, elseOps, done) {
            expect(Math.max(compares.length, thenOps.length)).toBeLessThanOrEqual(opsMax)
            store.txn(compares, thenOps, elseOps, done)
          },
        })
        const [batched, single] = [0, 1].map(
          () => new WriterBench(new StoreBench(), { history, wrap }),
        ) as [WriterBench, WriterBench]
        const answers = writes.map((write) => batched.submit(write))
        batched.settle()
        expect(answers.map(said)).toEqual(writes.map((write) => said(single.write(write))))
        expect(stateOf(batched)).toEqual(stateOf(single))
        together += batched.attempts.filter(({ batch }) => batch.length > 2).length
      },
    ),
    { numRuns: 150 },
  )
  expect(together).toBeGreaterThan(50)
})

/** What a write means, without a store, a history of the last versions, or batches. */
class Model {
  readonly #objects = new Map<string, { kind: string; text: string; version: number }>()
  #version = 0

  write(write: Write): unknown {
    if (write.type === 'delete-all') {
      const changed = this.#objects.size > 0
      this.#objects.clear()
      return changed ? this.#made(false) : { version: this.#version, created: false, changed }
    }
    const existing = this.#objects.get(write.name)
    const isOther = write.ifMatch !== null && write.ifMatch !== existing?.version
    if (write.type === 'delete') {
      if (existing === undefined) return 'OBJECT_NOT_FOUND'
      if (isOther) return 'VERSION_CONFLICT'
      this.#objects.delete(write.name)
      return this.#made(false)
    }
    const { kind, text, mode } = write
    if (existing !== undefined && mode === 'create') return 'OBJECT_EXISTS'
    if (existing === undefined && mode === 'update') return 'OBJECT_NOT_FOUND'
    if (existing !== undefined && existing.kind !== kind) return 'KIND_MISMATCH'
    if (isOther) return 'VERSION_CONFLICT'
    if (existing?.text === text) return { version: this.#version, created: false, changed: false }
    const made = this.#made(existing === undefined)
    this.#objects.set(write.name, { kind, text, version: made.version })
    return made
  }

  #made(created: boolean): { version: number; created: boolean; changed: boolean } {
    this.#version += 1
    return { version: this.#version, created, changed: true }
  }
}

it('a batch means what its writes mean in turn', () => {
  fc.assert(
    fc.property(fc.array(anyWrite, { minLength: 1, maxLength: 60 }), (drawn) => {
      // Repetitions are a matter of their own, above.
      const writes = drawn.map((write, i) => ({ ...write, requestId: `id-${i}` }))
      const node = new WriterBench(new StoreBench())
      const answers = writes.map((write) => node.submit(write))
      node.settle()
      const model = new Model()
      expect(
        answers.map(({ written, error }) =>
          written === null
            ? error?.code
            : {
                version: written.version.version,
                created: written.created,
                changed: written.changed,
              },
        ),
      ).toEqual(writes.map((write) => model.write(write)))
    }),
    { numRuns: 150 },
  )
})
