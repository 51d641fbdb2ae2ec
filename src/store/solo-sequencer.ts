import { assert, unreachable } from '../lib/assert.js'
import { GatewayError } from '../lib/errors.js'
import { storeUnavailable } from './contract.js'
import { ENTRY, type LogEntry } from './log/format.js'
import {
  type LogLink,
  type LogReply,
  packEntries,
  type Recovered,
  type SpawnLog,
  unpackEntries,
} from './log/messages.js'
import type { CommittedEntry, Sequencer, SequencerSink } from './sequencer.js'

/** Proposals waiting for the disk beyond which more are refused. */
const PROPOSALS_MAX = 16_384
const PROPOSAL_BYTES_MAX = 64 * 1024 * 1024
/** A batch ends at the first entry that takes it beyond this, so that a write stays short. */
const BATCH_BYTES = 4 * 1024 * 1024

interface Proposal {
  readonly ticket: number
  readonly payload: Uint8Array<ArrayBuffer>
}

/**
 * The order of a cluster of one: what the log has made durable is committed. It keeps the log as
 * consensus would (a term and a vote for itself at each start, first entry of the term without
 * content), so that a cluster can grow out of it.
 *
 * Group commit: while the log writes, proposals wait, and all that wait are the next write.
 */
export class SoloSequencer implements Sequencer {
  readonly #spawn: SpawnLog
  readonly #nodeId: string
  #sink!: SequencerSink
  #link!: LogLink
  #state: 'recovering' | 'leading' | 'failed' | 'stopping' | 'stopped' = 'recovering'
  #logIsGone = false
  #restoringIndex: number | null = null
  #term = 0
  #lastIndex = 0
  #committedIndex = 0
  #committedTerm = 0
  #waiting: Proposal[] = []
  #waitingBytes = 0
  /** The write under way; empty when there is none. */
  #writing: (LogEntry & { readonly ticket: number | null })[] = []
  #snapshot: { readonly chunks: Iterator<Uint8Array<ArrayBuffer>> } | null = null

  /** `nodeId` names this member in its own votes: name and incarnation. */
  constructor(spawn: SpawnLog, nodeId: string) {
    this.#spawn = spawn
    this.#nodeId = nodeId
  }

