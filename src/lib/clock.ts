import { performance } from 'node:perf_hooks'
/** Time and timers as a value that is handed in, so that tests and the simulator own both. */
export interface Clock {
  /** Milliseconds that never run backwards; the origin means nothing. */
  monotonicMs(): number
  /** Milliseconds since the Unix epoch, as the wall clock says. */
  wallMs(): number
}

export interface Timer {
  cancel(): void
}

export interface Timers {
  /** Calls `fire` once, not before `delayMs` have passed. */
  after(delayMs: number, fire: () => void): Timer
}

export interface Time extends Clock, Timers {}

/** The real thing. Its timers do not keep a process alive that has nothing else to do. */
export const systemTime: Time = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, fire) {
    const handle = setTimeout(fire, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly fire: () => void
  cancelled: boolean
}

/**
 * Time that moves only when told to. Timers due at the same instant fire in the order in which
 * they were set; one set while time moves fires in the same move if it falls due.
 */
export class VirtualTime implements Time {
  #nowMs = 0
  #order = 0
  #due: Due[] = []
  readonly #wallOriginMs: number

  constructor(wallOriginMs = 1_600_000_000_000) {
    this.#wallOriginMs = wallOriginMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#wallOriginMs + this.#nowMs
  }

  after(delayMs: number, fire: () => void): Timer {
    const due: Due = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      fire,
      cancelled: false,
    }
    this.#due.push(due)
    return {
      cancel: () => {
        due.cancelled = true
      },
    }
  }

  /** Moves time on by `ms`, firing whatever falls due on the way, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (let next = this.#next(); next !== null && next.atMs <= untilMs; next = this.#next()) {
      this.#due.splice(this.#due.indexOf(next), 1)
      this.#nowMs = next.atMs
      next.fire()
    }
    this.#nowMs = untilMs
  }

  #next(): Due | null {
    this.#due = this.#due.filter((due) => !due.cancelled)
    let first: Due | null = null
    for (const due of this.#due) {
      const earlier =
        first === null ||
        due.atMs < first.atMs ||
        (due.atMs === first.atMs && due.order < first.order)
      if (earlier) first = due
    }
    return first
  }
}
