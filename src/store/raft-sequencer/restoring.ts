import { assert } from '../../lib/assert.js'
import {
  type Config,
  type Entry,
  foundingStart,
  NONE,
  type NodeId,
  type StartState,
} from '../../raft/raft.js'
import { fromLogEntry } from '../entries.js'
import { type EntryBatch, type LogReply, type Recovered, unpackEntries } from '../log/messages.js'
import { decodeHead, type RosterState } from '../roster.js'
import { voteOf } from './write-queue.js'

/** The place of a state that was restored, and what its snapshot says of the cluster. */
export interface Restored {
  readonly index: number
  readonly term: number
  /** Null: it was written by a node that was alone, before there were clusters. */
  readonly head: { readonly config: Config; readonly roster: RosterState } | null
}

/** A snapshot and the entries behind it on their way from the log, at a start or an install. */
export class Restoring {
  #begun: (LogReply & { type: 'restore-begin' }) | null = null
  #term = 0
  #entries: Entry[] = []

  begin(reply: LogReply & { type: 'restore-begin' }): void {
    this.#begun = reply
    this.#term = reply.term
  }

  add(batch: EntryBatch): void {
    for (const entry of unpackEntries(batch)) this.#entries.push(fromLogEntry(entry))
  }

  /** Where the snapshot that has begun is of; null when none has. */
  get index(): number | null {
    return this.#begun?.index ?? null
  }

  /** All of the snapshot has come; null: there was none. */
  take(): Restored | null {
    const begun = this.#begun
    this.#begun = null
    if (begun === null) return null
    const { index, head } = begun
    const isEmpty = head === null || head.byteLength === 0
    return { index, term: this.#term, head: isEmpty ? null : decodeHead(head) }
  }

  takeEntries(): Entry[] {
    const entries = this.#entries
    this.#entries = []
    return entries
  }
}

/** What the core starts from after a recovery. */
export function recoveredStart(
  { hardState, lastIndex, notedCommit }: Recovered,
  snapshot: StartState['snapshot'],
  entries: readonly Entry[],
  self: NodeId,
): StartState {
  return {
    ballot: { term: hardState.term, vote: voteOf(hardState.vote, self) },
    // After a loss of power what was noted may be ahead of the log.
    commit: Math.min(notedCommit, lastIndex),
    snapshot,
    entries,
  }
}

/** What it starts from on a first member of a cluster. */
export function foundedStart(self: NodeId, config: Config | null, ballotTerm: number): StartState {
  assert(config !== null, 'a founded log has a head')
  const { snapshot } = foundingStart([self])
  return {
    ballot: { term: Math.max(ballotTerm, snapshot.term), vote: NONE },
    commit: snapshot.index,
    snapshot: { ...snapshot, config },
    entries: [],
  }
}
