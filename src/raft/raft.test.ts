import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { configOf } from './config.js'
import {
  EMPTY_START,
  foundingStart,
  lostAcknowledged,
  type Message,
  Raft,
  RaftAssertionError,
  type RaftOptions,
  type TraceEvent,
} from './raft.js'
import {
  accept,
  append,
  connect,
  drain,
  entry,
  leader,
  node,
  only,
  settledLeader,
  vote,
  voteReply,
} from './testing/lab.js'

/** What the paper leaves to the implementation: limits, hooks, and the caller's duties. */

const bytes = (length: number) => new Uint8Array(length)

it.each<[name: string, over: Partial<RaftOptions>, message: string]>([
  ['nobody', { id: 0 }, 'id 0'],
  ['half a node', { id: 1.5 }, 'id 1.5'],
  ['heartbeats as slow as elections', { electionTicks: 2, heartbeatTicks: 2 }, 'electionTicks'],
  ['no heartbeats', { heartbeatTicks: 0 }, 'heartbeatTicks'],
  ['no window', { inflightCountMax: 0 }, 'inflightCountMax'],
  [
    'a term older than its log',
    { start: { ...foundingStart([1]), entries: [entry(2, 9)] } },
    'older than the log',
  ],
])('refuses to start as %s', (_name, over, message) => {
  const options = { id: 1, start: foundingStart([1]), random: () => 0, ...over }
  expect(() => new Raft(options)).toThrow(message)
})

it('a commit index without the entries it covers is a disk that broke its word', () => {
  expect(() => node({ log: [1], commit: 9 })).toThrow('marks do not fit')
})

it('a log with two changes of configuration proves that the first is committed', () => {
  const add = (index: number, id: number) => ({
    ...entry(index, 2),
    change: { changes: [{ op: 'add-voter' as const, id }], transition: 'auto' as const },
  })
  const entries = [entry(2, 2), add(3, 4), entry(4, 2), add(5, 5)]
  const raft = new Raft({
    id: 1,
    start: { ...foundingStart([1, 2, 3]), ballot: { term: 2, vote: 0 }, entries },
    random: () => 0,
  })
  expect(raft.status().commit).toBe(3)
  raft.campaign()
  expect(raft.status().role).toBe('follower') // not before it is applied
  drain(raft)
  expect(raft.status().config.voters).toEqual([1, 2, 3, 4])
})

it('an empty node waits, whatever the time', () => {
  const raft = new Raft({ id: 4, start: EMPTY_START, random: () => 0 })
  for (let tick = 0; tick < 100; tick++) raft.tick()
  expect(raft.ready()).toBeNull()
  expect(raft.snapshotMeta()).toBeNull()
})

it.each<[name: string, message: Message]>([
  ['for somebody else', { ...append(2, 1, 1), to: 2 }],
  ['from itself', { ...append(2, 1, 1), from: 1 }],
  ['that acknowledges what was never sent', accept(2, 2, 99)],
])('a message %s is a broken duty', (_name, message) => {
  expect(() => leader().step(message)).toThrow(RaftAssertionError)
})

// ---------------------------------------------------------------- limits

it('proposals are refused above the limit, one alone is always taken', () => {
  const raft = settledLeader({ uncommittedBytesMax: 300 })
  expect(raft.propose(bytes(5000)).ok).toBe(true)
  expect(raft.propose(bytes(0))).toMatchObject({ ok: false, reason: 'full' })
  drain(raft)
  raft.step(accept(2, 2, 3))
  drain(raft) // applied now
  for (let index = 4; index <= 6; index++) expect(raft.propose(bytes(68)).ok).toBe(true)
  expect(raft.propose(bytes(0))).toMatchObject({ ok: false, reason: 'full' })
})

it('a new leader counts what it inherited', () => {
  const raft = leader({ log: [1, 1, 1], uncommittedBytesMax: 160 })
  expect(raft.propose(bytes(0)).ok).toBe(true) // 3 + its own + this one: 160 bytes
  expect(raft.propose(bytes(0))).toMatchObject({ ok: false, reason: 'full' })
})

