/**
 * Order by consensus: drives the Raft core of one member, with its log on the one side and the
 * other members on the other. The duties are those at the top of `raft/raft.ts`; what is done here
 * beside them:
 *
 * - Messages leave at once, entries go to the log as fast as it takes them (group commit), and all
 *   that rests on them waits until they are durable.
 * - A proposal on a follower goes to the leader with the mark of its origin, and is known again
 *   when it is applied here: the answer does not depend on whether the leader lives to give it.
 *   What cannot be decided in time is answered with the outcome 'unknown'.
 * - Without a leader, proposals and reads wait for one a while, but not when it has been so for
 *   longer than that.
 *
 * This file is the door, and has the end; `birth.ts` has the beginning and `turns.ts` what lies
 * between. What they move: `standing.ts`, all that is known; `proposals.ts`, what this node was asked
 * for; `leader-desk.ts`, what followers ask of the leader; `leadership.ts`, who leads;
 * `membership.ts`, who belongs to it; `write-queue.ts` and `restoring.ts`, the way to the log and
 * back; `commit-news.ts`, when others hear of a commit; `own-snapshots.ts`, `snapshots-out.ts` and
 * `snapshot-in.ts`.
 */
import { unreachable } from '../../lib/assert.js'
import type { Timer } from '../../lib/clock.js'
import { GatewayError } from '../../lib/errors.js'
import type { Peer } from '../../peer/peer.js'
import {
  type ChunkHeader,
  type Message,
  NONE,
  type NodeId,
  type TraceEvent,
} from '../../raft/raft.js'
import {
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
import { type Done, type LeaseGrant, type LeaseId, storeUnavailable } from '../contract.js'
import type { LogLink, LogReply } from '../log/messages.js'
import { nodeIdOf } from '../node-id.js'
import type { Sequencer, SequencerSink } from '../sequencer.js'
import { Birth, type CoreSeams } from './birth.js'
import { CommitNews } from './commit-news.js'
import { LeaderDesk } from './leader-desk.js'
import { Leadership } from './leadership.js'
import { OwnSnapshots } from './own-snapshots.js'
import { Proposals } from './proposals.js'
import { decodeLeader, decodeRoster, decodeTtl } from './requests.js'
import { Restoring } from './restoring.js'
import { SnapshotIn } from './snapshot-in.js'
import { SnapshotsOut } from './snapshots-out.js'
import { Standing } from './standing.js'
import { Turns } from './turns.js'
import { WriteQueue } from './write-queue.js'

const KEEP_ALIVE_MS = 2_000
const CHANGE_MS = 10_000

export type RaftSequencerOptions = Omit<OpenReplicaOptions, 'listener' | 'snapshotAfterBytes'> & {
  readonly listener: Pick<ReplicaListener, 'onBlank' | 'onConsensus' | 'onMembers'>
}

/** For tests alone. */
export interface Seams extends CoreSeams {
  readonly limits?: NonNullable<CoreSeams['limits']> & { readonly trailingEntries?: number }
  /** Comes between the store and its order. */
  order?(sequencer: Sequencer): Sequencer
}

export class RaftSequencer implements Sequencer {
  readonly #options: RaftSequencerOptions
  readonly #seams: Seams
  readonly #timing: ReplicaTiming
  readonly #boot: number
  readonly #standing: Standing
  readonly #desk: LeaderDesk
  readonly #leadership: Leadership
  readonly #restoring = new Restoring()
  #sink!: SequencerSink
  #link!: LogLink
  #queue!: WriteQueue
  #news!: CommitNews
  #proposals!: Proposals
  #snapshots!: OwnSnapshots
  #out!: SnapshotsOut
  #in!: SnapshotIn
  #turns!: Turns
  #birth!: Birth
  #logIsGone = false
  /** Said once: each message of the leader shows it again. */
  #hasSaidLost = false

  #ticks: Timer | null = null
  #isNotifying = false
  #noted = ''
  /** The core took the snapshot it was given last. */
  #isTaken = false

  constructor(options: RaftSequencerOptions, seams: Seams) {
    this.#options = options
    this.#seams = seams
    this.#timing = { ...REPLICA_TIMING, ...options.timing }
    this.#boot = options.random(0x1_0000_0000)
    const { time, random, log, rpc } = options
    const standing = new Standing(nodeIdOf(options.self.incarnation), time.monotonicMs())
    this.#standing = standing
    this.#leadership = new Leadership({
      standing,
      time,
      random,
      log,
      electionMs: this.#timing.tickMs * this.#timing.electionTicks,
      wake: () => this.#turns.wake(),
      pump: () => this.#turns.pump(),
    })
    this.#desk = new LeaderDesk({
      standing,
      rpc,
      transfer: (to, done) => this.transferLeadership(to, done),
      keepAlive: (lease, done) => this.#sink.onKeepAlive(lease, done),
      onTaken: (nodeId, index) => {
        this.#news.proposed()
        this.#news.expectAt(nodeId, index)
      },
      wake: () => this.#turns.wake(),
    })
  }

  // ---- the door --------------------------------------------------------------------------------

  readonly inbound: ReplicaInbound = {
    onPeerUp: (peer) => this.#leadership.onPeerUp(peer),
    onPeerDown: (peer) => this.#onPeerDown(peer),
    onRaft: (message) => this.#onRaft(message),
    onUnreachable: (nodeId) => {
      this.#standing.raft?.reportUnreachable(nodeId)
      this.#turns.wake()
    },
    onChunk: (header, bytes, peer) => this.#onChunk(header, bytes, peer),
    onChunkReply: (reply, peer) => {
      if (this.#standing.isListening) this.#out.onReply(reply, peer)
    },
    onChunkRoom: (peer) => {
      if (this.#standing.isAlive) this.#out.onRoom(peer)
    },
  }

  start(sink: SequencerSink): void {
    this.#sink = sink
    const { spawnLog, links, time, random, rpc, defer, listener, self } = this.#options
    const standing = this.#standing
    this.#link = spawnLog(
      (reply) => this.#receive(reply),
      (reason) => this.#exited(reason),
    )
    const log = this.#link
    this.#queue = new WriteQueue(log, () => this.#news.noteLater())
    this.#news = new CommitNews({
      time,
      send: (message) => links.sendRaft(message),
      note: () => this.#queue.noteCommit(),
    })
    this.#proposals = new Proposals({
      standing,
      boot: this.#boot,
      time,
      rpc,
      sink,
      wake: () => this.#turns.wake(),
      pump: () => this.#turns.pump(),
      isWriting: () => !this.#queue.isIdle,
      onProposed: () => this.#news.proposed(),
    })
    const trailingEntries = this.#seams.limits?.trailingEntries
    this.#snapshots = new OwnSnapshots({ standing, link: log, sink, trailingEntries })
    this.#out = new SnapshotsOut({
      log,
      links,
      wallMs: () => time.wallMs(),
      ended: (to, delivered) => {
        standing.raft?.reportSnapshot(to, delivered)
        this.#turns.wake()
      },
    })
    this.#in = new SnapshotIn({ log, links, whole: (message) => this.#stepSnapshot(message) })
    this.#turns = new Turns({
      parts: {
        standing,
        sink,
        queue: this.#queue,
        news: this.#news,
        proposals: this.#proposals,
        leadership: this.#leadership,
        restoring: this.#restoring,
        snapshots: this.#snapshots,
        out: this.#out,
        in: this.#in,
      },
      defer,
      monotonicMs: () => time.monotonicMs(),
      listener,
      notify: () => this.#notify(),
      fail: (error) => this.#fail(error),
      handedOver: () => this.#close(),
    })
    this.#birth = new Birth({
      standing,
      self,
      timing: this.#timing,
      random,
      seams: this.#seams,
      link: log,
      sink,
      listener,
      restoring: this.#restoring,
      snapshots: this.#snapshots,
      turns: this.#turns,
      onTrace: (event) => this.#onTrace(event),
      onStarted: () => {
        this.#notify()
        this.#scheduleTick()
      },
      fail: (error) => this.#fail(error),
    })
  }

  found(founding: Founding): void {
    this.#birth.found(founding)
  }

  join(roster: Roster): void {
    this.#birth.join(roster)
  }

  consensus(): ConsensusStatus {
    return this.#standing.consensus(this.#nowMs, (nodeId) => this.#out.progress(nodeId))
  }

  roster(): Roster {
    return this.#standing.members()
  }

  changeMembership(change: MembershipChange, done: Done<Roster>): void {
    if (this.#standing.leads) this.#standing.changes?.change(change, done)
    else this.#desk.ask({ ask: 'change', change }, CHANGE_MS, done, decodeRoster)
  }

  transferLeadership(to: NodeId | null, done: Done<NodeId>): void {
    if (this.#standing.leads) this.#leadership.transfer(to, done)
    else this.#desk.ask({ ask: 'transfer', to }, CHANGE_MS, done, decodeLeader)
  }

  propose(ticket: number, command: Uint8Array<ArrayBuffer>, here: boolean): void {
    this.#proposals.propose(ticket, command, here)
  }

  readIndex(ticket: number): void {
    this.#proposals.read(ticket)
  }

  keepAlive(lease: LeaseId, done: Done<LeaseGrant>): void {
    if (this.#standing.leads) {
      this.#sink.onKeepAlive(lease, done)
      return
    }
    const take = (body: Uint8Array): LeaseGrant | null => {
      const ttlMs = decodeTtl(body)
      return ttlMs === null ? null : { id: lease, ttlMs }
    }
    this.#desk.ask({ ask: 'keep-alive', lease }, KEEP_ALIVE_MS, done, take)
  }

  saveSnapshot(index: number, chunks: Iterator<Uint8Array<ArrayBuffer>>): void {
    this.#snapshots.save(index, chunks)
  }

  abdicate(): void {
    this.#turns.abdicate()
  }

  stop(): void {
    const standing = this.#standing
    if (standing.stage === 'running' && standing.leads && this.#leadership.handOver()) {
      standing.stage = 'handing-over'
      this.#proposals.dropWaiting(storeUnavailable('the store is stopping', 'none'))
      this.#turns.wake()
      return
    }
    if (standing.stage !== 'closing' && standing.stage !== 'stopped') this.#close()
  }

  // ---- the log ---------------------------------------------------------------------------------

  #receive(reply: LogReply): void {
    const { stage } = this.#standing
    if (stage === 'stopped') return
    if (stage === 'failed' && reply.type !== 'stopped') return
    switch (reply.type) {
      case 'durable':
        this.#onDurable(reply.seq)
        return
      case 'restore-begin':
        this.#restoring.begin(reply)
        this.#sink.onRestoreBegin()
        return
      case 'restore-chunk':
        this.#sink.onRestoreChunk(reply.bytes)
        return
      case 'restore-entries':
        this.#restoring.add(reply.entries)
        return
      case 'recovered':
        this.#birth.recovered(reply)
        return
      case 'refused':
        this.#fail(GatewayError.fromJSON(reply.error))
        return
      case 'fenced':
        this.#fail(storeUnavailable(`the log is closed: ${reply.reason}`, 'unknown'))
        return
      case 'snapshot-more':
        this.#snapshots.sendChunk()
        return
      case 'snapshot-done':
        this.#snapshots.done(reply.bytes)
        return
      case 'snapshot-failed':
        this.#snapshots.failed(reply.reason)
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

  #onDurable(seq: number): void {
    const { raft, stage } = this.#standing
    if (raft === null) {
      if (stage !== 'closing') this.#birth.founded()
      return
    }
    this.#turns.durable(raft, seq)
    if (this.#standing.stage === 'closing') this.#closeWhenIdle()
  }

  #onTrace(event: TraceEvent): void {
    const { log } = this.#options
    if (event.type === 'config') {
      this.#standing.config = event.config
      this.#scheduleTick()
      // A newcomer needs a snapshot, as no log tells of its first configuration.
      const { leads, isAlone } = this.#standing
      if (leads && !isAlone && this.#snapshots.newest === 0) this.#sink.onSnapshotWanted()
    } else if (event.type === 'log-lost') {
      if (this.#hasSaidLost) return
      this.#hasSaidLost = true
      log.error(
        'the log has lost what it had acknowledged; this node does not vote any more: purge it, empty its data directory and start it',
        { acknowledged: event.acknowledged, last: event.last },
      )
      this.#notify()
    } else if (event.type === 'snapshot-restored') this.#isTaken = true
    else if (event.type === 'quorum-lost') log.warn('most voters are out of reach')
    else if (event.type === 'role') log.info('role', { role: event.role, term: event.term })
  }

  // ---- the other members -----------------------------------------------------------------------

  #onRaft(message: Message): void {
    const { raft, soft, isListening } = this.#standing
    // A snapshot comes with its bytes, or not at all.
    if (!isListening || raft === null || message.type === 'snapshot') return
    const isLeaders = message.type === 'append' || message.type === 'heartbeat'
    if (isLeaders && message.term >= soft.term) this.#standing.heardMs = this.#nowMs
    raft.step(message)
    this.#turns.wake()
  }

  #stepSnapshot(message: Message & { type: 'snapshot' }): boolean {
    const { raft, isListening } = this.#standing
    if (!isListening || raft === null) return false
    this.#standing.heardMs = this.#nowMs
    this.#isTaken = false
    raft.step(message)
    const isTaken = this.#isTaken
    this.#turns.pump()
    return isTaken
  }

  #onChunk(header: ChunkHeader, bytes: Uint8Array, peer: Peer): void {
    const { raft, isListening } = this.#standing
    if (isListening && raft !== null) this.#in.onChunk(header, bytes, peer)
  }

  #onPeerDown(peer: Peer): void {
    if (this.#standing.raft === null || !this.#standing.isListening) return
    this.#in.lost(peer.nodeId)
    this.#out.lost(peer.nodeId)
    this.#leadership.onPeerDown(peer)
  }

  // ---- time ------------------------------------------------------------------------------------

  /**
   * Alone, and leading, there is nobody whose silence would matter. Who only learns from its log
   * that the others are gone has yet to be elected, by itself.
   */
  #scheduleTick(): void {
    const { isAlive, isAlone, leads } = this.#standing
    if (this.#ticks !== null || !isAlive || (isAlone && leads)) return
    this.#ticks = this.#options.time.after(this.#timing.tickMs, () => this.#tick())
  }

  #tick(): void {
    this.#ticks = null
    const { raft, isAlive } = this.#standing
    if (raft === null || !isAlive) return
    raft.tick()
    this.#out.tick()
    this.#standing.changes?.next()
    const nowMs = this.#nowMs
    this.#proposals.tick(nowMs)
    this.#leadership.tick(nowMs)
    const isLate = this.#leadership.isHandOverLate(nowMs)
    if (this.#standing.stage === 'handing-over' && isLate) this.#close()
    this.#turns.pump()
    this.#scheduleTick()
  }

  // ---- the end ---------------------------------------------------------------------------------

  #close(): void {
    if (this.#standing.stage === 'failed') {
      if (this.#logIsGone) this.#stopped()
      else this.#link.tell({ type: 'stop' })
      return
    }
    this.#standing.stage = 'closing'
    this.#cancelTimers()
    this.#proposals.dropWaiting(storeUnavailable('the store is stopping', 'none'))
    this.#turns.pump()
    this.#closeWhenIdle()
  }

  /** What was given to the log is answered first. */
  #closeWhenIdle(): void {
    if (this.#logIsGone) this.#stopped()
    else if (this.#standing.raft === null || this.#queue.isIdle) {
      this.#news.close()
      this.#queue.noteCommit()
      this.#link.tell({ type: 'stop' })
    }
  }

  #exited(reason: string): void {
    this.#logIsGone = true
    const { stage } = this.#standing
    if (stage === 'failed' || stage === 'stopped') return
    if (stage === 'closing') this.#stopped()
    else this.#fail(storeUnavailable(`the log thread ended: ${reason}`, 'unknown'))
  }

  /** For good. Another member is asked to lead, as this one cannot keep anything any more. */
  #fail(error: GatewayError): void {
    const standing = this.#standing
    const { raft } = standing
    const isStopping = standing.stage === 'closing' || standing.stage === 'handing-over'
    standing.stage = 'failed'
    this.#snapshots.forget()
    this.#cancelTimers()
    if (raft !== null && !this.#turns.isUnderWay) {
      raft.setVoting(false)
      raft.resign()
      for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
        // Only what never needed the disk.
        for (const message of ready.messages) this.#news.send(message)
      }
      this.#news.flush()
    }
    standing.soft = { ...standing.soft, role: 'follower', leader: NONE }
    this.#standing.changes?.clear()
    this.#dropAll(error.message, error)
    this.#sink.onLeading(false)
    this.#sink.onFailed(error)
    this.#notify()
    if (isStopping) this.#stopped()
  }

  #stopped(): void {
    if (this.#standing.stage === 'stopped') return
    this.#standing.stage = 'stopped'
    this.#cancelTimers()
    this.#standing.changes?.clear()
    this.#dropAll('the store stopped')
    this.#sink.onStopped()
  }

  #dropAll(message: string, cause?: GatewayError): void {
    const options = cause === undefined ? {} : { cause }
    this.#proposals.dropAll(message, this.#queue.handedIndex, cause)
    this.#leadership.drop(storeUnavailable(message, 'none', options))
  }

  #cancelTimers(): void {
    this.#ticks?.cancel()
    this.#ticks = null
    this.#leadership.cancelCampaign()
    this.#news.close()
  }

  get #nowMs(): number {
    return this.#options.time.monotonicMs()
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
}
