import type { Time, Timer } from '../lib/clock.js'

export interface BackOff {
  /** The first wait is between half of it and all of it, each further one up to twice as long. */
  readonly firstMs: number
  readonly lastMs: number
}

/** Tries again and again until it is stopped or told that it worked; one attempt at a time. */
export class Dial {
  readonly #time: Time
  readonly #random: (below: number) => number
  readonly #backOff: BackOff
  readonly #attempt: () => void
  #timer: Timer | null = null
  #failures = 0

  constructor(options: {
    readonly time: Time
    /** A whole number in 0..below-1. */
    readonly random: (below: number) => number
    readonly backOff: BackOff
    /** Leads to `failed` or `worked`. */
    readonly attempt: () => void
  }) {
    this.#time = options.time
    this.#random = options.random
    this.#backOff = options.backOff
    this.#attempt = options.attempt
  }

  /** The first attempt, after a delay. */
  start(delayMs: number): void {
    this.stop()
    this.#timer = this.#time.after(delayMs, () => {
      this.#timer = null
      this.#attempt()
    })
  }

  failed(): void {
    const { firstMs, lastMs } = this.#backOff
    const delayMs = Math.min(lastMs, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    const half = Math.ceil(delayMs / 2)
    this.start(half + this.#random(half + 1))
  }

  worked(): void {
    this.#failures = 0
  }

  /** What is waited for is known to be there: a waiting attempt is made now, if one waits. */
  hurry(): void {
    this.#failures = 0
    if (this.#timer !== null) this.start(0)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
