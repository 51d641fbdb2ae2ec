import type { Time, Timer } from '../lib/clock.js'
import type { LeaseId } from './contract.js'

interface Running {
  readonly ttlMs: number
  dueMs: number
}

/**
 * Counts the time of the leases, on the node that orders, by its monotonic clock. An expiry is only
 * a proposal: the lease ends when the machine applies the revoke.
 */
export class Lessor {
  readonly #time: Time
  readonly #expire: (id: LeaseId) => void
  readonly #running = new Map<LeaseId, Running>()
  #timer: Timer | null = null
  #timerDueMs = Number.POSITIVE_INFINITY

  /** `expire` is called once for a lease, which is not running from then on. */
  constructor(time: Time, expire: (id: LeaseId) => void) {
    this.#time = time
    this.#expire = expire
  }

  /** (Re)starts the time of a lease. */
  start(id: LeaseId, ttlMs: number): void {
    const dueMs = this.#time.monotonicMs() + ttlMs
    const running = this.#running.get(id)
    if (running === undefined) this.#running.set(id, { ttlMs, dueMs })
    else running.dueMs = dueMs
    this.#wakeAt(dueMs)
  }

  /** Starts the time of a running lease anew; null when it is not running. */
  keepAlive(id: LeaseId): number | null {
    const running = this.#running.get(id)
    // Due but not yet noticed counts as over: the timer may be late.
    if (running === undefined || running.dueMs <= this.#time.monotonicMs()) return null
    running.dueMs = this.#time.monotonicMs() + running.ttlMs
    return running.ttlMs
  }

  /** Null when it is not running, or over. */
  ttlMs(id: LeaseId): number | null {
    const running = this.#running.get(id)
    if (running === undefined || running.dueMs <= this.#time.monotonicMs()) return null
    return running.ttlMs
  }

  end(id: LeaseId): void {
    this.#running.delete(id)
  }

  /** Forgets all leases. */
  clear(): void {
    this.#running.clear()
    this.#timer?.cancel()
    this.#timer = null
    this.#timerDueMs = Number.POSITIVE_INFINITY
  }

  /** One timer for all, set for the earliest; a keep-alive only makes it wake for nothing. */
  #wakeAt(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    this.#timer = this.#time.after(dueMs - this.#time.monotonicMs(), () => this.#wake())
  }

  #wake(): void {
    this.#timer = null
    this.#timerDueMs = Number.POSITIVE_INFINITY
    const nowMs = this.#time.monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const [id, { dueMs }] of [...this.#running]) {
      if (dueMs > nowMs) {
        nextMs = Math.min(nextMs, dueMs)
        continue
      }
      this.#running.delete(id)
      this.#expire(id)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMs)
  }
}
