/**
 * Order by consensus: drives the Raft core of one member, with its log on the one side and the
 * other members on the other. The duties are those at the top of `raft/raft.ts`; what is done here
 * beside them:
 *
 * - Messages leave at once, entries go to the log as fast as it takes them (group commit), and all
 *   that rests on them waits until they are durable.
 * - A proposal on a follower goes to the leader with the mark of its origin, and is known again
 *   when it is applied here: the answer does not depend on whether the leader lives to give it.
 *   What cannot be decided in {@link OUTCOME_MS} is answered with the outcome 'unknown'.
 * - Without a leader, proposals and reads wait for one a while, but not when it has been so for
 *   longer than that.
 */
import { assert, unreachable } from '../../lib/assert.js'
import type { Timer } from '../../lib/clock.js'
import { GatewayError } from '../../lib/errors.js'
import type { Answer, Peer } from '../../peer/peer.js'
import type { Faults } from '../../raft/faults.js'
import {
  type AppendTask,
  type ChunkHeader,
  type ChunkReply,
  type Config,
  EMPTY_CONFIG,
  type Entry,
  foundingStart,
  type LogPosition,
  lostAcknowledged,
  type Message,
  NONE,
  type NodeId,
  Raft,
  type ReadState,
  type Ready,
  type SnapshotMeta,
  type SoftState,
  type StartState,
  type TraceEvent,
} from '../../raft/raft.js'
import {
  CONSENSUS_SERVICE,
  type ConsensusStatus,
  type Founding,
  type MembershipChange,
  type OpenReplicaOptions,
  REPLICA_TIMING,
  type ReplicaInbound,
  type ReplicaListener,
  type ReplicaTiming,
  type Roster,
} from '../cluster.js'
import {
  type Done,
  failure,
  type LeaseGrant,
  type LeaseId,
  storeUnavailable,
  success,
} from '../contract.js'
import { contentOf, encodeForwarded, fromLogEntry } from '../entries.js'
import { type LogLink, type LogReply, type Recovered, unpackEntries } from '../log/messages.js'
import { nodeIdOf } from '../node-id.js'
import {
  changeRoster,
  decodeHead,
  EMPTY_ROSTER,
  encodeHead,
  foundingConfig,
  foundingOf,
  foundingRoster,
  type RosterChange,
  type RosterState,
} from '../roster.js'
import type { CommittedEntry, Sequencer, SequencerSink } from '../sequencer.js'
import { CommitNews } from './commit-news.js'
import { MembershipChanges } from './membership.js'
import {
  decodeLeader,
  decodeRequest,
  decodeRoster,
  decodeTtl,
  decodeVerdicts,
  encodeLeader,
  encodeRequest,
  encodeRoster,
  encodeTtl,
  encodeVerdicts,
  type LeaderRequest,
  type Verdict,
} from './requests.js'
import { SnapshotIn } from './snapshot-in.js'
import { SnapshotsOut } from './snapshots-out.js'
import { Tickets } from './tickets.js'
import { voteOf, WriteQueue } from './write-queue.js'

/** Proposals whose fate is open, or that wait for a leader, beyond which more are refused. */
const PROPOSALS_MAX = 16_384
const READS_MAX = 16_384
/** Milliseconds a proposal or read waits for somebody to lead. */
const PROPOSE_WAIT_MS = 2_000
const READ_WAIT_MS = 1_000
/** Milliseconds until the fate of what was handed to another is called unknown. */
const OUTCOME_MS = 5_000
const KEEP_ALIVE_MS = 2_000
const CHANGE_MS = 10_000
/** How long a stop waits for somebody else to lead. */
const HAND_OVER_MS = 1_000
/** A request to the leader carries as many proposals as fit. */
const FORWARD_BYTES = 1024 * 1024
/** Kept behind a snapshot for followers that are a little late. */
const TRAILING_ENTRIES = 4_096
/** Above it the log in memory is cut behind the newest snapshot, whoever still needs it. */
const LOG_BYTES_MAX = 128 * 1024 * 1024

export type RaftSequencerOptions = Omit<OpenReplicaOptions, 'listener' | 'snapshotAfterBytes'> & {
  readonly listener: Pick<ReplicaListener, 'onBlank' | 'onConsensus' | 'onMembers'>
}

/** For tests alone. */
export interface Seams {
  /** Deliberate bugs of the core. */
  readonly faults?: Faults
  /** Lower than in earnest, so that a short life meets them. */
  readonly limits?: {
    readonly appendBytesMax?: number
    readonly inflightCountMax?: number
    readonly trailingEntries?: number
  }
  /** Comes between the store and its order. */
  order?(sequencer: Sequencer): Sequencer
  /** The core was made. */
  watch?(raft: Raft): void
}

type State = 'recovering' | 'blank' | 'running' | 'handing-over' | 'closing' | 'failed' | 'stopped'

interface Proposal {
  readonly ticket: number
  readonly command: Uint8Array
  /** For the log of this node alone. */
  readonly here: boolean
  /** Until when it is tried. */
  readonly deadlineMs: number
}

/** For somebody to lead. */
type Waiting = Proposal | { readonly ticket: number; readonly command: null; deadlineMs: number }

interface Transfer {
  readonly done: Done<NodeId>
  readonly deadlineMs: number
}

export class RaftSequencer implements Sequencer {
  readonly #options: RaftSequencerOptions
  readonly #seams: Seams
  readonly #self: NodeId
  readonly #timing: ReplicaTiming
  readonly #boot: number
  #sink!: SequencerSink
  #link!: LogLink
  #queue!: WriteQueue
  #news!: CommitNews
  #out!: SnapshotsOut
  #in!: SnapshotIn
  #state: State = 'recovering'
  #logIsGone = false

  #raft: Raft | null = null
  #changes: MembershipChanges | null = null
  #soft: SoftState = { role: 'follower', term: 0, leader: NONE }
  #config: Config = EMPTY_CONFIG
  #roster: RosterState = EMPTY_ROSTER
  /** Where the log on the disk ends, whatever is being written to it. */
  #end: LogPosition = { index: 0, term: 0 }
  #ballotTerm = 0
  #appliedIndex = 0
  #appliedTerm = 0
  /** `onReady` is due when so much is applied; null when it was given. */
  #readyAt: number | null = null

