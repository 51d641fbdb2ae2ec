import { expect, it } from 'vitest'
import { configOf } from './config.js'
import { type Message, type Raft, RaftAssertionError } from './raft.js'
import {
  accept,
  append,
  connect,
  drain,
  leader,
  node,
  only,
  reject,
  settledLeader,
  vote,
  voteReply,
} from './testing/lab.js'

/**
 * One test for each rule, named after its place: "Figure 2" and "paper §" are the paper, "§" alone
 * the dissertation.
 */

const logOf = (raft: Raft) => {
  const { firstIndex, lastIndex } = raft.status()
  const terms: number[] = []
  for (let index = firstIndex; index <= lastIndex; index++) terms.push(raft.termAtForTest(index))
  return terms
}
const data = (text: string) => new TextEncoder().encode(text)
const heartbeatReply = (from: number, term: number, round = 0): Message => ({
  type: 'heartbeat-reply',
  from,
  to: 1,
  term,
  round,
})

// ---------------------------------------------------------------- terms and roles

it('paper §5.2: a node starts as a follower', () => {
  expect(node().status().role).toBe('follower')
})

it.each<[role: string, make: () => Raft]>([
  ['follower', () => node({ term: 2 })],
  [
    'candidate',
    () => {
      const raft = node({ term: 1 })
      raft.campaign()
      return raft
    },
  ],
  ['leader', () => leader({ term: 1 })],
])('paper §5.1: a %s that sees a newer term adopts it and follows', (_role, make) => {
  const raft = make()
  raft.step(append(5, 0, 0))
  expect(raft.status()).toMatchObject({ role: 'follower', term: 5, leader: 2, vote: 0 })
})

it.each<[name: string, message: Message]>([
  ['append', append(1, 1, 1, [1])],
  ['heartbeat', { type: 'heartbeat', from: 2, to: 1, term: 1, commit: 0, round: 0 }],
])('paper §5.1: an %s of an older term is refused with the newer one', (_name, message) => {
  const raft = node({ term: 3 })
  raft.step(message)
  const [reply] = only(drain(raft).messages, 'append-reply')
  expect(reply).toMatchObject({ to: 2, term: 3, accepted: false })
  expect(raft.status()).toMatchObject({ leader: 0, lastIndex: 1 })
})

it('Figure 2, RequestVote 1: a vote for an older term is denied', () => {
  const raft = node({ term: 3 })
  raft.step(vote(2, 2, 9, 2))
  expect(only(drain(raft).messages, 'vote-reply')).toMatchObject([{ term: 3, granted: false }])
})

it.each<[name: string, message: Message]>([
  ['vote-reply', voteReply(2, 1)],
  ['append-reply', accept(2, 1, 1)],
  ['heartbeat-reply', heartbeatReply(2, 1)],
])('paper §5.1: a %s of an older term is ignored', (_name, message) => {
  const raft = leader({ term: 3 })
  const before = raft.status()
  raft.step(message)
  expect(raft.status()).toEqual(before)
})

// ---------------------------------------------------------------- elections

it('paper §5.2: without a leader a follower becomes candidate, votes for itself, asks all', () => {
  const raft = node({ term: 2 })
  for (let tick = 0; tick < 10; tick++) raft.tick()
  expect(raft.status()).toMatchObject({ role: 'candidate', term: 3, vote: 1 })
  const asked = only(drain(raft).messages, 'vote')
  expect(asked.map(({ to, term }) => [to, term])).toEqual([
    [2, 3],
    [3, 3],
  ])
})

it('paper §5.2: heartbeats keep a follower from becoming candidate', () => {
  const raft = node({ term: 2 })
  for (let tick = 0; tick < 100; tick++) {
    if (tick % 9 === 0) raft.step(append(2, 1, 1))
    raft.tick()
  }
  expect(raft.status().role).toBe('follower')
})

it('§3.4: timeouts are spread over electionTicks..2*electionTicks-1', () => {
  const seen = new Set<number>()
  for (let draw = 0; draw < 10; draw++) {
    const raft = node({ random: (below) => (below === 10 ? draw : 0) })
    let ticks = 0
    while (raft.status().role === 'follower') {
      raft.tick()
      ticks += 1
    }
    seen.add(ticks)
  }
  expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
})

