import { expect, it } from 'vitest'
import { BoardWorld } from '../board/testing/board-world.js'
import { GatewayError } from '../lib/errors.js'
import type { Links } from '../peer/peer.js'
import type { MemberStatus } from '../protocol/coordinator.js'
import type { MembershipChange, Replica, Roster } from '../store/cluster.js'
import { failure, type Outcome, storeUnavailable, success } from '../store/contract.js'
import { foundingOf, foundingRoster } from '../store/roster.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { PeerClusterView, type ServingOf } from './cluster-view.js'
import { StoreBench } from './store.fixture.js'
import { FakeView } from './view.fixture.js'

const NAMES = ['a', 'b', 'c']

/** Three views of one cluster; incarnations are names, as the board's world has them. */
class Bench {
  readonly world = new BoardWorld()
  readonly store = new StoreBench(this.world.time).store
  readonly views = new Map<string, PeerClusterView>()
  readonly heardMs = new Map<string, number>()
  readonly log = new MemoryLogger()
  /** By incarnation, as measured; null: not yet. */
  readonly clockOffsets = new Map<string, number | null>()
  readonly changes: MembershipChange[] = []
  /** What changes of the membership come to; the last of them again and again. */
  answers: Outcome<Roster>[] = []
  roster: Roster
  leader = 'a'
  hasQuorum = true

  constructor(names: readonly string[] = NAMES) {
    const members = names.map((name) => ({ name, incarnation: name, peerUrl: null }))
    this.roster = { ...foundingRoster(foundingOf(members)), isChanging: false }
    for (const name of names) this.start(name)
    this.world.elect('a', 1)
    this.world.time.advance(100)
  }

  start(name: string): PeerClusterView {
    const { time } = this.world
    const view = new PeerClusterView({
      time,
      replica: this.#replica(name),
      log: this.log,
      syncs: () => 12,
      links: {
        lastHeardMs: (incarnation) => this.heardMs.get(incarnation) ?? null,
        status: () => this.#linkStatus(),
      },
      board: this.world.add(name),
      self: {
        name,
        incarnation: name,
        options: { name, 'cluster-name': 'prod' },
        startedMs: time.wallMs(),
      },
    })
    this.views.set(name, view)
    return view
  }

  #linkStatus(): ReturnType<Links['status']> {
    const link = { connected: true } as ReturnType<Links['status']>[number]['links'][number]
    return [...this.clockOffsets].map(([incarnation, clockOffsetMs]) => ({
      name: incarnation,
      incarnation,
      nodeId: 1,
      guest: false,
      links: [
        { ...link, clockOffsetMs: null },
        { ...link, clockOffsetMs },
      ],
    }))
  }

  #replica(name: string): Replica {
    const leading = new FakeView().consensus()
    const nodeIdOf = (of: string): number =>
      this.roster.members.find((member) => member.name === of)?.nodeId ?? 0
    return {
      store: this.store,
      roster: () => this.roster,
      consensus: () => ({
        ...leading,
        nodeId: nodeIdOf(name),
        leader: nodeIdOf(this.leader),
        role: name === this.leader ? 'leader' : 'follower',
        hasQuorum: this.hasQuorum,
      }),
      changeMembership: (change, done) => {
        this.changes.push(change)
        const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
        done(answer ?? success(this.roster))
      },
    } as Replica
  }

  /** These have been heard just now, by all. */
  hear(...names: string[]): void {
    for (const name of names) this.heardMs.set(name, this.world.time.monotonicMs())
  }

  view(name: string): PeerClusterView {
    return this.views.get(name) as PeerClusterView
  }

  wait<T>(ask: (done: (value: T) => void) => void): T {
    const got: T[] = []
    ask((value) => got.push(value))
    for (let ms = 0; got.length === 0 && ms < 20_000; ms += 5) this.world.time.advance(5)
    if (got.length === 0) throw new Error('no answer')
    return got[0] as T
  }

  states(name: string): string[] {
    const members = this.wait<readonly MemberStatus[]>((done) => this.view(name).listMembers(done))
    return members.map(({ options, etcd }) => `${String(options['name'])} ${etcd?.state}`)
  }

  serving(name: string): ServingOf[] {
    return [...this.wait<readonly ServingOf[]>((done) => this.view(name).readServing(done))]
  }
}

const V1 = { epoch: 1, version: 1 }

it('every member lists all, with their options and who leads', () => {
  const bench = new Bench()
  for (const name of NAMES) {
    expect(bench.states(name)).toEqual(['a Leader', 'b Follower', 'c Follower'])
  }
  const [, second] = bench.wait<readonly MemberStatus[]>((done) =>
    bench.view('c').listMembers(done),
  )
  expect(second).toEqual({
    options: { name: 'b', 'cluster-name': 'prod' },
    lastHeartbeatTime: expect.stringMatching(/^2020-09-13T12:26:4\dZ$/),
    etcd: { id: 'b', startTime: '2020-09-13T12:26:40Z', state: 'Follower' },
  })
})

