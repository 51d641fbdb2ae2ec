import type { AppendTask, Entry, HardState, SnapshotMeta, StartState } from '../raft.js'

/** A snapshot with its bytes. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta
  readonly bytes: Uint8Array
}

interface Image {
  hard: HardState
  snapshot: StoredSnapshot
  entries: Entry[]
}

type Op =
  | { readonly hard: HardState }
  | { readonly snapshot: StoredSnapshot }
  | { readonly entry: Entry }

/**
 * A disk that forgets: what was written but not synced survives a crash only up to some point, in
 * the order of writing, and that point may lie within a task.
 */
export class SimDisk {
  readonly #image: Image
  #unsynced: Op[] = []

  constructor(start: StartState, bytes: Uint8Array) {
    this.#image = {
      hard: start.hard,
      snapshot: { meta: start.snapshot, bytes },
      entries: [...start.entries],
    }
  }

  get snapshot(): StoredSnapshot {
    return this.#image.snapshot
  }

  /** Writes a task; `received` are the bytes of the snapshot in it, if there is one. */
  write(task: AppendTask, received: Uint8Array | null): void {
    if (task.hard !== null) this.#unsynced.push({ hard: task.hard })
    if (task.snapshot !== null) {
      if (received === null) throw new Error('a snapshot without bytes was to be installed')
      this.#unsynced.push({ snapshot: { meta: task.snapshot, bytes: received } })
    }
    for (const entry of task.entries) this.#unsynced.push({ entry })
    if (task.sync) this.sync()
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
    const { hard, snapshot, entries } = this.#image
    return {
      hard: { ...hard, commit: Math.max(hard.commit, snapshot.meta.index) },
      snapshot: snapshot.meta,
      entries: [...entries],
    }
  }

  #apply(op: Op): void {
    const image = this.#image
    if ('hard' in op) image.hard = op.hard
    else if ('snapshot' in op) {
      image.snapshot = op.snapshot
      image.entries = []
    } else {
      image.entries = image.entries.filter((entry) => entry.index < op.entry.index)
      if (op.entry.index > image.snapshot.meta.index) image.entries.push(op.entry)
    }
  }
}
