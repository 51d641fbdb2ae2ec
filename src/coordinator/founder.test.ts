import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Peer } from '../peer/peer.js'
import type { ClusterSetup } from '../root/threads.js'
import type { Founding, MemberIdentity, Roster } from '../store/cluster.js'
import { foundingOf, foundingRoster } from '../store/roster.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { initialText, type Who } from './cluster-service.js'
import { Founder } from './founder.js'

const url = (name: string): string => `http://${name}:2380`
const identity = (name: string): MemberIdentity => ({
  name,
  incarnation: `inc-${name}`,
  peerUrl: url(name),
})
const ABC = ['a', 'b', 'c'].map((name) => ({ name, url: url(name) }))
const TOGETHER: ClusterSetup['start'] = { type: 'found', members: ABC }
const FIRST: ClusterSetup['start'] = { type: 'found-first', others: [url('b'), url('c')] }
const JOIN: ClusterSetup['start'] = { type: 'join', urls: [url('b'), url('c')] }

const blank = (name: string, initial = initialText(ABC)): Who => ({
  state: 'blank',
  url: url(name),
  initial,
})

function member(name: string, ...members: string[]): Who {
  const founding = foundingOf(members.map(identity))
  return {
    state: 'member',
    url: url(name),
    roster: { ...foundingRoster(founding), isChanging: false },
  }
}

/** A newcomer `a`, whom others tell what the test wants them to. */
class Bench {
  readonly time = new VirtualTime()
  readonly log = new MemoryLogger()
  readonly founder: Founder
  readonly dials: string[] = []
  readonly outcomes: string[] = []
  readonly founded: Founding['members'][] = []
  readonly says = new Map<string, Who | null>()
  readonly joins: string[] = []
  joinAnswer: Roster | GatewayError | null = null
  waiting = ''

  constructor(start: ClusterSetup['start']) {
    const setup: ClusterSetup = {
      clusterName: 'prod',
      start,
      peerUrl: url('a'),
      peerListen: { urls: [], isAskedFor: true },
      clientListen: { urls: [], isAskedFor: false },
      secret: '',
      tls: null,
      allowInsecure: false,
    }
    this.founder = new Founder({
      time: this.time,
      log: this.log,
      self: identity('a'),
      setup,
      service: {
        who: (incarnation, done) => {
          this.time.after(1, () => done(this.says.get(incarnation) ?? null))
        },
        join: (incarnation, _member, done) => {
          this.joins.push(incarnation)
          this.time.after(1, () => {
            if (this.joinAnswer !== null) done(this.joinAnswer)
          })
        },
      },
      dialGuest: (address) => {
        this.dials.push(address)
        return { close: () => void this.dials.splice(this.dials.indexOf(address), 1) }
      },
      found: (members) => {
        this.outcomes.push('found')
        this.founded.push(members)
      },
      foundAgain: ({ members }) => {
        this.outcomes.push('found again')
        this.founded.push(members)
      },
      join: () => this.outcomes.push('join'),
      waiting: (why) => {
        this.waiting = why
      },
    })
    this.founder.start()
  }

  meet(name: string, who: Who, incarnation = `inc-${name}`): void {
    this.says.set(incarnation, who)
    this.founder.onMeeting({ name, incarnation } as Peer)
    this.time.advance(5)
  }

  dialFails(name: string, cause: 'refused' | 'unanswered' | 'other'): void {
    this.founder.onDialFailed({ address: url(name), cause, message: `it is ${cause}` })
    this.time.advance(5)
  }
}

it('who is alone in its list founds at once', () => {
  const bench = new Bench({ type: 'found', members: ABC.slice(0, 1) })
  expect(bench.outcomes).toEqual(['found'])
  expect(bench.founded).toEqual([[identity('a')]])
  expect(bench.dials).toEqual([])
})

it('several found together once all of them are empty, with the incarnations they met', () => {
  const bench = new Bench(TOGETHER)
  expect(bench.dials).toEqual([url('b'), url('c')])
  bench.meet('b', blank('b'))
  bench.dialFails('c', 'refused')
  bench.time.advance(60_000)
  expect(bench.outcomes).toEqual([])
  bench.meet('c', blank('c'), 'inc-other')
  expect(bench.outcomes).toEqual(['found'])
  const other = { name: 'c', incarnation: 'inc-other', peerUrl: url('c') }
  expect(bench.founded).toEqual([[identity('a'), identity('b'), other]])
  expect(bench.dials).toEqual([])
})

it('a list that another does not share founds nothing, and is told', () => {
  const bench = new Bench(TOGETHER)
  bench.meet('b', blank('b', initialText(ABC.slice(0, 2))))
  bench.meet('c', blank('c'))
  bench.time.advance(2_000)
  expect(bench.outcomes).toEqual([])
  expect(bench.waiting).toContain('"b" at http://b:2380 has another initial-cluster (a=')
  expect(bench.waiting).toContain('"c" at http://c:2380 waits, too')
})

