/** How a newcomer is answered, and how it becomes a voter. */
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import { type Answer, decodeBody, encodeBody, type Peer, type Service } from '../peer/peer.js'
import type { ConsensusStatus, MembershipChange, Replica, Roster } from '../store/cluster.js'
import { failure, type Outcome, storeUnavailable, success } from '../store/contract.js'
import { foundingOf, foundingRoster } from '../store/roster.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { ClusterService, initialText } from './cluster-service.js'
import { MembershipKeeper } from './membership-keeper.js'
import { FakeView } from './view.fixture.js'

const identity = (name: string) => ({
  name,
  incarnation: `inc-${name}`,
  peerUrl: `http://${name}:1`,
})
const rosterOf = (...names: string[]): Roster => ({
  ...foundingRoster(foundingOf(names.map(identity))),
  isChanging: false,
})
const NOBODY: Roster = { clusterId: '', members: [], removed: [], isChanging: false }

/** A replica that is asked for changes, and what they come to. */
class FakeReplica {
  current: Roster = NOBODY
  hasQuorum = true
  readonly changes: MembershipChange[] = []
  answer: Outcome<Roster> | null = null
  readonly replica = {
    roster: () => this.current,
    consensus: (): ConsensusStatus => ({
      ...new FakeView().consensus(),
      hasQuorum: this.hasQuorum,
    }),
    changeMembership: (change: MembershipChange, done: (outcome: Outcome<Roster>) => void) => {
      this.changes.push(change)
      if (this.answer !== null) done(this.answer)
    },
  } as unknown as Replica
}

class ServiceBench {
  readonly fake = new FakeReplica()
  service: Service | null = null
  isOpen = true

  constructor() {
    new ClusterService({
      rpc: {
        serve: (_name, service) => {
          this.service = service
        },
        ask: () => {},
      },
      replica: () => (this.isOpen ? this.fake.replica : null),
      url: 'http://a:1',
      initial: 'a=http://a:1,b=http://b:1',
    })
  }

  ask(request: unknown, peer = 'n'): Record<string, unknown> {
    const answers: Answer[] = []
    const from = identity(peer) as unknown as Peer
    this.service?.onRequest?.(encodeBody(request), from, (answer) => answers.push(answer))
    const [answer] = answers
    if (answer === undefined) throw new Error('no answer')
    if (!answer.ok) return { code: answer.error.code, message: answer.error.message }
    const decoded = decodeBody(answer.body)
    return decoded.ok ? (decoded.value as Record<string, unknown>) : {}
  }
}

it('says of itself whether it is blank, and what it is to found', () => {
  const bench = new ServiceBench()
  expect(bench.service?.guests).toBe(true)
  const initial = 'a=http://a:1,b=http://b:1'
  expect(bench.ask({ type: 'who' })).toEqual({ state: 'blank', url: 'http://a:1', initial })
  bench.fake.current = {
    ...rosterOf('a'),
    removed: [{ ...identity('x'), nodeId: 9, removedAt: 4 }],
  }
  const who = bench.ask({ type: 'who' })
  expect(who).toMatchObject({ state: 'member', roster: { members: [{ name: 'a' }], removed: [] } })
})

it('the list of first members is the same in any order, and none for one alone', () => {
  const [a, b] = [
    { name: 'a', url: 'u1' },
    { name: 'b', url: 'u2' },
  ] as const
  expect(initialText([a, b])).toBe('a=u1,b=u2')
  expect(initialText([b, a])).toBe('a=u1,b=u2')
  expect(initialText([a])).toBe('')
})

it('makes a newcomer a learner, and answers with the roster', () => {
  const bench = new ServiceBench()
  bench.fake.current = rosterOf('a')
  bench.fake.answer = success(rosterOf('a', 'n'))
  const answer = bench.ask({ type: 'join', member: { ...identity('n'), more: 1 } })
  expect(bench.fake.changes).toEqual([{ type: 'add-learner', member: identity('n') }])
  expect(answer).toMatchObject({ state: 'member', roster: { members: [{}, { name: 'n' }] } })
})

it.each<[name: string, request: unknown, more: (bench: ServiceBench) => void, message: RegExp]>([
  ['in the name of another', { type: 'join', member: identity('b') }, () => {}, /for itself alone/],
  ['without an incarnation', { type: 'join', member: { name: 'n' } }, () => {}, /malformed/],
  ['without anything', { type: 'join' }, () => {}, /malformed/],
  ['for something else', { type: 'leave' }, () => {}, /malformed/],
  ['no request at all', 7, () => {}, /malformed/],
  [
    'while the store is not there',
    { type: 'who' },
    (bench) => {
      bench.isOpen = false
    },
    /starting/,
  ],
  [
    'of one that is no member',
    { type: 'join', member: identity('n') },
    (bench) => {
      bench.fake.current = NOBODY
    },
    /no member itself/,
  ],
  [
    'that the leader refuses',
    { type: 'join', member: identity('n') },
    (bench) => {
      bench.fake.answer = failure(new GatewayError('REQUEST_INVALID', 'the name is in use'))
    },
    /the name is in use/,
  ],
])('refuses a newcomer that asks %s', (_name, request, more, message) => {
  const bench = new ServiceBench()
  bench.fake.current = rosterOf('a')
  more(bench)
  expect(bench.ask(request)['message']).toMatch(message)
})

class KeeperBench extends FakeReplica {
  readonly time = new VirtualTime()
  readonly keeper = new MembershipKeeper({
    time: this.time,
    log: new MemoryLogger(),
    replica: this.replica,
    incarnation: 'inc-n',
    peerUrl: 'http://n:1',
  })

  is(suffrage: 'learner' | 'voter', peerUrl = 'http://n:1'): void {
    const members = rosterOf('a', 'n').members.map((member) =>
      member.name === 'n' ? { ...member, suffrage, peerUrl } : member,
    )
    this.current = { ...rosterOf('a', 'n'), members }
    this.keeper.look()
  }
}

it('a learner asks to be a voter until it is one', () => {
  const bench = new KeeperBench()
  bench.answer = failure(storeUnavailable('its log is far behind', 'none'))
  bench.is('learner')
  bench.time.advance(10_000)
  expect(bench.changes.length).toBeGreaterThan(3)
  expect(bench.changes.length).toBeLessThan(10)
  expect(bench.changes[0]).toEqual({ type: 'promote', incarnation: 'inc-n' })
  bench.answer = success(bench.current)
  bench.is('voter')
  const asked = bench.changes.length
  bench.time.advance(60_000)
  expect(bench.changes.length).toBe(asked)
})

it('a member with another address than its roster has tells it first', () => {
  const bench = new KeeperBench()
  bench.is('learner', 'http://old:1')
  bench.time.advance(1_000)
  expect(bench.changes).toEqual([{ type: 'move', incarnation: 'inc-n', peerUrl: 'http://n:1' }])
})

it('who is no member, or has no quorum, asks for nothing', () => {
  const bench = new KeeperBench()
  bench.current = rosterOf('a')
  bench.keeper.look()
  bench.time.advance(10_000)
  bench.hasQuorum = false
  bench.is('learner')
  bench.time.advance(10_000)
  expect(bench.changes).toEqual([])
  bench.hasQuorum = true
  bench.time.advance(1_000)
  expect(bench.changes).toHaveLength(1)
  bench.keeper.close()
})
