import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { type Answer, encodeBody, type Peer } from '../peer/peer.js'
import type { ConsensusStatus } from '../store/cluster.js'
import { type Outcome, storeUnavailable, success } from '../store/contract.js'
import type { RemoteWriter, RemoteWritten } from './config-writer.js'
import { decodeWrite, type GuestWrite, LeaderWrites } from './leader-writes.js'
import type { Write } from './plan.js'
import { StoreBench } from './store.fixture.js'
import { FakeView } from './view.fixture.js'
import { del, delAll, forwarding, newId, put, WriterBench } from './writer.fixture.js'

/** Two members by their writers over one store; `leader` is whose writer takes writes of both. */
class Pair {
  readonly bench = new StoreBench()
  readonly far: WriterBench
  readonly near: WriterBench
  leader: 'near' | 'far' | 'nobody' = 'near'
  /** Answers are lost, or what was asked arrives when it is called. */
  fate: 'well' | 'lost answer' | 'held' = 'well'
  readonly held: (() => void)[] = []
  asked = 0

  constructor() {
    const remote: RemoteWriter = {
      isThere: () => this.leader === 'near',
      write: (write, _timeoutMs, done) => {
        this.asked += 1
        const { fate } = this
        const problem = (): GatewayError | null =>
          this.leader === 'near'
            ? null
            : new GatewayError('NOT_LEADER', 'not here', { outcome: 'none' })
        const deliver = (): void =>
          this.near.asGuest(write, problem, (outcome) => {
            if (fate === 'well') this.bench.time.after(1, () => done(outcome))
          })
        if (fate === 'held') this.held.push(deliver)
        else this.bench.time.after(1, deliver)
      },
    }
    this.near = new WriterBench(this.bench)
    // Whatever it does by itself takes longer from here.
    this.far = new WriterBench(this.bench, {
      remote,
      patienceMs: 10_000,
      wrap: (store) => ({
        ...forwarding(store),
        txn: (...args) => void this.bench.time.after(5, () => store.txn(...args)),
      }),
    })
  }
}

it('the member that leads makes the writes of all, in turn, and nobody loses a race', () => {
  const pair = new Pair()
  const far = Array.from({ length: 30 }, (_, i) => pair.far.submit(put(`far-${i}`, 'x')))
  const near = Array.from({ length: 30 }, (_, i) => pair.near.submit(put(`near-${i}`, 'x')))
  pair.bench.time.advance(500)
  expect([...far, ...near].filter(({ written }) => written === null)).toEqual([])
  expect(pair.far.attempts).toEqual([])
  // Each goes with those that came before it was begun, and none is begun twice.
  expect(pair.near.attempts.length).toBeLessThan(10)
  expect(pair.near.attempts.flatMap(({ batch }) => batch)).toHaveLength(60)
  expect(pair.far.registry.version.version).toBe(60)
})

it('a write is answered here once this registry shows it, with what it came to there', () => {
  const pair = new Pair()
  expect(pair.far.done(put('a', 'one'))).toMatchObject({ created: true, changed: true })
  expect(pair.far.registry.object('a')?.text).toBe('one')
  expect(pair.far.done(put('a', 'one'))).toMatchObject({ created: false, changed: false })
  expect(pair.far.done(del('a'))).toMatchObject({ version: { version: 2 } })
  expect(pair.far.done(delAll())).toMatchObject({ changed: false })
})

it('what the plan refuses there is refused here', () => {
  const pair = new Pair()
  pair.near.done(put('a', 'one'))
  expect(pair.far.write(put('a', 'x', { mode: 'create' })).error?.code).toBe('OBJECT_EXISTS')
  expect(pair.far.write(del('b')).error?.code).toBe('OBJECT_NOT_FOUND')
  expect(pair.far.write(put('a', 'x', { ifMatch: 7 })).error?.code).toBe('VERSION_CONFLICT')
  expect(pair.far.done(put('a', 'two')).version.version).toBe(2)
})