it('§3.4: a candidate that wins nothing tries again with a newer term and a new timeout', () => {
  const raft = node({ term: 1 })
  for (let tick = 0; tick < 10; tick++) raft.tick()
  expect(raft.status()).toMatchObject({ role: 'candidate', term: 2 })
  for (let tick = 0; tick < 10; tick++) raft.tick()
  expect(raft.status()).toMatchObject({ role: 'candidate', term: 3 })
})

it.each<[voters: number, yes: number[], no: number[], role: string]>([
  [1, [], [], 'leader'],
  [3, [2], [], 'leader'],
  [3, [2], [3], 'leader'],
  [3, [], [2], 'candidate'],
  [3, [], [2, 3], 'follower'],
  [4, [2], [], 'candidate'],
  [4, [2, 3], [], 'leader'],
  [4, [2], [3, 4], 'follower'],
  [5, [2], [3, 4], 'candidate'],
  [5, [2, 3], [4, 5], 'leader'],
  [5, [], [2, 3, 4], 'follower'],
  [7, [2, 3], [4, 5, 6], 'candidate'],
  [7, [2, 3, 4], [5, 6, 7], 'leader'],
])('paper §5.2: of %i voters, yes %j and no %j make a %s', (voters, yes, no, role) => {
  const raft = node({ voters: Array.from({ length: voters }, (_, at) => at + 1) })
  raft.campaign()
  drain(raft)
  for (const id of no) raft.step(voteReply(id, 2, false))
  for (const id of yes) raft.step(voteReply(id, 2))
  expect(raft.status().role).toBe(role)
})

it('paper §5.2: a voter counts once, and its first answer stays', () => {
  const raft = node({ voters: [1, 2, 3, 4, 5] })
  raft.campaign()
  drain(raft)
  raft.step(voteReply(2, 2))
  raft.step(voteReply(2, 2))
  expect(raft.status().role).toBe('candidate')
  raft.step(voteReply(3, 2, false))
  raft.step(voteReply(3, 2, true))
  expect(raft.status().role).toBe('candidate')
})

it('paper §5.2: votes of nodes that are no voters do not count', () => {
  const raft = node({ voters: [1, 2, 3], learners: [4] })
  raft.campaign()
  drain(raft)
  raft.step(voteReply(4, 2))
  raft.step(voteReply(9, 2))
  expect(raft.status().role).toBe('candidate')
})

it.each<[voted: number, asks: number, granted: boolean]>([
  [0, 2, true],
  [0, 3, true],
  [2, 2, true],
  [3, 3, true],
  [2, 3, false],
  [3, 2, false],
])('paper §5.2: having voted for %i, a vote for %i is given: %s', (voted, asks, granted) => {
  const raft = node({ term: 2, vote: voted })
  raft.step(vote(asks, 2, 1, 1))
  expect(only(drain(raft).messages, 'vote-reply')).toMatchObject([{ granted, to: asks }])
})

it('paper §5.2: a candidate that hears of a leader of its term follows it', () => {
  const raft = node({ term: 1 })
  raft.campaign()
  raft.step(append(2, 1, 1, [2]))
  expect(raft.status()).toMatchObject({ role: 'follower', term: 2, leader: 2, lastIndex: 2 })
})

it('paper §5.2: two leaders in one term are a broken promise, noticed at once', () => {
  const raft = node({ term: 2 })
  raft.step(append(2, 1, 1))
  expect(() => raft.step(append(2, 1, 1, [], 0, 3))).toThrow(RaftAssertionError)
  expect(() => leader().step(append(2, 1, 1))).toThrow(RaftAssertionError)
})

it('paper §5.2: a leader asserts itself at once, then with a heartbeat each interval', () => {
  const raft = node()
  raft.campaign()
  drain(raft)
  raft.step(voteReply(2, 2))
  expect(only(drain(raft).messages, 'append').map(({ to }) => to)).toEqual([2, 3])
  raft.tick()
  expect(drain(raft).messages).toEqual([])
  raft.tick()
  expect(only(drain(raft).messages, 'heartbeat').map(({ to }) => to)).toEqual([2, 3])
})

it.each<[name: string, lastIndex: number, lastTerm: number, granted: boolean]>([
  ['same end', 3, 2, true],
  ['longer', 4, 2, true],
  ['newer term, shorter', 2, 3, true],
  ['shorter', 2, 2, false],
  ['older term, longer', 9, 1, false],
])('paper §5.4.1: a candidate whose log is as up to date: %s', (_name, index, term, granted) => {
  const raft = node({ log: [1, 2] })
  raft.step(vote(2, 5, index, term))
  expect(only(drain(raft).messages, 'vote-reply')).toMatchObject([{ granted }])
})

