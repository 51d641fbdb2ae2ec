import { TurnEnd } from '../lib/turn-end.js'

/** Whoever has an answer that is due. */
export interface Answering {
  /** The answer leaves now. Must not throw; not called for what has been answered or lost meanwhile. */
  sendDue(): void
}

/** Longer bodies are sent at once: a copy would cost more than is won. */
export const DUE_BYTES_MAX = 4_096
/** Answers that leave together; the first does not wait for more. */
const TOGETHER_MAX = 64
const NOTHING = new Uint8Array(0)

/**
 * Whole answers that are ready in a turn of the loop and leave at its end, one after the other:
 * while one is sent, the client that got the one before it is awake, and need not be woken again.
 */
export class DueAnswers {
  readonly #turnEnd = new TurnEnd<Answering>(TOGETHER_MAX, sendDue)
  /** Room for a body at each place, and what of it is used: mostly as much as the time before. */
  readonly #rooms: Uint8Array[] = []
  readonly #copies: Uint8Array[] = []

  /** Whether to put the next answer here, to be asked once for each: see {@link TurnEnd.invites}. */
  invites(): boolean {
    return this.#turnEnd.invites()
  }

  /** Without a body, or with one that stays as it is. */
  put(answering: Answering): void {
    this.#turnEnd.put(answering)
  }

  /** A copy of `body`, of at most {@link DUE_BYTES_MAX}, which is there until the answer is sent. */
  putCopy(answering: Answering, body: Uint8Array): Uint8Array {
    const place = this.#turnEnd.put(answering)
    const bytes = body.byteLength
    let copy = this.#copies[place] ?? NOTHING
    if (copy.byteLength !== bytes) {
      copy = this.#roomAt(place).subarray(0, bytes)
      this.#copies[place] = copy
    }
    copy.set(body)
    return copy
  }

  /** Sends what is due now. */
  flush(): void {
    this.#turnEnd.flush()
  }

  #roomAt(place: number): Uint8Array {
    let room = this.#rooms[place]
    if (room === undefined) {
      room = new Uint8Array(DUE_BYTES_MAX)
      this.#rooms[place] = room
    }
    return room
  }
}

function sendDue(answering: Answering): void {
  answering.sendDue()
}
