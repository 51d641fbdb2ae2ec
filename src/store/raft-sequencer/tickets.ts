/** A proposal in the log of this node, from when it led. */
interface Own {
  readonly term: number
  readonly ticket: number
}

const NEVER = Number.POSITIVE_INFINITY

/** Proposals whose fate is open: in this node's log, or with the leader. */
export class Tickets {
  readonly #own = new Map<number, Own[]>()
  #ownCount = 0
  /** Until when an answer is waited for; it is only a leader's own log that tells by itself. */
  #ownDeadlineMs = NEVER
  readonly #forwarded = new Map<number, number>()

  get size(): number {
    return this.#ownCount + this.#forwarded.size
  }

  /** It is the entry at `index`, if that one is ever of `term`. */
  addOwn(index: number, term: number, ticket: number): void {
    const there = this.#own.get(index)
    if (there === undefined) this.#own.set(index, [{ term, ticket }])
    else there.push({ term, ticket })
    this.#ownCount += 1
  }

  addForwarded(ticket: number, deadlineMs: number): void {
    this.#forwarded.set(ticket, deadlineMs)
  }

  /** False when nobody waits for it (any more). */
  takeForwarded(ticket: number): boolean {
    return this.#forwarded.delete(ticket)
  }

  /** An entry is decided: the ticket that came true, and those that never will. */
  decided(index: number, term: number): { ticket: number | null; lost: readonly number[] } {
    const there = this.#own.get(index)
    if (there === undefined) return NOTHING
    this.#own.delete(index)
    this.#ownCount -= there.length
    const lost = there.filter((own) => own.term !== term).map((own) => own.ticket)
    return { ticket: there.find((own) => own.term === term)?.ticket ?? null, lost }
  }

  /** This node leads: what is its own will be decided, or it will lead no more. */
  leads(): void {
    this.#ownDeadlineMs = NEVER
  }

  deposed(deadlineMs: number): void {
    this.#ownDeadlineMs = Math.min(this.#ownDeadlineMs, deadlineMs)
  }

  /** A snapshot took the place of the log up to `index`: what came true in it does not show. */
  restored(index: number): number[] {
    return this.#takeOwn((at) => at <= index)
  }

  expired(nowMs: number): number[] {
    const late = this.#ownDeadlineMs <= nowMs ? this.#takeOwn(() => true) : []
    for (const [ticket, deadlineMs] of this.#forwarded) {
      if (deadlineMs > nowMs) continue
      this.#forwarded.delete(ticket)
      late.push(ticket)
    }
    return late
  }

  /** All that are left; those behind `handedIndex` never left this process. */
  clear(handedIndex: number): { unsaid: number[]; unknown: number[] } {
    const unsaid = this.#takeOwn((at) => at > handedIndex)
    const unknown = [...this.#takeOwn(() => true), ...this.#forwarded.keys()]
    this.#forwarded.clear()
    return { unsaid, unknown }
  }

  #takeOwn(takes: (index: number) => boolean): number[] {
    const taken: number[] = []
    for (const [index, there] of this.#own) {
      if (!takes(index)) continue
      this.#own.delete(index)
      this.#ownCount -= there.length
      for (const { ticket } of there) taken.push(ticket)
    }
    return taken
  }
}

const NOTHING = { ticket: null, lost: [] } as const
