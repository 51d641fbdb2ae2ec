import type { NodeId } from './message.js'

/** Reads that wait together: a node's own (`ids`), or a batch that a follower sent (`boot`, `seq`). */
export interface ReadBatch {
  readonly from: NodeId
  readonly boot: number
  readonly seq: number
  readonly ids: readonly number[]
}

export interface ConfirmedReads {
  readonly index: number
  readonly batches: readonly ReadBatch[]
}

/**
 * The leader's side of ReadIndex (dissertation §6.4). Reads that arrive while a round of heartbeats
 * is on its way wait for the next one, so any number of reads costs one round at a time. The commit
 * index is noted when the round starts, which is after the reads came and therefore late enough.
 */
export class LeaderReads {
  #waiting: ReadBatch[] = []
  #rounds: { round: number; index: number; batches: readonly ReadBatch[] }[] = []
  #round = 0

  /** Batches held, which the caller of {@link add} bounds. */
  get count(): number {
    return this.#rounds.reduce((sum, round) => sum + round.batches.length, this.#waiting.length)
  }

  get waiting(): boolean {
    return this.#waiting.length > 0
  }

  /** A round was started and is not confirmed yet. */
  get underway(): boolean {
    return this.#rounds.length > 0
  }

  /** The round that heartbeats carry now; 0 when no read waits for one. */
  get round(): number {
    return this.underway ? this.#round : 0
  }

  add(batch: ReadBatch): void {
    this.#waiting.push(batch)
  }

  /** All that waits joins a new round, which the caller must send to every member. */
  start(commit: number): void {
    this.#round += 1
    this.#rounds.push({ round: this.#round, index: commit, batches: this.#waiting })
    this.#waiting = []
  }

  /** A majority answered `round` or a later one: what came before it may be read. */
  confirm(round: number): ConfirmedReads[] {
    const confirmed: ConfirmedReads[] = []
    while (this.#rounds.length > 0 && this.#rounds[0]!.round <= round) {
      confirmed.push(this.#rounds.shift()!)
    }
    return confirmed
  }

  /** Leadership is over: gives back all that was not confirmed. Rounds are counted anew. */
  clear(): ReadBatch[] {
    const lost = [...this.#rounds.flatMap((round) => round.batches), ...this.#waiting]
    this.#rounds = []
    this.#waiting = []
    this.#round = 0
    return lost
  }
}
