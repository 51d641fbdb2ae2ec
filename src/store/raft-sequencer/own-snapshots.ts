import { assert } from '../../lib/assert.js'
import type { SnapshotMeta } from '../../raft/raft.js'
import type { LogLink } from '../log/messages.js'
import { encodeHead } from '../roster.js'
import type { SequencerSink } from '../sequencer.js'
import type { Standing } from './standing.js'

/** Kept behind a snapshot for followers that are a little late. */
const TRAILING_ENTRIES = 4_096
/** Above it the log in memory is cut behind the newest snapshot, whoever still needs it. */
const LOG_BYTES_MAX = 128 * 1024 * 1024

export interface OwnSnapshotsOptions {
  readonly standing: Standing
  readonly link: LogLink
  readonly sink: Pick<SequencerSink, 'onSnapshot'>
  /** Default {@link TRAILING_ENTRIES}. */
  readonly trailingEntries: number | undefined
}

/** Snapshots of this node's own state, chunk by chunk to the log, and the cut of the log behind. */
export class OwnSnapshots {
  readonly #options: OwnSnapshotsOptions
  readonly #standing: Standing
  #due: {
    readonly index: number
    readonly chunks: Iterator<Uint8Array<ArrayBuffer>>
    meta: SnapshotMeta | null
  } | null = null
  /** Index of the newest that can be sent; 0: there is none. */
  newest = 0

  constructor(options: OwnSnapshotsOptions) {
    this.#options = options
    this.#standing = options.standing
  }

  /** Of the state after the entry `index`, the last one that was given out to be applied. */
  save(index: number, chunks: Iterator<Uint8Array<ArrayBuffer>>): void {
    assert(this.#due === null, 'a snapshot is under way')
    const { raft, isAlive } = this.#standing
    if (!isAlive || raft === null) {
      this.#options.sink.onSnapshot({ ok: false, reason: 'the store is not in service' })
      return
    }
    this.#due = { index, chunks, meta: null }
    // The core has to hear first that it is applied.
    if (raft.status().applied === index) this.#begin()
  }

  /** The core knows that `index` is applied. */
  applied(index: number): void {
    const due = this.#due
    if (due !== null && due.meta === null && due.index === index) this.#begin()
  }

  /** The log takes another chunk. */
  sendChunk(): void {
    if (this.#due === null) return
    const { link } = this.#options
    const next = this.#due.chunks.next()
    if (next.done === true) link.tell({ type: 'snapshot-end' })
    else link.tell({ type: 'snapshot-chunk', bytes: next.value })
  }

  done(bytes: number): void {
    const meta = this.#due?.meta ?? null
    this.#due = null
    const { raft, isAlone } = this.#standing
    if (meta === null || raft === null) return
    raft.snapshotTaken(meta)
    this.newest = Math.max(this.newest, meta.index)
    const { logBytes, neededFrom, lastIndex, firstIndex } = raft.status()
    const isKind = !isAlone && logBytes <= LOG_BYTES_MAX
    const trailing = this.#options.trailingEntries ?? TRAILING_ENTRIES
    const kindIndex = Math.min(meta.index, neededFrom - 1, lastIndex - trailing)
    const upTo = isKind ? kindIndex : meta.index
    if (upTo >= firstIndex) raft.compact(upTo)
    this.#options.sink.onSnapshot({ ok: true, index: meta.index, bytes })
  }

  failed(reason: string): void {
    this.#due = null
    this.#options.sink.onSnapshot({ ok: false, reason })
  }

  /** Without a word. */
  forget(): void {
    this.#due = null
  }

  #begin(): void {
    const due = this.#due
    const meta = this.#standing.raft?.snapshotMeta() ?? null
    if (due === null) return
    if (meta === null) {
      this.failed('a snapshot of the leader is being installed')
      return
    }
    assert(meta.index === due.index, 'a snapshot is of the last entry applied')
    due.meta = meta
    const { index, term, config } = meta
    const head = encodeHead(config, this.#standing.roster)
    this.#options.link.tell({ type: 'snapshot-begin', index, term, head })
    this.sendChunk()
  }
}
