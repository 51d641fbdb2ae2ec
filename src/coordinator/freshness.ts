import type { Time, Timer } from '../lib/clock.js'
import type { ConsensusStatus } from '../store/cluster.js'
import type { GetResult, Outcome, Store } from '../store/contract.js'
import { VERSION_KEY } from './record.js'
import type { Registry } from './registry.js'

/** A read that cannot be confirmed within this is answered from what is here, and says so. */
const BUDGET_MS = 1_000
/** While a leader is being elected. */
const RETRY_MS = 50

/** A read that waits to be as new as anything acknowledged before it was asked for. */
export interface Read {
  /** `staleSeconds`: since what is here was known to be current; null: it is. */
  readonly answer: (staleSeconds: number | null) => void
  readonly untilMs: number
  /** What the registry has to show; null: not known yet. */
  revision: number | null
}

export interface FreshnessOptions {
  readonly time: Time
  readonly store: Pick<Store, 'get'>
  readonly registry: Registry
  consensus(): ConsensusStatus
  /** Waiting has no point: there has been no quorum for a while. */
  isHopeless(): boolean
  /** Comes back to {@link Freshness.onFenced} through the actor's mailbox. */
  fenced(read: Read, outcome: Outcome<GetResult>): void
}

/**
 * Lets reads of the registry wait until it shows all that any member has acknowledged (ReadIndex,
 * then what was committed up to there), or says how old the answer may be.
 */
export class Freshness {
  readonly #options: FreshnessOptions
  readonly #waiting = new Map<Read, Timer>()

  constructor(options: FreshnessOptions) {
    this.#options = options
  }

  /** As things are here, without asking anybody. */
  get staleSeconds(): number | null {
    const { hasQuorum, staleMs } = this.#options.consensus()
    return hasQuorum ? null : staleMs / 1_000
  }

  read(answer: Read['answer']): void {
    const { time, isHopeless } = this.#options
    if (isHopeless()) {
      answer(this.#age())
      return
    }
    const read: Read = { answer, untilMs: time.monotonicMs() + BUDGET_MS, revision: null }
    this.#waiting.set(
      read,
      time.after(BUDGET_MS, () => this.#end(read, this.#age())),
    )
    this.#fence(read)
  }

  onFenced(read: Read, outcome: Outcome<GetResult>): void {
    if (!this.#waiting.has(read) || read.revision !== null) return
    if (outcome.ok) {
      read.revision = outcome.value.kv?.modRevision ?? 0
      this.onChanged()
      return
    }
    const { time } = this.#options
    const leftMs = read.untilMs - time.monotonicMs()
    if (leftMs <= RETRY_MS) return // its timer is about to answer
    time.after(RETRY_MS, () => {
      if (this.#waiting.has(read)) this.#fence(read)
    })
  }

  /** Another member leads: what the one before was asked may never be answered. */
  onLeader(): void {
    for (const read of this.#waiting.keys()) if (read.revision === null) this.#fence(read)
  }

  /** The registry shows more than before. */
  onChanged(): void {
    const { versionRevision } = this.#options.registry
    for (const read of [...this.#waiting.keys()]) {
      if (read.revision !== null && read.revision <= versionRevision) this.#end(read, null)
    }
  }

  close(): void {
    for (const timer of this.#waiting.values()) timer.cancel()
    this.#waiting.clear()
  }

  #fence(read: Read): void {
    const { store, fenced } = this.#options
    store.get(VERSION_KEY, 'linearizable', (outcome) => fenced(read, outcome))
  }

  #end(read: Read, staleSeconds: number | null): void {
    this.#waiting.get(read)?.cancel()
    if (this.#waiting.delete(read)) read.answer(staleSeconds)
  }

  /** Of an answer that nobody has confirmed. */
  #age(): number {
    return Math.max(this.#options.consensus().staleMs / 1_000, BUDGET_MS / 1_000)
  }
}