it('a follower that does not answer costs one window and no more', () => {
  const raft = settledLeader({ inflightCountMax: 4, inflightBytesMax: 1000, appendBytesMax: 100 })
  let sent = 0
  for (let count = 0; count < 100; count++) {
    raft.propose(bytes(50))
    sent += only(drain(raft).messages, 'append').filter(({ to }) => to === 3).length
    raft.step(accept(2, 2, raft.status().lastIndex, raft.status().lastIndex))
    sent += only(drain(raft).messages, 'append').filter(
      ({ to, entries }) => to === 3 && entries.length > 0,
    ).length
  }
  expect(raft.status().members[2]).toMatchObject({ inflightCount: 4, paused: true })
  expect(sent).toBeLessThanOrEqual(8) // four with entries, and the commits told meanwhile
})

it('appends are cut to size, and follow each other without waiting', () => {
  const raft = settledLeader({ appendBytesMax: 200 })
  for (let count = 0; count < 10; count++) raft.propose(bytes(68))
  const sent = only(drain(raft).messages, 'append').filter(({ to }) => to === 2)
  expect(sent.map(({ prevIndex, entries }) => [prevIndex, entries.length])).toEqual([
    [2, 2],
    [4, 2],
    [6, 2],
    [8, 2],
    [10, 2],
  ])
})

it('what was proposed between two calls of ready goes out as one', () => {
  const raft = settledLeader()
  for (let count = 0; count < 100; count++) raft.propose(bytes(1))
  const ready = raft.ready()!
  expect(only(ready.messages, 'append').map(({ entries }) => entries.length)).toEqual([100, 100])
  expect(ready.append!.entries).toHaveLength(100)
})

it('reads are refused above their limit, and make room when they are served', () => {
  const raft = settledLeader({ readsMax: 2 })
  expect([raft.readIndex(1), raft.readIndex(2), raft.readIndex(3)]).toEqual([true, true, false])
  drain(raft)
  raft.step({ type: 'heartbeat-reply', from: 2, to: 1, term: 2, round: 1 })
  expect(drain(raft).reads).toHaveLength(2)
  expect(raft.readIndex(3)).toBe(true)
})

it('committed entries are given out in portions', () => {
  const raft = settledLeader({ voters: [1], applyBytesMax: 100 })
  for (let count = 0; count < 3; count++) raft.propose(bytes(68))
  raft.appended(raft.ready()!.append!.seq)
  expect(raft.ready()!.committed).toHaveLength(1)
  raft.propose(bytes(1))
  expect(raft.ready()!.committed).toEqual([]) // the first is not applied yet
  raft.applied(3)
  expect(raft.ready()!.committed).toMatchObject([{ index: 4 }])
})

// ---------------------------------------------------------------- who may vote

it.each<[acknowledged: [number, number], end: [number, number], lost: boolean]>([
  [[5, 2], [5, 2], false],
  [[5, 2], [9, 2], false],
  [[5, 2], [4, 2], true],
  [[5, 2], [9, 1], true],
  [[5, 2], [3, 3], false], // replaced by a later leader
])('%j was acknowledged, the log ends at %j: lost %s', (acknowledged, end, lost) => {
  const at = ([index, term]: [number, number]) => ({ index, term })
  expect(lostAcknowledged(at(acknowledged), at(end))).toBe(lost)
})

it('a leader remembers what was acknowledged, also when it leads no more', () => {
  const raft = settledLeader()
  raft.propose(bytes(1))
  drain(raft)
  expect(raft.acknowledgedBy(3)).toEqual({ index: 2, term: 2 })
  raft.step(accept(3, 2, 3))
  raft.step(append(9, 0, 0))
  expect(raft.acknowledgedBy(3)).toEqual({ index: 3, term: 2 })
  expect(raft.acknowledgedBy(7)).toBeNull()
})

it('a refused voter elects nobody, commits nothing, and gets no vote', () => {
  const raft = node()
  raft.refuseVoter(2, true)
  raft.step(vote(2, 5, 9, 5))
  expect(raft.status().term).toBe(1)
  raft.campaign()
  drain(raft)
  raft.step(voteReply(2, 2))
  expect(raft.status().role).toBe('candidate')
  raft.step(voteReply(3, 2))
  drain(raft)
  raft.step(accept(2, 2, 2))
  expect(raft.status().commit).toBe(1)
  raft.refuseVoter(2, false)
  raft.step(accept(2, 2, 2))
  expect(raft.status().commit).toBe(2)
})

it('a refused voter that leads all the same is followed: others elected it', () => {
  const raft = node()
  raft.refuseVoter(2, true)
  raft.step(append(2, 1, 1, [2]))
  expect(raft.status()).toMatchObject({ leader: 2, lastIndex: 2 })
})

