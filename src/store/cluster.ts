/**
 * The door to the replicated store: what the coordinator's thread opens, on one node as on seven.
 * A {@link Replica} is the embedded store of this node, ordered by Raft over the peer connections
 * that its owner keeps.
 *
 * ## The caller's duties
 *
 * 1. Make `Links` and `Rpc` first, then call `openReplica` (`open-replica.ts`) with both; they fit as they are. Hand
 *    what comes in to {@link Replica.inbound}: its methods are those of `LinksHandler` of the same
 *    name (`handler: { ...replica.inbound, onForward, … }`), callable at any time from the start.
 *    The rest of `LinksHandler` (`onForward…`, `onRefused`, `onDialFailed`) is the caller's: it
 *    feeds `Rpc`. Only the service {@link CONSENSUS_SERVICE} of `Rpc` is taken by the replica.
 * 2. On {@link ReplicaListener.onBlank} (an empty log) find out what this node is: call
 *    {@link Replica.found} with the same founding on every first member, or {@link Replica.join}.
 *    A directory with a log, of a node that was alone too, asks nothing and goes on as what it was.
 * 3. On {@link ReplicaListener.onMembers} call `Links.setMembers` (with readers, which are not in
 *    it) before returning: a new member is written to right after. `Links.refresh` when
 *    {@link ReplicaListener.onConsensus} shows another `nodeId`, `clusterId` or `admittedAt`.
 * 4. `local()` of `Links` takes `nodeId`, `clusterId`, `admittedAt` and `logEnd` from
 *    {@link Replica.consensus}.
 * 5. When it fails, or the log does, end the thread and start anew: a log is read again, never
 *    continued. {@link EmbeddedStore.stop} hands leadership over first (for a second at most).
 */
import type { Time } from '../lib/clock.js'
import type { Links, LinksHandler, Rpc } from '../peer/peer.js'
import type { LogPosition, NodeId, Role } from '../raft/raft.js'
import type { Logger } from '../telemetry/log.js'
import type { Done } from './contract.js'
import type { EmbeddedStore, StoreListener } from './embedded-store.js'
import type { SpawnLog } from './log/messages.js'

/** The service of `Rpc` under which followers ask their leader; part of the wire format. */
export const CONSENSUS_SERVICE = 'consensus'

/** Voters at most; further writers stay learners. */
export const VOTERS_MAX = 7

/** A writer, as it introduces itself to a cluster. */
export interface MemberIdentity {
  readonly name: string
  readonly incarnation: string
  /** What others dial; null: it dials them. */
  readonly peerUrl: string | null
}

/** A writer, as the replicated configuration knows it. Readers are not among them. */
export interface ClusterMember extends MemberIdentity {
  /** Its number in Raft: `nodeIdOf(incarnation)`. */
  readonly nodeId: NodeId
  /** Receives the log without a vote, or votes; a change under way counts as done. */
  readonly suffrage: 'voter' | 'learner'
  /** Index of the log entry that made it a member. */
  readonly admittedAt: number
}

export interface RemovedMember {
  readonly name: string
  readonly incarnation: string
  readonly nodeId: NodeId
  /** Index of the log entry that removed it. */
  readonly removedAt: number
}

/** Who belongs to the cluster, as applied on this node; replicated, kept in log and snapshots. */
export interface Roster {
  /** '' in a directory from before there were clusters, and before this node belongs to one. */
  readonly clusterId: string
  /** By name. */
  readonly members: readonly ClusterMember[]
  /** Oldest first, the newest {@link REMOVED_MAX}. */
  readonly removed: readonly RemovedMember[]
  /** A change is between its two steps (joint consensus). */
  readonly isChanging: boolean
}

export const REMOVED_MAX = 1024

/** What the first members write, each the same; see `foundingOf` of `roster.ts`. */
export interface Founding {
  readonly clusterId: string
  /** This node is among them. 1 to {@link VOTERS_MAX}. */
  readonly members: readonly MemberIdentity[]
}

/** One change of who belongs to the cluster. Asking again for what is so already succeeds. */
export type MembershipChange =
  /** A newcomer begins as a learner; with a name in use it is refused. */
  | { readonly type: 'add-learner'; readonly member: MemberIdentity }
  /**
   * Of a learner. Refused while its log is not close to the leader's (`STORE_UNAVAILABLE`, outcome
   * 'none': ask again), or when there are {@link VOTERS_MAX}.
   */
  | { readonly type: 'promote'; readonly incarnation: string }
  /** The leader, too, which then hands leadership over. */
  | { readonly type: 'remove'; readonly incarnation: string }
  /** Another address for a member. */
  | { readonly type: 'move'; readonly incarnation: string; readonly peerUrl: string | null }

