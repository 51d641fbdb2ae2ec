/**
 * The consensus core: Raft as a pure state machine. It owns no clock, socket, disk or source of
 * randomness; equal inputs give equal outputs. Written against Ongaro and Ousterhout, "In Search of
 * an Understandable Consensus Algorithm" (cited as Figure 2 and paper §) and Ongaro's dissertation
 * (cited as §), and against what etcd's raft library learned in practice.
 *
 * ## The caller's duties, in order
 *
 * 1. **Start** with what the disk holds: ballot, commit index, newest snapshot and the log after it.
 *    A cluster is founded by giving every first member the same {@link foundingSnapshot}, position
 *    1@1, so that whoever joins later with an empty disk ({@link EMPTY_START}) always gets a
 *    snapshot, and with it the configuration. (A log that began at index 1 without a snapshot, and
 *    whose configuration is known from elsewhere, is opened with a snapshot at 0@0 that names it;
 *    nobody can join before a real one is taken.) A node that lost its disk is a new node with a
 *    new id.
 * 2. **Feed** it: {@link Raft.step} for each message (`from` must be the authenticated peer; what
 *    was decoded passes {@link messageProblem} first), {@link Raft.tick} at a steady rate,
 *    {@link Raft.propose} and the rest as wanted. Then call {@link Raft.ready} until it returns
 *    null. What came between two calls of it is batched.
 * 3. For each {@link Ready}, in this order:
 *    a. send `messages`, at once: they may overtake the disk;
 *    b. hand `append` to the disk. Appends are written in the order given, and within one: ballot,
 *       snapshot (it replaces log and state machine), entries (the first one replaces whatever is
 *       stored at its index and behind it), commit index. A crash may cut anywhere, but must not
 *       leave a later part without an earlier one; above all, a commit index must not be on disk
 *       without the entries it covers. When `sync` is set all of it must be durable; several
 *       appends may share one sync. Only then, and in order, send `append.messages` and call
 *       {@link Raft.appended};
 *    c. begin each of `transfers`: send the bytes of that snapshot (`snapshot-transfer.ts`), have
 *       the far side step the message once it holds them all, and call
 *       {@link Raft.reportSnapshot} when the transfer ends either way;
 *    d. apply `committed` to the state machine, then call {@link Raft.applied}. Before that, make
 *       sure that members an entry's `change` brings in can be reached. What was given out before
 *       a snapshot is applied before that is installed, or dropped;
 *    e. serve `reads`; those with index null must be asked again.
 * 4. **Compact**: take {@link Raft.snapshotMeta} with the state machine as it is, store both, call
 *    {@link Raft.snapshotTaken}, then {@link Raft.compact} up to where followers no longer need
 *    the log (`status().neededFrom`), at the latest when `status().logBytes` demands it. A snapshot
 *    named by a running transfer is kept.
 * 5. **Guard the vote**: when a peer connects, compare where its log ends with what it once
 *    acknowledged ({@link Raft.acknowledgedBy}, {@link lostAcknowledged}) and refuse it as a voter
 *    ({@link Raft.refuseVoter}) when it lost any of that. A node whose own disk failed stops
 *    reporting appends, calls {@link Raft.setVoting} with false and {@link Raft.resign}.
 * 6. **Let go slowly**: a member that was removed runs on until a member that is not the leader, or
 *    a later leader, knows of it too; should the leader die before that, its vote is needed.
 *
 * Inputs are not re-entrant: none of these may be called from within another. After an error was
 * thrown the object must not be used again.
 */

import { assert, unreachable } from './assert.js'
import {
  type ConfChange,
  type Config,
  changeConfig,
  configOf,
  EMPTY_CONFIG,
  isVoter,
  LEAVE_JOINT,
  members,
} from './config.js'
import type {
  AppendTask,
  ProposeResult,
  RaftOptions,
  Ready,
  Refusal,
  Role,
  SnapshotTransfer,
  SoftState,
  StartState,
  Status,
  TraceEvent,
} from './contract.js'
import { type Faults, NO_FAULTS } from './faults.js'
import {
  type AppendReply,
  type AppendRequest,
  type Ballot,
  type Entry,
  entryBytes,
  type Heartbeat,
  type HeartbeatReply,
  isUpToDate,
  type LogPosition,
  type Message,
  NONE,
  type NodeId,
  type SnapshotMessage,
  type SnapshotMeta,
  type VoteReply,
  type VoteRequest,
} from './message.js'
import { Progress, type WindowLimits } from './progress.js'
import {
  committedIndex,
  jointCommittedIndex,
  jointVoteResult,
  majority,
  nthHighest,
  type VoteResult,
  type Voters,
} from './quorum.js'
import { RaftLog } from './raft-log.js'
import { LeaderReads, OwnReads } from './read-index.js'

export { RaftAssertionError } from './assert.js'
export { messageProblem } from './check-message.js'
export {
  type ConfChange,
  type Config,
  configOf,
  describeConfig,
  EMPTY_CONFIG,
  LEAVE_JOINT,
  type SingleChange,
} from './config.js'
export type {
  AppendTask,
  MemberStatus,
  ProposeResult,
  RaftOptions,
  ReadState,
  Ready,
  Refusal,
  Role,
  SnapshotTransfer,
  SoftState,
  StartState,
  Status,
  TraceEvent,
} from './contract.js'
export {
  type Ballot,
  type Entry,
  entryBytes,
  type LogPosition,
  type Message,
  NONE,
  type NodeId,
  type SnapshotMessage,
  type SnapshotMeta,
} from './message.js'
export {
  type ChunkHeader,
  type ChunkReply,
  type ChunkVerdict,
  type SenderOptions,
  SnapshotReceiver,
  SnapshotSender,
} from './snapshot-transfer.js'

/** Where a node with an empty disk starts: it belongs to no configuration and waits for a leader. */
export const EMPTY_START: StartState = {
  ballot: { term: 0, vote: NONE },
  commit: 0,
  snapshot: { index: 0, term: 0, config: EMPTY_CONFIG },
  entries: [],
}

/** The snapshot a cluster begins with: position 1@1, an empty state machine, these voters. */
export function foundingSnapshot(voters: readonly NodeId[]): SnapshotMeta {
  return { index: 1, term: 1, config: configOf(voters) }
}

/** How the founding snapshot is started from: the same on every first member. */
export function foundingStart(voters: readonly NodeId[]): StartState {
  const snapshot = foundingSnapshot(voters)
  return { ballot: { term: 1, vote: NONE }, commit: 1, snapshot, entries: [] }
}

/**
 * True when a log that ends at `end` no longer holds what was acknowledged at `acknowledged`: its
 * node must not vote. Entries replaced by a later leader do not count as lost.
 */
export function lostAcknowledged(acknowledged: LogPosition, end: LogPosition): boolean {
  return !isUpToDate(end, acknowledged)
}