it('a node that must not vote does not, and follows', () => {
  const raft = node()
  raft.setVoting(false)
  raft.step(vote(2, 5, 9, 5))
  expect(only(drain(raft).messages, 'vote-reply')).toMatchObject([{ granted: false, term: 5 }])
  for (let tick = 0; tick < 50; tick++) raft.tick()
  expect(raft.status()).toMatchObject({ role: 'follower', voting: false })
  raft.step(append(5, 1, 1, [5]))
  expect(raft.status().lastIndex).toBe(2)
})

it('a heartbeat that counts on entries this node has lost ends its vote', () => {
  const events: TraceEvent[] = []
  const raft = node({ trace: (event) => events.push(event) })
  raft.step({ type: 'heartbeat', from: 2, to: 1, term: 1, commit: 5, round: 0 })
  expect(events).toContainEqual({ type: 'log-lost', acknowledged: 5, last: 1 })
  expect(raft.status()).toMatchObject({ voting: false, commit: 1 })
})

it('a leader whose disk failed hands over to the best follower', () => {
  const raft = settledLeader({ voters: [1, 2, 3, 4, 5] })
  raft.propose(bytes(1))
  raft.ready() // never written
  raft.step(accept(4, 2, 3))
  raft.resign()
  expect(raft.status().role).toBe('follower')
  expect(only(raft.ready()!.messages, 'timeout-now')).toMatchObject([{ to: 4 }])
})

// ---------------------------------------------------------------- snapshots and compaction

it('a snapshot describes what is applied, and the log is cut no further', () => {
  const raft = settledLeader()
  raft.propose(bytes(1))
  drain(raft)
  const meta = raft.snapshotMeta()!
  expect(meta).toMatchObject({ index: 2, term: 2, config: { voters: [1, 2, 3] } })
  expect(() => raft.compact(2)).toThrow('newest snapshot is 1')
  raft.snapshotTaken(meta)
  raft.compact(2)
  expect(raft.status().firstIndex).toBe(3)
  expect(() => raft.snapshotTaken({ ...meta, index: 3 })).toThrow('undecided')
})

it('a log that began without a snapshot serves, and takes members once it has one', () => {
  const start = {
    ballot: { term: 3, vote: 1 },
    commit: 3,
    snapshot: { index: 0, term: 0, config: configOf([1]) },
    entries: [entry(1, 1), entry(2, 1), entry(3, 2)],
  }
  const one = new Raft({ id: 1, start, random: () => 0 })
  const two = new Raft({ id: 2, start: EMPTY_START, random: () => 0 })
  one.campaign()
  drain(one)
  one.proposeConfChange({ changes: [{ op: 'add-learner', id: 2 }], transition: 'auto' })
  connect([one, two])
  expect(two.status()).toMatchObject({ leader: 1, lastIndex: 0 })
  const meta = one.snapshotMeta()!
  expect(meta).toMatchObject({ index: 5, term: 4 })
  one.snapshotTaken(meta)
  connect([one, two])
  expect(two.status()).toMatchObject({ lastIndex: 5, config: { voters: [1], learners: [2] } })
})

it('the leader knows from where on the log is still needed', () => {
  const raft = settledLeader()
  raft.propose(bytes(1))
  drain(raft)
  raft.step(accept(2, 2, 3))
  expect(raft.status().neededFrom).toBe(3) // by 3, which has 2
  for (let tick = 0; tick < 20; tick++) raft.tick()
  expect(raft.status().neededFrom).toBe(4) // nobody was heard of lately
})

it('tasks are reported in order, and only those that were given out', () => {
  const raft = settledLeader()
  raft.propose(bytes(1))
  const first = raft.ready()!.append!
  raft.propose(bytes(1))
  const second = raft.ready()!.append!
  raft.appended(second.seq) // stands for both
  raft.appended(first.seq)
  expect(raft.status().durable).toBe(4)
  expect(() => raft.appended(second.seq + 1)).toThrow('never handed out')
})

it('a write that a later one replaces does not count as durable', () => {
  const raft = node({ term: 2 })
  raft.step(append(2, 1, 1, [2, 2, 2]))
  const first = raft.ready()!.append!
  raft.step(append(3, 2, 2, [3], 0, 3))
  const second = raft.ready()!.append!
  raft.appended(first.seq)
  expect(raft.status()).toMatchObject({ durable: 2, lastIndex: 3 })
  raft.appended(second.seq)
  expect(raft.status().durable).toBe(3)
})