// ---------------------------------------------------------------- replication

it('paper §5.3: a leader appends a proposal and sends it to all at the same time', () => {
  const raft = settledLeader()
  const result = raft.propose(data('x'))
  expect(result).toMatchObject({ ok: true, index: 3, term: 2 })
  const sent = only(drain(raft).messages, 'append')
  expect(sent.map(({ to }) => to)).toEqual([2, 3])
  expect(sent[0]).toMatchObject({ prevIndex: 2, prevTerm: 2, entries: [{ index: 3, term: 2 }] })
})

it('paper §5.3: only a leader takes proposals, others name it', () => {
  const raft = node({ term: 2 })
  expect(raft.propose(data('x'))).toMatchObject({ ok: false, reason: 'no-leader' })
  raft.step(append(2, 1, 1))
  expect(raft.propose(data('x'))).toMatchObject({ ok: false, reason: 'not-leader', leader: 2 })
})

it.each<[voters: number, acknowledged: number[], committed: boolean]>([
  [1, [], true],
  [3, [], false],
  [3, [2], true],
  [4, [2], false],
  [4, [2, 3], true],
  [5, [2], false],
  [5, [2, 3], true],
  [7, [2, 3], false],
  [7, [2, 3, 4], true],
])('paper §5.3: of %i voters, acknowledged by %j too: committed %s', (voters, acked, committed) => {
  const raft = settledLeader({ voters: Array.from({ length: voters }, (_, at) => at + 1) })
  raft.propose(data('x'))
  drain(raft)
  for (const id of acked) raft.step(accept(id, 2, 3))
  expect(raft.status().commit).toBe(committed ? 3 : 2)
})

it('paper §5.3: a commit brings all before it along, and followers hear of it at once', () => {
  const raft = settledLeader({ voters: [1, 2, 3] })
  raft.propose(data('a'))
  raft.propose(data('b'))
  drain(raft)
  raft.step(accept(2, 2, 4))
  const { applied, messages } = drain(raft)
  expect(applied.map(({ index }) => index)).toEqual([3, 4])
  expect(only(messages, 'append').map(({ to, commit }) => [to, commit])).toEqual([
    [2, 4],
    [3, 4],
  ])
})

it.each<[prevIndex: number, prevTerm: number, accepted: boolean]>([
  [1, 1, true],
  [2, 1, true],
  [3, 2, true],
  [3, 1, false],
  [2, 2, false],
  [4, 2, false],
])('paper §5.3: an append after %i@%i to a log that ends at 3@2: %s', (prev, term, accepted) => {
  const raft = node({ log: [1, 2] })
  raft.step(append(2, prev, term))
  expect(only(drain(raft).messages, 'append-reply')).toMatchObject([{ accepted }])
})

it.each<[name: string, prev: [number, number], terms: number[], want: number[]]>([
  ['what differs goes, with all behind it', [2, 1], [3], [1, 3]],
  ['what is missing is added', [4, 2], [3, 3], [1, 2, 2, 3, 3]],
  ['an old append leaves newer entries alone', [1, 1], [1], [1, 2, 2]],
  ['an empty one too', [2, 1], [], [1, 2, 2]],
  ['the same again changes nothing', [1, 1], [1, 2, 2], [1, 2, 2]],
  ['everything can be replaced', [1, 1], [3, 3], [3, 3]],
])('Figure 2, AppendEntries 3 and 4: %s', (_name, [index, term], terms, want) => {
  const raft = node({ log: [1, 2, 2], term: 3 })
  raft.step(append(3, index, term, terms))
  expect(logOf(raft)).toEqual(want)
})

it.each<[name: string, prev: [number, number], terms: number[], commit: number, want: number]>([
  ['the leader commits less than sent', [2, 1], [2, 2], 3, 3],
  ['the leader commits more than sent', [2, 1], [2], 9, 3],
  ['an empty append vouches for its predecessor only', [2, 1], [], 9, 2],
])('Figure 2, AppendEntries 5: %s', (_name, [index, term], terms, commit, want) => {
  const raft = node({ log: [1, 2, 2] })
  raft.step(append(2, index, term, terms, commit))
  expect(raft.status().commit).toBe(want)
})

