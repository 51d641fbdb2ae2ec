import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { type Done, failure, type GetResult, storeUnavailable, success } from '../store/contract.js'
import { Freshness, type Read } from './freshness.js'
import { encodeVersion, VERSION_KEY } from './record.js'
import { Registry } from './registry.js'
import { FakeView } from './view.fixture.js'

/** A registry behind a store whose answers the test gives. */
class Bench {
  readonly time = new VirtualTime()
  readonly registry = new Registry()
  readonly view = new FakeView()
  readonly asked: Done<GetResult>[] = []
  readonly answers: (number | null)[] = []
  isHopeless = false
  readonly freshness = new Freshness({
    time: this.time,
    store: { get: (_key, _consistency, done) => void this.asked.push(done) },
    registry: this.registry,
    consensus: () => this.view.consensus(),
    isHopeless: () => this.isHopeless,
    fenced: (read: Read, outcome) => this.freshness.onFenced(read, outcome),
  })

  read(): void {
    this.freshness.read((staleSeconds) => this.answers.push(staleSeconds))
  }

  /** The registry shows all up to that revision. */
  show(revision: number): void {
    const value = encodeVersion({ epoch: 1, version: revision })
    const kv = { key: VERSION_KEY, value, createRevision: 1, modRevision: revision, version: 1 }
    this.registry.apply([{ type: 'put', kv: { ...kv, lease: null } }], () => {})
    this.freshness.onChanged()
  }

  confirm(at: number, revision: number): void {
    const kv = { key: VERSION_KEY, value: new Uint8Array(0), createRevision: 1, version: 1 }
    const found = { ...kv, modRevision: revision, lease: null }
    this.asked[at]?.(success({ revision, kv: found }))
  }
}

it('a read is answered once it is confirmed, and the registry shows what was', () => {
  const bench = new Bench()
  bench.show(3)
  bench.read()
  bench.read()
  expect(bench.answers).toEqual([])
  bench.confirm(0, 3)
  expect(bench.answers).toEqual([null])
  bench.confirm(1, 5)
  bench.show(4)
  expect(bench.answers).toEqual([null])
  bench.show(5)
  expect(bench.answers).toEqual([null, null])
  bench.time.advance(5_000)
  expect(bench.answers).toHaveLength(2)
})

it('one that nobody confirms is answered after a second, with its age', () => {
  const bench = new Bench()
  bench.view.staleMs = 7_000
  bench.read()
  bench.time.advance(999)
  expect(bench.answers).toEqual([])
  bench.time.advance(1)
  expect(bench.answers).toEqual([7])
  bench.confirm(0, 0)
  expect(bench.answers).toEqual([7])
})

it('while a leader is elected it is asked again', () => {
  const bench = new Bench()
  bench.read()
  bench.asked[0]?.(failure(storeUnavailable('no leader', 'none')))
  bench.time.advance(50)
  expect(bench.asked).toHaveLength(2)
  bench.confirm(1, 0)
  expect(bench.answers).toEqual([null])
})

it('what a leader was asked that is gone is asked of the next', () => {
  const bench = new Bench()
  bench.read()
  bench.freshness.onLeader()
  expect(bench.asked).toHaveLength(2)
  bench.confirm(1, 0)
  bench.confirm(0, 9)
  expect(bench.answers).toEqual([null])
})

it('without any hope of a quorum nobody is kept waiting', () => {
  const bench = new Bench()
  bench.isHopeless = true
  bench.view.staleMs = 60_000
  bench.read()
  expect(bench.answers).toEqual([60])
  expect(bench.asked).toEqual([])
})

it('the age of what is here is told where there is no quorum, and not where there is', () => {
  const bench = new Bench()
  expect(bench.freshness.staleSeconds).toBeNull()
  bench.view.hasQuorum = false
  bench.view.staleMs = 1_500
  expect(bench.freshness.staleSeconds).toBe(1.5)
})