it('a commit index alone is written without a sync, one that changes the configuration with', () => {
  const raft = settledLeader()
  raft.propose(bytes(1))
  drain(raft)
  raft.step(accept(2, 2, 3))
  const plain = raft.ready()!
  expect(plain.append).toMatchObject({ sync: false, ballot: null, commit: 3 })
  raft.advance(plain)
  raft.proposeConfChange({ changes: [{ op: 'add-learner', id: 4 }], transition: 'auto' })
  drain(raft)
  raft.step(accept(2, 2, 4))
  expect(raft.ready()!.append).toMatchObject({ sync: true, commit: 4 })
})

it('an idle node has nothing to write', () => {
  const nodes = [1, 2, 3].map((id) => node({ id, checkQuorum: true, preVote: true }))
  nodes[0]!.campaign()
  connect(nodes)
  for (let tick = 0; tick < 100; tick++) {
    for (const raft of nodes) {
      raft.tick()
      for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
        expect(ready.append).toBeNull()
        for (const message of ready.messages) nodes[message.to - 1]!.step(message)
      }
    }
  }
  expect(nodes[0]!.status().role).toBe('leader')
})

it('equal inputs give equal outputs', () => {
  const run = (seed: number): string => {
    const prng = new Prng(seed)
    const nodes = [1, 2, 3].map((id) =>
      node({ id, preVote: true, checkQuorum: true, random: (below) => prng.below(below) }),
    )
    const all: string[] = []
    const queue: Message[] = []
    for (let step = 0; step < 2000; step++) {
      const raft = prng.pick(nodes)
      raft.tick()
      if (prng.chance(20)) raft.propose(bytes(prng.below(9)))
      if (prng.chance(20)) raft.readIndex(step)
      const out = drain(raft)
      all.push(JSON.stringify(out))
      queue.push(...out.messages)
      while (queue.length > 0 && prng.chance(80)) {
        const message = queue.splice(prng.below(queue.length), 1)[0]!
        nodes[message.to - 1]!.step(message)
      }
    }
    return all.join()
  }
  expect(run(7)).toBe(run(7))
  expect(run(7)).not.toBe(run(8))
})

it('forwarded proposals reach the leader, when that is asked for', () => {
  const nodes = [1, 2].map((id) => node({ id, voters: [1, 2], forwardProposals: true }))
  nodes[0]!.campaign()
  connect(nodes)
  expect(nodes[1]!.propose(bytes(3))).toEqual({ ok: true, index: 0, term: 0 })
  const { applied } = connect(nodes)
  expect(applied.get(2)!.map(({ data }) => data.length)).toEqual([3])
  expect(nodes[1]!.transferLeadership(2)).toBe(true)
  connect(nodes)
  expect(nodes[1]!.status().role).toBe('leader')
})

it('an answer that was meant for an earlier life of this node fits nothing', () => {
  const raft = node({ term: 2, random: (below) => (below > 1000 ? 5 : 0) })
  raft.step(append(2, 1, 1))
  drain(raft)
  raft.readIndex(7)
  const [asked] = only(drain(raft).messages, 'read-index')
  expect(asked).toMatchObject({ to: 2, boot: 5, seq: 1 })
  const reply = { type: 'read-index-reply', from: 2, to: 1, term: 0, seq: 1, index: 1 } as const
  raft.step({ ...reply, boot: 4 })
  expect(drain(raft).reads).toEqual([])
  raft.step({ ...reply, boot: 5 })
  raft.step({ ...reply, boot: 5 })
  expect(drain(raft).reads).toEqual([{ id: 7, index: 1 }])
})

it('a read whose index is not here yet waits for it', () => {
  const raft = node({ term: 2 })
  raft.step(append(2, 1, 1))
  drain(raft)
  raft.readIndex(7)
  drain(raft)
  raft.step({
    type: 'read-index-reply',
    from: 2,
    to: 1,
    term: 0,
    boot: 0,
    seq: 1,
    index: 2,
  })
  expect(drain(raft).reads).toEqual([])
  raft.step(append(2, 1, 1, [2], 2))
  expect(drain(raft).reads).toEqual([{ id: 7, index: 2 }])
})