  start(sink: SequencerSink): void {
    this.#sink = sink
    this.#link = this.#spawn(
      (reply) => this.#receive(reply),
      (reason) => this.#exited(reason),
    )
  }

  propose(ticket: number, payload: Uint8Array<ArrayBuffer>): void {
    if (this.#state !== 'leading') {
      this.#sink.onDropped(ticket, this.#unavailable())
      return
    }
    if (
      this.#waiting.length >= PROPOSALS_MAX ||
      this.#waitingBytes + payload.byteLength > PROPOSAL_BYTES_MAX
    ) {
      const waiting = this.#waiting.length
      this.#sink.onDropped(
        ticket,
        new GatewayError('OVERLOADED', 'too many writes wait for the disk', { waiting }),
      )
      return
    }
    this.#waiting.push({ ticket, payload })
    this.#waitingBytes += payload.byteLength
    if (this.#writing.length === 0) this.#writeNext()
  }

  readIndex(ticket: number): void {
    // Nobody else can have ordered anything, and what was acknowledged here is applied here.
    if (this.#state === 'leading') this.#sink.onReadable(ticket, this.#committedIndex)
    else this.#sink.onDropped(ticket, this.#unavailable())
  }

  saveSnapshot(index: number, chunks: Iterator<Uint8Array<ArrayBuffer>>): void {
    assert(this.#snapshot === null, 'a snapshot is under way')
    assert(index === this.#committedIndex, 'a snapshot is of the last entry committed')
    if (this.#state !== 'leading') {
      this.#sink.onSnapshot({ ok: false, reason: 'the store is not in service' })
      return
    }
    this.#snapshot = { chunks }
    this.#link.tell({ type: 'snapshot-begin', index, term: this.#committedTerm })
    this.#sendChunk()
  }

  stop(): void {
    if (this.#state === 'stopping' || this.#state === 'stopped') return
    this.#state = 'stopping'
    this.#dropWaiting(storeUnavailable('the store is stopping', 'none'))
    this.#link.tell({ type: 'stop' })
    if (this.#logIsGone) this.#stopped()
  }

  #receive(reply: LogReply): void {
    if (this.#state === 'failed' || this.#state === 'stopped') return
    if (reply.type === 'durable') this.#onDurable(reply.lastIndex)
    else if (reply.type === 'restore-begin') {
      this.#restoringIndex = reply.index
      this.#committedIndex = reply.index
      this.#committedTerm = reply.term
      this.#sink.onRestoreBegin()
    } else if (reply.type === 'restore-chunk') this.#sink.onRestoreChunk(reply.bytes)
    else if (reply.type === 'restore-entries') {
      this.#endRestore()
      this.#commit(unpackEntries(reply.entries).map((entry) => ({ ...entry, ticket: null })))
    } else if (reply.type === 'recovered') this.#onRecovered(reply)
    else if (reply.type === 'refused') this.#fail(GatewayError.fromJSON(reply.error))
    else if (reply.type === 'snapshot-more') this.#sendChunk()
    else if (reply.type === 'snapshot-done') {
      this.#snapshot = null
      this.#sink.onSnapshot({ ok: true, index: reply.index, bytes: reply.bytes })
    } else if (reply.type === 'snapshot-failed') {
      this.#snapshot = null
      this.#sink.onSnapshot({ ok: false, reason: reply.reason })
    } else if (reply.type === 'disk-low') this.#sink.onWarning(reply.reason)
    else if (reply.type === 'disk-ok') this.#sink.onWarning(null)
    else if (reply.type === 'fenced') {
      this.#fail(storeUnavailable(`the log is closed: ${reply.reason}`, 'unknown'))
    } else if (reply.type === 'stopped') this.#stopped()
    else unreachable(reply)
  }

  #endRestore(): void {
    if (this.#restoringIndex === null) return
    this.#sink.onRestoreEnd(this.#restoringIndex)
    this.#restoringIndex = null
  }

  /** Elects itself: a new term, a vote, an entry that commits what earlier terms left. */
  #onRecovered(recovered: Recovered): void {
    this.#endRestore()
    for (const note of recovered.notes) this.#sink.onNote(note)
    if (this.#state === 'stopping') return
    this.#lastIndex = recovered.lastIndex
    this.#term = Math.max(recovered.hardState.term, recovered.lastTerm) + 1
    const noop = {
      index: this.#lastIndex + 1,
      term: this.#term,
      type: ENTRY.noop,
      payload: new Uint8Array(0),
      ticket: null,
    }
    this.#lastIndex += 1
    this.#writing = [noop]
    this.#link.tell({
      type: 'write',
      hardState: { term: this.#term, vote: this.#nodeId },
      entries: packEntries([noop]),
    })
  }

  #onDurable(lastIndex: number): void {
    const done = this.#writing
    assert(done.at(-1)?.index === lastIndex, 'the log answered for another write')
    this.#writing = []
    const elected = this.#state === 'recovering'
    // The next write goes out first: the disk works while this thread applies.
    if (this.#state === 'leading') this.#writeNext()
    this.#commit(done)
    this.#link.tell({ type: 'note-commit', index: this.#committedIndex })
    if (!elected) return
    this.#state = 'leading'
    this.#sink.onLeading(true)
    this.#sink.onReady()
  }

  #commit(entries: readonly (LogEntry & { readonly ticket: number | null })[]): void {
    if (this.#state === 'failed') return
    const alien = entries.find(({ type }) => type !== ENTRY.command && type !== ENTRY.noop)
    this.#commitKnown(alien === undefined ? entries : entries.slice(0, entries.indexOf(alien)))
    if (alien === undefined) return
    const what = `the log holds an entry of type ${alien.type} at index ${alien.index}`
    this.#fail(
      storeUnavailable(`${what}, which this version does not know; start a newer one`, 'none'),
    )
  }

  #commitKnown(entries: readonly (LogEntry & { readonly ticket: number | null })[]): void {
    const last = entries.at(-1)
    if (last === undefined) return
    this.#committedIndex = last.index
    this.#committedTerm = last.term
    this.#sink.onCommitted(
      entries.map(
        ({ index, type, payload, ticket }): CommittedEntry => ({
          index,
          payload: type === ENTRY.noop ? null : payload,
          ticket,
        }),
      ),
    )
  }

  #writeNext(): void {
    if (this.#waiting.length === 0) return
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length && bytes < BATCH_BYTES) {
      bytes += (this.#waiting[count] as Proposal).payload.byteLength
      count += 1
    }
    const taken = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    this.#waitingBytes -= bytes
    this.#writing = taken.map(({ ticket, payload }, i) => ({
      index: this.#lastIndex + 1 + i,
      term: this.#term,
      type: ENTRY.command,
      payload,
      ticket,
    }))
    this.#lastIndex += count
    this.#link.tell({ type: 'write', hardState: null, entries: packEntries(this.#writing) })
  }

  #sendChunk(): void {
    if (this.#snapshot === null) return
    const next = this.#snapshot.chunks.next()
    if (next.done === true) this.#link.tell({ type: 'snapshot-end' })
    else this.#link.tell({ type: 'snapshot-chunk', bytes: next.value })
  }

  #exited(reason: string): void {
    this.#logIsGone = true
    if (this.#state === 'failed' || this.#state === 'stopped') return
    if (this.#state === 'stopping') this.#stopped()
    else this.#fail(storeUnavailable(`the log thread ended: ${reason}`, 'unknown'))
  }

  #fail(error: GatewayError): void {
    const stopping = this.#state === 'stopping'
    this.#state = 'failed'
    this.#snapshot = null
    this.#dropWriting(error)
    this.#dropWaiting(storeUnavailable(error.message, 'none', { cause: error }))
    this.#sink.onLeading(false)
    this.#sink.onFailed(error)
    if (stopping) this.#stopped()
  }

  #stopped(): void {
    this.#state = 'stopped'
    this.#dropWriting(storeUnavailable('the store stopped', 'unknown'))
    this.#sink.onStopped()
  }

  /** Its entries may be on the disk: only a restart can tell. */
  #dropWriting(error: GatewayError): void {
    const dropped = this.#writing
    this.#writing = []
    const unknown = storeUnavailable(error.message, 'unknown', { cause: error })
    for (const { ticket } of dropped) if (ticket !== null) this.#sink.onDropped(ticket, unknown)
  }

  #dropWaiting(error: GatewayError): void {
    const dropped = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { ticket } of dropped) this.#sink.onDropped(ticket, error)
  }

  #unavailable(): GatewayError {
    const why = {
      recovering: 'the store is starting',
      leading: 'the store is in service',
      failed: 'the store has failed; see its status',
      stopping: 'the store is stopping',
      stopped: 'the store is stopped',
    }[this.#state]
    return storeUnavailable(why, 'none')
  }
}
