import { assert } from '../../lib/assert.js'
import type { AppendTask, Entry } from '../../raft/raft.js'
import { toLogEntry } from '../entries.js'
import { type LogLink, packEntries } from '../log/messages.js'

/** A write ends at the first task that takes it beyond this, so that a sync stays short. */
const WRITE_BYTES = 4 * 1024 * 1024

/**
 * Tasks of Raft on their way to the disk: one write at a time, and all that wait are the next one
 * (group commit).
 */
export class WriteQueue {
  readonly #link: LogLink
  #waiting: AppendTask[] = []
  #writing: readonly AppendTask[] = []
  #seq = 0
  /** Committed, and the disk was not told; 0: it was. */
  #commitDue = 0
  readonly #noteLater: () => void
  /** Entries up to here were given to the log. */
  handedIndex = 0

  /** `noteLater`: {@link noteCommit} is wanted, unless a write comes first. */
  constructor(link: LogLink, noteLater: () => void) {
    this.#link = link
    this.#noteLater = noteLater
  }

  get isIdle(): boolean {
    return this.#writing.length === 0 && this.#waiting.length === 0
  }

  /** Returns the tasks that are done with it, as there was nothing to make durable. */
  push(task: AppendTask): readonly AppendTask[] {
    this.#waiting.push(task)
    return this.#writing.length === 0 ? this.#next() : []
  }

  /** The write is done. Returns its tasks, and those behind it that need no write. */
  onDurable(seq: number): readonly AppendTask[] {
    assert(seq === this.#seq && this.#writing.length > 0, 'the log answered for another write')
    const done = this.#writing
    this.#writing = []
    // The next write goes out first: the disk works while this thread applies.
    return [...done, ...this.#next()]
  }

  /** Tells the disk how far entries are committed, if that is news. */
  noteCommit(): void {
    if (this.#commitDue === 0) return
    this.#link.tell({ type: 'note-commit', index: this.#commitDue })
    this.#commitDue = 0
  }

  #next(): readonly AppendTask[] {
    const settled: AppendTask[] = []
    while (this.#waiting[0]?.sync === false) {
      const task = this.#waiting.shift() as AppendTask
      if (task.commit !== null) this.#commitDue = task.commit
      settled.push(task)
    }
    const first = this.#waiting[0]
    if (first !== undefined) this.#write(first)
    else if (this.#commitDue > 0) this.#noteLater()
    return settled
  }

  #write(first: AppendTask): void {
    const tasks = [first]
    let bytes = bytesOf(first.entries)
    for (let at = 1; at < this.#waiting.length && bytes < WRITE_BYTES; at++) {
      const task = this.#waiting[at] as AppendTask
      // These come before the entries of their own task, and so behind those of the one before.
      if (task.ballot !== null || task.snapshot !== null) break
      tasks.push(task)
      bytes += bytesOf(task.entries)
    }
    this.#waiting = this.#waiting.slice(tasks.length)
    this.#writing = tasks
    this.#seq += 1
    const { ballot, snapshot } = first
    const entries = tasks.flatMap((task) => task.entries)
    let commit = snapshot === null && this.#commitDue > 0 ? this.#commitDue : null
    for (const task of tasks) commit = task.commit ?? commit
    this.#commitDue = 0
    this.handedIndex = entries.at(-1)?.index ?? snapshot?.index ?? this.handedIndex
    this.#link.tell({
      type: 'write',
      seq: this.#seq,
      hardState: ballot === null ? null : { term: ballot.term, vote: voteText(ballot.vote) },
      install: snapshot === null ? null : { index: snapshot.index, term: snapshot.term },
      entries: packEntries(entries.map(toLogEntry)),
      commit,
    })
  }
}

/** The number a vote in the log stands for; before there were clusters it was always its own. */
export function voteOf(vote: string, self: number): number {
  if (vote === '') return 0
  return /^\d+$/.test(vote) ? Number(vote) : self
}

function voteText(vote: number): string {
  return vote === 0 ? '' : String(vote)
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { data }) => sum + data.byteLength, 0)
}
