import type { GatewayError } from '../lib/errors.js'
import type { Done, LeaseGrant, LeaseId } from './contract.js'

/**
 * Puts proposals into the one order that all members apply (`raft-sequencer/`). Nothing is called
 * back before `start`.
 */
export interface Sequencer {
  /** Recovers, then calls `sink` until `onStopped`. Called once. */
  start(sink: SequencerSink): void

  /**
   * Asks for `payload` to be ordered. `ticket` (any number not in use) comes back exactly once:
   * with the committed entry or with `onDropped`. `here`: this node's log or none; what follows
   * from leading must not be passed on to another leader.
   */
  propose(ticket: number, payload: Uint8Array<ArrayBuffer>, here: boolean): void

  /**
   * Asks for the index a linearizable read has to wait for. `ticket` comes back exactly once: by
   * `onReadable` or by `onDropped`.
   */
  readIndex(ticket: number): void

  /** Asks whoever leads to start the time of a lease anew; its sink has the answer. */
  keepAlive(lease: LeaseId, done: Done<LeaseGrant>): void

  /**
   * Keeps the state after the entry `index`, the last one applied, so that older entries can be
   * dropped. One at a time; the sink is told when it is done or has failed.
   */
  saveSnapshot(index: number, chunks: Iterator<Uint8Array<ArrayBuffer>>): void

  /** The sink cannot apply what is committed: this node must not lead. */
  abdicate(): void

  /** Hands over what it can, then leads to `onStopped`. What is under way is dropped. */
  stop(): void
}

export interface CommittedEntry {
  readonly index: number
  /** Null for entries that carry nothing for the machine. */
  readonly payload: Uint8Array | null
  /** Of the proposal, if it was made here since the start; else null. */
  readonly ticket: number | null
}

export interface SequencerSink {
  /** A snapshot follows, to take the place of the state there is, which counts until its end. */
  onRestoreBegin(): void
  onRestoreChunk(chunk: Uint8Array): void
  /** The state is that after the entry `index`. */
  onRestoreEnd(index: number): void
  /** In order of index, without gaps, each once. */
  onCommitted(entries: readonly CommittedEntry[]): void
  /** Recovery is over: what this node has can be read. */
  onReady(): void
  /** This node orders from now on (true: leases start anew), or no longer does. */
  onLeading(leading: boolean): void
  onReadable(ticket: number, index: number): void
  /** Of any member, on the one that leads. */
  onKeepAlive(lease: LeaseId, done: Done<LeaseGrant>): void
  /** See `detail.outcome` of the error: 'none' or 'unknown'. */
  onDropped(ticket: number, error: GatewayError): void
  onSnapshot(outcome: SnapshotOutcome): void
  /** A snapshot is needed soon, however short the log is. */
  onSnapshotWanted(): void
  /** What recovery did that a person may want to know. */
  onNote(note: string): void
  /** Something that concerns an operator and does not end the service; null when it is over. */
  onWarning(warning: string | null): void
  /** For good: nothing more is ordered until a restart. */
  onFailed(error: GatewayError): void
  onStopped(): void
}

export type SnapshotOutcome =
  | { readonly ok: true; readonly index: number; readonly bytes: number }
  | { readonly ok: false; readonly reason: string }
