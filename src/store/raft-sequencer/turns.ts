/**
 * The turns of the core: what came in since the last one goes into messages, writes, applied entries
 * and answers, in the order of the third duty at the top of `raft/raft.ts`.
 */
import { assert } from '../../lib/assert.js'
import type { GatewayError } from '../../lib/errors.js'
import {
  type AppendTask,
  type Entry,
  NONE,
  type NodeId,
  type Raft,
  type Ready,
  type SnapshotMeta,
  type SoftState,
} from '../../raft/raft.js'
import type { ReplicaListener } from '../cluster.js'
import { storeUnavailable } from '../contract.js'
import { changeRoster } from '../roster.js'
import type { SequencerSink } from '../sequencer.js'
import type { CommitNews } from './commit-news.js'
import { readCommitted } from './committed.js'
import type { Leadership } from './leadership.js'
import type { OwnSnapshots } from './own-snapshots.js'
import type { Proposals } from './proposals.js'
import type { Restored, Restoring } from './restoring.js'
import type { SnapshotIn } from './snapshot-in.js'
import type { SnapshotsOut } from './snapshots-out.js'
import type { Standing } from './standing.js'
import type { WriteQueue } from './write-queue.js'

/** What a member is put together from. */
export interface Parts {
  readonly standing: Standing
  readonly sink: SequencerSink
  readonly queue: WriteQueue
  readonly news: CommitNews
  readonly proposals: Proposals
  readonly leadership: Leadership
  readonly restoring: Restoring
  readonly snapshots: OwnSnapshots
  readonly out: SnapshotsOut
  readonly in: SnapshotIn
}

export interface TurnsOptions {
  readonly parts: Parts
  readonly defer: (task: () => void) => void
  readonly monotonicMs: () => number
  readonly listener: Pick<ReplicaListener, 'onMembers'>
  /** What `onConsensus` tells of may have changed. */
  readonly notify: () => void
  readonly fail: (error: GatewayError) => void
  /** Somebody else leads, as this node asked for on its way out. */
  readonly handedOver: () => void
}

export class Turns {
  readonly #options: TurnsOptions
  readonly #parts: Parts
  readonly #standing: Standing
  #isUnderWay = false
  #isDeferred = false
  #hasAbdicated = false
  #isNewcomer = false
  /** `onReady` is due when so much is applied; null when it was given. */
  #readyAt: number | null = null

  constructor(options: TurnsOptions) {
    this.#options = options
    this.#parts = options.parts
    this.#standing = options.parts.standing
  }

  /** The core was made. `isNewcomer`: it never had a state, and must not vote before it has one. */
  begin(raft: Raft, isNewcomer: boolean): void {
    this.#isNewcomer = isNewcomer
    // Alone, it is ready when it can take writes; else when all is applied that is known to be so.
    this.#readyAt = isNewcomer ? Number.POSITIVE_INFINITY : raft.status().commit
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  abdicate(): void {
    this.#hasAbdicated = true
    this.wake()
  }

  /** Soon, together with whatever else comes in until then. */
  wake(): void {
    if (this.#isDeferred || this.#isUnderWay || this.#standing.raft === null) return
    this.#isDeferred = true
    this.#options.defer(() => {
      this.#isDeferred = false
      this.pump()
    })
  }

  /** Now, unless one is under way. */
  pump(): void {
    const { raft } = this.#standing
    if (raft === null || this.#isUnderWay || !this.#standing.isAlive) return
    this.#isUnderWay = true
    if (this.#hasAbdicated) {
      raft.setVoting(false)
      raft.resign()
    }
    for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
      this.#handle(raft, ready)
      if (!this.#standing.isAlive) break
    }
    this.#isUnderWay = false
    this.#parts.proposals.flush()
    this.#maybeReady()
  }

  /** The log has made a write durable. */
  durable(raft: Raft, seq: number): void {
    this.#finish(raft, this.#parts.queue.onDurable(seq))
    const { soft, leads, stage } = this.#standing
    // The leader waits for the answer, nobody for the rest.
    if (soft.leader !== NONE && !leads && stage === 'running') this.wake()
    else this.pump()
  }

  /** The state is that of the snapshot which has come. Its head; null when it has none. */
  endRestore(): Restored['head'] {
    const restored = this.#parts.restoring.take()
    if (restored === null) return null
    const { index, term, head } = restored
    this.#standing.applied = { index, term }
    this.#parts.sink.onRestoreEnd(index)
    if (head !== null) this.#standing.roster = head.roster
    return head
  }

  #handle(raft: Raft, ready: Ready): void {
    const { news, queue, out, proposals } = this.#parts
    if (ready.soft !== null) this.#onSoft(ready.soft)
    for (const message of ready.messages) news.send(message)
    if (ready.append !== null) {
      this.#finish(raft, queue.push(ready.append))
      // What others may have is as good as said.
      if (!this.#standing.isAlone) queue.handedIndex = raft.lastIndex
    }
    for (const transfer of ready.transfers) out.begin(transfer)
    if (ready.committed.length > 0) this.#apply(raft, ready.committed)
    for (const read of ready.reads) proposals.onReadState(read)
  }

  /** Tasks are done, in order: what rests on them may be said. */
  #finish(raft: Raft, tasks: readonly AppendTask[]): void {
    const last = tasks.at(-1)
    if (last === undefined) return
    for (const task of tasks) {
      const end = task.entries.at(-1) ?? task.snapshot
      if (end !== null) this.#standing.logEnd = { index: end.index, term: end.term }
      if (task.snapshot !== null) this.#onInstalled(raft, task.snapshot)
    }
    for (const task of tasks) for (const message of task.messages) this.#parts.news.send(message)
    raft.appended(last.seq)
  }