it('paper §5.4.3: what is committed is never replaced', () => {
  const raft = node({ log: [1, 1], commit: 3 })
  expect(() => raft.step(append(2, 1, 1, [2, 2]))).toThrow(RaftAssertionError)
})

it('paper §5.3: a leader backs up over a whole term at a time', () => {
  // Ours: 2..6 of term 1, then 200 of term 5. Theirs: 2..6 of term 1, then 300 of term 3.
  const ours = [1, 1, 1, 1, 1, ...new Array<number>(200).fill(5)]
  const theirs = [1, 1, 1, 1, 1, ...new Array<number>(300).fill(3)]
  const one = node({ log: ours, term: 5, voters: [1, 2] })
  const two = node({ id: 2, log: theirs, term: 5, voters: [1, 2] })
  let refusals = 0
  one.campaign()
  connect([one, two], (message) => {
    if (message.type === 'append-reply' && !message.accepted) refusals += 1
    return false
  })
  expect(refusals).toBe(1)
  expect(logOf(two)).toEqual(logOf(one))
  expect(two.status().commit).toBe(one.status().lastIndex)
})

it('paper §5.3: refusals that come late or twice change nothing', () => {
  const raft = settledLeader()
  const before = raft.status()
  raft.step(reject(2, 2, 1, 0, 0))
  raft.step(reject(2, 2, 2, 1, 1))
  expect(raft.status().members).toEqual(before.members)
})

it('paper §5.4.2: an entry of an older term is not committed by counting (Figure 8)', () => {
  const raft = leader({ voters: [1, 2, 3, 4, 5], log: [2], term: 3 })
  raft.step(accept(2, 4, 2))
  raft.step(accept(3, 4, 2))
  expect(raft.status().commit).toBe(1) // 2@2 is on a majority
  raft.step(accept(2, 4, 3))
  expect(raft.status().commit).toBe(1)
  raft.step(accept(3, 4, 3))
  expect(raft.status().commit).toBe(3) // with 3@4 everything before it is
})

it('paper §8: a leader opens its term with an entry of its own', () => {
  const raft = leader({ log: [1, 1] })
  expect(logOf(raft)).toEqual([1, 1, 2])
})

// ---------------------------------------------------------------- persistence

it.each<[name: string, message: Message, reply: Message['type']]>([
  ['a vote', vote(2, 2, 1, 1), 'vote-reply'],
  ['an acknowledgement', append(2, 1, 1, [2]), 'append-reply'],
])('§3.8: %s leaves only when it is durable', (_name, message, reply) => {
  const raft = node()
  raft.step(message)
  const ready = raft.ready()!
  expect(only(ready.messages, reply as 'vote-reply')).toEqual([])
  expect(ready.append).toMatchObject({ sync: true, messages: [{ type: reply }] })
  // Another one waits behind it, although it needs no write of its own.
  raft.step(message)
  const next = raft.ready()!
  expect(next.messages).toEqual([])
  expect(next.append!.messages).toMatchObject([{ type: reply }])
})

it('§3.8: vote and term are in the write that the vote waits for', () => {
  const raft = node()
  raft.step(vote(3, 7, 1, 1))
  expect(raft.ready()!.append!.ballot).toEqual({ term: 7, vote: 3 })
})

it('§3.8: a restarted node remembers its vote', () => {
  const raft = node({ term: 7, vote: 3 })
  raft.step(vote(2, 7, 9, 7))
  expect(only(drain(raft).messages, 'vote-reply')).toMatchObject([{ granted: false }])
})

it('§3.8: a candidate asks, and counts its own vote, only when that vote is durable', () => {
  const raft = node({ voters: [1] })
  raft.campaign()
  const ready = raft.ready()!
  expect(raft.status().role).toBe('candidate')
  raft.appended(ready.append!.seq)
  expect(raft.status().role).toBe('leader')
})

it('§10.2.1: a leader sends before its own write is done, and does not count itself', () => {
  const raft = settledLeader()
  raft.propose(data('x'))
  const ready = raft.ready()!
  expect(only(ready.messages, 'append')).toHaveLength(2)
  expect(raft.status().members[0]).toMatchObject({ id: 1, match: 2 })
  raft.step(accept(2, 2, 3))
  expect(raft.status().commit).toBe(2) // one of three
  raft.appended(ready.append!.seq)
  expect(raft.status().commit).toBe(3)
})

