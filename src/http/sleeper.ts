import { type TimerWheel, WheelTimer } from '../lib/timer-wheel.js'
import type { Exchange } from './exchange.js'

/** Suspends exchanges for a while, for a filter that has to wait. */
export class Sleeper {
  readonly #timers: TimerWheel
  readonly #sleeping = new Map<Exchange, WheelTimer>()

  constructor(timers: TimerWheel) {
    this.#timers = timers
  }

  /** After at least `delayMs` the exchange goes on with `code`; its filter returns SUSPENDED now. */
  sleep(ex: Exchange, delayMs: number, code: number): void {
    const ticket = ex.suspend()
    const timer: WheelTimer = new WheelTimer(ex, (sleeper) => {
      this.#sleeping.delete(sleeper)
      sleeper.resume(ticket, code)
    }) as WheelTimer
    this.#sleeping.set(ex, timer)
    this.#timers.start(timer, delayMs)
  }

  /** The exchange ends early. */
  cancel(ex: Exchange): void {
    const timer = this.#sleeping.get(ex)
    if (timer === undefined) return
    this.#sleeping.delete(ex)
    this.#timers.stop(timer)
  }
}