  /** The snapshot of a leader is this node's state and the beginning of its log. */
  #onInstalled(raft: Raft, meta: SnapshotMeta): void {
    const { restoring, snapshots, proposals } = this.#parts
    assert(restoring.index === meta.index, 'another snapshot was installed')
    this.endRestore()
    this.#parts.in.installed()
    snapshots.newest = meta.index
    proposals.restored(meta.index)
    if (this.#isNewcomer) raft.setVoting(!this.#hasAbdicated)
    this.#isNewcomer = false
    if (this.#readyAt !== null) this.#readyAt = meta.index
    this.#options.listener.onMembers(this.#standing.members())
    this.#options.notify()
  }

  #onSoft(soft: SoftState): void {
    const standing = this.#standing
    const { proposals, sink, leadership } = this.#parts
    const before = standing.soft
    standing.soft = soft
    if (before.role === 'leader' && soft.role !== 'leader') this.#onDeposed()
    if (before.role !== 'leader' && soft.role === 'leader') {
      proposals.leads()
      sink.onLeading(true)
    }
    if (soft.leader === NONE && before.leader !== NONE) {
      standing.leaderlessMs = this.#options.monotonicMs()
    }
    if (soft.leader !== NONE) {
      leadership.cancelCampaign()
      if (soft.leader !== before.leader) this.#onLeader(soft.leader)
    }
    this.#options.notify()
  }

  #onDeposed(): void {
    const { proposals, news, out, sink } = this.#parts
    proposals.deposed()
    news.deposed()
    out.clear()
    this.#standing.changes?.clear()
    sink.onLeading(false)
  }

  #onLeader(leader: NodeId): void {
    const standing = this.#standing
    standing.heardMs = this.#options.monotonicMs()
    this.#parts.leadership.onLeader(leader)
    if (leader !== standing.self && standing.stage === 'handing-over') this.#options.handedOver()
    this.#parts.proposals.retry()
  }

  #apply(raft: Raft, entries: readonly Entry[]): void {
    const standing = this.#standing
    const { proposals, sink, snapshots } = this.#parts
    const committed = readCommitted(entries, (index, term, origin) =>
      proposals.decided(index, term, origin),
    )
    const { rosterChanges, problem } = committed
    if (committed.entries.length > 0) sink.onCommitted(committed.entries)
    const last = entries[committed.entries.length - 1]
    if (last !== undefined) standing.applied = { index: last.index, term: last.term }
    for (const [index, change] of rosterChanges) {
      standing.roster = changeRoster(standing.roster, index, change)
    }
    // Before the core writes to whom it did not know.
    if (rosterChanges.length > 0) this.#options.listener.onMembers(standing.members())
    if (problem !== null) {
      this.#options.fail(storeUnavailable(problem, 'none'))
      return
    }
    if (last === undefined) return
    raft.applied(last.index)
    snapshots.applied(last.index)
    for (const { index, term } of entries) standing.changes?.applied(index, term)
    standing.changes?.next()
    if (rosterChanges.length > 0) this.#options.notify()
  }

  #maybeReady(): void {
    const { isAlive, isAlone, leads, soft, applied } = this.#standing
    if (this.#readyAt === null || !isAlive || applied.index < this.#readyAt) return
    const canWrite = leads && applied.term === soft.term
    if (isAlone && !canWrite) return
    this.#readyAt = null
    this.#parts.sink.onReady()
  }
}