it('§10.2.1: a majority of others commits without the leader’s disk', () => {
  const raft = settledLeader()
  raft.propose(data('x'))
  const ready = raft.ready()!
  raft.step(accept(2, 2, 3))
  raft.step(accept(3, 2, 3))
  expect(raft.status().commit).toBe(3)
  expect(raft.ready()!.committed).toEqual([]) // applied only once it is durable here
  raft.appended(ready.append!.seq)
  expect(raft.ready()!.committed).toMatchObject([{ index: 3 }])
})

// ---------------------------------------------------------------- leadership transfer

it('§3.10: a target that has everything is told at once; it needs neither timeout nor consent', () => {
  const raft = settledLeader()
  expect(raft.transferLeadership(2)).toBe(true)
  expect(only(drain(raft).messages, 'timeout-now')).toMatchObject([{ to: 2 }])
  const target = node({ preVote: true, checkQuorum: true, term: 2 })
  target.step({ type: 'timeout-now', from: 2, to: 1, term: 2 })
  expect(target.status()).toMatchObject({ role: 'candidate', term: 3 })
  expect(only(drain(target).messages, 'vote')).toMatchObject([{ transfer: true }, {}])
})

it('§3.10: a target that lacks entries gets them first, and no proposal is taken meanwhile', () => {
  const raft = settledLeader()
  raft.propose(data('x'))
  drain(raft)
  raft.transferLeadership(3)
  expect(only(drain(raft).messages, 'timeout-now')).toEqual([])
  expect(raft.propose(data('y'))).toMatchObject({ ok: false, reason: 'transferring' })
  raft.step(accept(3, 2, 3))
  expect(only(drain(raft).messages, 'timeout-now')).toMatchObject([{ to: 3 }])
})

it('§3.10: a transfer that takes longer than an election timeout is given up', () => {
  const raft = settledLeader()
  raft.transferLeadership(3)
  for (let tick = 0; tick < 10; tick++) raft.tick()
  expect(raft.status().transferee).toBe(0)
  expect(raft.propose(data('x')).ok).toBe(true)
})

it.each([1, 4, 9])(
  '§3.10: there is nothing to transfer to %i (self, learner, stranger)',
  (target) => {
    expect(settledLeader({ learners: [4] }).transferLeadership(target)).toBe(false)
  },
)

// ---------------------------------------------------------------- configuration

const addFour = { changes: [{ op: 'add-voter', id: 4 }], transition: 'auto' } as const

it('§4.1: one change of configuration at a time', () => {
  const raft = settledLeader()
  expect(raft.proposeConfChange(addFour)).toMatchObject({ ok: true, index: 3 })
  expect(raft.proposeConfChange(addFour)).toMatchObject({ ok: false, reason: 'conf-pending' })
  drain(raft)
  raft.step(accept(2, 2, 3))
  drain(raft)
  expect(raft.status().config.voters).toEqual([1, 2, 3, 4])
  expect(raft.proposeConfChange(addFour).ok).toBe(true)
})

it('§4.1 and its correction: none before an entry of the leader’s own term is committed', () => {
  const raft = leader()
  expect(raft.proposeConfChange(addFour)).toMatchObject({ ok: false, reason: 'conf-pending' })
})

it('§4.1: a node does not campaign while a committed change is not applied', () => {
  const raft = node({ term: 2 })
  const change = { index: 2, term: 2, data: data(''), change: addFour }
  raft.step({ ...append(2, 1, 1, [], 2), entries: [change] } as Message)
  raft.campaign()
  expect(raft.status().role).toBe('follower')
  drain(raft)
  raft.campaign()
  expect(raft.status().role).toBe('candidate')
})

it('§4.2.1: a learner receives the log and counts for nothing', () => {
  const raft = settledLeader({ voters: [1, 2, 3], learners: [4, 5] })
  raft.propose(data('x'))
  expect(only(drain(raft).messages, 'append').map(({ to }) => to)).toEqual([2, 3, 4, 5])
  raft.step(accept(4, 2, 3))
  raft.step(accept(5, 2, 3))
  expect(raft.status().commit).toBe(2)
})