/** What the core remembers of a task until it is reported. */
interface WriteMark {
  readonly seq: number
  /** Lowest index the task replaces on disk; 0 when it replaces everything. */
  readonly first: number
  /** Last index on disk after it; -1 when it does not touch the log. */
  readonly last: number
  readonly snapshot: SnapshotMeta | null
  readonly ballot: Ballot | null
}

type Campaign = 'pre-vote' | 'vote' | 'transfer'

const KIB = 1024
const MIB = 1024 * KIB

export class Raft {
  readonly id: NodeId
  readonly #electionTicks: number
  readonly #heartbeatTicks: number
  readonly #preVote: boolean
  readonly #checkQuorum: boolean
  readonly #forwardProposals: boolean
  readonly #appendBytesMax: number
  readonly #window: WindowLimits
  readonly #uncommittedBytesMax: number
  readonly #applyBytesMax: number
  readonly #readsMax: number
  readonly #random: (below: number) => number
  readonly #trace: ((event: TraceEvent) => void) | null
  readonly #faults: Faults

  #term: number
  #vote: NodeId
  #role: Role = 'follower'
  #leader: NodeId = NONE
  readonly #log: RaftLog
  #config: Config
  /** Newest snapshot the caller has. */
  #snapshot: SnapshotMeta
  #progress = new Map<NodeId, Progress>()
  #votes = new Map<NodeId, boolean>()

  #electionElapsed = 0
  #heartbeatElapsed = 0
  #electionTimeout = 0

  #transferee: NodeId = NONE
  /** Index at which this leader knew that it is no voter any more; 0 while it is one. */
  #removedAt = 0
  /** The term in which an election asked for by the leader waits for a configuration to apply. */
  #campaignDueTerm = 0
  /** No change of configuration may be proposed before this index is applied. */
  #confIndex = 0
  #uncommittedBytes = 0
  #voting = true
  readonly #refused = new Set<NodeId>()
  /** Highest position each peer ever acknowledged to this node. */
  readonly #acknowledged = new Map<NodeId, LogPosition>()

  readonly #ownReads: OwnReads
  readonly #leaderReads = new LeaderReads()
  #ticks = 0

  #outbox: Message[] = []
  /** Messages that rest on state which may not be durable yet (§3.8). */
  #held: Message[] = []
  #transfers: SnapshotTransfer[] = []
  #writes: WriteMark[] = []
  #handedSeq = 0
  #syncSeq = 0
  #appendedSeq = 0
  #handedBallot: Ballot
  #durableBallot: Ballot
  #handedCommit: number
  #handedSoft: SoftState

