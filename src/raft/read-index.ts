import type { ReadState } from './contract.js'
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

interface PendingBatch {
  readonly ids: readonly number[]
  readonly expires: number
}

interface ConfirmedBatch extends PendingBatch {
  readonly index: number
}

/**
 * The asking side of ReadIndex, on a leader as on a follower: from being asked to the answer. Each
 * read gets exactly one answer, in the end. Deadlines are ticks.
 */
export class OwnReads {
  readonly #countMax: number
  /** Tells this life of the node from an earlier one, whose answers may still be on their way. */
  readonly #boot: number
  #count = 0
  /** Neither sent nor joined to a round yet. */
  #asked: number[] = []
  /** Sent to the leader, by number, oldest first. */
  readonly #forwarded = new Map<number, PendingBatch>()
  #seq = 0
  /** Confirmed, waiting until `index` is applied. */
  #confirmed: ConfirmedBatch[] = []
  #answers: ReadState[] = []

  constructor(countMax: number, boot: number) {
    this.#countMax = countMax
    this.#boot = boot
  }

  /** False when too many reads wait already. */
  ask(id: number): boolean {
    if (this.#count >= this.#countMax) return false
    this.#count += 1
    this.#asked.push(id)
    return true
  }

  /** All that was asked since the last time. */
  takeAsked(): readonly number[] {
    const ids = this.#asked
    if (ids.length > 0) this.#asked = []
    return ids
  }

  /** What to send to the leader for all that was asked since the last time; null for nothing. */
  forward(expires: number): { boot: number; seq: number } | null {
    const ids = this.takeAsked()
    if (ids.length === 0) return null
    this.#seq += 1
    this.#forwarded.set(this.#seq, { ids, expires })
    return { boot: this.#boot, seq: this.#seq }
  }

  /** The leader's answer; late, doubled and foreign ones fit nothing. */
  answered(boot: number, seq: number, index: number, expires: number): void {
    const batch = boot === this.#boot ? this.#forwarded.get(seq) : undefined
    if (batch === undefined) return
    this.#forwarded.delete(seq)
    this.confirm(batch.ids, index, expires)
  }

  confirm(ids: readonly number[], index: number, expires: number): void {
    this.#confirmed.push({ ids, index, expires })
  }

  fail(ids: readonly number[]): void {
    for (const id of ids) this.#answers.push({ id, index: null })
    this.#count -= ids.length
  }

  /** The leader is lost: whatever waits for its answer will not get one. */
  failUnanswered(): void {
    for (const batch of this.#forwarded.values()) this.fail(batch.ids)
    this.#forwarded.clear()
    this.fail(this.takeAsked())
  }

  expire(now: number): void {
    for (const [seq, { ids, expires }] of this.#forwarded) {
      if (expires > now) return // in the order they were sent
      this.#forwarded.delete(seq)
      this.fail(ids)
    }
  }

  /** The answers there are, given what is applied. */
  take(applied: number, now: number): ReadState[] {
    if (this.#confirmed.length > 0) this.#settle(applied, now)
    const answers = this.#answers
    if (answers.length > 0) this.#answers = []
    return answers
  }

  #settle(applied: number, now: number): void {
    const waiting: ConfirmedBatch[] = []
    for (const batch of this.#confirmed) {
      if (batch.index <= applied) {
        for (const id of batch.ids) this.#answers.push({ id, index: batch.index })
        this.#count -= batch.ids.length
      } else if (batch.expires > now) waiting.push(batch)
      else this.fail(batch.ids)
    }
    this.#confirmed = waiting
  }
}