it('§4.2.1: a learner does not campaign', () => {
  const raft = node({ voters: [2, 3], learners: [1] })
  for (let tick = 0; tick < 100; tick++) raft.tick()
  expect(raft.status().role).toBe('follower')
})

it('§4.2.2: a node votes whether or not it believes to be a voter', () => {
  const raft = node({ voters: [2, 3], learners: [1] })
  raft.step(vote(2, 2, 1, 1))
  expect(only(drain(raft).messages, 'vote-reply')).toMatchObject([{ granted: true }])
})

it('§4.2.2: a removed leader goes on, uncounted, until a majority knows, then steps aside', () => {
  const raft = settledLeader()
  raft.proposeConfChange({ changes: [{ op: 'remove', id: 1 }], transition: 'auto' })
  raft.propose(data('x'))
  drain(raft)
  raft.step(accept(2, 2, 3))
  drain(raft)
  expect(raft.status()).toMatchObject({ role: 'leader', commit: 3, config: { voters: [2, 3] } })
  raft.step(accept(2, 2, 4, 3))
  expect(raft.status()).toMatchObject({ role: 'leader', commit: 3 }) // 4 is on 1 and 2 only
  raft.step(accept(3, 2, 4, 3))
  expect(raft.status().role).toBe('follower')
  expect(only(drain(raft).messages, 'timeout-now')).toMatchObject([{ to: 2 }])
})

it('§4.2.2: a leader that was removed can be added again, and lead again', () => {
  const nodes = [1, 2, 3].map((id) => node({ id }))
  const [one, two] = nodes as [Raft, Raft, Raft]
  one.campaign()
  connect(nodes)
  one.proposeConfChange({ changes: [{ op: 'remove', id: 1 }], transition: 'auto' })
  connect(nodes)
  expect(two.status()).toMatchObject({ role: 'leader', config: { voters: [2, 3] } })
  two.proposeConfChange({ changes: [{ op: 'add-voter', id: 1 }], transition: 'auto' })
  connect(nodes)
  two.transferLeadership(1)
  connect(nodes)
  expect(one.status().role).toBe('leader')
  expect(one.propose(data('x')).ok).toBe(true)
})

it('§4.2.3: who has a live leader hears of no election, and keeps its term', () => {
  const raft = node({ term: 2, checkQuorum: true })
  raft.step(append(2, 1, 1))
  raft.step(vote(3, 9, 9, 9))
  expect(raft.status()).toMatchObject({ term: 2, leader: 2 })
  expect(only(drain(raft).messages, 'vote-reply')).toEqual([])
  for (let tick = 0; tick < 10; tick++) raft.tick()
  raft.step(vote(3, 9, 9, 9))
  expect(raft.status()).toMatchObject({ term: 9, vote: 3 })
})

it.each<[acknowledged: number[], committed: boolean]>([
  [[2], false],
  [[2, 4], true],
  [[4, 5], false],
  [[2, 3], false],
  [[2, 4, 5], true],
])('§4.3: (1 4 5) and (1 2 3) must both agree: with 1 and %j %s', (acked, committed) => {
  const config = { ...configOf([1, 4, 5]), outgoing: [1, 2, 3] }
  const raft = leader({ config })
  for (const id of acked) raft.step(accept(id, 2, 2))
  expect(raft.status().commit).toBe(committed ? 2 : 1)
})

it('§4.3: an election in a joint configuration needs both majorities', () => {
  const config = { ...configOf([1, 4, 5]), outgoing: [1, 2, 3] }
  const raft = node({ config })
  raft.campaign()
  drain(raft)
  raft.step(voteReply(2, 2))
  raft.step(voteReply(3, 2))
  expect(raft.status().role).toBe('candidate')
  raft.step(voteReply(5, 2))
  expect(raft.status().role).toBe('leader')
})

it('§4.3: a joint configuration is left by the leader itself', () => {
  const raft = settledLeader()
  const two = [
    { op: 'add-voter', id: 4 },
    { op: 'remove', id: 3 },
  ] as const
  raft.proposeConfChange({ changes: two, transition: 'auto' })
  drain(raft)
  raft.step(accept(2, 2, 3))
  drain(raft)
  expect(raft.status().config).toMatchObject({ voters: [1, 2, 4], outgoing: [1, 2, 3] })
  raft.step(accept(2, 2, 4))
  drain(raft)
  expect(raft.status().config).toMatchObject({ voters: [1, 2, 4], outgoing: [] })
})

