import { assert } from '../../lib/assert.js'
import type { GatewayError } from '../../lib/errors.js'
import type { Faults } from '../../raft/faults.js'
import {
  EMPTY_CONFIG,
  foundingStart,
  NONE,
  Raft,
  type SnapshotMeta,
  type StartState,
  type TraceEvent,
} from '../../raft/raft.js'
import type {
  Founding,
  MemberIdentity,
  ReplicaListener,
  ReplicaTiming,
  Roster,
} from '../cluster.js'
import { storeUnavailable } from '../contract.js'
import type { LogLink, Recovered } from '../log/messages.js'
import { encodeHead, foundingConfig, foundingOf, foundingRoster } from '../roster.js'
import type { SequencerSink } from '../sequencer.js'
import { MembershipChanges } from './membership.js'
import type { OwnSnapshots } from './own-snapshots.js'
import { foundedStart, type Restoring, recoveredStart } from './restoring.js'
import type { Standing } from './standing.js'
import type { Turns } from './turns.js'

const NOTHING: SnapshotMeta = { index: 0, term: 0, config: EMPTY_CONFIG }

/** Of the core; for tests alone. */
export interface CoreSeams {
  /** Deliberate bugs. */
  readonly faults?: Faults
  /** Lower than in earnest, so that a short life meets them. */
  readonly limits?: { readonly appendBytesMax?: number; readonly inflightCountMax?: number }
  /** It was made. */
  watch?(raft: Raft): void
}

export interface BirthOptions {
  readonly standing: Standing
  readonly self: MemberIdentity
  readonly timing: ReplicaTiming
  readonly random: (below: number) => number
  readonly seams: CoreSeams
  readonly link: LogLink
  readonly sink: Pick<SequencerSink, 'onNote'>
  readonly listener: Pick<ReplicaListener, 'onBlank' | 'onMembers'>
  readonly restoring: Restoring
  readonly snapshots: OwnSnapshots
  readonly turns: Turns
  readonly onTrace: (event: TraceEvent) => void
  /** There is a core; its first turn follows. */
  readonly onStarted: () => void
  readonly fail: (error: GatewayError) => void
}

/** From what the log holds, which may be nothing, to a core that runs. */
export class Birth {
  readonly #options: BirthOptions
  readonly #standing: Standing
  #ballotTerm = 0

  constructor(options: BirthOptions) {
    this.#options = options
    this.#standing = options.standing
  }

  /** The log has said all that it holds. */
  recovered(recovered: Recovered): void {
    const standing = this.#standing
    const { sink, listener, turns, snapshots, restoring, self } = this.#options
    for (const note of recovered.notes) sink.onNote(note)
    const { lastIndex, lastTerm } = recovered
    this.#ballotTerm = recovered.hardState.term
    if (standing.stage === 'closing') return
    if (lastIndex === 0) {
      standing.stage = 'blank'
      listener.onBlank()
      return
    }
    standing.logEnd = { index: lastIndex, term: lastTerm }
    const head = turns.endRestore()
    const alone = foundingOf([self])
    // A log from before there were clusters: this node was, and is, all of its own.
    if (head === null) standing.roster = foundingRoster(alone)
    else snapshots.newest = standing.applied.index
    const config = head?.config ?? foundingConfig(alone)
    const snapshot = { ...standing.applied, config }
    const entries = restoring.takeEntries()
    this.#begin(recoveredStart(recovered, snapshot, entries, standing.self), true)
  }

  found(founding: Founding): void {
    const standing = this.#standing
    assert(standing.stage === 'blank', 'only an empty log can be founded')
    const roster = foundingRoster(founding)
    assert(
      roster.members.some(({ nodeId }) => nodeId === standing.self),
      'a founder must be among the first members',
    )
    standing.stage = 'recovering'
    const { snapshot } = foundingStart([standing.self])
    const head = encodeHead(foundingConfig(founding), roster)
    const { index, term } = snapshot
    this.#options.link.tell({ type: 'found', seq: 0, index, term, head })
  }

  /** What {@link found} asked for is durable. */
  founded(): void {
    const { turns, snapshots } = this.#options
    const config = turns.endRestore()?.config ?? null
    const start = foundedStart(this.#standing.self, config, this.#ballotTerm)
    const { index, term } = start.snapshot
    this.#standing.logEnd = { index, term }
    snapshots.newest = index
    this.#begin(start, true)
  }

  join(roster: Roster): void {
    const standing = this.#standing
    assert(standing.stage === 'blank', 'only an empty log can join')
    const self = roster.members.find(({ nodeId }) => nodeId === standing.self)
    if (self?.suffrage === 'voter') {
      // It became one when it held what others held: its promises are forgotten, and with its vote
      // somebody could lead who has not got what was acknowledged.
      const { name } = this.#options.self
      const message = `the log of this member is gone, and the cluster counts on it: purge "${name}", then let it join with an empty data directory`
      this.#options.fail(storeUnavailable(message, 'none'))
      return
    }
    standing.roster = roster
    // Until it got a snapshot: it may be somebody who had more, and lost it.
    this.#begin(
      { ballot: { term: this.#ballotTerm, vote: NONE }, commit: 0, snapshot: NOTHING, entries: [] },
      false,
    )
  }

  #begin(start: StartState, voting: boolean): void {
    const { random, listener, timing, seams, turns } = this.#options
    const { faults, limits = {} } = seams
    const { appendBytesMax, inflightCountMax } = limits
    const standing = this.#standing
    const raft = new Raft({
      id: standing.self,
      start,
      random,
      electionTicks: timing.electionTicks,
      heartbeatTicks: timing.heartbeatTicks,
      trace: (event) => this.#options.onTrace(event),
      ...(faults === undefined ? {} : { faults }),
      ...(appendBytesMax === undefined ? {} : { appendBytesMax }),
      ...(inflightCountMax === undefined ? {} : { inflightCountMax }),
    })
    raft.setVoting(voting)
    standing.raft = raft
    seams.watch?.(raft)
    standing.changes = new MembershipChanges({
      raft,
      roster: () => standing.members(),
      wake: () => turns.wake(),
    })
    standing.config = start.snapshot.config
    standing.soft = { role: 'follower', term: start.ballot.term, leader: NONE }
    turns.begin(raft, !voting)
    standing.stage = 'running'
    listener.onMembers(standing.members())
    this.#options.onStarted()
    if (standing.isAlone) raft.campaign()
    turns.pump()
  }
}
