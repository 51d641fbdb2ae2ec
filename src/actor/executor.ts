import type { Prng } from '../lib/prng.js'

/** An actor with mail. */
export interface Runnable {
  /** Handles one message; true when more wait. */
  runOne(): boolean
}

/** Decides when actors of one thread run. Each is handed in once, until `runOne` says false. */
export interface Executor {
  execute(runnable: Runnable): void
}

/** Longest time actors run before sockets and timers get a turn. */
const TURN_MS = 2

/**
 * Runs actors right after the running callback, in turn, one message each; after
 * 2 ms it lets the event loop have a turn, so that no storm of messages starves the sockets.
 */
export class LoopExecutor implements Executor {
  #ready: Runnable[] = []
  #scheduled = false

  execute(runnable: Runnable): void {
    this.#ready.push(runnable)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#turn)
  }

  readonly #turn = (): void => {
    const untilMs = performance.now() + TURN_MS
    while (this.#ready.length > 0) {
      const round = this.#ready
      this.#ready = []
      for (const runnable of round) if (runnable.runOne()) this.#ready.push(runnable)
      if (performance.now() >= untilMs && this.#ready.length > 0) {
        setImmediate(this.#turn)
        return
      }
    }
    this.#scheduled = false
  }
}

/** Rounds of messages after which actors are taken to chatter for ever. */
const STEPS_MAX = 1_000_000

/**
 * Runs actors only when told to. With a PRNG, which actor is next is drawn, so that a test can try
 * many interleavings, each again by its seed.
 */
export class ManualExecutor implements Executor {
  readonly #prng: Prng | null
  readonly #ready: Runnable[] = []

  constructor(prng: Prng | null = null) {
    this.#prng = prng
  }

  get idle(): boolean {
    return this.#ready.length === 0
  }

  execute(runnable: Runnable): void {
    this.#ready.push(runnable)
  }

  /** Handles one message; false when there is none. */
  step(): boolean {
    if (this.#ready.length === 0) return false
    const index = this.#prng === null ? 0 : this.#prng.below(this.#ready.length)
    const [runnable] = this.#ready.splice(index, 1) as [Runnable]
    if (runnable.runOne()) this.#ready.push(runnable)
    return true
  }

  /** Handles messages until none waits; returns how many. Throws when that has no end. */
  runUntilIdle(): number {
    let steps = 0
    while (this.step()) {
      steps += 1
      if (steps >= STEPS_MAX) throw new Error(`actors still busy after ${steps} messages`)
    }
    return steps
  }
}
