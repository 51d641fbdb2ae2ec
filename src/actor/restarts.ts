/** How often what crashes is tried again, and how fast. */
export interface RestartOptions {
  /** Wait before the first restart; doubles with each crash within the window. Default 100. */
  readonly backoffMinMs?: number
  /** Longest wait. Default 10,000. */
  readonly backoffMaxMs?: number
  /** Crashes tolerated within the window; one more and it stays down. Default 5. */
  readonly restartsMax?: number
  /** Sliding. Default 60,000. */
  readonly windowMs?: number
}

/** Says when to restart, for actors and threads alike. Pure: time enters as an argument. */
export class Restarts {
  readonly #options: Required<RestartOptions>
  #crashedAtMs: number[] = []
  #total = 0

  constructor(options: RestartOptions = {}) {
    this.#options = {
      backoffMinMs: 100,
      backoffMaxMs: 10_000,
      restartsMax: 5,
      windowMs: 60_000,
      ...options,
    }
  }

  /** Crashes since the beginning. */
  get total(): number {
    return this.#total
  }

  /** Notes a crash. Returns how long to wait before the restart, or null: do not restart. */
  crashed(nowMs: number): number | null {
    const { backoffMinMs, backoffMaxMs, restartsMax, windowMs } = this.#options
    this.#total += 1
    this.#crashedAtMs = this.#crashedAtMs.filter((atMs) => nowMs - atMs < windowMs)
    this.#crashedAtMs.push(nowMs)
    const crashes = this.#crashedAtMs.length
    if (crashes > restartsMax) return null
    return Math.min(backoffMaxMs, backoffMinMs * 2 ** (crashes - 1))
  }
}