it('clocks that differ are shown, and warned about once while they are far away', () => {
  const bench = new Bench()
  const shown = (): (number | undefined)[] =>
    bench
      .wait<readonly MemberStatus[]>((done) => bench.view('a').listMembers(done))
      .map(({ clockOffsetMs }) => clockOffsetMs)
  const warned = (): unknown[] =>
    bench.log.records
      .filter(({ level }) => level === 'warn')
      .map(({ message, fields }) => [message, fields['member'], fields['offsetMs']])
  bench.clockOffsets.set('b', null)
  expect(shown()).toEqual([undefined, undefined, undefined])
  expect(bench.view('a').metrics()).toEqual([
    { name: 'disk_syncs', type: 'counter', labels: {}, value: 12 },
  ])
  bench.clockOffsets.set('b', 1_000.4)
  bench.clockOffsets.set('c', -12.3)
  bench.world.time.advance(4_000)
  expect(shown()).toEqual([undefined, 1_000, -12])
  expect(bench.view('a').metrics().slice(1)).toEqual([
    { name: 'member_clock_offset_ms', type: 'gauge', labels: { member: 'b' }, value: 1_000 },
    { name: 'member_clock_offset_ms', type: 'gauge', labels: { member: 'c' }, value: -12 },
  ])
  expect(warned()).toEqual([])
  // All three views of the bench share a log and connections.
  const stray = ['the clock of a member differs from ours', 'b', -1_001]
  bench.clockOffsets.set('b', -1_001)
  bench.world.time.advance(20_000)
  expect(warned()).toEqual([stray, stray, stray])
  bench.clockOffsets.set('b', 0)
  bench.world.time.advance(4_000)
  bench.clockOffsets.set('b', -1_001)
  bench.world.time.advance(4_000)
  expect(warned()).toHaveLength(6)
})

it('a member that falls silent is offline, with its last heartbeat, also where nobody leads', () => {
  const bench = new Bench()
  bench.states('a')
  const silentFromMs = bench.world.time.wallMs()
  bench.world.isolate('c')
  bench.world.time.advance(8_000)
  expect(bench.states('b')).toEqual(['a Leader', 'b Follower', 'c Offline'])
  const members = bench.wait<readonly MemberStatus[]>((done) => bench.view('b').listMembers(done))
  const lastMs = Date.parse(members[2]?.lastHeartbeatTime ?? '')
  expect(Math.abs(lastMs - silentFromMs)).toBeLessThan(3_000)
  expect(members[2]?.options).toEqual({ name: 'c', 'cluster-name': 'prod' })

  bench.world.boards.get('c')?.leads(null, 1)
  expect(bench.states('c')).toEqual(['a Offline', 'b Offline', 'c Follower'])
})

it('one that was never heard has no heartbeat and no options but its name', () => {
  const bench = new Bench(['a', 'b'])
  const third = { name: 'c', incarnation: 'c', peerUrl: null }
  const all = [...bench.roster.members, { ...third, nodeId: 7, suffrage: 'learner' as const }]
  bench.roster = { ...bench.roster, members: all.map((each) => ({ admittedAt: 5, ...each })) }
  const members = bench.wait<readonly MemberStatus[]>((done) => bench.view('a').listMembers(done))
  expect(members[2]).toEqual({
    options: { name: 'c' },
    lastHeartbeatTime: '0001-01-01T00:00:00Z',
    etcd: { id: 'c', startTime: '0001-01-01T00:00:00Z', state: 'Offline' },
  })
})

it('who lives is waited for, by what it says it runs', () => {
  const bench = new Bench()
  bench.view('b').publishServing({ version: V1, failed: [['p', 'no memory']] })
  bench.world.time.advance(100)
  expect(bench.serving('a')).toEqual([
    { member: 'b', serving: { version: V1, failed: [['p', 'no memory']] } },
  ])
  // It is connected and well, but has not told this leader yet what it runs.
  bench.heardMs.set('c', bench.world.time.monotonicMs())
  expect(bench.serving('a').map(({ member, serving }) => [member, serving?.version])).toEqual([
    ['b', V1],
    ['c', undefined],
  ])
  bench.world.isolate('b')
  bench.world.time.advance(8_000)
  expect(bench.serving('a')).toEqual([])
})

it('the status of objects is read of others, without what purged members said', () => {
  const bench = new Bench()
  for (const name of NAMES) bench.view(name).publishStatus('p', { health: name })
  bench.view('b').publishStatus('pp', { health: '', filters: { x: 1 } })
  bench.world.time.advance(100)
  const read = (name: string, only: string | null) =>
    bench.wait<ReadonlyMap<string, unknown>>((done) => bench.view(name).readStatus(only, done))
  expect(Object.fromEntries(read('a', 'p'))).toEqual({
    p: {
      b: { health: 'b', timestamp: expect.any(Number) },
      c: { health: 'c', timestamp: expect.any(Number) },
    },
  })
  expect([...read('c', null).keys()]).toEqual(['p', 'pp'])
  bench.view('b').withdrawStatus('pp')
  bench.roster = { ...bench.roster, members: bench.roster.members.filter((m) => m.name !== 'c') }
  bench.world.time.advance(100)
  expect([...read('a', null)].map(([object, by]) => [object, Object.keys(by as object)])).toEqual([
    ['p', ['b']],
  ])
})

