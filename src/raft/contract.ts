import type { Config } from './config.js'
import type { Faults } from './faults.js'
import type {
  Ballot,
  Entry,
  LogPosition,
  Message,
  NodeId,
  SnapshotMessage,
  SnapshotMeta,
} from './message.js'
import type { ProgressState } from './progress.js'

/** The types at the core's door; what to do with them stands at the top of `raft.ts`. */

/** `pre-candidate` asks whether an election would succeed, without disturbing anyone (§9.6). */
export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** What the disk holds at start. */
export interface StartState {
  readonly ballot: Ballot
  /** The last commit index written, or less; 0 when none is known. */
  readonly commit: number
  readonly snapshot: SnapshotMeta
  /** The log behind the snapshot, without gap. */
  readonly entries: readonly Entry[]
}

export interface RaftOptions {
  readonly id: NodeId
  readonly start: StartState
  /** A whole number in 0..below-1; spreads election timeouts (§3.4) and tells lives apart. */
  readonly random: (below: number) => number
  /**
   * Ticks without a leader before an election, 2 at least; the actual timeout is drawn from
   * electionTicks..2*electionTicks-1. Default 10.
   */
  readonly electionTicks?: number
  /** Ticks between heartbeats, less than `electionTicks`. Default 1. */
  readonly heartbeatTicks?: number
  /** Ask before an election (§9.6). Default true. */
  readonly preVote?: boolean
  /** A leader without a live majority steps down; a live leader is not challenged. Default true. */
  readonly checkQuorum?: boolean
  /** Followers pass proposals on to the leader. Default false: callers forward them, with answers. */
  readonly forwardProposals?: boolean
  /** Weight of the entries of one append, one entry at least. Default 1 MiB. */
  readonly appendBytesMax?: number
  /** Appends on their way to one follower. Default 256. */
  readonly inflightCountMax?: number
  /** Weight of the appends on their way to one follower. Default 8 MiB. */
  readonly inflightBytesMax?: number
  /** Weight of proposals accepted and not applied yet; above it they are refused. Default 64 MiB. */
  readonly uncommittedBytesMax?: number
  /** Weight of committed entries given out and not reported as applied. Default 16 MiB. */
  readonly applyBytesMax?: number
  /** Reads waiting at this node, batches of followers included. Default 16,384. */
  readonly readsMax?: number
  /** Hears of what an operator may want to know. */
  readonly trace?: (event: TraceEvent) => void
  /** Deliberate bugs, for tests. */
  readonly faults?: Faults
}

export type TraceEvent =
  | { readonly type: 'role'; readonly role: Role; readonly term: number }
  | { readonly type: 'config'; readonly config: Config }
  /** A request for a vote was not heard, as the leader is alive (§4.2.3). */
  | { readonly type: 'vote-ignored'; readonly from: NodeId; readonly pre: boolean }
  | {
      readonly type: 'vote-decided'
      readonly from: NodeId
      readonly pre: boolean
      granted: boolean
    }
  /** This node may not campaign now. */
  | { readonly type: 'campaign-refused'; readonly reason: string }
  | { readonly type: 'quorum-lost' }
  | { readonly type: 'snapshot-restored'; readonly at: LogPosition }
  | { readonly type: 'snapshot-ignored'; readonly at: LogPosition }
  /** The leader counts on entries that this log no longer holds: it must not vote any more. */
  | { readonly type: 'log-lost'; readonly acknowledged: number; readonly last: number }

/** One write. See the third duty. */
export interface AppendTask {
  /** Grows by one with each task; report it to `Raft.appended`. */
  readonly seq: number
  readonly ballot: Ballot | null
  readonly snapshot: SnapshotMeta | null
  readonly entries: readonly Entry[]
  /** Set when it advanced. On disk it must never be ahead of the entries it covers. */
  readonly commit: number | null
  /** False: nothing in it must be durable before it is reported (a commit index, for example). */
  readonly sync: boolean
  /** To be sent once this task, and all before it, are done. */
  readonly messages: readonly Message[]
}

/** The bytes of a snapshot are wanted at `to`; see duty 3c. */
export interface SnapshotTransfer {
  readonly to: NodeId
  /**
   * Stepped at the far side last. A newer snapshot may be sent instead, when the message then says
   * so; an older one may not.
   */
  readonly message: SnapshotMessage
}

export interface ReadState {
  readonly id: number
  /**
   * The read is linearizable now: this index is applied and was committed after the read was asked
   * for. Null: nothing is known, ask again.
   */
  readonly index: number | null
}

export interface SoftState {
  readonly role: Role
  readonly term: number
  readonly leader: NodeId
}

export interface Ready {
  /** Set when any of it changed. */
  readonly soft: SoftState | null
  readonly messages: readonly Message[]
  readonly append: AppendTask | null
  readonly transfers: readonly SnapshotTransfer[]
  /** To be applied; entries with a `change` or without data mean nothing to a state machine. */
  readonly committed: readonly Entry[]
  readonly reads: readonly ReadState[]
}

/**
 * `no-leader`, `not-leader`: ask `leader`, once there is one. `transferring`: leadership is being
 * handed over. `full`: too much is uncommitted. `conf-pending`: an earlier change of configuration,
 * or the entry that opens the term, is not applied yet. `conf-invalid`: see `detail`.
 */
export type Refusal =
  | 'no-leader'
  | 'not-leader'
  | 'transferring'
  | 'full'
  | 'conf-pending'
  | 'conf-invalid'

/**
 * An accepted proposal is done when the entry at `index` is applied with this `term`; it is lost
 * when another term is applied there. Index 0: it was passed on to the leader, fate unknown.
 */
export type ProposeResult =
  | { readonly ok: true; readonly index: number; readonly term: number }
  | { readonly ok: false; readonly reason: Refusal; readonly leader: NodeId; detail: string }

export interface MemberStatus {
  readonly id: NodeId
  readonly state: ProgressState
  readonly match: number
  readonly next: number
  readonly active: boolean
  readonly paused: boolean
  readonly inflightCount: number
  readonly pendingSnapshot: number
}

export interface Status extends SoftState {
  readonly id: NodeId
  readonly vote: NodeId
  readonly commit: number
  readonly applied: number
  readonly firstIndex: number
  readonly lastIndex: number
  readonly durable: number
  /** Weight of the log in memory, in bytes. */
  readonly logBytes: number
  readonly config: Config
  /** Whom leadership is being handed to. */
  readonly transferee: NodeId
  readonly voting: boolean
  /** Lowest index a live member still needs from this leader's log; compacting less is kind. */
  readonly neededFrom: number
  /** Filled in by a leader only; sorted by id. */
  readonly members: readonly MemberStatus[]
}