it('an answer that is lost with its leader is looked for, and the write made once', () => {
  const pair = new Pair()
  pair.fate = 'lost answer'
  const answer = pair.far.submit(put('a', 'one'))
  pair.bench.time.advance(50)
  expect(answer).toEqual({ written: null, error: null })
  pair.leader = 'far'
  pair.far.writer.onLeader()
  pair.bench.time.advance(50)
  expect(answer.written).toMatchObject({ version: { version: 1 }, created: true })
  expect(pair.far.attempts).toEqual([])
})

it('a leader that is gone is not waited for', () => {
  const pair = new Pair()
  pair.fate = 'held'
  const answer = pair.far.submit(put('a', 'one'))
  pair.leader = 'nobody'
  pair.far.writer.onLeaderGone()
  pair.bench.time.advance(200)
  // Here the store goes on without it.
  expect(answer.written).toMatchObject({ version: { version: 1 } })
})

it('a write that comes late to a member that leads no longer is not made there', () => {
  const pair = new Pair()
  pair.fate = 'held'
  const answer = pair.far.submit(put('a', 'one'))
  pair.leader = 'far'
  pair.far.writer.onLeader()
  pair.bench.time.advance(50)
  expect(answer.written).toMatchObject({ version: { version: 1 } })
  expect(pair.far.done(put('a', 'two')).version.version).toBe(2)
  pair.held[0]?.()
  pair.bench.time.advance(50)
  expect(pair.near.registry.object('a')?.text).toBe('two')
  expect(pair.near.registry.version.version).toBe(2)
})

it('a member that does not lead says so, and the write is tried until one does', () => {
  const pair = new Pair()
  const answer = pair.far.submit(put('a', 'one'))
  pair.leader = 'nobody'
  pair.bench.time.advance(30)
  pair.leader = 'near'
  pair.bench.time.advance(200)
  expect(answer.written).toMatchObject({ version: { version: 1 } })
  expect(pair.asked).toBe(2)
})

// -- over the wire ----------------------------------------------------------------------------------

class Wire {
  consensus: ConsensusStatus = { ...new FakeView().consensus(), leaderIncarnation: 'me', term: 3 }
  asked: { readonly to: string; readonly timeoutMs: number }[] = []
  answer: Answer = { ok: true, body: encodeBody({}) }
  request: (body: Uint8Array) => Answer[] = () => []
  readonly taken: GuestWrite[] = []
  readonly writes = new LeaderWrites({
    incarnation: 'me',
    consensus: () => this.consensus,
    rpc: {
      ask: (to, _service, _body, timeoutMs, done) => {
        this.asked.push({ to, timeoutMs })
        done(this.answer)
      },
      serve: (_name, { onRequest }) => {
        this.request = (body) => {
          const answers: Answer[] = []
          onRequest?.(body, {} as Peer, (answer) => answers.push(answer))
          return answers
        }
      },
    },
  })

  constructor() {
    this.writes.serve((guest) => this.taken.push(guest))
  }

  write(write: Write): Outcome<RemoteWritten> {
    const outcomes: Outcome<RemoteWritten>[] = []
    this.writes.write(write, 999.5, (outcome) => outcomes.push(outcome))
    return outcomes[0] as Outcome<RemoteWritten>
  }
}

const WRITTEN: RemoteWritten = {
  version: { epoch: 1, version: 7 },
  created: true,
  changed: true,
}

it('asks whoever leads, if that is another', () => {
  const wire = new Wire()
  expect(wire.writes.isThere()).toBe(false)
  expect(wire.write(put('a', 'x'))).toMatchObject({ ok: false, error: { code: 'NOT_LEADER' } })
  wire.consensus = { ...wire.consensus, leaderIncarnation: 'you' }
  expect(wire.writes.isThere()).toBe(true)
  wire.answer = { ok: true, body: encodeBody(WRITTEN) }
  expect(wire.write(put('a', 'x'))).toEqual(success(WRITTEN))
  expect(wire.asked).toEqual([{ to: 'you', timeoutMs: 1_000 }])
  wire.consensus = { ...wire.consensus, hasQuorum: false }
  expect(wire.writes.isThere()).toBe(false)
})