// ---------------------------------------------------------------- snapshots

it('§5.1: who needs entries that are gone gets a snapshot, once it is heard of', () => {
  const raft = settledLeader()
  raft.snapshotTaken(raft.snapshotMeta()!)
  raft.compact(2)
  raft.reportUnreachable(3)
  drain(raft)
  raft.step(reject(3, 2, 2, 1, 1)) // stale: 2 was acknowledged
  expect(drain(raft).transfers).toEqual([])

  const fresh = leader({ voters: [1, 2, 3] })
  fresh.step(accept(2, 2, 2))
  drain(fresh)
  fresh.snapshotTaken(fresh.snapshotMeta()!)
  fresh.compact(2)
  fresh.step(reject(3, 2, 1, 0, 0))
  const { transfers } = drain(fresh)
  expect(transfers).toMatchObject([{ to: 3, message: { snapshot: { index: 2, term: 2 } } }])
  fresh.propose(data('x'))
  expect(only(drain(fresh).messages, 'append').map(({ to }) => to)).toEqual([2])
})

const snapshot = (index: number, term: number): Message => ({
  type: 'snapshot',
  from: 2,
  to: 1,
  term: 5,
  snapshot: { index, term, config: configOf([1, 2, 3]) },
})

it('§5.3: a snapshot that covers more than the log replaces all of it', () => {
  const raft = node({ log: [1, 2, 2], term: 4 })
  raft.step(snapshot(9, 3))
  const ready = raft.ready()!
  expect(ready.append).toMatchObject({ snapshot: { index: 9 }, sync: true })
  expect(ready.append!.messages).toMatchObject([{ type: 'append-reply', index: 9 }])
  expect(raft.status()).toMatchObject({ firstIndex: 10, lastIndex: 9, commit: 9, applied: 1 })
  raft.campaign()
  expect(raft.status().role).toBe('follower') // its state is not there yet
  raft.advance(ready)
  expect(raft.status().applied).toBe(9)
})

it.each<[name: string, at: [number, number], commit: number]>([
  ['an older one than the commit index', [2, 1], 3],
  ['one whose end is in the log', [4, 2], 4],
])('§5.3: the log stays for %s', (_name, [index, term], commit) => {
  const raft = node({ log: [1, 2, 2, 2, 2], term: 4, commit: 3 })
  raft.step(snapshot(index, term))
  expect(raft.status()).toMatchObject({ firstIndex: 2, lastIndex: 6, commit })
  expect(only(drain(raft).messages, 'append-reply')).toMatchObject([{ index: commit }])
})

it('§5.3: entries that contradict a snapshot go', () => {
  const raft = node({ log: [1, 2, 2, 2, 2], term: 4 })
  raft.step(snapshot(4, 3))
  expect(raft.status()).toMatchObject({ firstIndex: 5, lastIndex: 4 })
})

// ---------------------------------------------------------------- clients

it('§6.2: a leader that hears of no majority for an election timeout steps down', () => {
  const raft = settledLeader({ checkQuorum: true, voters: [1, 2, 3, 4, 5] })
  for (let tick = 0; tick < 10; tick++) raft.tick()
  expect(raft.status().role).toBe('leader') // heard of all just now
  for (let tick = 0; tick < 9; tick++) raft.tick()
  raft.step(heartbeatReply(2, 2))
  raft.tick()
  expect(raft.status().role).toBe('follower') // 1 and 2 are no majority
})

it('§6.2: a majority that answers is enough, learners do not help', () => {
  const raft = settledLeader({ checkQuorum: true, voters: [1, 2, 3], learners: [4] })
  for (let tick = 0; tick < 50; tick++) {
    raft.tick()
    raft.step(heartbeatReply(2, 2))
  }
  expect(raft.status().role).toBe('leader')
  for (let tick = 0; tick < 20; tick++) {
    raft.tick()
    if (raft.status().role === 'leader') raft.step(heartbeatReply(4, 2))
  }
  expect(raft.status().role).toBe('follower')
})

it('§6.4: a read waits until a majority confirmed the leader after it was asked', () => {
  const raft = settledLeader()
  raft.readIndex(7)
  const { messages, reads } = drain(raft)
  expect(reads).toEqual([])
  expect(only(messages, 'heartbeat').map(({ round }) => round)).toEqual([1, 1])
  raft.step(heartbeatReply(2, 2, 0)) // an answer from before
  expect(drain(raft).reads).toEqual([])
  raft.step(heartbeatReply(2, 2, 1))
  expect(drain(raft).reads).toEqual([{ id: 7, index: 2 }])
})