it.each<[name: string, who: string, names: string[], code: string, message: RegExp]>([
  ['a stranger', 'x', NAMES, 'MEMBER_NOT_FOUND', /not found/],
  ['the only member', 'a', ['a'], 'REQUEST_INVALID', /only member of its cluster/],
])('refuses to purge %s', (_name, who, names, code, message) => {
  const bench = new Bench(names)
  const outcome = bench.wait<Outcome<null>>((done) => bench.view('a').purge(who, done))
  expect(outcome).toMatchObject({
    ok: false,
    error: { code, message: expect.stringMatching(message) },
  })
  expect(bench.changes).toEqual([])
})

it.each<[names: string, silent: string, who: string, isTaken: boolean]>([
  ['abc', '', 'c', true],
  ['abc', 'c', 'c', true],
  ['abc', 'c', 'b', false],
  ['abc', 'c', 'a', false],
  ['abcd', 'd', 'c', true],
  ['abcd', 'cd', 'b', false],
  ['abcde', 'de', 'c', false],
  ['abcde', 'de', 'e', true],
  // It cannot be committed; but that is for those to say who try.
  ['ab', 'b', 'b', true],
])('of %s, while "%s" are silent, a purge of %s: %s', (names, silent, who, isTaken) => {
  const bench = new Bench([...names])
  const goOn = (): void => {
    bench.hear(...[...names].filter((name) => !silent.includes(name)))
    bench.world.time.after(500, goOn)
  }
  goOn()
  const outcome = bench.wait<Outcome<null>>((done) => bench.view('a').purge(who, done))
  expect(outcome.ok).toBe(isTaken)
  expect(bench.changes).toHaveLength(isTaken ? 1 : 0)
  if (outcome.ok) return
  expect(outcome.error).toMatchObject({
    code: 'REQUEST_INVALID',
    message: expect.stringMatching(`first start or purge .*: ${[...silent].join(', ')}$`),
  })
})

it('a purge waits for those who are left and have just started', () => {
  const bench = new Bench()
  const goOn = (...names: string[]): void => {
    bench.hear(...names)
    bench.world.time.after(500, () => goOn(...names))
  }
  goOn('b')
  bench.world.time.after(1_500, () => goOn('c'))
  expect(bench.wait<Outcome<null>>((done) => bench.view('a').purge('b', done)).ok).toBe(true)
  expect(bench.changes).toHaveLength(1)
})

it('who does not vote can be purged whoever is silent', () => {
  const bench = new Bench()
  const members = bench.roster.members.map((member) =>
    member.name === 'c' ? ({ ...member, suffrage: 'learner' } as const) : member,
  )
  bench.roster = { ...bench.roster, members }
  expect(bench.wait<Outcome<null>>((done) => bench.view('a').purge('c', done)).ok).toBe(true)
})

it('a purge is asked again until it is certain, and not when it cannot be', () => {
  const bench = new Bench()
  const lost = failure(storeUnavailable('the connection was lost', 'unknown'))
  bench.answers = [lost, lost, success(bench.roster)]
  const purge = (name: string) => {
    bench.hear('b', 'c')
    return bench.wait<Outcome<null>>((done) => bench.view('a').purge(name, done))
  }
  expect(purge('c').ok).toBe(true)
  expect(bench.changes).toHaveLength(3)
  bench.answers = [failure(new GatewayError('REQUEST_INVALID', 'the last voter'))]
  expect(purge('b')).toMatchObject({ ok: false, error: { code: 'REQUEST_INVALID' } })
  expect(bench.changes).toHaveLength(4)
  bench.answers = [lost]
  expect(purge('b')).toMatchObject({ ok: false, error: { code: 'STORE_UNAVAILABLE' } })
  expect(bench.changes.length).toBeLessThan(200)
})

it('a purge whose answer was lost is done when the roster says so', () => {
  const bench = new Bench()
  bench.hear('b', 'c')
  bench.answers = [failure(storeUnavailable('the connection was lost', 'unknown'))]
  bench.world.time.after(500, () => {
    bench.roster = { ...bench.roster, members: bench.roster.members.filter((m) => m.name !== 'c') }
  })
  expect(bench.wait<Outcome<null>>((done) => bench.view('a').purge('c', done)).ok).toBe(true)
})

it('says who is missing when there is no quorum', () => {
  const bench = new Bench()
  bench.heardMs.set('b', bench.world.time.monotonicMs())
  expect(bench.view('a').quorumProblem()).toBe('the members of the cluster are electing a leader')
  bench.world.time.advance(3_000)
  expect(bench.view('a').quorumProblem()).toMatch(
    /^no quorum: 1 of 3 voters can be reached, silent: b, c;/,
  )
})
