import type { Timer, Timers } from '../../lib/clock.js'
import type { Message, NodeId } from '../../raft/raft.js'

/** How long news of a commit waits for something to go with, on its way to others and to the disk. */
const LULL_MS = 5
const NOTE_MS = 20
/** Writes that follow each other faster than this are a stream, in which the next one is near. */
const STREAM_MS = 5
const NEVER = Number.POSITIVE_INFINITY

export interface CommitNewsOptions {
  readonly time: Timers & { monotonicMs(): number }
  readonly send: (message: Message) => void
  /** Tells this node's own disk; see `WriteQueue.noteCommit`. */
  readonly note: () => void
}

/**
 * What followers and the disk hear of an advanced commit index. While writes follow each other, the
 * next one carries it: a message of its own to each follower, its answer, and a note on each disk
 * cost more than the write they belong to. In a lull it is said by itself, and after a lull at
 * once, so that a single change is everywhere as soon as can be.
 */
export class CommitNews {
  readonly #options: CommitNewsOptions
  /** The newest append without entries to each follower, not sent. */
  readonly #held = new Map<NodeId, Message>()
  /** Followers that wait for a commit as far as this, since they have promised an answer. */
  readonly #awaited = new Map<NodeId, number>()
  #timer: Timer | null = null
  #noteTimer: Timer | null = null
  #newsMs = 0
  #proposedMs = Number.NEGATIVE_INFINITY
  #isStream = false

  constructor(options: CommitNewsOptions) {
    this.#options = options
  }

  /** A member waits for what it had put into the log at `index`. */
  expectAt(nodeId: NodeId, index: number): void {
    this.#awaited.set(nodeId, index)
  }

  send(message: Message): void {
    const { to } = message
    if (message.type !== 'append') this.#flush(to)
    else if (message.entries.length > 0) this.#held.delete(to)
    else if (this.#isStream && !this.#awaited.has(to)) {
      this.#held.set(to, message)
      this.#arm()
      return
    } else this.#held.delete(to)
    if (message.type === 'append' && message.commit >= (this.#awaited.get(to) ?? NEVER)) {
      this.#awaited.delete(to)
    }
    this.#options.send(message)
  }

  /** The disk has not been told; most often the next write will. */
  noteLater(): void {
    this.#noteTimer ??= this.#options.time.after(NOTE_MS, () => {
      this.#noteTimer = null
      this.#options.note()
    })
  }

  /** An entry was proposed: is it one of many? */
  proposed(): void {
    const nowMs = this.#options.time.monotonicMs()
    this.#isStream = nowMs - this.#proposedMs < STREAM_MS
    this.#proposedMs = nowMs
  }

  /** This node leads no more. */
  deposed(): void {
    this.#awaited.clear()
  }

  /** What waits for others goes out now. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const to of [...this.#held.keys()]) this.#flush(to)
  }

  /** It is over; the disk is not told any more. */
  close(): void {
    this.flush()
    this.#noteTimer?.cancel()
    this.#noteTimer = null
  }

  #flush(to: NodeId): void {
    const held = this.#held.get(to)
    if (held === undefined) return
    this.#held.delete(to)
    this.#options.send(held)
  }

  /** One timer for a whole stream: when it fires and there was news since, it waits on. */
  #arm(): void {
    this.#newsMs = this.#options.time.monotonicMs()
    this.#timer ??= this.#options.time.after(LULL_MS, () => this.#onLull())
  }

  #onLull(): void {
    const waitMs = Math.ceil(this.#newsMs + LULL_MS - this.#options.time.monotonicMs())
    if (waitMs <= 0) this.flush()
    else this.#timer = this.#options.time.after(waitMs, () => this.#onLull())
  }
}
