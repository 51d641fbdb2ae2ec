import type { ConfChange, Config } from './config.js'

/**
 * Number of a node, 1..2^53-1, never reused: a node that comes back without its disk is a new node
 * and takes a new number. 0 ({@link NONE}) means nobody.
 */
export type NodeId = number

/** Nobody: no vote given, no leader known. */
export const NONE: NodeId = 0

/** A place in the log. Positions are ordered by term first, then by index (paper §5.4.1). */
export interface LogPosition {
  readonly index: number
  readonly term: number
}

/**
 * One log entry. `data` belongs to the caller and is never looked into. An entry with `change` set
 * alters the configuration when it is applied; its `data` is free for the caller (an address, a
 * name). An entry with empty `data` and no change is the one a leader opens its term with.
 */
export interface Entry extends LogPosition {
  readonly data: Uint8Array
  readonly change: ConfChange | null
}

/** What must survive a crash besides the log (Figure 2, "Persistent state"). */
export interface Ballot {
  readonly term: number
  /** Whom this node voted for in `term`, or {@link NONE}. */
  readonly vote: NodeId
}

/** What the core knows of a snapshot: everything but its bytes. */
export interface SnapshotMeta extends LogPosition {
  /** The configuration in force once the entry at `index` was applied. */
  readonly config: Config
}

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly term: number
}

/** Asks for a vote (paper §5.2), or whether one would be given (`pre`, §9.6). */
export interface VoteRequest extends Envelope {
  readonly type: 'vote' | 'pre-vote'
  readonly lastIndex: number
  readonly lastTerm: number
  /** The leader itself asked for this election (§3.10): stickiness does not apply. */
  readonly transfer: boolean
  /** What the sender knows to be committed; see `#learnCommit` in `raft.ts`. */
  readonly commit: LogPosition
}

export interface VoteReply extends Envelope {
  readonly type: 'vote-reply' | 'pre-vote-reply'
  readonly granted: boolean
  readonly commit: LogPosition
}

/** Paper §5.3. Without entries it carries an advanced commit index, or feels for the log's end. */
export interface AppendRequest extends Envelope {
  readonly type: 'append'
  readonly prevIndex: number
  readonly prevTerm: number
  readonly entries: readonly Entry[]
  readonly commit: number
}

/**
 * `accepted`: the sender's log equals the leader's up to `index`, durably. Otherwise `index` is the
 * refused `prevIndex`, and the logs may agree at `hintIndex` (whose term is `hintTerm`) at best.
 * `commit` is the sender's, and when it covers a change of configuration it is durable as well.
 */
export interface AppendReply extends Envelope {
  readonly type: 'append-reply'
  readonly accepted: boolean
  readonly index: number
  readonly hintIndex: number
  readonly hintTerm: number
  readonly commit: number
}

/** `round` counts the rounds of ReadIndex (§6.4); 0 when no read is waiting. */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat'
  readonly commit: number
  readonly round: number
}

export interface HeartbeatReply extends Envelope {
  readonly type: 'heartbeat-reply'
  readonly round: number
}

/** Stepped at the receiver by its transport, once all bytes of the snapshot are there. */
export interface SnapshotMessage extends Envelope {
  readonly type: 'snapshot'
  readonly snapshot: SnapshotMeta
}

/** Leader to the chosen successor: start an election now (§3.10). */
export interface TimeoutNow extends Envelope {
  readonly type: 'timeout-now'
}

/** A follower's batch of reads; `boot` and `seq` make the answer fit only this asking. */
export interface ReadIndexRequest extends Envelope {
  readonly type: 'read-index'
  readonly boot: number
  readonly seq: number
}

export interface ReadIndexReply extends Envelope {
  readonly type: 'read-index-reply'
  readonly boot: number
  readonly seq: number
  readonly index: number
}

/** A proposal passed on to the leader; only with the option `forwardProposals`. */
export interface ProposeRequest extends Envelope {
  readonly type: 'propose'
  readonly data: Uint8Array
  readonly change: ConfChange | null
}

/** A wish for leadership transfer passed on to the leader. */
export interface TransferRequest extends Envelope {
  readonly type: 'transfer'
  readonly target: NodeId
}

/**
 * What nodes tell each other. Any of them may be lost, delayed, doubled or overtaken. `term` is 0
 * on the four that are no part of the protocol of terms (`read-index`, its reply, `propose`,
 * `transfer`).
 */
export type Message =
  | VoteRequest
  | VoteReply
  | AppendRequest
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | SnapshotMessage
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexReply
  | ProposeRequest
  | TransferRequest

/** Counted for each entry besides its data, so that a flood of empty entries is bounded too. */
export const ENTRY_OVERHEAD_BYTES = 32

/** What an entry weighs against the limits given in bytes. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES
}

/** True when a log ending at `a` is at least as up to date as one ending at `b` (paper §5.4.1). */
export function isUpToDate(a: LogPosition, b: LogPosition): boolean {
  return a.term > b.term || (a.term === b.term && a.index >= b.index)
}
