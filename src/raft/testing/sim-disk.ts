import type { AppendTask, Ballot, Entry, SnapshotMeta, StartState } from '../raft.js'

/** A snapshot with its bytes. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta
  readonly bytes: Uint8Array
}

interface Image {
  ballot: Ballot
  commit: number
  snapshot: StoredSnapshot
  entries: Entry[]
}

type Op =
  | { readonly ballot: Ballot }
  | { readonly snapshot: StoredSnapshot }
  | { readonly entry: Entry }
  | { readonly commit: number }

/**
 * Ways to break the duties of whoever writes: the commit index before the entries, the ballot after
 * them, a sync that does nothing.
 */
export type DiskFault = 'commit-first' | 'ballot-last' | 'sync-lies'

/**
 * A disk that forgets: what was written but not synced survives a crash only up to some point, in
 * the order of writing, and that point may lie within a task.
 */
export class SimDisk {
  readonly #image: Image
  readonly #fault: DiskFault | null
  #unsynced: Op[] = []

  constructor(start: StartState, bytes: Uint8Array, fault: DiskFault | null = null) {
    this.#fault = fault
    this.#image = {
      ballot: start.ballot,
      commit: start.commit,
      snapshot: { meta: start.snapshot, bytes },
      entries: [...start.entries],
    }
  }

  get snapshot(): StoredSnapshot {
    return this.#image.snapshot
  }

  /** Writes a task; `received` are the bytes of the snapshot in it, if there is one. */
  write(task: AppendTask, received: Uint8Array | null): void {
    const ballot: Op[] = task.ballot === null ? [] : [{ ballot: task.ballot }]
    const commit: Op[] = task.commit === null ? [] : [{ commit: task.commit }]
    if (this.#fault !== 'ballot-last') this.#unsynced.push(...ballot)
    if (this.#fault === 'commit-first') this.#unsynced.push(...commit)
    if (task.snapshot !== null) {
      if (received === null) throw new Error('a snapshot without bytes was to be installed')
      this.#unsynced.push({ snapshot: { meta: task.snapshot, bytes: received } })
    }
    for (const entry of task.entries) this.#unsynced.push({ entry })
    if (this.#fault !== 'commit-first') this.#unsynced.push(...commit)
    if (this.#fault === 'ballot-last') this.#unsynced.push(...ballot)
    if (task.sync && this.#fault !== 'sync-lies') this.sync()
  }

  sync(): void {
    for (const op of this.#unsynced) this.#apply(op)
    this.#unsynced = []
  }

  /** A snapshot of the node's own state; it is written aside and renamed, so it is whole or absent. */
  storeSnapshot(snapshot: StoredSnapshot): void {
    const { index } = snapshot.meta
    this.#image.snapshot = snapshot
    this.#image.entries = this.#image.entries.filter((entry) => entry.index > index)
  }

  /** Loses all but the first `keep` parts of what is not synced, and of `task`, begun and not done. */
  crash(
    tasks: readonly { task: AppendTask; bytes: Uint8Array | null }[],
    keep: (parts: number) => number,
  ): void {
    for (const { task, bytes } of tasks) this.write({ ...task, sync: false }, bytes)
    this.#unsynced.length = keep(this.#unsynced.length)
    this.sync()
  }

  /** A disk that breaks its word: the last entries are gone, although they were synced. */
  lose(count: number): void {
    this.#image.entries.length = Math.max(0, this.#image.entries.length - count)
  }

  start(): StartState {
    const { ballot, commit, snapshot, entries } = this.#image
    return {
      ballot,
      commit,
      snapshot: snapshot.meta,
      entries: [...entries],
    }
  }

  #apply(op: Op): void {
    const image = this.#image
    if ('ballot' in op) image.ballot = op.ballot
    else if ('commit' in op) image.commit = op.commit
    else if ('snapshot' in op) {
      image.snapshot = op.snapshot
      image.entries = []
    } else {
      image.entries = image.entries.filter((entry) => entry.index < op.entry.index)
      if (op.entry.index > image.snapshot.meta.index) image.entries.push(op.entry)
    }
  }
}
