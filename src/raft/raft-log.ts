import { assert } from './assert.js'
import type { Faults } from './faults.js'
import { type Entry, entryBytes, type LogPosition, type SnapshotMeta } from './message.js'

/**
 * The log from the last compaction on, in memory. It is the truth of this node; the disk follows.
 * Three marks run through it, besides commit and applied: `handed`, up to where entries were given
 * out to be written, and `durable`, up to where the disk is known to hold what this log holds.
 *
 *     base ≤ applied ≤ applying ≤ commit ≤ last,   durable ≤ handed ≤ last
 */
export class RaftLog {
  readonly #faults: Faults
  /** Where the log begins: the entry at this position is gone, its term is still known. */
  #base: LogPosition
  #entries: Entry[]
  #bytes = 0
  #handed: number
  #durable: number
  commit: number
  #applied: number
  #applying: number
  #applyingBytes = 0
  /** A received snapshot that the caller has not reported as installed yet. */
  #pendingSnapshot: SnapshotMeta | null = null
  #snapshotHanded = false

  constructor(
    start: { base: LogPosition; entries: readonly Entry[]; commit: number; applied: number },
    faults: Faults,
  ) {
    this.#faults = faults
    this.#base = start.base
    this.#entries = start.entries.slice()
    for (const [at, entry] of this.#entries.entries()) {
      assert(
        entry.index === start.base.index + 1 + at && entry.term >= this.termAt(entry.index - 1),
        () => `restored log is broken at position ${at}: ${entry.index}@${entry.term}`,
      )
      this.#bytes += entryBytes(entry)
    }
    const last = this.lastIndex
    assert(
      start.base.index <= start.applied && start.applied <= start.commit && start.commit <= last,
      () =>
        `restored marks do not fit: base ${start.base.index}, applied ${start.applied}, ` +
        `commit ${start.commit}, last ${last}`,
    )
    this.#handed = last
    this.#durable = last
    this.commit = start.commit
    this.#applied = start.applied
    this.#applying = start.applied
  }

  get base(): LogPosition {
    return this.#base
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length
  }

  get last(): LogPosition {
    return { index: this.lastIndex, term: this.termAt(this.lastIndex) }
  }

  get durable(): number {
    return this.#durable
  }

  get applied(): number {
    return this.#applied
  }

  get pendingSnapshot(): SnapshotMeta | null {
    return this.#pendingSnapshot
  }

  /** Weight of all entries held. */
  get bytes(): number {
    return this.#bytes
  }

  /** Term of the entry at `index`, or -1 where the log does not reach. */
  termAt(index: number): number {
    if (index === this.#base.index) return this.#base.term
    return this.#entries[index - this.#base.index - 1]?.term ?? -1
  }

  /** The last committed position. */
  get committed(): LogPosition {
    return { index: this.commit, term: this.termAt(this.commit) }
  }

  /** True when an entry in (`after`, `to`] changes the configuration. */
  changesConfig(after: number, to: number): boolean {
    for (let index = after + 1; index <= to; index++) {
      if ((this.entryAt(index)?.change ?? null) !== null) return true
    }
    return false
  }

  matches(at: LogPosition): boolean {
    return this.termAt(at.index) === at.term
  }

  entryAt(index: number): Entry | undefined {
    return this.#entries[index - this.#base.index - 1]
  }

  /** Entries from `from` on, of at most `bytesMax`, but at least one; up to `to` at most. */
  slice(from: number, bytesMax: number, to: number = this.lastIndex): Entry[] {
    const out: Entry[] = []
    let bytes = 0
    for (let index = from; index <= to; index++) {
      const entry = this.entryAt(index)
      assert(entry !== undefined, () => `entry ${index} is not in the log`)
      bytes += entryBytes(entry)
      if (out.length > 0 && bytes > bytesMax) break
      out.push(entry)
    }
    return out
  }

  /** Weight of the entries in (`after`, last]. */
  bytesAfter(after: number): number {
    let bytes = 0
    for (let index = after + 1; index <= this.lastIndex; index++) {
      bytes += entryBytes(this.entryAt(index)!)
    }
    return bytes
  }

  /** Appends entries of this node's own making. */
  push(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, 'a new entry must follow the last one')
    this.#entries.push(entry)
    this.#bytes += entryBytes(entry)
  }