it('one that is a member turns founding into joining', () => {
  const bench = new Bench(TOGETHER)
  bench.meet('b', blank('b'))
  bench.joinAnswer = { ...foundingRoster(foundingOf(['a', 'c'].map(identity))), isChanging: false }
  bench.meet('c', member('c', 'c'))
  expect(bench.joins).toEqual(['inc-c'])
  expect(bench.outcomes).toEqual(['join'])
})

it('one that has founded with this node in mind is followed', () => {
  const bench = new Bench(TOGETHER)
  bench.meet('b', member('b', 'a', 'b', 'c'))
  expect(bench.outcomes).toEqual(['found again'])
  expect(bench.founded).toEqual([['a', 'b', 'c'].map(identity)])
})

it('a cluster that counts an earlier incarnation of this node is asked, and its answer told', () => {
  const bench = new Bench(TOGETHER)
  bench.joinAnswer = new GatewayError('REQUEST_INVALID', 'the name "a" is in use')
  const founding = foundingOf([{ ...identity('a'), incarnation: 'old' }, identity('b')])
  const roster = { ...foundingRoster(founding), isChanging: false }
  bench.meet('b', { state: 'member', url: url('b'), roster })
  bench.time.advance(3_000)
  expect(bench.outcomes).toEqual([])
  expect(bench.waiting).toBe('the cluster does not take this node: the name "a" is in use')
  expect(bench.joins.length).toBeGreaterThan(1)
  expect(bench.joins.length).toBeLessThan(10)
})

it.each<[name: string, events: (bench: Bench) => void, outcome: string[]]>([
  [
    'the first of v1 founds when nobody else listens',
    (bench) => {
      bench.dialFails('b', 'refused')
      bench.dialFails('c', 'refused')
    },
    ['found'],
  ],
  [
    'and when one of them waits for it',
    (bench) => {
      bench.meet('b', blank('b', ''))
      bench.dialFails('c', 'refused')
    },
    ['found'],
  ],
  [
    'not when one does not answer',
    (bench) => {
      bench.dialFails('b', 'refused')
      bench.dialFails('c', 'unanswered')
    },
    [],
  ],
  [
    'not when one refuses to talk',
    (bench) => {
      bench.dialFails('b', 'refused')
      bench.founder.onRefused({
        address: url('c'),
        refusal: { code: 'secret-wrong', message: 'another secret' },
        by: 'peer',
        trusted: false,
        claimed: null,
      })
    },
    [],
  ],
  [
    'not when one was refused and is silent now',
    (bench) => {
      bench.dialFails('c', 'refused')
      bench.dialFails('c', 'unanswered')
      bench.dialFails('b', 'refused')
    },
    [],
  ],
  [
    'it joins when one of them has a cluster',
    (bench) => {
      bench.joinAnswer = {
        ...foundingRoster(foundingOf(['a', 'b'].map(identity))),
        isChanging: false,
      }
      bench.dialFails('c', 'refused')
      bench.meet('b', member('b', 'b'))
    },
    ['join'],
  ],
])('%s', (_name, events, outcome) => {
  const bench = new Bench(FIRST)
  events(bench)
  bench.time.advance(2_000)
  expect(bench.outcomes).toEqual(outcome)
})

it('who is to join never founds, whatever it hears', () => {
  const bench = new Bench(JOIN)
  bench.dialFails('b', 'refused')
  bench.meet('c', blank('c', ''))
  bench.time.advance(60_000)
  expect(bench.outcomes).toEqual([])
  expect(bench.waiting).toBe(
    'waiting for a member of the cluster: at http://b:2380: it is refused; at http://c:2380 waits, too',
  )
  // Once it is one.
  bench.says.set('inc-c', member('c', 'c'))
  bench.joinAnswer = { ...foundingRoster(foundingOf(['a', 'c'].map(identity))), isChanging: false }
  bench.time.advance(1_000)
  expect(bench.outcomes).toEqual(['join'])
})

it('a refusal is told with its reason, once', () => {
  const bench = new Bench(JOIN)
  bench.founder.onRefused({
    address: url('b'),
    refusal: { code: 'name-in-use', message: 'the name "a" belongs to another member' },
    by: 'peer',
    trusted: true,
    claimed: null,
  })
  bench.time.advance(30_000)
  expect(bench.waiting).toContain('refused there: the name "a" belongs to another member')
  expect(
    bench.log.records.filter(({ message }) => message === 'waiting for the cluster'),
  ).toHaveLength(1)
})

it('nothing comes of it after its end', () => {
  const bench = new Bench(TOGETHER)
  bench.founder.close()
  bench.meet('b', member('b', 'a', 'b', 'c'))
  bench.meet('c', blank('c'))
  bench.time.advance(10_000)
  expect(bench.outcomes).toEqual([])
  expect(bench.dials).toEqual([])
})