it.each<[string, unknown]>([
  ['nothing', {}],
  ['no version', { ...WRITTEN, version: null }],
  ['half a version', { ...WRITTEN, version: { epoch: 1 } }],
  ['a text for a flag', { ...WRITTEN, changed: 'yes' }],
  ['a list', []],
])('an answer that is %s leaves the outcome unknown', (_name, body) => {
  const wire = new Wire()
  wire.consensus = { ...wire.consensus, leaderIncarnation: 'you' }
  wire.answer = { ok: true, body: encodeBody(body) }
  const error = { code: 'STORE_UNAVAILABLE', detail: { outcome: 'unknown' } }
  expect(wire.write(put('a', 'x'))).toMatchObject({ ok: false, error })
})

it('takes writes of others while it leads without a break', () => {
  const wire = new Wire()
  const write = put('a', 'x', { ifMatch: 3 })
  const answers = wire.request(encodeBody(write))
  expect(wire.taken[0]?.write).toEqual(write)
  expect(wire.taken[0]?.problem()).toBeNull()
  wire.taken[0]?.done(success(WRITTEN))
  expect(answers).toEqual([{ ok: true, body: encodeBody(WRITTEN) }])
  const refusal = storeUnavailable('the log is full', 'none')
  wire.taken[0]?.done({ ok: false, error: refusal })
  expect(answers[1]).toEqual({ ok: false, error: refusal })
  // Another one led in between.
  wire.consensus = { ...wire.consensus, term: 5 }
  expect(wire.taken[0]?.problem()).toMatchObject({ code: 'NOT_LEADER' })
  wire.consensus = { ...wire.consensus, leaderIncarnation: 'you' }
  expect(wire.request(encodeBody(write))).toMatchObject([{ error: { code: 'NOT_LEADER' } }])
  expect(wire.taken).toHaveLength(1)
})

it.each<[string, Write]>([
  ['a put', put('a', 'x', { mode: 'create', dialect: 'v2' })],
  ['a deletion', del('a', { ifMatch: 2 })],
  ['a deletion of all', delAll()],
])('%s travels whole', (_name, write) => {
  expect(decodeWrite(encodeBody(write))).toEqual(write)
})

it.each<[string, unknown]>([
  ['nothing', null],
  ['a text', 'put'],
  ['no request id', { ...put('a', 'x'), requestId: null }],
  ['an empty request id', { ...delAll(), requestId: '' }],
  ['no name', { ...del('a'), name: null }],
  ['an empty name', { ...put('', 'x') }],
  ['an unknown type', { ...put('a', 'x'), type: 'patch' }],
  ['an unknown mode', { ...put('a', 'x'), mode: 'replace' }],
  ['an unknown dialect', { ...put('a', 'x'), dialect: 'v3' }],
  ['a text for a spec', { ...put('a', 'x'), spec: 'x' }],
  ['a number for a text', { ...put('a', 'x'), text: 7 }],
  ['half a version to match', { ...put('a', 'x'), ifMatch: 1.5 }],
  ['a kind that is none', { ...put('a', 'x'), kind: ['x'] }],
])('%s is no write', (_name, value) => {
  expect(decodeWrite(encodeBody(value))).toBeNull()
  const wire = new Wire()
  expect(wire.request(encodeBody(value))).toMatchObject([{ error: { code: 'REQUEST_INVALID' } }])
  expect(wire.taken).toEqual([])
})

it('bytes that are no body are no write', () => {
  const whole = encodeBody(put('a', 'x', { requestId: newId() }))
  for (let length = 0; length < whole.length; length++) {
    expect(decodeWrite(whole.subarray(0, length)), `${length} bytes`).toBeNull()
  }
})