  /**
   * Takes over the entries of a leader, which follow an entry both logs share. Existing ones that
   * differ go, with all that follows them (Figure 2, AppendEntries 3 and 4); existing ones that are
   * the same stay, and so does what follows them: an old append must not undo a newer one.
   */
  merge(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.lastIndex) {
        if (this.termAt(entry.index) === entry.term) continue
        if (this.#faults.keepConflictingSuffix === true) continue
        assert(
          entry.index > this.commit,
          () => `committed entry ${entry.index} would be replaced (commit ${this.commit})`,
        )
        this.#truncate(entry.index - 1)
      }
      this.push(entry)
    }
  }

  #truncate(last: number): void {
    const removed = this.#entries.splice(last - this.#base.index)
    for (const entry of removed) this.#bytes -= entryBytes(entry)
    this.#handed = Math.min(this.#handed, last)
    this.#durable = Math.min(this.#durable, last)
  }

  /**
   * Where the logs may agree at best, given that they do not at (`index`, `term`): the highest
   * index not above `index` with a term not above `term`. Skips whole terms at once (paper §5.3, last
   * paragraphs; the dissertation leaves the details to the reader).
   */
  conflictHint(index: number, term: number): LogPosition {
    let at = Math.min(index, this.lastIndex)
    while (at > this.#base.index && this.termAt(at) > term) at -= 1
    const found = this.termAt(at)
    return { index: at, term: Math.max(0, found) }
  }

  commitTo(index: number): void {
    if (index <= this.commit) return
    assert(
      index <= this.lastIndex,
      () => `commit ${index} is behind the log's end ${this.lastIndex}`,
    )
    this.commit = index
  }

  /** Entries nobody was told to write yet; from now on they count as being written. */
  takeUnwritten(): readonly Entry[] {
    const from = this.#handed + 1
    if (from > this.lastIndex) return []
    this.#handed = this.lastIndex
    return this.#entries.slice(from - this.#base.index - 1)
  }

  takeSnapshot(): SnapshotMeta | null {
    if (this.#snapshotHanded) return null
    this.#snapshotHanded = this.#pendingSnapshot !== null
    return this.#pendingSnapshot
  }

  /** The disk holds what this log holds up to `index`, and no write under way will change that. */
  durableTo(index: number): void {
    const upTo = Math.min(index, this.#handed)
    if (upTo > this.#durable) this.#durable = upTo
  }

  /**
   * Committed entries to apply, after those already given out. Only what is durable here: a crash
   * can then never take back what was applied, and the disk always explains what was served.
   */
  takeCommitted(bytesMax: number): readonly Entry[] {
    if (this.#pendingSnapshot !== null) return []
    const to = Math.min(this.commit, this.#durable)
    if (this.#applying >= to || this.#applyingBytes >= bytesMax) return []
    const entries = this.slice(this.#applying + 1, bytesMax - this.#applyingBytes, to)
    for (const entry of entries) this.#applyingBytes += entryBytes(entry)
    this.#applying += entries.length
    return entries
  }

  /** The caller applied all up to `index`. Returns the entries that are newly applied. */
  appliedTo(index: number): readonly Entry[] {
    // What was given out before a snapshot replaced the log may be reported after it.
    if (index <= this.#applied || index <= this.#base.index) return []
    assert(
      index <= this.#applying,
      () => `entry ${index} was reported as applied, but only ${this.#applying} were given out`,
    )
    const entries = this.slice(this.#applied + 1, Number.POSITIVE_INFINITY, index)
    for (const entry of entries) this.#applyingBytes -= entryBytes(entry)
    this.#applied = index
    return entries
  }

  /** Replaces everything by a snapshot (paper §7); its bytes still have to be installed. */
  restore(meta: SnapshotMeta): void {
    this.#base = { index: meta.index, term: meta.term }
    this.#entries = []
    this.#bytes = 0
    this.#handed = meta.index
    this.#durable = meta.index
    this.commit = meta.index
    this.#pendingSnapshot = meta
    this.#snapshotHanded = false
  }

  /** The snapshot is on disk and the caller's state machine is the one it holds. */
  snapshotInstalled(meta: SnapshotMeta): void {
    // A newer one may have come while the older was being installed.
    if (this.#pendingSnapshot?.index !== meta.index) return
    this.#pendingSnapshot = null
    this.#snapshotHanded = false
    this.#applied = meta.index
    this.#applying = meta.index
    this.#applyingBytes = 0
  }

  /** Forgets all entries up to `index`; a snapshot covers them. */
  compact(index: number): void {
    if (index <= this.#base.index) return
    assert(index <= this.#applied, () => `entry ${index} is not applied and cannot be compacted`)
    const term = this.termAt(index)
    const removed = this.#entries.splice(0, index - this.#base.index)
    for (const entry of removed) this.#bytes -= entryBytes(entry)
    this.#base = { index, term }
  }
}