it('§6.4: a read waits for the first entry of the term', () => {
  const raft = leader()
  raft.readIndex(7)
  expect(only(drain(raft).messages, 'heartbeat')).toEqual([])
  raft.step(accept(2, 2, 2))
  expect(only(drain(raft).messages, 'heartbeat')).toHaveLength(2)
})

it('§6.4: a read waits until what it must see is applied', () => {
  const raft = settledLeader({ voters: [1] })
  raft.propose(data('x'))
  const write = raft.ready()!
  raft.appended(write.append!.seq)
  raft.readIndex(7)
  const ready = raft.ready()!
  expect(ready).toMatchObject({ committed: [{ index: 3 }], reads: [] })
  raft.applied(3)
  expect(raft.ready()!.reads).toEqual([{ id: 7, index: 3 }])
})

it('§6.4: reads that come together share a round, also those of a follower', () => {
  const nodes = [1, 2, 3].map((id) => node({ id }))
  nodes[0]!.campaign()
  connect(nodes)
  for (let id = 1; id <= 50; id++) nodes[id % 2]!.readIndex(id)
  let heartbeats = 0
  const { reads } = connect(nodes, (message) => {
    if (message.type === 'heartbeat') heartbeats += 1
    return false
  })
  expect(reads.get(1)).toHaveLength(25)
  expect(reads.get(2)).toHaveLength(25)
  expect(heartbeats).toBeLessThanOrEqual(4) // two rounds to two followers
})

it('§6.4: reads of a deposed leader, and those it was asked for, come back unanswered', () => {
  const raft = settledLeader()
  raft.readIndex(7)
  drain(raft)
  raft.step(append(3, 0, 0))
  expect(drain(raft).reads).toEqual([{ id: 7, index: null }])
  raft.readIndex(8)
  drain(raft)
  for (let tick = 0; tick < 20; tick++) {
    raft.step(append(3, 0, 0)) // the leader lives and never answers the read
    raft.tick()
  }
  expect(drain(raft).reads).toEqual([{ id: 8, index: null }])
})

// ---------------------------------------------------------------- pre-vote

it('§9.6: asking first disturbs nobody: no term changes, no vote is spent, no timer restarts', () => {
  const raft = node({ preVote: true, term: 2 })
  raft.campaign()
  expect(raft.status()).toMatchObject({ role: 'pre-candidate', term: 2, vote: 0 })
  const [request] = only(drain(raft).messages, 'pre-vote')
  expect(request).toMatchObject({ to: 2, term: 3 })

  const asked = node({ id: 2, term: 2 })
  asked.step(request!)
  expect(asked.status()).toMatchObject({ term: 2, vote: 0 })
  const [reply] = only(drain(asked).messages, 'pre-vote-reply')
  expect(reply).toMatchObject({ granted: true, term: 3 })

  raft.step(reply!)
  expect(raft.status()).toMatchObject({ role: 'candidate', term: 3, vote: 1 })
})

it.each<[name: string, asked: Raft, granted: boolean | null]>([
  ['granted by who has no leader', node({ id: 2, checkQuorum: true, term: 2 }), true],
  ['denied by who has a better log', node({ id: 2, log: [2], term: 2 }), false],
  ['denied, with its term, by who is ahead', node({ id: 2, term: 7 }), false],
])('§9.6: a pre-vote is %s', (_name, asked, granted) => {
  asked.step({
    ...(vote(1, 3, 1, 1) as Message & { type: 'vote' }),
    type: 'pre-vote',
    to: 2,
  })
  expect(only(drain(asked).messages, 'pre-vote-reply')).toMatchObject([{ granted }])
})

it('§9.6: a late consent to an earlier question is none to this one', () => {
  const raft = node({ preVote: true, term: 5 })
  raft.campaign()
  drain(raft)
  const commit = { index: 0, term: 0 }
  const late = { type: 'pre-vote-reply', from: 2, to: 1, term: 5, granted: true, commit } as const
  raft.step(late)
  expect(raft.status()).toMatchObject({ role: 'pre-candidate', term: 5 })
})