  /** Of a recovery or an install under way. */
  #restored: { readonly index: number; readonly head: Uint8Array | null } | null = null
  #recoveredTerm = 0
  #recoveredEntries: Entry[] = []

  readonly #tickets = new Tickets()
  #waiting: Waiting[] = []
  /** Reads the core has, with the time until which they are asked again. */
  readonly #reads = new Map<number, number>()
  #forwards: Proposal[] = []
  #snapshot: {
    index: number
    chunks: Iterator<Uint8Array<ArrayBuffer>>
    meta: SnapshotMeta | null
  } | null = null
  #transfer: Transfer | null = null
  #ticks: Timer | null = null
  #campaign: Timer | null = null
  #isPumping = false
  #isDeferred = false
  #isNotifying = false
  #noted = ''
  #hasAbdicated = false
  /** It never had a state, and must not vote before it has one. */
  #isNewcomer = false
  /** The core took the snapshot it was given last. */
  #isTaken = false
  /** Of those that can be sent; 0: there is none. */
  #newestSnapshot = 0
  #leaderlessMs = 0
  #heardMs: number
  #handOverMs = 0

  constructor(options: RaftSequencerOptions, seams: Seams) {
    this.#options = options
    this.#seams = seams
    this.#self = nodeIdOf(options.self.incarnation)
    this.#timing = { ...REPLICA_TIMING, ...options.timing }
    this.#boot = options.random(0x1_0000_0000)
    this.#heardMs = options.time.monotonicMs()
    this.#leaderlessMs = this.#heardMs
    options.rpc.serve(CONSENSUS_SERVICE, {
      onRequest: (body, peer, answer) => this.#onRequest(body, peer, answer),
    })
  }

  // ---- the door --------------------------------------------------------------------------------

  readonly inbound: ReplicaInbound = {
    onPeerUp: (peer) => this.#onPeerUp(peer),
    onPeerDown: (peer) => this.#onPeerDown(peer),
    onRaft: (message) => this.#onRaft(message),
    onUnreachable: (nodeId) => {
      this.#raft?.reportUnreachable(nodeId)
      this.#wake()
    },
    onChunk: (header, bytes, peer) => this.#onChunk(header, bytes, peer),
    onChunkReply: (reply, peer) => this.#onChunkReply(reply, peer),
    onChunkRoom: (peer) => {
      if (this.#isAlive) this.#out.onRoom(peer)
    },
  }

  start(sink: SequencerSink): void {
    this.#sink = sink
    const { spawnLog, links, time } = this.#options
    this.#link = spawnLog(
      (reply) => this.#receive(reply),
      (reason) => this.#exited(reason),
    )
    this.#queue = new WriteQueue(this.#link, () => this.#news.noteLater())
    this.#news = new CommitNews({
      time,
      send: (message) => links.sendRaft(message),
      note: () => this.#queue.noteCommit(),
    })
    this.#out = new SnapshotsOut({
      log: this.#link,
      links,
      wallMs: () => time.wallMs(),
      ended: (to, delivered) => {
        this.#raft?.reportSnapshot(to, delivered)
        this.#wake()
      },
    })
    this.#in = new SnapshotIn({
      log: this.#link,
      links,
      whole: (message) => this.#stepSnapshot(message),
    })
  }

  found(founding: Founding): void {
    assert(this.#state === 'blank', 'only an empty log can be founded')
    const roster = foundingRoster(founding)
    assert(
      roster.members.some(({ nodeId }) => nodeId === this.#self),
      'a founder must be among the first members',
    )
    this.#state = 'recovering'
    const { snapshot } = foundingStart([this.#self])
    const head = encodeHead(foundingConfig(founding), roster)
    this.#link.tell({ type: 'found', seq: 0, index: snapshot.index, term: snapshot.term, head })
  }

  join(roster: Roster): void {
    assert(this.#state === 'blank', 'only an empty log can join')
    const self = roster.members.find(({ nodeId }) => nodeId === this.#self)
    if (self?.suffrage === 'voter') {
      // It became one when it held what others held: its promises are forgotten, and with its vote
      // somebody could lead who has not got what was acknowledged.
      const { name } = this.#options.self
      const message = `the log of this member is gone, and the cluster counts on it: purge "${name}", then let it join with an empty data directory`
      this.#fail(storeUnavailable(message, 'none'))
      return
    }
    this.#isNewcomer = true
    this.#roster = roster
    // Until it got a snapshot: it may be somebody who had more, and lost it.
    this.#startRaft(
      { ballot: { term: this.#ballotTerm, vote: NONE }, commit: 0, snapshot: NOTHING, entries: [] },
      false,
    )
  }

  consensus(): ConsensusStatus {
    const status = this.#raft?.status()
    const { role, term, leader } = status ?? this.#soft
    const member = this.#roster.members.find(({ nodeId }) => nodeId === this.#self)
    const nowMs = this.#options.time.monotonicMs()
    return {
      nodeId: status === undefined ? 0 : this.#self,
      clusterId: this.#roster.clusterId,
      admittedAt: member?.admittedAt ?? 0,
      role: this.#standing(role),
      term,
      leader,
      leaderIncarnation: this.#incarnationOf(leader),
      hasQuorum: leader !== NONE,
      staleMs: role === 'leader' ? 0 : nowMs - this.#heardMs,
      lastIndex: status?.lastIndex ?? 0,
      committedIndex: status?.commit ?? 0,
      appliedIndex: this.#appliedIndex,
      logEnd: this.#end,
      isVoting: status?.voting ?? false,
      isTransferring: status !== undefined && status.transferee !== NONE,
      logBytes: status?.logBytes ?? 0,
      followers: (status?.members ?? [])
        .filter(({ id }) => id !== this.#self)
        .map(({ id, state, match, active }) => ({
          nodeId: id,
          state,
          matchIndex: match,
          isActive: active,
          snapshot: this.#out.progress(id),
        })),
    }
  }

  roster(): Roster {
    return { ...this.#roster, isChanging: this.#config.outgoing.length > 0 }
  }

  changeMembership(change: MembershipChange, done: Done<Roster>): void {
    if (this.#leads) {
      this.#changes?.change(change, done)
      return
    }
    this.#askLeader({ ask: 'change', change }, CHANGE_MS, done, decodeRoster)
  }

  transferLeadership(to: NodeId | null, done: Done<NodeId>): void {
    const raft = this.#raft
    if (raft === null || !this.#leads) {
      this.#askLeader({ ask: 'transfer', to }, CHANGE_MS, done, decodeLeader)
      return
    }
    if (to === this.#self) {
      done(success(this.#self))
      return
    }
    const target = to ?? this.#bestSuccessor()
    if (target === NONE || this.#transfer !== null || !raft.transferLeadership(target)) {
      const message = target === NONE ? 'nobody else could lead' : 'leadership cannot go there now'
      done(failure(storeUnavailable(message, 'none')))
      return
    }
    const deadlineMs = this.#nowMs + this.#electionMs
    this.#transfer = { done, deadlineMs }
    this.#wake()
  }

  // ---- the store -------------------------------------------------------------------------------

  propose(ticket: number, command: Uint8Array<ArrayBuffer>, here: boolean): void {
    if (this.#state !== 'running') {
      this.#sink.onDropped(ticket, this.#unavailable())
      return
    }
    const count = this.#tickets.size + this.#waiting.length + this.#forwards.length
    if (count >= PROPOSALS_MAX) {
      const error = new GatewayError('OVERLOADED', 'too many writes wait', { waiting: count })
      this.#sink.onDropped(ticket, error)
      return
    }
    this.#propose({ ticket, command, here, deadlineMs: this.#nowMs + PROPOSE_WAIT_MS })
  }

  readIndex(ticket: number): void {
    if (this.#state !== 'running') {
      this.#sink.onDropped(ticket, this.#unavailable())
      return
    }
    if (this.#reads.size + this.#waiting.length >= READS_MAX) {
      this.#sink.onDropped(ticket, new GatewayError('OVERLOADED', 'too many reads wait'))
      return
    }
    this.#read({ ticket, command: null, deadlineMs: this.#nowMs + READ_WAIT_MS })
  }

  keepAlive(lease: LeaseId, done: Done<LeaseGrant>): void {
    if (this.#leads) {
      this.#sink.onKeepAlive(lease, done)
      return
    }
    const take = (body: Uint8Array): LeaseGrant | null => {
      const ttlMs = decodeTtl(body)
      return ttlMs === null ? null : { id: lease, ttlMs }
    }
    this.#askLeader({ ask: 'keep-alive', lease }, KEEP_ALIVE_MS, done, take)
  }

  saveSnapshot(index: number, chunks: Iterator<Uint8Array<ArrayBuffer>>): void {
    assert(this.#snapshot === null, 'a snapshot is under way')
    if (!this.#isAlive || this.#raft === null) {
      this.#sink.onSnapshot({ ok: false, reason: 'the store is not in service' })
      return
    }
    this.#snapshot = { index, chunks, meta: null }
    // The core has to hear first that it is applied.
    if (this.#raft.status().applied === index) this.#beginSnapshot()
  }

  abdicate(): void {
    this.#hasAbdicated = true
    this.#wake()
  }

  stop(): void {
    if (this.#state === 'running' && this.#leads) {
      const target = this.#bestSuccessor()
      if (target !== NONE && this.#raft?.transferLeadership(target) === true) {
        this.#state = 'handing-over'
        this.#handOverMs = this.#nowMs + HAND_OVER_MS
        this.#dropWaiting(storeUnavailable('the store is stopping', 'none'))
        this.#wake()
        return
      }
    }
    if (this.#state !== 'closing' && this.#state !== 'stopped') this.#close()
  }

  // ---- the log ---------------------------------------------------------------------------------

  #receive(reply: LogReply): void {
    if (this.#state === 'stopped') return
    if (this.#state === 'failed' && reply.type !== 'stopped') return
    switch (reply.type) {
      case 'durable':
        this.#onDurable(reply.seq)
        return
      case 'restore-begin':
        this.#restored = { index: reply.index, head: reply.head }
        this.#recoveredTerm = reply.term
        this.#sink.onRestoreBegin()
        return
      case 'restore-chunk':
        this.#sink.onRestoreChunk(reply.bytes)
        return
      case 'restore-entries':
        for (const entry of unpackEntries(reply.entries)) {
          this.#recoveredEntries.push(fromLogEntry(entry))
        }
        return
      case 'recovered':
        this.#onRecovered(reply)
        return
      case 'refused':
        this.#fail(GatewayError.fromJSON(reply.error))
        return
      case 'fenced':
        this.#fail(storeUnavailable(`the log is closed: ${reply.reason}`, 'unknown'))
        return
      case 'snapshot-more':
        this.#sendOwnChunk()
        return
      case 'snapshot-done':
        this.#onSnapshotDone(reply.bytes)
        return
      case 'snapshot-failed':
        this.#snapshot = null
        this.#sink.onSnapshot({ ok: false, reason: reply.reason })
        return
      case 'sending':
        this.#out.onSending(reply)
        return
      case 'send-bytes':
        this.#out.onBytes(reply)
        return
      case 'received':
        this.#in.onReceived(reply)
        return
      case 'receive-checked':
        this.#in.onChecked(reply)
        return
      case 'disk-low':
        this.#sink.onWarning(reply.reason)
        return
      case 'disk-ok':
        this.#sink.onWarning(null)
        return
      case 'stopped':
        this.#stopped()
        return
      default:
        unreachable(reply)
    }
  }

  #onRecovered(recovered: Recovered): void {
    for (const note of recovered.notes) this.#sink.onNote(note)
    const { hardState, lastIndex, lastTerm, notedCommit } = recovered
    this.#ballotTerm = hardState.term
    if (this.#state === 'closing') return
    if (lastIndex === 0) {
      this.#state = 'blank'
      this.#options.listener.onBlank()
      return
    }
    this.#end = { index: lastIndex, term: lastTerm }
    const head = this.#endRestore()
    const alone = foundingOf([this.#options.self])
    // A log from before there were clusters: this node was, and is, all of its own.
    if (head === null) this.#roster = foundingRoster(alone)
    else this.#newestSnapshot = this.#appliedIndex
    const config = head ?? foundingConfig(alone)
    const entries = this.#recoveredEntries
    this.#recoveredEntries = []
    this.#startRaft(
      {
        ballot: { term: hardState.term, vote: voteOf(hardState.vote, this.#self) },
        commit: Math.min(notedCommit, lastIndex),
        snapshot: { index: this.#appliedIndex, term: this.#appliedTerm, config },
        entries,
      },
      true,
    )
  }

  #onFounded(): void {
    const config = this.#endRestore()
    assert(config !== null, 'a founded log has a head')
    const { snapshot } = foundingStart([this.#self])
    this.#end = { index: snapshot.index, term: snapshot.term }
    this.#newestSnapshot = snapshot.index
    const term = Math.max(this.#ballotTerm, snapshot.term)
    this.#startRaft(
      {
        ballot: { term, vote: NONE },
        commit: snapshot.index,
        snapshot: { ...snapshot, config },
        entries: [],
      },
      true,
    )
  }

  /** The configuration of the snapshot that is restored; null when it has none. */
  #endRestore(): Config | null {
    const restored = this.#restored
    if (restored === null) return null
    this.#restored = null
    this.#appliedIndex = restored.index
    this.#appliedTerm = this.#recoveredTerm
    this.#sink.onRestoreEnd(restored.index)
    if (restored.head === null || restored.head.byteLength === 0) return null
    const { config, roster } = decodeHead(restored.head)
    this.#roster = roster
    return config
  }

  #startRaft(start: StartState, voting: boolean): void {
    const { random } = this.#options
    const { faults, limits = {} } = this.#seams
    const { appendBytesMax, inflightCountMax } = limits
    const raft = new Raft({
      id: this.#self,
      start,
      random,
      electionTicks: this.#timing.electionTicks,
      heartbeatTicks: this.#timing.heartbeatTicks,
      trace: (event) => this.#onTrace(event),
      ...(faults === undefined ? {} : { faults }),
      ...(appendBytesMax === undefined ? {} : { appendBytesMax }),
      ...(inflightCountMax === undefined ? {} : { inflightCountMax }),
    })
    raft.setVoting(voting)
    this.#raft = raft
    this.#seams.watch?.(raft)
    this.#changes = new MembershipChanges({
      raft,
      roster: () => this.roster(),
      wake: () => this.#wake(),
    })
    this.#config = start.snapshot.config
    this.#soft = { role: 'follower', term: start.ballot.term, leader: NONE }
    // Alone, it is ready when it can take writes; else when all is applied that is known to be so.
    this.#readyAt = voting ? raft.status().commit : Number.POSITIVE_INFINITY
    this.#state = 'running'
    this.#options.listener.onMembers(this.roster())
    this.#notify()
    this.#scheduleTick()
    if (this.#isAlone) raft.campaign()
    this.#pump()
  }

  #onDurable(seq: number): void {
    if (this.#raft === null) {
      if (this.#state !== 'closing') this.#onFounded()
      return
    }
    this.#finish(this.#queue.onDurable(seq))
    const follows = this.#soft.leader !== NONE && !this.#leads
    // The leader waits for the answer, nobody for the rest.
    if (follows && this.#state === 'running') this.#wake()
    else this.#pump()
    if (this.#state === 'closing') this.#closeWhenIdle()
  }

  /** Tasks are done, in order: what rests on them may be said. */
  #finish(tasks: readonly AppendTask[]): void {
    const raft = this.#raft as Raft
    const last = tasks.at(-1)
    if (last === undefined) return
    for (const task of tasks) {
      const end = task.entries.at(-1) ?? task.snapshot
      if (end !== null) this.#end = { index: end.index, term: end.term }
      if (task.snapshot !== null) this.#onInstalled(task.snapshot)
    }
    for (const task of tasks) for (const message of task.messages) this.#send(message)
    raft.appended(last.seq)
  }

  /** The snapshot of a leader is this node's state and the beginning of its log. */
  #onInstalled(meta: SnapshotMeta): void {
    assert(this.#restored?.index === meta.index, 'another snapshot was installed')
    this.#endRestore()
    this.#in.installed()
    this.#newestSnapshot = meta.index
    for (const ticket of this.#tickets.restored(meta.index)) {
      this.#sink.onDropped(ticket, storeUnavailable('a snapshot came instead of it', 'unknown'))
    }
    if (this.#isNewcomer) this.#raft?.setVoting(!this.#hasAbdicated)
    this.#isNewcomer = false
    if (this.#readyAt !== null) this.#readyAt = meta.index
    this.#options.listener.onMembers(this.roster())
    this.#notify()
  }

  // ---- the core --------------------------------------------------------------------------------

  /** Soon, together with whatever else comes in until then. */
  #wake(): void {
    if (this.#isDeferred || this.#isPumping || this.#raft === null) return
    this.#isDeferred = true
    this.#options.defer(() => {
      this.#isDeferred = false
      this.#pump()
    })
  }

  #pump(): void {
    const raft = this.#raft
    if (raft === null || this.#isPumping || !this.#isAlive) return
    this.#isPumping = true
    if (this.#hasAbdicated) {
      raft.setVoting(false)
      raft.resign()
    }
    for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
      this.#handle(raft, ready)
      if (!this.#isAlive) break
    }
    this.#isPumping = false
    this.#flushForwards()
    this.#maybeReady()
  }

  #handle(raft: Raft, ready: Ready): void {
    if (ready.soft !== null) this.#onSoft(ready.soft)
    for (const message of ready.messages) this.#send(message)
    if (ready.append !== null) {
      this.#finish(this.#queue.push(ready.append))
      // What others may have is as good as said.
      if (!this.#isAlone) this.#queue.handedIndex = raft.lastIndex
    }
    for (const transfer of ready.transfers) this.#out.begin(transfer)
    if (ready.committed.length > 0) this.#apply(raft, ready.committed)
    for (const read of ready.reads) this.#onReadState(read)
  }

  #send(message: Message): void {
    this.#news.send(message)
  }

  #onSoft(soft: SoftState): void {
    const before = this.#soft
    this.#soft = soft
    if (before.role === 'leader' && soft.role !== 'leader') this.#onDeposed()
    if (before.role !== 'leader' && soft.role === 'leader') {
      this.#tickets.leads()
      this.#sink.onLeading(true)
    }
    if (soft.leader === NONE && before.leader !== NONE) this.#leaderlessMs = this.#nowMs
    if (soft.leader !== NONE) {
      this.#campaign?.cancel()
      this.#campaign = null
      if (soft.leader !== before.leader) this.#onLeader(soft.leader)
    }
    this.#notify()
  }

  #onDeposed(): void {
    this.#tickets.deposed(this.#nowMs + OUTCOME_MS)
    this.#news.deposed()
    this.#out.clear()
    this.#changes?.clear()
    this.#sink.onLeading(false)
  }

  #onLeader(leader: NodeId): void {
    this.#heardMs = this.#nowMs
    if (leader !== this.#self) {
      const transfer = this.#transfer
      this.#transfer = null
      transfer?.done(success(leader))
      if (this.#state === 'handing-over') this.#close()
    }
    this.#retryWaiting()
  }

  #apply(raft: Raft, entries: readonly Entry[]): void {
    const committed: CommittedEntry[] = []
    const rosterChanges: [index: number, change: RosterChange][] = []
    let alien: string | null = null
    for (const entry of entries) {
      const content = contentOf(entry)
      const { index, term } = entry
      if (content.type === 'alien') {
        alien = `the log holds an entry of type ${content.entryType} at index ${index}`
        break
      }
      let { ticket, lost } = this.#tickets.decided(index, term)
      for (const each of lost) this.#sink.onDropped(each, OVERRULED)
      if (content.type === 'roster') rosterChanges.push([index, content.change])
      if (content.type === 'command') {
        const { origin } = content
        const isOurs = origin?.nodeId === this.#self && origin.boot === this.#boot
        if (isOurs && this.#tickets.takeForwarded(origin.ticket)) ticket = origin.ticket
      }
      const payload = content.type === 'command' ? content.command : null
      committed.push({ index, payload, ticket })
    }
    if (committed.length > 0) this.#sink.onCommitted(committed)
    const last = entries[committed.length - 1]
    if (last !== undefined) {
      this.#appliedIndex = last.index
      this.#appliedTerm = last.term
    }
    for (const [index, change] of rosterChanges) {
      this.#roster = changeRoster(this.#roster, index, change)
    }
    // Before the core writes to whom it did not know.
    if (rosterChanges.length > 0) this.#options.listener.onMembers(this.roster())
    if (alien !== null) {
      const hint = 'which this version does not know; start a newer one'
      this.#fail(storeUnavailable(`${alien}, ${hint}`, 'none'))
      return
    }
    if (last === undefined) return
    raft.applied(last.index)
    const due = this.#snapshot
    if (due !== null && due.meta === null && due.index === last.index) this.#beginSnapshot()
    for (const { index, term } of entries) this.#changes?.applied(index, term)
    this.#changes?.next()
    if (rosterChanges.length > 0) this.#notify()
  }

  #maybeReady(): void {
    if (this.#readyAt === null || !this.#isAlive || this.#appliedIndex < this.#readyAt) return
    const canWrite = this.#leads && this.#appliedTerm === this.#soft.term
    if (this.#isAlone && !canWrite) return
    this.#readyAt = null
    this.#sink.onReady()
  }

  #onTrace(event: TraceEvent): void {
    const { log } = this.#options
    if (event.type === 'config') {
      this.#config = event.config
      this.#scheduleTick()
      // A newcomer needs a snapshot, as no log tells of its first configuration.
      if (this.#leads && !this.#isAlone && this.#newestSnapshot === 0) {
        this.#sink.onSnapshotWanted()
      }
    } else if (event.type === 'log-lost') {
      log.error('the log has lost what it had acknowledged; this node does not vote any more', {
        acknowledged: event.acknowledged,
        last: event.last,
      })
      this.#notify()
    } else if (event.type === 'snapshot-restored') this.#isTaken = true
    else if (event.type === 'quorum-lost') log.warn('most voters are out of reach')
    else if (event.type === 'role') log.info('role', { role: event.role, term: event.term })
  }

  // ---- proposals and reads ---------------------------------------------------------------------

  #propose(proposal: Proposal): void {
    const { ticket, command } = proposal
    const raft = this.#raft as Raft
    const result = raft.propose(command)
    if (result.ok) {
      this.#tickets.addOwn(result.index, result.term, ticket)
      this.#news.proposed()
      // Alone there is nobody to gather for: while the log writes, the next ones gather anyway.
      if (this.#isAlone && this.#queue.isIdle) this.#pump()
      else this.#wake()
    } else if (result.reason === 'full') {
      this.#sink.onDropped(ticket, full())
    } else if (proposal.here) this.#sink.onDropped(ticket, this.#noLeader())
    else if (result.reason === 'not-leader') {
      this.#forwards.push(proposal)
      this.#wake()
    } else this.#wait(proposal)
  }

  #read(waiting: Waiting): void {
    const { ticket, deadlineMs } = waiting
    if (this.#raft?.readIndex(ticket) !== true) {
      this.#wait(waiting)
      return
    }
    this.#reads.set(ticket, deadlineMs)
    if (this.#isAlone) this.#pump()
    else this.#wake()
  }

  /** For a leader, if there was one not long ago. */
  #wait(waiting: Waiting): void {
    const waitMs = waiting.command === null ? READ_WAIT_MS : PROPOSE_WAIT_MS
    const isHopeless = this.#soft.leader === NONE && this.#nowMs - this.#leaderlessMs > waitMs
    if (isHopeless || waiting.deadlineMs <= this.#nowMs) {
      this.#sink.onDropped(waiting.ticket, this.#noLeader())
      return
    }
    this.#waiting.push(waiting)
  }

  #retryWaiting(): void {
    if (this.#waiting.length === 0) return
    const all = this.#waiting
    this.#waiting = []
    for (const waiting of all) {
      if (waiting.command === null) this.#read(waiting)
      else this.#propose(waiting)
    }
  }

  #onReadState({ id, index }: ReadState): void {
    const deadlineMs = this.#reads.get(id)
    if (deadlineMs === undefined) return
    this.#reads.delete(id)
    if (index !== null) this.#sink.onReadable(id, index)
    else if (this.#state === 'running') this.#wait({ ticket: id, command: null, deadlineMs })
    else this.#sink.onDropped(id, this.#unavailable())
  }

  #flushForwards(): void {
    const all = this.#forwards
    if (all.length === 0) return
    this.#forwards = []
    for (let from = 0; from < all.length; ) {
      let bytes = 0
      let to = from
      while (to < all.length && (to === from || bytes < FORWARD_BYTES)) {
        bytes += (all[to] as Proposal).command.byteLength
        to += 1
      }
      this.#forward(all.slice(from, to))
      from = to
    }
  }

  #forward(batch: readonly Proposal[]): void {
    const again = (): void => {
      for (const proposal of batch) {
        if (this.#tickets.takeForwarded(proposal.ticket)) this.#wait(proposal)
      }
    }
    const outcomeMs = this.#nowMs + OUTCOME_MS
    for (const { ticket } of batch) this.#tickets.addForwarded(ticket, outcomeMs)
    const leader = this.#incarnationOf(this.#soft.leader)
    if (leader === null) {
      again()
      return
    }
    const items = batch.map(({ ticket, command }) => [ticket, command] as const)
    const body = encodeRequest({ ask: 'propose', boot: this.#boot, items })
    this.#options.rpc.ask(leader, CONSENSUS_SERVICE, body, OUTCOME_MS, (answer) => {
      if (!this.#isAlive) return
      if (!answer.ok) {
        // Whatever else happened to it, it may be in the log: then it is seen when it is applied.
        if (answer.error.detail['outcome'] === 'none') again()
        return
      }
      const verdicts = decodeVerdicts(answer.body, batch.length)
      if (verdicts === null) return
      for (const [at, each] of batch.entries()) this.#onVerdict(each, verdicts[at] as Verdict)
    })
  }

  #onVerdict(proposal: Proposal, verdict: Verdict): void {
    if (verdict === 'accepted' || !this.#tickets.takeForwarded(proposal.ticket)) return
    if (verdict === 'full') this.#sink.onDropped(proposal.ticket, full())
    else this.#wait(proposal)
  }

  // ---- what followers ask ----------------------------------------------------------------------

  #onRequest(body: Uint8Array, peer: Peer, answer: (answer: Answer) => void): void {
    const request = decodeRequest(body)
    const raft = this.#raft
    if (request === null) {
      answer({ ok: false, error: new GatewayError('REQUEST_INVALID', 'malformed request') })
    } else if (raft === null || !this.#leads || !this.#isAlive) {
      answer({ ok: false, error: storeUnavailable('this node does not lead', 'none') })
    } else if (request.ask === 'propose') {
      answer({ ok: true, body: this.#take(raft, request, peer) })
    } else if (request.ask === 'keep-alive') {
      this.#sink.onKeepAlive(request.lease, (outcome) => {
        answer(outcome.ok ? { ok: true, body: encodeTtl(outcome.value.ttlMs) } : outcome)
      })
    } else if (request.ask === 'change') {
      this.#changes?.change(request.change, (outcome) => {
        answer(outcome.ok ? { ok: true, body: encodeRoster(outcome.value) } : outcome)
      })
    } else if (request.ask === 'transfer') {
      this.transferLeadership(request.to, (outcome) => {
        answer(outcome.ok ? { ok: true, body: encodeLeader(outcome.value) } : outcome)
      })
    } else unreachable(request)
  }

  #take(raft: Raft, { boot, items }: LeaderRequest & { ask: 'propose' }, peer: Peer): Uint8Array {
    const verdicts = items.map(([ticket, command]): Verdict => {
      const result = raft.propose(encodeForwarded({ nodeId: peer.nodeId, boot, ticket }, command))
      if (!result.ok) return result.reason === 'full' ? 'full' : 'later'
      this.#news.await(peer.nodeId, result.index)
      return 'accepted'
    })
    this.#news.proposed()
    this.#wake()
    return encodeVerdicts(verdicts)
  }

  #askLeader<T>(
    request: LeaderRequest,
    timeoutMs: number,
    done: Done<T>,
    take: (body: Uint8Array) => T | null,
  ): void {
    const leader = this.#incarnationOf(this.#soft.leader)
    if (this.#state !== 'running' || leader === null) {
      done(failure(this.#state === 'running' ? this.#noLeader() : this.#unavailable()))
      return
    }
    const body = encodeRequest(request)
    this.#options.rpc.ask(leader, CONSENSUS_SERVICE, body, timeoutMs, (answer) => {
      const value = answer.ok ? take(answer.body) : null
      if (!answer.ok) done(answer)
      else if (value !== null) done(success(value))
      else done(failure(storeUnavailable('the leader gave no answer that makes sense', 'unknown')))
    })
  }

  // ---- the other members -----------------------------------------------------------------------

  #onRaft(message: Message): void {
    // A snapshot comes with its bytes, or not at all.
    if (!this.#isListening || this.#raft === null || message.type === 'snapshot') return
    const isLeaders = message.type === 'append' || message.type === 'heartbeat'
    if (isLeaders && message.term >= this.#soft.term) this.#heardMs = this.#nowMs
    this.#raft.step(message)
    this.#wake()
  }

  #stepSnapshot(message: Message & { type: 'snapshot' }): boolean {
    if (!this.#isListening || this.#raft === null) return false
    this.#heardMs = this.#nowMs
    this.#isTaken = false
    this.#raft.step(message)
    const isTaken = this.#isTaken
    this.#pump()
    return isTaken
  }

  #onChunk(header: ChunkHeader, bytes: Uint8Array, peer: Peer): void {
    if (this.#isListening && this.#raft !== null) this.#in.onChunk(header, bytes, peer)
  }

  #onChunkReply(reply: ChunkReply, peer: Peer): void {
    if (this.#isListening) this.#out.onReply(reply, peer)
  }

  /** Who lost what it acknowledged must not vote (paper §5.4.1): another could lead without it. */
  #onPeerUp(peer: Peer): void {
    const acknowledged = this.#raft?.acknowledgedBy(peer.nodeId) ?? null
    if (acknowledged === null) return
    const lost = lostAcknowledged(acknowledged, peer.logEnd)
    this.#raft?.refuseVoter(peer.nodeId, lost)
    if (!lost) return
    this.#options.log.error('a member has lost what it had acknowledged; its vote does not count', {
      peer: peer.name,
      acknowledged: acknowledged.index,
      logEnd: peer.logEnd.index,
    })
  }

  /**
   * A leader whose connections are all gone is most likely dead: no need to wait for the time that
   * it takes to be sure, as nobody follows this node into an election who still hears the leader.
   */
  #onPeerDown(peer: Peer): void {
    if (this.#raft === null || !this.#isListening) return
    this.#in.lost(peer.nodeId)
    this.#out.lost(peer.nodeId)
    if (peer.nodeId !== this.#soft.leader || this.#leads) return
    this.#raft.forgetLeader()
    this.#wake()
    const { time, random } = this.#options
    this.#campaign?.cancel()
    this.#campaign = time.after(random(Math.ceil(this.#electionMs / 4)), () => {
      this.#campaign = null
      if (!this.#isListening || this.#soft.leader !== NONE) return
      this.#raft?.campaign()
      this.#pump()
    })
  }

  // ---- snapshots of its own --------------------------------------------------------------------

  #beginSnapshot(): void {
    const due = this.#snapshot
    const meta = this.#raft?.snapshotMeta() ?? null
    if (due === null) return
    if (meta === null) {
      this.#snapshot = null
      this.#sink.onSnapshot({ ok: false, reason: 'a snapshot of the leader is being installed' })
      return
    }
    assert(meta.index === due.index, 'a snapshot is of the last entry applied')
    due.meta = meta
    const { index, term, config } = meta
    const head = encodeHead(config, this.#roster)
    this.#link.tell({ type: 'snapshot-begin', index, term, head })
    this.#sendOwnChunk()
  }

  #sendOwnChunk(): void {
    if (this.#snapshot === null) return
    const next = this.#snapshot.chunks.next()
    if (next.done === true) this.#link.tell({ type: 'snapshot-end' })
    else this.#link.tell({ type: 'snapshot-chunk', bytes: next.value })
  }

  #onSnapshotDone(bytes: number): void {
    const meta = this.#snapshot?.meta ?? null
    this.#snapshot = null
    const raft = this.#raft
    if (meta === null || raft === null) return
    raft.snapshotTaken(meta)
    this.#newestSnapshot = Math.max(this.#newestSnapshot, meta.index)
    const { logBytes, neededFrom, lastIndex, firstIndex } = raft.status()
    const isKind = !this.#isAlone && logBytes <= LOG_BYTES_MAX
    const trailing = this.#seams.limits?.trailingEntries ?? TRAILING_ENTRIES
    const kindIndex = Math.min(meta.index, neededFrom - 1, lastIndex - trailing)
    const upTo = isKind ? kindIndex : meta.index
    if (upTo >= firstIndex) raft.compact(upTo)
    this.#sink.onSnapshot({ ok: true, index: meta.index, bytes })
  }

  // ---- time ------------------------------------------------------------------------------------

  /**
   * Alone, and leading, there is nobody whose silence would matter. Who only learns from its log
   * that the others are gone has yet to be elected, by itself.
   */
  #scheduleTick(): void {
    if (this.#ticks !== null || !this.#isAlive || (this.#isAlone && this.#leads)) return
    this.#ticks = this.#options.time.after(this.#timing.tickMs, () => this.#tick())
  }

  #tick(): void {
    this.#ticks = null
    if (this.#raft === null || !this.#isAlive) return
    this.#raft.tick()
    this.#out.tick()
    this.#changes?.next()
    const nowMs = this.#nowMs
    for (const ticket of this.#tickets.expired(nowMs)) {
      this.#sink.onDropped(ticket, storeUnavailable('no word of its fate in time', 'unknown'))
    }
    this.#tendWaiting(nowMs)
    if (this.#transfer !== null && this.#transfer.deadlineMs <= nowMs) {
      const { done } = this.#transfer
      this.#transfer = null
      done(failure(storeUnavailable('leadership was not taken over in time', 'none')))
    }
    if (this.#state === 'handing-over' && this.#handOverMs <= nowMs) this.#close()
    this.#pump()
    this.#scheduleTick()
  }

  #tendWaiting(nowMs: number): void {
    if (this.#waiting.length === 0) return
    const late = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)
    if (late.length > 0) {
      this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs)
      for (const { ticket } of late) this.#sink.onDropped(ticket, this.#noLeader())
    }
    if (this.#soft.leader !== NONE) this.#retryWaiting()
  }

  // ---- the end ---------------------------------------------------------------------------------

  #close(): void {
    if (this.#state === 'failed') {
      if (this.#logIsGone) this.#stopped()
      else this.#link.tell({ type: 'stop' })
      return
    }
    this.#state = 'closing'
    this.#cancelTimers()
    this.#dropWaiting(storeUnavailable('the store is stopping', 'none'))
    this.#pump()
    this.#closeWhenIdle()
  }

  /** What was given to the log is answered first. */
  #closeWhenIdle(): void {
    if (this.#logIsGone) this.#stopped()
    else if (this.#raft === null || this.#queue.isIdle) {
      this.#news.close()
      this.#queue.noteCommit()
      this.#link.tell({ type: 'stop' })
    }
  }

  #exited(reason: string): void {
    this.#logIsGone = true
    if (this.#state === 'failed' || this.#state === 'stopped') return
    if (this.#state === 'closing') this.#stopped()
    else this.#fail(storeUnavailable(`the log thread ended: ${reason}`, 'unknown'))
  }

  /** For good. Another member is asked to lead, as this one cannot keep anything any more. */
  #fail(error: GatewayError): void {
    const isStopping = this.#state === 'closing' || this.#state === 'handing-over'
    this.#state = 'failed'
    this.#snapshot = null
    this.#cancelTimers()
    const raft = this.#raft
    if (raft !== null && !this.#isPumping) {
      raft.setVoting(false)
      raft.resign()
      for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
        // Only what never needed the disk.
        for (const message of ready.messages) this.#send(message)
      }
      this.#news.flush()
    }
    this.#soft = { ...this.#soft, role: 'follower', leader: NONE }
    this.#changes?.clear()
    this.#dropAll(error.message, error)
    this.#sink.onLeading(false)
    this.#sink.onFailed(error)
    this.#notify()
    if (isStopping) this.#stopped()
  }

  #stopped(): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#cancelTimers()
    this.#changes?.clear()
    this.#dropAll('the store stopped')
    this.#sink.onStopped()
  }

  #dropAll(message: string, cause?: GatewayError): void {
    const options = cause === undefined ? {} : { cause }
    const none = storeUnavailable(message, 'none', options)
    const unknown = storeUnavailable(message, 'unknown', options)
    const left = this.#tickets.clear(this.#queue.handedIndex)
    for (const ticket of left.unsaid) this.#sink.onDropped(ticket, none)
    for (const ticket of left.unknown) this.#sink.onDropped(ticket, unknown)
    this.#dropWaiting(none)
    const { done } = this.#transfer ?? { done: () => {} }
    this.#transfer = null
    done(failure(none))
  }

  /** What nobody was told of, and reads. */
  #dropWaiting(error: GatewayError): void {
    const dropped = [...this.#waiting, ...this.#forwards].map(({ ticket }) => ticket)
    dropped.push(...this.#reads.keys())
    this.#waiting = []
    this.#forwards = []
    this.#reads.clear()
    for (const ticket of dropped) this.#sink.onDropped(ticket, error)
  }

  #cancelTimers(): void {
    this.#ticks?.cancel()
    this.#campaign?.cancel()
    this.#ticks = null
    this.#campaign = null
    this.#news.close()
  }

  // ---- what there is ---------------------------------------------------------------------------

  get #nowMs(): number {
    return this.#options.time.monotonicMs()
  }

  get #electionMs(): number {
    return this.#timing.tickMs * this.#timing.electionTicks
  }

  /** Messages of others are heard. */
  get #isListening(): boolean {
    return this.#state === 'running' || this.#state === 'handing-over'
  }

  get #isAlive(): boolean {
    return this.#isListening || this.#state === 'closing'
  }

  get #leads(): boolean {
    return this.#soft.role === 'leader'
  }

  /** The only member there is. */
  get #isAlone(): boolean {
    const { voters, outgoing, learners } = this.#config
    return (
      voters.length === 1 &&
      voters[0] === this.#self &&
      outgoing.length === 0 &&
      learners.length === 0
    )
  }

  #standing(role: SoftState['role']): ConsensusStatus['role'] {
    const { voters, outgoing, learners } = this.#config
    if (voters.includes(this.#self) || outgoing.includes(this.#self)) return role
    return learners.includes(this.#self) ? 'learner' : 'outsider'
  }

  #incarnationOf(nodeId: NodeId): string | null {
    if (nodeId === NONE) return null
    const member = this.#roster.members.find((each) => each.nodeId === nodeId)
    return member?.incarnation ?? null
  }

  /** The voter with the longest log, best one that answers. */
  #bestSuccessor(): NodeId {
    const { voters } = this.#config
    let best = { id: NONE, match: -1, active: false }
    for (const { id, match, active } of this.#raft?.status().members ?? []) {
      if (id === this.#self || !voters.includes(id)) continue
      const isBetter = active === best.active ? match > best.match : active
      if (isBetter) best = { id, match, active }
    }
    return best.id
  }

  /** Once for all that changes in one go. */
  #notify(): void {
    if (this.#isNotifying) return
    this.#isNotifying = true
    this.#options.defer(() => {
      this.#isNotifying = false
      const status = this.consensus()
      const { nodeId, clusterId, admittedAt, role, term, isVoting } = status
      // Who leads may be known before it is known who that is.
      const { leader, leaderIncarnation } = status
      const seen = [
        nodeId,
        clusterId,
        admittedAt,
        role,
        term,
        leader,
        leaderIncarnation,
        isVoting,
      ].join()
      if (seen === this.#noted) return
      this.#noted = seen
      this.#options.listener.onConsensus(status)
    })
  }

  #noLeader(): GatewayError {
    return storeUnavailable('no member leads: most voters are out of reach', 'none')
  }

  #unavailable(): GatewayError {
    const why = {
      recovering: 'the store is starting',
      blank: 'the node belongs to no cluster yet',
      running: 'the store is in service',
      'handing-over': 'the store is stopping',
      closing: 'the store is stopping',
      failed: 'the store has failed; see its status',
      stopped: 'the store is stopped',
    }[this.#state]
    return storeUnavailable(why, 'none')
  }
}

const NOTHING: SnapshotMeta = { index: 0, term: 0, config: EMPTY_CONFIG }
const OVERRULED = storeUnavailable('another leader decided otherwise', 'none')

function full(): GatewayError {
  return new GatewayError('OVERLOADED', 'too many writes wait for the disk or a majority')
}
