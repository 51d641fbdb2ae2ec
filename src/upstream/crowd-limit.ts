/** So many calls to one server are always let go at once. */
export const CROWD_MIN = 32
/** Longest that a call is held back for the sake of others. */
export const PATIENCE_MS = 50
/** How often the limit comes down by a quarter again after it was raised. */
const EASE_MS = 2_000

/** A reading of the clock that tells how long a loop has waited for events and how long it has not. */
export interface LoopTimes {
  readonly idle: number
  readonly active: number
}

/** Shares of so much time are looked at. */
const WINDOW_MS = 20
/** Above this a loop has no time left. */
const FULL_SHARE = 0.9

/** Whether a thread has more to do than it can. */
export interface Pressure {
  isFull(nowMs: number): boolean
}

/** Whether the event loop of this thread is busy without a pause. */
export class LoopPressure implements Pressure {
  readonly #times: () => LoopTimes
  #idle = 0
  #active = 0
  #readMs = Number.NEGATIVE_INFINITY
  #isFull = false

  /** `times`: totals since some beginning, as `performance.eventLoopUtilization` gives them. */
  constructor(times: () => LoopTimes) {
    this.#times = times
  }

  isFull(nowMs: number): boolean {
    if (nowMs - this.#readMs < WINDOW_MS) return this.#isFull
    const { idle, active } = this.#times()
    const total = idle - this.#idle + active - this.#active
    this.#isFull = total > 0 && active - this.#active >= FULL_SHARE * total
    this.#idle = idle
    this.#active = active
    this.#readMs = nowMs
    return this.#isFull
  }
}

/**
 * How many calls to one server run at once when this thread has more to do than it can. More do not
 * come out sooner then, and each costs more: its sockets push those of the others out of the
 * caches. With 1,024 clients at once, 32 instead of 512 connections took 22 µs of CPU a request
 * instead of 26.
 *
 * A thread with time to spare, and so one that waits for slow back ends, never holds anything
 * back. Where many calls stay for long, as streams do, the limit gives way: each time that one was
 * held back for {@link PATIENCE_MS} it rises.
 */
export class CrowdLimit {
  #limit = CROWD_MIN
  #changedMs = 0

  /** Whether one more is too many while `inUse` run. Asked only from {@link CROWD_MIN} on. */
  isReached(inUse: number, nowMs: number): boolean {
    if (this.#limit > CROWD_MIN && nowMs - this.#changedMs >= EASE_MS) {
      this.#limit = Math.max(CROWD_MIN, Math.floor(this.#limit * 0.75))
      this.#changedMs = nowMs
    }
    return inUse >= this.#limit
  }

  /** One has been held back long enough. */
  rise(nowMs: number): void {
    this.#limit = Math.ceil(this.#limit * 1.25) + 8
    this.#changedMs = nowMs
  }
}