  constructor(options: RaftOptions) {
    const { start } = options
    const electionTicks = options.electionTicks ?? 10
    const heartbeatTicks = options.heartbeatTicks ?? 1
    assert(Number.isSafeInteger(options.id) && options.id > 0, () => `id ${options.id}`)
    assert(heartbeatTicks >= 1, 'heartbeatTicks: expected at least 1')
    assert(electionTicks > heartbeatTicks, 'electionTicks: expected more than heartbeatTicks')
    this.id = options.id
    this.#electionTicks = electionTicks
    this.#heartbeatTicks = heartbeatTicks
    this.#preVote = options.preVote ?? true
    this.#checkQuorum = options.checkQuorum ?? true
    this.#forwardProposals = options.forwardProposals ?? false
    this.#appendBytesMax = options.appendBytesMax ?? MIB
    this.#window = {
      countMax: options.inflightCountMax ?? 256,
      bytesMax: options.inflightBytesMax ?? 8 * MIB,
    }
    assert(this.#window.countMax >= 1, 'inflightCountMax: expected at least 1')
    this.#uncommittedBytesMax = options.uncommittedBytesMax ?? 64 * MIB
    this.#applyBytesMax = options.applyBytesMax ?? 16 * MIB
    this.#readsMax = options.readsMax ?? 16 * KIB
    this.#random = options.random
    this.#trace = options.trace ?? null
    this.#faults = options.faults ?? NO_FAULTS
    this.#ownReads = new OwnReads(this.#readsMax, options.random(0x1_0000_0000))

    this.#term = start.ballot.term
    this.#vote = start.ballot.vote
    this.#config = start.snapshot.config
    this.#snapshot = start.snapshot
    this.#log = new RaftLog(
      {
        base: { index: start.snapshot.index, term: start.snapshot.term },
        entries: start.entries,
        commit: Math.max(start.commit, start.snapshot.index, provenCommit(start.entries)),
        applied: start.snapshot.index,
      },
      this.#faults,
    )
    assert(
      this.#term >= this.#log.last.term,
      () => `term ${this.#term} is older than the log's last entry, of term ${this.#log.last.term}`,
    )
    this.#handedBallot = this.#ballot()
    this.#durableBallot = this.#handedBallot
    this.#handedCommit = this.#log.commit
    this.#handedSoft = this.#soft()
    this.#drawTimeout()
  }

  // ---------------------------------------------------------------- time and messages

  /** A unit of time has passed. How long it is, is the caller's business. */
  tick(): void {
    this.#ticks += 1
    this.#electionElapsed += 1
    if (this.#role === 'leader') this.#tickLeader()
    // Who may not campaign goes on counting, or it would stay loyal to a dead leader for ever.
    else if (this.#electionElapsed >= this.#electionTimeout && this.#whyNotCampaign() === '') {
      this.#campaign(this.#preVote ? 'pre-vote' : 'vote')
    }
    this.#ownReads.expire(this.#ticks)
  }

  #tickLeader(): void {
    this.#heartbeatElapsed += 1
    if (this.#electionElapsed >= this.#electionTicks) {
      this.#electionElapsed = 0
      if (this.#checkQuorum && !this.#quorumActive()) {
        // A leader cut off from the majority must not go on taking proposals (§6.2).
        this.#trace?.({ type: 'quorum-lost' })
        this.#becomeFollower(this.#term, NONE)
        return
      }
      for (const peer of this.#progress.values()) peer.active = false
      // A transfer that takes longer than an election is given up (§3.10).
      this.#transferee = NONE
    }
    if (this.#heartbeatElapsed >= this.#heartbeatTicks) {
      this.#heartbeatElapsed = 0
      if (this.#leaderReads.waiting && this.#committedInTerm()) {
        this.#leaderReads.start(this.#log.commit)
      }
      this.#sendHeartbeats()
    }
    this.#leaveJointByItself()
  }

  /** A message arrived. One of an older term is answered or dropped, a newer term is adopted. */
  step(message: Message): void {
    assert(message.to === this.id, () => `message for ${message.to} stepped at ${this.id}`)
    assert(message.from !== this.id, 'a node does not send messages to itself')
    if (message.type === 'propose') {
      if (this.#role === 'leader') this.#append(message.data, message.change)
    } else if (message.type === 'transfer') {
      if (this.#role === 'leader') this.transferLeadership(message.target)
    } else if (message.type === 'read-index') {
      const { from, boot, seq } = message
      if (this.#role === 'leader' && this.#leaderReads.count < this.#readsMax) {
        this.#leaderReads.add({ from, boot, seq, ids: [] })
      }
    } else if (message.type === 'read-index-reply') {
      const { boot, seq, index } = message
      this.#ownReads.answered(boot, seq, index, this.#readDeadline())
    } else if (this.#refused.has(message.from) && countsAsVoter(message)) return
    else if (this.#adoptTerm(message)) this.#dispatch(message)
  }

  /** Paper §5.1, with the exceptions that pre-vote and stickiness make. False: go no further. */
  #adoptTerm(message: Message): boolean {
    if (message.term === this.#term) return true
    if (message.term < this.#term) {
      if (this.#faults.oldTermObeyed === true && this.#role !== 'leader') return true
      this.#answerOldTerm(message)
      return false
    }
    if (message.type === 'vote' || message.type === 'pre-vote') {
      // A live leader is not to be unseated by one who does not hear it (§4.2.3).
      const sticky =
        this.#checkQuorum &&
        this.#leader !== NONE &&
        this.#electionElapsed < this.#electionTicks &&
        this.#faults.stickinessIgnored !== true
      if (sticky && !message.transfer) {
        const pre = message.type === 'pre-vote'
        this.#trace?.({ type: 'vote-ignored', from: message.from, pre })
        return false
      }
      // A question about a term does not start it.
      if (message.type === 'pre-vote') return true
    }
    if (message.type === 'pre-vote-reply' && message.granted) return true
    const led =
      message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot'
    this.#becomeFollower(message.term, led ? message.from : NONE)
    return true
  }

  #answerOldTerm(message: Message): void {
    if (message.type === 'vote') this.#replyVote('vote-reply', message.from, this.#term, false)
    else if (message.type === 'pre-vote') {
      this.#replyVote('pre-vote-reply', message.from, this.#term, false)
    } else if (message.type === 'append' || message.type === 'heartbeat') {
      // A deposed leader, or one that a node with a newer term could not follow otherwise: pre-vote
      // and stickiness keep such a node from making itself heard by an election.
      this.#rejectAppend(message.from, 0, { index: 0, term: 0 })
    }
  }

  #dispatch(message: Message): void {
    switch (message.type) {
      case 'vote':
      case 'pre-vote':
        this.#onVoteRequest(message)
        return
      case 'vote-reply':
      case 'pre-vote-reply':
        this.#onVoteReply(message)
        return
      case 'append':
        this.#follow(message.from)
        this.#onAppend(message)
        return
      case 'heartbeat':
        this.#follow(message.from)
        this.#onHeartbeat(message)
        return
      case 'snapshot':
        this.#follow(message.from)
        this.#onSnapshot(message)
        return
      case 'append-reply':
        this.#onAppendReply(message)
        return
      case 'heartbeat-reply':
        this.#onHeartbeatReply(message)
        return
      case 'timeout-now':
        this.#onTimeoutNow()
        return
      case 'propose':
      case 'transfer':
      case 'read-index':
      case 'read-index-reply':
        return
      default:
        unreachable(message)
    }
  }

  // ---------------------------------------------------------------- roles and elections

  #becomeFollower(term: number, leader: NodeId): void {
    this.#reset(term)
    this.#setRole('follower')
    this.#setLeader(leader)
  }

  #becomeLeader(): void {
    assert(this.#role === 'candidate', () => `${this.#role} cannot become leader`)
    this.#reset(this.#term)
    this.#progress = new Map()
    for (const id of members(this.#config)) {
      this.#progress.set(id, new Progress(id, this.#log.lastIndex + 1, this.#window))
    }
    this.#setRole('leader')
    this.#setLeader(this.id)
    // An entry of its own term lets the leader learn what is committed (§6.4, paper §5.4.2). No change of
    // configuration before it is applied: that closes the hole found after the dissertation was
    // out (raft-dev, 2015-07), and covers a change the predecessor left in the log.
    this.#uncommittedBytes = this.#log.bytesAfter(this.#log.applied)
    const entry = this.#pushEntry(new Uint8Array(0), null)
    this.#confIndex = entry.index
    this.#progress.get(this.id)?.becomeReplicate()
    this.#acknowledgeOwn()
  }

  #reset(term: number): void {
    if (term !== this.#term) {
      assert(
        term > this.#term && Number.isSafeInteger(term),
        () => `term would go from ${this.#term} to ${term}`,
      )
      this.#term = term
      this.#vote = NONE
    }
    this.#electionElapsed = 0
    this.#heartbeatElapsed = 0
    this.#drawTimeout()
    this.#transferee = NONE
    this.#removedAt = 0
    this.#campaignDueTerm = 0
    this.#votes.clear()
  }

  #drawTimeout(): void {
    this.#electionTimeout = this.#electionTicks + this.#random(this.#electionTicks)
  }

  #setRole(role: Role): void {
    const changed = role !== this.#role
    this.#role = role
    if (changed) this.#trace?.({ type: 'role', role, term: this.#term })
  }

  /** Reads that wait for an answer of the old leader will not get one. */
  #setLeader(leader: NodeId): void {
    if (leader === this.#leader) return
    this.#leader = leader
    for (const batch of this.#leaderReads.clear()) this.#ownReads.fail(batch.ids)
    this.#ownReads.failUnanswered()
  }

  /** Someone leads the present term. */
  #follow(leader: NodeId): void {
    assert(this.#role !== 'leader', () => `${leader} also leads term ${this.#term}`)
    assert(
      this.#leader === NONE || this.#leader === leader,
      () => `${leader} and ${this.#leader} both lead term ${this.#term}`,
    )
    if (this.#role !== 'follower') this.#becomeFollower(this.#term, leader)
    this.#setLeader(leader)
    this.#electionElapsed = 0
  }

  /** Starts an election now, whatever the time; nothing happens where it may not. */
  campaign(): void {
    if (this.#mayCampaign()) this.#campaign(this.#preVote ? 'pre-vote' : 'vote')
  }

  #mayCampaign(): boolean {
    if (this.#role === 'leader') return false
    const reason = this.#whyNotCampaign()
    if (reason !== '') this.#trace?.({ type: 'campaign-refused', reason })
    return reason === ''
  }

  #whyNotCampaign(): string {
    if (!this.#voting) return 'this node must not vote'
    if (!isVoter(this.#config, this.id)) return 'not a voter'
    if (this.#log.pendingSnapshot !== null) return 'a snapshot is being installed'
    // A candidate must know who its voters are (§4.1): what is committed is applied first.
    return this.#unappliedChange() ? 'a change of configuration is not applied' : ''
  }

  #unappliedChange(): boolean {
    return this.#log.changesConfig(this.#log.applied, this.#log.commit)
  }

  #campaign(kind: Campaign): void {
    const pre = kind === 'pre-vote' && this.#faults.preVoteIgnored !== true
    if (pre) {
      this.#reset(this.#term)
      this.#setRole('pre-candidate')
    } else {
      this.#reset(this.#term + 1)
      this.#vote = this.id
      this.#setRole('candidate')
    }
    this.#setLeader(NONE)
    const { index: lastIndex, term: lastTerm } = this.#log.last
    for (const to of new Set([...this.#config.voters, ...this.#config.outgoing])) {
      if (to === this.id) continue
      const request: VoteRequest = {
        type: pre ? 'pre-vote' : 'vote',
        from: this.id,
        to,
        term: pre ? this.#term + 1 : this.#term,
        lastIndex,
        lastTerm,
        transfer: kind === 'transfer',
        commit: this.#log.committed,
      }
      // A vote is given for a log, so that log must not shrink by a crash: unlike etcd's library
      // this one sends the request only when its own term and log are durable. An answer meant for
      // the candidate before the crash would otherwise elect the shorter log after it.
      if (pre) this.#outbox.push(request)
      else this.#held.push(request)
    }
    // The vote for oneself counts as soon as it is durable; the question needs no disk.
    if (pre) this.#countVote(this.id, true)
  }

  /**
   * What is committed elsewhere is committed here too, if it is in this log (Log Matching). Without
   * this, elections could fail for ever: a configuration holds once it is applied, so those who
   * know that a change was committed may no longer be voters who can campaign, while those who do
   * not know it still need the votes of the former, and are refused for their shorter logs.
   */
  #learnCommit(at: LogPosition): void {
    if (this.#role === 'leader' || at.index <= this.#log.commit || !this.#log.matches(at)) return
    this.#log.commitTo(at.index)
    // Whose votes count has changed.
    if (this.#role !== 'follower' && this.#unappliedChange()) {
      this.#becomeFollower(this.#term, NONE)
    }
  }

  #onVoteRequest(message: VoteRequest): void {
    this.#learnCommit(message.commit)
    const pre = message.type === 'pre-vote'
    const free =
      this.#vote === message.from ||
      (this.#vote === NONE && this.#leader === NONE) ||
      (pre && message.term > this.#term) ||
      this.#faults.voteTwice === true
    const upToDate =
      isUpToDate({ index: message.lastIndex, term: message.lastTerm }, this.#log.last) ||
      this.#faults.voteForStaleLog === true
    // Whether this node believes itself to be a voter is not asked: the candidate's configuration
    // may be newer, and the cluster may need this vote (§4.2.2).
    const granted = this.#voting && free && upToDate
    this.#trace?.({ type: 'vote-decided', from: message.from, pre, granted })
    if (granted && !pre) {
      this.#electionElapsed = 0
      this.#vote = message.from
    }
    // A granted question is answered with its own term, which the asker compares; a denial names
    // ours, from which an outdated asker learns.
    const term = granted ? message.term : this.#term
    this.#replyVote(pre ? 'pre-vote-reply' : 'vote-reply', message.from, term, granted)
  }

  #replyVote(type: VoteReply['type'], to: NodeId, term: number, granted: boolean): void {
    const commit = this.#log.committed
    const reply: VoteReply = { type, from: this.id, to, term, granted, commit }
    if (type === 'vote-reply') this.#held.push(reply)
    else this.#outbox.push(reply)
  }

  #onVoteReply(message: VoteReply): void {
    this.#learnCommit(message.commit)
    const pre = message.type === 'pre-vote-reply'
    if (this.#role !== (pre ? 'pre-candidate' : 'candidate')) return
    // A late answer to an earlier question is none to this one.
    if (pre && message.granted && message.term !== this.#term + 1) return
    this.#countVote(message.from, message.granted)
  }

  #countVote(from: NodeId, granted: boolean): void {
    if (!this.#votes.has(from)) this.#votes.set(from, granted)
    const result = this.#tally()
    if (result === 'lost') this.#becomeFollower(this.#term, NONE)
    else if (result === 'won' && this.#role === 'pre-candidate') this.#campaign('vote')
    else if (result === 'won') this.#becomeLeader()
  }

  #onTimeoutNow(): void {
    if (this.#role !== 'follower') return
    // No question first: the leader itself wants to be replaced (§3.10).
    if (this.#mayCampaign()) this.#campaign('transfer')
    else if (this.#unappliedChange()) this.#campaignDueTerm = this.#term
  }

  #tally(): VoteResult {
    return jointVoteResult(this.#voters(), (id) => this.#votes.get(id))
  }

  #quorumActive(): boolean {
    const active = (id: NodeId) => id === this.id || this.#progress.get(id)?.active === true
    return jointVoteResult(this.#voters(), active) === 'won'
  }

  /** Who decides; the faults are here so that they reach votes, commits and reads alike. */
  #voters(): Voters {
    const { voters, outgoing, learners } = this.#config
    if (this.#faults.learnerVotes === true) return { voters: [...voters, ...learners], outgoing }
    if (this.#faults.jointNewHalfOnly === true) return { voters, outgoing: [] }
    return this.#config
  }

  // ---------------------------------------------------------------- followers

  #onAppend(message: AppendRequest): void {
    let { prevIndex, prevTerm, entries } = message
    const log = this.#log
    if (prevIndex < log.commit) {
      // What is committed here is the same there (paper §5.4.3), and may be compacted: skip it.
      const known = log.commit - prevIndex
      if (entries.length < known) {
        this.#acceptAppend(message.from, log.commit)
        return
      }
      const at = entries[known - 1]!
      assert(
        log.matches(at),
        () => `leader ${message.from} sent ${at.index}@${at.term}, another one is committed`,
      )
      prevIndex = at.index
      prevTerm = at.term
      entries = entries.slice(known)
    }
    if (!log.matches({ index: prevIndex, term: prevTerm })) {
      const hint = log.conflictHint(message.prevIndex, message.prevTerm)
      this.#rejectAppend(message.from, message.prevIndex, hint)
      return
    }
    log.merge(entries)
    const matched = prevIndex + entries.length
    log.commitTo(Math.min(message.commit, matched))
    this.#acceptAppend(message.from, matched)
  }

  #acceptAppend(to: NodeId, index: number): void {
    this.#held.push({
      type: 'append-reply',
      from: this.id,
      to,
      term: this.#term,
      accepted: true,
      index,
      hintIndex: 0,
      hintTerm: 0,
      commit: this.#log.commit,
    })
  }

  #rejectAppend(to: NodeId, index: number, hint: LogPosition): void {
    this.#held.push({
      type: 'append-reply',
      from: this.id,
      to,
      term: this.#term,
      accepted: false,
      index,
      hintIndex: hint.index,
      hintTerm: hint.term,
      commit: this.#log.commit,
    })
  }

  #onHeartbeat(message: Heartbeat): void {
    const last = this.#log.lastIndex
    if (message.commit > last) {
      // The leader says only what this node once acknowledged. It is gone, so this node's vote is
      // worth nothing: it could elect a leader without entries that are committed (paper §5.4.1).
      this.setVoting(false)
      this.#trace?.({ type: 'log-lost', acknowledged: message.commit, last })
    }
    this.#log.commitTo(Math.min(message.commit, last))
    this.#outbox.push({
      type: 'heartbeat-reply',
      from: this.id,
      to: message.from,
      term: this.#term,
      round: message.round,
    })
  }

  #onSnapshot(message: SnapshotMessage): void {
    const { snapshot: meta, from } = message
    if (this.#restore(meta)) {
      this.#trace?.({ type: 'snapshot-restored', at: meta })
      this.#acceptAppend(from, meta.index)
    } else {
      this.#trace?.({ type: 'snapshot-ignored', at: meta })
      this.#acceptAppend(from, this.#log.commit)
    }
  }

  /** Paper §7. False when the snapshot brings nothing. */
  #restore(meta: SnapshotMeta): boolean {
    const careless = this.#faults.snapshotOverNewerLog === true
    if (meta.index <= this.#log.commit && !careless) return false
    // That this node is not in the snapshot's configuration is no reason to refuse it: it may have
    // been taken before this node was added, and the entry that adds it follows.
    if (this.#log.matches(meta) && !careless) {
      // The log holds all of it, and maybe more, which must stay.
      this.#log.commitTo(meta.index)
      return false
    }
    this.#log.restore(meta)
    this.#snapshot = meta
    this.#switchConfig(meta.config)
    return true
  }

  // ---------------------------------------------------------------- leaders

  #onAppendReply(message: AppendReply): void {
    const peer = this.#role === 'leader' ? this.#progress.get(message.from) : undefined
    if (peer === undefined) return
    peer.active = true
    peer.commit = Math.max(peer.commit, message.commit)
    if (message.accepted) this.#onAccepted(peer, message.index)
    else this.#onRejected(peer, message)
    this.#stepsAside()
  }

  #onAccepted(peer: Progress, index: number): void {
    assert(
      index <= this.#log.lastIndex,
      () => `${peer.id} acknowledged ${index}, the log ends at ${this.#log.lastIndex}`,
    )
    const confirmed = peer.state === 'probe' && index === peer.match
    if (!peer.advance(index) && !confirmed) return
    this.#noteAcknowledged(peer.id, index)
    if (peer.state === 'probe') peer.becomeReplicate()
    else if (peer.state === 'replicate') peer.inflights.free(index)
    // Any point from which the log can go on will do, not only the one of the snapshot asked for.
    else if (index >= this.#log.base.index) peer.becomeReplicate()
    this.#advanceCommit()
    if (peer.id === this.#transferee && peer.match === this.#log.lastIndex) {
      this.#sendTimeoutNow(peer.id)
    }
  }

  #onRejected(peer: Progress, message: AppendReply): void {
    // The follower's log has term `hintTerm` at the hint, so no entry of a newer term of ours can
    // be in it: go back to where ours has none, whole terms at a time (paper §5.3).
    const hint = this.#log.conflictHint(message.hintIndex, message.hintTerm)
    peer.retreat(message.index, hint.index)
  }

  #noteAcknowledged(id: NodeId, index: number): void {
    const term = this.#log.termAt(index)
    const known = this.#acknowledged.get(id)
    if (term < 0 || (known !== undefined && isUpToDate(known, { index, term }))) return
    this.#acknowledged.set(id, { index, term })
  }

  #onHeartbeatReply(message: HeartbeatReply): void {
    const peer = this.#role === 'leader' ? this.#progress.get(message.from) : undefined
    if (peer === undefined) return
    peer.active = true
    // Whatever was lost on the way, a heartbeat that came through sets replication going again.
    peer.paused = false
    if (peer.match < this.#log.lastIndex || peer.commit < this.#removedAt) peer.nudged = true
    if (message.round > peer.round) {
      peer.round = message.round
      this.#confirmReads()
    }
  }

  /** What is on this leader's own disk counts like any other acknowledgement (§10.2.1). */
  #acknowledgeOwn(): void {
    const own = this.#progress.get(this.id)
    if (own === undefined) return
    const careless = this.#faults.selfAckBeforeDurable === true
    if (own.advance(careless ? this.#log.lastIndex : this.#log.durable)) this.#advanceCommit()
  }

  #advanceCommit(): void {
    const index = this.#agreed((id) => this.#progress.get(id)?.match ?? 0)
    if (index <= this.#log.commit) return
    // Only entries of the own term are committed by counting (paper §5.4.2); older ones come along.
    if (this.#log.termAt(index) !== this.#term && this.#faults.commitOldTerm !== true) return
    this.#log.commitTo(index)
  }

  #agreed(reached: (id: NodeId) => number): number {
    const { voters, outgoing } = this.#voters()
    if (this.#faults.quorumOffByOne === true) {
      const count = Math.max(1, majority(voters.length) - 1)
      return Math.min(nthHighest(voters.map(reached), count), committedIndex(outgoing.map(reached)))
    }
    return jointCommittedIndex({ voters, outgoing }, reached)
  }

  #committedInTerm(): boolean {
    const isCareless = this.#faults.readBeforeOwnCommit === true
    return isCareless || this.#log.termAt(this.#log.commit) === this.#term
  }

  #sendHeartbeats(): void {
    for (const peer of this.#progress.values()) {
      if (peer.id === this.id) continue
      // Never more than the follower is known to hold: it takes this without looking at its log.
      const careless = this.#faults.commitUnmatched === true
      const commit = careless ? this.#log.commit : Math.min(peer.match, this.#log.commit)
      peer.sentCommit = Math.max(peer.sentCommit, commit)
      this.#outbox.push({
        type: 'heartbeat',
        from: this.id,
        to: peer.id,
        term: this.#term,
        commit,
        round: this.#leaderReads.round,
      })
    }
    this.#confirmReads()
  }

  /** All that is to be replicated; asked only by `ready`, so that what came in between is one. */
  #replicate(): void {
    const { lastIndex, commit } = this.#log
    for (const peer of this.#progress.values()) {
      if (peer.id === this.id) continue
      if (peer.state === 'probe' && !peer.paused) this.#sendAppend(peer, true)
      while (peer.state === 'replicate' && peer.next <= lastIndex && !peer.inflights.full) {
        if (!this.#sendAppend(peer, true)) break
      }
      if (peer.state === 'replicate' && (peer.nudged || peer.canBumpCommit(commit))) {
        // Without entries: to tell of the commit at once, and to find out, by its refusal, that
        // something was lost when the window is full of what never arrived.
        this.#sendAppend(peer, false)
      }
    }
  }

  /** False when the log does not reach back far enough. */
  #sendAppend(peer: Progress, withEntries: boolean): boolean {
    const prevIndex = peer.next - 1
    const prevTerm = this.#log.termAt(prevIndex)
    // From index 0 on, the log alone would not tell a newcomer the configuration it began with.
    if (prevTerm < 0 || prevIndex === 0) {
      this.#sendSnapshot(peer)
      return false
    }
    const entries = withEntries ? this.#log.slice(peer.next, this.#appendBytesMax) : []
    let bytes = 0
    for (const entry of entries) bytes += entryBytes(entry)
    this.#outbox.push({
      type: 'append',
      from: this.id,
      to: peer.id,
      term: this.#term,
      prevIndex,
      prevTerm,
      entries,
      commit: this.#log.commit,
    })
    peer.sent(entries.length, bytes, this.#log.commit)
    return true
  }

  #sendSnapshot(peer: Progress): void {
    // Megabytes for someone who may be dead: it has to answer a heartbeat first.
    peer.nudged = false
    if (!peer.active || this.#snapshot.index === 0) return
    const snapshot = this.#snapshot
    assert(
      snapshot.index >= this.#log.base.index,
      () => `log begins at ${this.#log.base.index}, the newest snapshot is ${snapshot.index}`,
    )
    peer.becomeSnapshot(snapshot.index)
    const message: SnapshotMessage = {
      type: 'snapshot',
      from: this.id,
      to: peer.id,
      term: this.#term,
      snapshot,
    }
    this.#transfers.push({ to: peer.id, message })
  }

  // ---------------------------------------------------------------- proposals

  /** Proposes `data`, which the core keeps: do not change it afterwards. */
  propose(data: Uint8Array): ProposeResult {
    return this.#propose(data, null)
  }

  /**
   * Proposes a change of configuration. It holds once it is applied, one at a time. `data` goes
   * with it for the caller's own use.
   */
  proposeConfChange(change: ConfChange, data: Uint8Array = new Uint8Array(0)): ProposeResult {
    return this.#propose(data, change)
  }

  #propose(data: Uint8Array, change: ConfChange | null): ProposeResult {
    if (this.#role === 'leader') return this.#append(data, change)
    if (this.#leader === NONE) return this.#refuse('no-leader')
    if (!this.#forwardProposals) return this.#refuse('not-leader')
    const to = this.#leader
    this.#outbox.push({ type: 'propose', from: this.id, to, term: 0, data, change })
    return { ok: true, index: 0, term: 0 }
  }

  #refuse(reason: Refusal, detail = ''): ProposeResult {
    return { ok: false, reason, leader: this.#leader, detail }
  }

  #append(data: Uint8Array, change: ConfChange | null): ProposeResult {
    if (this.#transferee !== NONE || this.#removedAt > 0) return this.#refuse('transferring')
    if (change !== null) {
      if (this.#confIndex > this.#log.applied && this.#faults.confChangeOverlap !== true) {
        return this.#refuse('conf-pending', `until entry ${this.#confIndex} is applied`)
      }
      const next = changeConfig(this.#config, change)
      if (typeof next === 'string') return this.#refuse('conf-invalid', next)
    }
    const bytes = entryBytes({ index: 0, term: 0, data, change })
    // Alone it may be larger than the limit, or it could never be proposed.
    if (this.#uncommittedBytes > 0 && this.#uncommittedBytes + bytes > this.#uncommittedBytesMax) {
      return this.#refuse('full', `${this.#uncommittedBytes} bytes are not applied yet`)
    }
    const { index, term } = this.#pushEntry(data, change)
    if (change !== null) this.#confIndex = index
    return { ok: true, index, term }
  }

  #pushEntry(data: Uint8Array, change: ConfChange | null): Entry {
    const entry: Entry = { index: this.#log.lastIndex + 1, term: this.#term, data, change }
    this.#log.push(entry)
    this.#uncommittedBytes += entryBytes(entry)
    if (this.#faults.selfAckBeforeDurable === true) this.#acknowledgeOwn()
    return entry
  }

  /**
   * Hands leadership to `target` (§3.10); on a follower, asks the leader to. Proposals are refused
   * until it worked or an election timeout passed. False when nothing was started.
   */
  transferLeadership(target: NodeId): boolean {
    if (this.#role !== 'leader') {
      if (this.#leader === NONE) return false
      const to = this.#leader
      this.#outbox.push({ type: 'transfer', from: this.id, to, term: 0, target })
      return true
    }
    const peer = this.#progress.get(target)
    if (peer === undefined || target === this.id || !isVoter(this.#config, target)) return false
    if (this.#transferee === target) return true
    this.#transferee = target
    this.#electionElapsed = 0
    if (peer.match === this.#log.lastIndex) this.#sendTimeoutNow(target)
    else peer.nudged = true // what is under way to it may have been lost
    return true
  }

  #sendTimeoutNow(to: NodeId): void {
    this.#outbox.push({ type: 'timeout-now', from: this.id, to, term: this.#term })
  }

  /**
   * Steps down at once, asking the best follower to take over: for a leader whose disk failed.
   * Nothing happens on anyone else.
   */
  resign(): void {
    if (this.#role !== 'leader') return
    // What is decided goes out first; as a follower this node could not tell it any more.
    this.#replicate()
    let best: Progress | null = null
    for (const peer of this.#progress.values()) {
      if (peer.id === this.id || !peer.active || !isVoter(this.#config, peer.id)) continue
      if (best === null || peer.match > best.match) best = peer
    }
    if (best !== null) this.#sendTimeoutNow(best.id)
    this.#becomeFollower(this.#term, NONE)
  }

  /**
   * The leader is believed dead, by evidence from outside: a vote against it may be given at once.
   * No timer changes, and a leader that is alive after all is followed again.
   */
  forgetLeader(): void {
    if (this.#role === 'follower') this.#setLeader(NONE)
  }

  // ---------------------------------------------------------------- reads

  /**
   * Asks for a linearizable read (§6.4); the answer comes in {@link Ready.reads} under `id`. It is
   * "ask again" when the leader is lost, or when the answer or the entries up to it take longer
   * than two election timeouts each. No clock is trusted for anything else. False when there is no
   * leader to ask, or too many reads wait already.
   */
  readIndex(id: number): boolean {
    return this.#leader !== NONE && this.#ownReads.ask(id)
  }

  /** What was asked since the last `ready` goes out together. */
  #sendReads(): void {
    if (this.#role === 'leader') {
      const ids = this.#ownReads.takeAsked()
      if (ids.length > 0) this.#leaderReads.add({ from: this.id, boot: 0, seq: 0, ids })
      // A leader knows what is committed only once an entry of its term is (§6.4, step 1).
      const { waiting, underway } = this.#leaderReads
      if (waiting && !underway && this.#committedInTerm()) {
        this.#leaderReads.start(this.#log.commit)
        this.#sendHeartbeats()
      }
    } else if (this.#leader !== NONE) {
      const batch = this.#ownReads.forward(this.#readDeadline())
      if (batch === null) return
      const to = this.#leader
      this.#outbox.push({ type: 'read-index', from: this.id, to, term: 0, ...batch })
    }
  }

  #confirmReads(): void {
    if (!this.#leaderReads.underway) return
    const { round } = this.#leaderReads
    const reached = (id: NodeId) => (id === this.id ? round : (this.#progress.get(id)?.round ?? 0))
    const agreed = this.#faults.staleRead === true ? round : this.#agreed(reached)
    for (const { index, batches } of this.#leaderReads.confirm(agreed)) {
      for (const { from, boot, seq, ids } of batches) {
        if (from === this.id) this.#ownReads.confirm(ids, index, this.#readDeadline())
        else {
          const answer = { from: this.id, to: from, term: 0, boot, seq, index }
          this.#outbox.push({ type: 'read-index-reply', ...answer })
        }
      }
    }
  }

  #readDeadline(): number {
    return this.#ticks + 2 * this.#electionTicks
  }

  // ---------------------------------------------------------------- output

  /** What there is to do, or null. See the third duty; what was returned counts as taken. */
  ready(): Ready | null {
    this.#sendReads()
    if (this.#role === 'leader') this.#replicate()
    const committed = this.#log.takeCommitted(this.#applyBytesMax)
    const reads = this.#ownReads.take(this.#log.applied, this.#ticks)
    const append = this.#takeAppend() // may move held messages to the outbox
    const soft = this.#soft()
    const softChanged =
      soft.role !== this.#handedSoft.role ||
      soft.term !== this.#handedSoft.term ||
      soft.leader !== this.#handedSoft.leader
    const messages = this.#outbox
    const transfers = this.#transfers
    if (
      !softChanged &&
      append === null &&
      messages.length + transfers.length + committed.length + reads.length === 0
    ) {
      return null
    }
    this.#outbox = []
    this.#transfers = []
    this.#handedSoft = soft
    return { soft: softChanged ? soft : null, messages, append, transfers, committed, reads }
  }

  #takeAppend(): AppendTask | null {
    const snapshot = this.#log.takeSnapshot()
    const entries = this.#log.takeUnwritten()
    const ballot = this.#ballot()
    const { term, vote } = this.#handedBallot
    const ballotChanged = ballot.term !== term || ballot.vote !== vote
    const { commit } = this.#log
    const commitChanged = commit > this.#handedCommit
    // That a change of configuration is committed must be as durable as the votes it governs.
    const configChanged = this.#log.changesConfig(this.#handedCommit, commit)
    const sync = entries.length > 0 || snapshot !== null || ballotChanged || configChanged
    let messages: Message[] = []
    const settled = !sync && this.#appendedSeq >= this.#syncSeq
    if (settled || this.#faults.replyBeforeDurable === true) this.#outbox.push(...this.#held)
    else messages = this.#held
    this.#held = []
    if (!sync && !commitChanged && messages.length === 0) return null

    this.#handedSeq += 1
    const seq = this.#handedSeq
    if (sync) this.#syncSeq = seq
    this.#handedBallot = ballot
    this.#handedCommit = commit
    const handed = ballotChanged ? ballot : null
    this.#writes.push({
      seq,
      first: snapshot !== null ? 0 : (entries[0]?.index ?? Number.POSITIVE_INFINITY),
      last: entries.at(-1)?.index ?? snapshot?.index ?? -1,
      snapshot,
      ballot: handed,
    })
    const forgetful = this.#faults.voteNotPersisted === true && handed !== null
    return {
      seq,
      ballot: forgetful ? { ...handed, vote: NONE } : handed,
      snapshot,
      entries,
      commit: commitChanged ? commit : null,
      sync,
      messages,
    }
  }

  /** The tasks up to `seq` are done (duty 3b). */
  appended(seq: number): void {
    assert(seq <= this.#handedSeq, () => `task ${seq} was never handed out`)
    if (seq <= this.#appendedSeq) return
    this.#appendedSeq = seq
    let last = -1
    const installed: SnapshotMeta[] = []
    while (this.#writes.length > 0 && this.#writes[0]!.seq <= seq) {
      const write = this.#writes.shift()!
      if (write.last >= 0) last = write.last
      if (write.ballot !== null) this.#durableBallot = write.ballot
      if (write.snapshot !== null) installed.push(write.snapshot)
    }
    // A later task may still replace some of it on disk.
    for (const write of this.#writes) last = Math.min(last, write.first - 1)
    if (last >= 0) this.#log.durableTo(last)
    for (const meta of installed) this.#log.snapshotInstalled(meta)

    if (this.#role === 'leader') this.#acknowledgeOwn()
    const { term, vote } = this.#durableBallot
    if (this.#role === 'candidate' && term === this.#term && vote === this.id) {
      this.#countVote(this.id, true)
    }
    this.#campaignWhenDue()
  }

  /** The state machine holds everything up to `index` (duty 3d). */
  applied(index: number): void {
    for (const entry of this.#log.appliedTo(index)) {
      this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - entryBytes(entry))
      if (entry.change !== null) this.#applyChange(entry.change)
    }
    this.#leaveJointByItself()
    this.#campaignWhenDue()
  }

  /** Everything in `ready` is done: for callers that write and apply before they go on. */
  advance(ready: Ready): void {
    if (ready.append !== null) this.appended(ready.append.seq)
    const last = ready.committed.at(-1)
    if (last !== undefined) this.applied(last.index)
  }

  #campaignWhenDue(): void {
    if (this.#campaignDueTerm !== this.#term || this.#role !== 'follower') return
    if (this.#unappliedChange()) return
    this.#campaignDueTerm = 0
    if (this.#mayCampaign()) this.#campaign('transfer')
  }

  #ballot(): Ballot {
    return { term: this.#term, vote: this.#vote }
  }

  #soft(): SoftState {
    return { role: this.#role, term: this.#term, leader: this.#leader }
  }

  // ---------------------------------------------------------------- configuration

  #applyChange(change: ConfChange): void {
    const next = changeConfig(this.#config, change)
    assert(typeof next !== 'string', () => `a committed change cannot be applied: ${next}`)
    this.#switchConfig(next)
  }

  #switchConfig(config: Config): void {
    this.#config = config
    this.#trace?.({ type: 'config', config })
    if (this.#role !== 'leader') return
    const ids = members(config)
    const progress = new Map<NodeId, Progress>()
    for (const id of ids) {
      let peer = this.#progress.get(id)
      if (peer === undefined) {
        peer = new Progress(id, this.#log.lastIndex + 1, this.#window)
        // It had no chance yet to be heard of, which must not cost the leader its quorum.
        peer.active = true
      }
      progress.set(id, peer)
    }
    this.#progress = progress
    if (!isVoter(config, this.#transferee)) this.#transferee = NONE
    if (!isVoter(config, this.id)) this.#removedAt = this.#log.applied
    this.#advanceCommit() // fewer voters may agree on more
    this.#confirmReads()
    this.#stepsAside()
  }

  /**
   * A leader that is no voter any more steps aside (§4.2.2) as soon as a majority of the others
   * knows, durably, that it is so; if it left earlier, they could be left with a configuration
   * that still needs it. It names a successor, so that nobody has to wait for a timeout.
   */
  #stepsAside(): void {
    if (this.#removedAt === 0) return
    const known = (id: NodeId) => (this.#progress.get(id)?.commit ?? 0) >= this.#removedAt
    if (jointVoteResult(this.#config, known) === 'won') this.resign()
  }

  #leaveJointByItself(): void {
    if (this.#role !== 'leader' || !this.#config.autoLeave) return
    if (this.#confIndex > this.#log.applied) return
    this.#append(new Uint8Array(0), LEAVE_JOINT) // refused during a transfer; tried again by tick
  }

  // ---------------------------------------------------------------- snapshots, peers, status

  /**
   * Describes a snapshot of the state machine as it is now: all applied, nothing more. Null while
   * a received snapshot is being installed, or before this node ever got any state.
   */
  snapshotMeta(): SnapshotMeta | null {
    if (this.#log.pendingSnapshot !== null || this.#log.applied === 0) return null
    const index = this.#log.applied
    return { index, term: this.#log.termAt(index), config: this.#config }
  }

  /** A snapshot made by {@link snapshotMeta} is stored and can be sent. */
  snapshotTaken(meta: SnapshotMeta): void {
    assert(meta.index <= this.#log.commit, () => `snapshot ${meta.index} holds what is undecided`)
    if (meta.index > this.#snapshot.index) this.#snapshot = meta
  }

  /** Forgets the log up to `index`, which the newest snapshot must cover. */
  compact(index: number): void {
    assert(
      index <= this.#snapshot.index,
      () => `log up to ${index} is needed, the newest snapshot is ${this.#snapshot.index}`,
    )
    if (this.#log.pendingSnapshot === null) this.#log.compact(index)
  }

  /** The transfer to `id` has ended; a failed one is tried again when the peer is heard of. */
  reportSnapshot(id: NodeId, delivered: boolean): void {
    const peer = this.#role === 'leader' ? this.#progress.get(id) : undefined
    if (peer === undefined || peer.state !== 'snapshot') return
    if (!delivered) peer.pendingSnapshot = 0
    peer.becomeProbe()
    // Delivered: its reply will come by itself. Failed: not again before it answers a heartbeat.
    peer.paused = true
  }

  /** Messages to `id` get lost: appends are no longer sent ahead. */
  reportUnreachable(id: NodeId): void {
    const peer = this.#role === 'leader' ? this.#progress.get(id) : undefined
    if (peer?.state === 'replicate') peer.becomeProbe()
  }

  /** The highest position that `id` ever acknowledged to this node in this life of it. */
  acknowledgedBy(id: NodeId): LogPosition | null {
    return this.#acknowledged.get(id) ?? null
  }

  /**
   * Whether the votes, acknowledgements and wishes for votes of `id` count here; see
   * {@link lostAcknowledged}.
   */
  refuseVoter(id: NodeId, refused: boolean): void {
    if (refused) this.#refused.add(id)
    else this.#refused.delete(id)
  }

  /** With false, this node neither votes nor campaigns any more; it still follows. */
  setVoting(voting: boolean): void {
    this.#voting = voting
  }

  /** Of the log in memory; `status` has it too, and costs more. */
  get lastIndex(): number {
    return this.#log.lastIndex
  }

  status(): Status {
    const peers = this.#role === 'leader' ? [...this.#progress.values()] : []
    let neededFrom = this.#log.lastIndex + 1
    for (const peer of peers) {
      if (!peer.active || peer.id === this.id) continue
      const from = peer.state === 'snapshot' ? peer.pendingSnapshot : peer.match
      neededFrom = Math.min(neededFrom, from + 1)
    }
    return {
      id: this.id,
      ...this.#soft(),
      vote: this.#vote,
      commit: this.#log.commit,
      applied: this.#log.applied,
      firstIndex: this.#log.base.index + 1,
      lastIndex: this.#log.lastIndex,
      durable: this.#log.durable,
      logBytes: this.#log.bytes,
      config: this.#config,
      transferee: this.#transferee,
      voting: this.#voting,
      neededFrom,
      members: peers.map((peer) => ({
        id: peer.id,
        state: peer.state,
        match: peer.match,
        next: peer.next,
        active: peer.active || peer.id === this.id,
        paused: peer.state === 'replicate' ? peer.inflights.full : peer.paused,
        inflightCount: peer.inflights.count,
        pendingSnapshot: peer.pendingSnapshot,
      })),
    }
  }

  /** The entry at `index`, if the log in memory reaches there. */
  entryForTest(index: number): Entry | undefined {
    return this.#log.entryAt(index)
  }

  /** Of `status` what a test asks for after each event. */
  standingForTest(): Pick<Status, 'role' | 'term' | 'commit' | 'firstIndex'> {
    const { commit, base } = this.#log
    return { role: this.#role, term: this.#term, commit, firstIndex: base.index + 1 }
  }

  termAtForTest(index: number): number {
    return this.#log.termAt(index)
  }

  setElectionTimeoutForTest(ticks: number): void {
    this.#electionTimeout = ticks
  }
}

/**
 * What a log proves to be committed: a change of configuration is proposed only when the one before
 * it is applied. A node that lost the commit index in a crash, but holds the later change, would
 * otherwise campaign in a configuration two steps behind, whose majorities need not overlap.
 */
function provenCommit(entries: readonly Entry[]): number {
  let last = 0
  let proven = 0
  for (const { index, change } of entries) {
    if (change === null) continue
    proven = last
    last = index
  }
  return proven
}

/** What a refused voter may not do; what a leader does is not up to one follower's opinion. */
function countsAsVoter(message: Message): boolean {
  switch (message.type) {
    case 'vote':
    case 'pre-vote':
    case 'vote-reply':
    case 'pre-vote-reply':
    case 'append-reply':
    case 'heartbeat-reply':
    case 'timeout-now':
      return true
    default:
      return false
  }
}