/** What consensus looks like from here, now. */
export interface ConsensusStatus {
  /** Of this node; 0: it takes no part (yet). */
  readonly nodeId: NodeId
  readonly clusterId: string
  readonly admittedAt: number
  readonly role: Role | 'learner' | 'outsider'
  readonly term: number
  readonly leader: NodeId
  /** Incarnation of the leader, which may be this node's; null: there is none, or none known. */
  readonly leaderIncarnation: string | null
  /** Somebody leads and is heard: writes and linearizable reads are worth trying. */
  readonly hasQuorum: boolean
  /**
   * Milliseconds since this node last knew that it was not behind: 0 on a leader. At least the time
   * since the start when it never did. For `X-Easegress-Stale`.
   */
  readonly staleMs: number
  readonly lastIndex: number
  readonly committedIndex: number
  readonly appliedIndex: number
  /** Where the durable log ends. For `Introduction.logEnd`. */
  readonly logEnd: LogPosition
  /** False: it must not vote, as its disk failed or lost what it had promised to keep. */
  readonly isVoting: boolean
  readonly isTransferring: boolean
  /** Bytes of log in memory. */
  readonly logBytes: number
  /** On a leader: how far each other member is; sorted by number. */
  readonly followers: readonly FollowerStatus[]
}

export interface FollowerStatus {
  readonly nodeId: NodeId
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly matchIndex: number
  /** It answered within the last election timeout. */
  readonly isActive: boolean
  /** Of a snapshot on its way to it; null: none is. */
  readonly snapshot: { readonly sentBytes: number; readonly totalBytes: number } | null
}

export interface ReplicaListener extends StoreListener {
  /**
   * The log is empty. Nothing goes on before {@link Replica.found} or {@link Replica.join}, which
   * may be called from within.
   */
  onBlank(): void
  /**
   * Role, term, leader or what is known of it, `hasQuorum`, own number or cluster id changed; not
   * for indices or ages.
   * Never from within a call of the replica's methods, other than `inbound`.
   */
  onConsensus(status: ConsensusStatus): void
  /** At start, after each change, after a snapshot came. Every member must be reachable then. */
  onMembers(roster: Roster): void
  /**
   * `onReady` comes when this node has applied what it knows to be committed; that needs no quorum,
   * but a node that joins waits for its first snapshot.
   */
  onReady(): void
}

export interface ReplicaTiming {
  /** Milliseconds. Default 25. */
  readonly tickMs: number
  /** Ticks between heartbeats of a leader. Default 4: 100 ms. */
  readonly heartbeatTicks: number
  /** Silence before an election: from this many ticks to one less than twice. Default 20: 0.5 s. */
  readonly electionTicks: number
}

export const REPLICA_TIMING: ReplicaTiming = { tickMs: 25, heartbeatTicks: 4, electionTicks: 20 }

export interface OpenReplicaOptions {
  readonly time: Time
  readonly log: Logger
  /** A whole number in 0..below-1. */
  readonly random: (below: number) => number
  /**
   * Runs `task` soon, after what is being handled now, in order: `setImmediate` in production,
   * `time.after(0, task)` in tests. Messages that come in together are answered together.
   */
  readonly defer: (task: () => void) => void
  readonly self: MemberIdentity
  readonly spawnLog: SpawnLog
  readonly listener: ReplicaListener
  readonly links: ReplicaLinks
  readonly rpc: Pick<Rpc, 'ask' | 'serve'>
  readonly timing?: Partial<ReplicaTiming>
  /** Bytes of log between two snapshots; default 32 MiB. */
  readonly snapshotAfterBytes?: number
}

/** What a replica needs of `Links`. */
export type ReplicaLinks = Pick<Links, 'sendRaft' | 'sendChunk' | 'sendChunkReply'>

/** What it takes from `Links`; bound, so that it can be spread into a `LinksHandler`. */
export type ReplicaInbound = Readonly<
  Pick<
    LinksHandler,
    | 'onPeerUp'
    | 'onPeerDown'
    | 'onRaft'
    | 'onUnreachable'
    | 'onChunk'
    | 'onChunkReply'
    | 'onChunkRoom'
  >
>

/** One node's part in the replicated store; `openReplica` makes it. */
export interface Replica {
  readonly store: EmbeddedStore
  readonly inbound: ReplicaInbound
  /** After `onBlank`, once: this node is among the first members. */
  found(founding: Founding): void
  /**
   * After `onBlank`, once: somebody made this node a learner, and this is the roster it answered
   * with (`clusterId`, and this node among `members`). Leads to `onReady` once a snapshot came, or
   * to `onFailed` when it is a voter already: then its log was lost, and its vote with it.
   */
  join(roster: Roster): void
  consensus(): ConsensusStatus
  roster(): Roster
  /**
   * From any member: the leader is asked. One at a time: while another is under way it waits its
   * turn. The value is the roster with the change applied by the leader. Fails with REQUEST_INVALID
   * (no such member, name in use, last voter), or STORE_UNAVAILABLE as `Store.txn` does.
   */
  changeMembership(change: MembershipChange, done: Done<Roster>): void
  /**
   * Hands leadership to a voter, or to the best one for null. From any member. Succeeds once
   * another leads, with its number; fails with STORE_UNAVAILABLE when it did not come to that
   * within an election timeout.
   */
  transferLeadership(to: NodeId | null, done: Done<NodeId>): void
}
