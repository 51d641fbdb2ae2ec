import { expect, it } from 'vitest'
import type { GatewayError } from '../lib/errors.js'
import type { CustomDataOp } from '../protocol/custom-data.js'
import {
  type Done,
  failure,
  type Store,
  storeUnavailable,
  type TxnResult,
} from '../store/contract.js'
import { DeskBench, withUsers } from './data.fixture.js'
import { forwarding } from './writer.fixture.js'

const put = (
  name: string,
  more: object = {},
  mode: 'create' | 'update' = 'create',
): CustomDataOp => ({ op: 'put-item', mode, kind: 'users', item: { name, ...more } })

/** Between a desk and its store: transactions that go lost, on the way there or back. */
class Flaky {
  /** What becomes of the next transactions; none: they go well. */
  readonly fates: ('lost' | 'lost answer' | 'held' | 'silent')[] = []
  readonly held: (() => void)[] = []
  sent = 0
  isDeaf = false

  readonly wrap = (store: Store): Store => ({
    ...forwarding(store),
    get: (key, consistency, done) => {
      if (this.isDeaf && consistency === 'linearizable') {
        done(failure(storeUnavailable('nobody leads', 'none')))
      } else store.get(key, consistency, done)
    },
    txn: (compares, thenOps, elseOps, done) => {
      this.sent += 1
      const send = (then: Done<TxnResult>): void => store.txn(compares, thenOps, elseOps, then)
      const unknown = failure(storeUnavailable('the leader was lost', 'unknown'))
      switch (this.fates.shift()) {
        case 'lost':
          done(unknown)
          break
        case 'lost answer':
          send(() => done(unknown))
          break
        case 'held':
          this.held.push(() => send(() => {}))
          done(unknown)
          break
        case 'silent':
          this.held.push(() => send(done))
          break
        default:
          send(done)
      }
    },
  })
}

const ids = (bench: DeskBench): string[] =>
  [...bench.store.dump('/custom-data/users/').keys()].map((key) => key.split('/').at(-1) as string)

it.each<['lost' | 'lost answer', number]>([
  ['lost', 2],
  ['lost answer', 1],
])('a creation whose transaction is "%s" is made once and answered well', async (fate, sent) => {
  const flaky = new Flaky()
  const bench = await withUsers(null, flaky)
  flaky.sent = 0
  flaky.fates.push(fate)
  const answers = bench.begin(put('ann'))
  await bench.settled(answers, 500)
  expect(answers).toEqual([{ value: 'ann', staleSeconds: null }])
  expect(flaky.sent).toBe(sent)
  expect(ids(bench)).toEqual(['ann'])
})

it.each<[string, CustomDataOp, CustomDataOp]>([
  ['a creation', put('ann'), { op: 'delete-item', kind: 'users', id: 'ann' }],
  ['an update', put('eve', { n: 1 }, 'update'), put('eve', { n: 2 }, 'update')],
  ['a deletion', { op: 'delete-item', kind: 'users', id: 'eve' }, put('eve', { n: 3 })],
  [
    'a change of many',
    { op: 'change-items', kind: 'users', rebuild: true, deletes: [], puts: [{ name: 'x' }] },
    { op: 'change-items', kind: 'users', rebuild: true, deletes: [], puts: [{ name: 'y' }] },
  ],
])('the late first try of %s changes nothing after its repetition', async (_what, write, next) => {
  const flaky = new Flaky()
  const bench = await withUsers(null, flaky)
  await bench.do(put('eve'))
  flaky.fates.push('held')
  const answers = bench.begin(write)
  await bench.settled(answers, 500)
  expect(answers[0]).not.toBeInstanceOf(Error)
  await bench.do(next)
  const before = bench.store.dump('/custom-data/')
  expect(flaky.held).toHaveLength(1)
  flaky.held[0]?.()
  bench.settle()
  expect(bench.store.dump('/custom-data/')).toEqual(before)
})

it('a client that repeats a write is told what became of it, through any node', async () => {
  const bench = await withUsers()
  const other = new DeskBench(bench.store)
  expect(await bench.do(put('ann'), 'id-of-client')).toBe('ann')
  expect(await other.do(put('ann'), 'id-of-client')).toBe('ann')
  expect(await other.do(put('ann'), 'another-id')).toContain('OBJECT_EXISTS')
  // The same id with something else in it is another write.
  expect(await other.do(put('bob'), 'id-of-client')).toBe('bob')
  expect(ids(bench)).toEqual(['ann', 'bob'])
  const gone: CustomDataOp = { op: 'delete-item', kind: 'users', id: 'ann' }
  expect(await bench.do(gone, 'gone')).toBeNull()
  expect(await bench.do(gone, 'gone')).toBeNull()
  expect(await bench.do(gone, 'gone-again')).toContain('OBJECT_NOT_FOUND')
})

it('only the newest ids are kept', async () => {
  const bench = await withUsers()
  for (let i = 0; i < 80; i++) await bench.do(put('ann', { i }, i === 0 ? 'create' : 'update'))
  const [mark] = [...bench.store.dump('/custom-data-writes').values()]
  expect(JSON.parse(Buffer.from(mark as Uint8Array).toString())).toHaveLength(64)
})

it('writes of two nodes at once are all made', async () => {
  const bench = await withUsers()
  const desks = [bench, new DeskBench(bench.store)]
  const names = Array.from({ length: 20 }, (_, i) => `n${String(i).padStart(2, '0')}`)
  const answers = names.map((name, i) => (desks[i % 2] as DeskBench).begin(put(name)))
  for (const each of answers) await bench.settled(each, 500)
  expect(answers.flat().filter((answer) => answer instanceof Error)).toEqual([])
  expect(ids(bench)).toEqual(names)
})

it('two creations of one item at once: one is made, the other refused', async () => {
  const bench = await withUsers()
  const desks = [bench, new DeskBench(bench.store)]
  const answers = desks.map((desk, i) => desk.begin(put('ann', { i })))
  for (const each of answers) await bench.settled(each, 500)
  const codes = answers.flat().map((answer) => (answer instanceof Error ? answer.code : 'made'))
  expect(codes.sort()).toEqual(['OBJECT_EXISTS', 'made'])
})

it('a leader that is lost while it holds a write: it is looked for at once', async () => {
  const flaky = new Flaky()
  const bench = await withUsers(null, flaky)
  flaky.fates.push('silent')
  const answers = bench.begin(put('ann'))
  bench.settle()
  expect(answers).toEqual([])
  bench.writer.onLeader()
  await bench.settled(answers)
  expect(answers).toEqual([{ value: 'ann', staleSeconds: null }])
  // The answer of the one before, years later.
  flaky.held[0]?.()
  bench.settle()
  expect(answers).toHaveLength(1)
  expect(ids(bench)).toEqual(['ann'])
})

it('what was sent and cannot be looked for is of unknown outcome', async () => {
  const flaky = new Flaky()
  const bench = await withUsers(null, flaky)
  flaky.fates.push('silent')
  const answers = bench.begin(put('ann'))
  bench.settle()
  flaky.isDeaf = true
  bench.writer.onLeader()
  await bench.settled(answers, 3_000)
  expect(answers[0]).toMatchObject({ code: 'STORE_UNAVAILABLE', detail: { outcome: 'unknown' } })
  flaky.isDeaf = false
  expect(await bench.put('create', { name: 'bob' })).toBe('bob')
})

it('without any hope of a quorum every write fails at once, with the reason', async () => {
  let why: GatewayError | null = null
  const flaky = new Flaky()
  const bench = await withUsers(null, { wrap: flaky.wrap, hopeless: () => why })
  flaky.sent = 0
  why = storeUnavailable('no quorum: 1 of 3 voters can be reached', 'none')
  const writes: CustomDataOp[] = [
    put('ann'),
    { op: 'delete-item', kind: 'users', id: null },
    { op: 'delete-kind', name: null },
    { op: 'put-kind', mode: 'create', kind: { name: 'k', idField: 'id', jsonSchema: null } },
    { op: 'change-items', kind: 'users', rebuild: false, deletes: [], puts: [] },
  ]
  for (const write of writes) {
    const answers = bench.begin(write)
    expect(answers).toEqual([why])
  }
  expect(flaky.sent).toBe(0)
  why = null
  expect(await bench.put('create', { name: 'ann' })).toBe('ann')
})

it('a write that waits for a leader gets the reason once there is no hope', async () => {
  let why: GatewayError | null = null
  const flaky = new Flaky()
  const bench = await withUsers(null, { wrap: flaky.wrap, hopeless: () => why })
  flaky.isDeaf = true
  const [first, second] = [bench.begin(put('ann')), bench.begin(put('bob'))]
  bench.settle()
  expect([first, second]).toEqual([[], []])
  why = storeUnavailable('no quorum: 1 of 3 voters can be reached', 'none')
  await bench.settled(first, 500)
  await bench.settled(second, 500)
  expect([first[0], second[0]]).toEqual([why, why])
})

it('refuses more than 1,024 waiting writes, at once', async () => {
  const bench = await withUsers()
  const all = Array.from({ length: 1_026 }, (_, i) => bench.begin(put(`n${i}`)))
  expect(all.at(-1)).toMatchObject([{ code: 'OVERLOADED' }])
  for (const each of all) await bench.settled(each, 10_000)
  expect(ids(bench)).toHaveLength(1_025)
})

it('a change without pause by others ends the tries, and the queue goes on', async () => {
  let rivalry = 0
  const bench = await withUsers()
  const rival = new DeskBench(bench.store)
  const { time } = bench.store
  const node = new DeskBench(bench.store, {
    wrap: (store) => ({
      ...forwarding(store),
      txn: (...args) => {
        if (time.monotonicMs() < rivalry) rival.begin(put(`rival-${time.monotonicMs()}`))
        // Behind the rival's, which looks first.
        time.after(5, () => store.txn(...args))
      },
    }),
  })
  rivalry = time.monotonicMs() + 2_010
  const answers = node.begin(put('ann'))
  time.advance(1_000)
  const next = node.begin(put('bob'))
  await node.settled(answers, 3_000)
  await node.settled(next, 1_000)
  expect(answers[0]).toMatchObject({ code: 'OVERLOADED', detail: { outcome: 'none' } })
  expect(next).toEqual([{ value: 'bob', staleSeconds: null }])
})
