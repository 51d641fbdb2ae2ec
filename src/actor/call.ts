import type { Timer, Timers } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Message, Reply, ReplyOf } from './actor.js'

/** Somebody's open question: a promise with a deadline, settled once. */
export class Call implements Reply {
  readonly promise: Promise<unknown>
  /** True once `receive` saw the message; decides what a failure says about its effect. */
  taken = false
  readonly #to: string
  readonly #timer: Timer
  readonly #settled: (call: Call) => void
  #open = true
  #resolve!: (value: unknown) => void
  #reject!: (error: GatewayError) => void

  /** `settled` is called once, whatever the outcome. */
  constructor(to: string, timers: Timers, timeoutMs: number, settled: (call: Call) => void) {
    this.#to = to
    this.#settled = settled
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#timer = timers.after(timeoutMs, () => {
      this.lost('TIMEOUT', `no answer from ${to} within ${timeoutMs} ms`)
    })
  }

  get awaited(): boolean {
    return this.#open
  }

  ok(value: unknown): void {
    if (this.#close()) this.#resolve(value)
  }

  fail(error: GatewayError): void {
    if (this.#close()) this.#reject(error)
  }

  /** Fails for a reason of delivery; the detail says whether the message had been taken. */
  lost(code: 'TIMEOUT' | 'INTERNAL' | 'OVERLOADED' | 'STORE_UNAVAILABLE', message: string): void {
    this.fail(new GatewayError(code, message, { actor: this.#to, taken: this.taken }))
  }

  for<Q extends Message>(_message: Q): Reply<ReplyOf<Q>> {
    return this
  }

  #close(): boolean {
    if (!this.#open) return false
    this.#open = false
    this.#timer.cancel()
    this.#settled(this)
    return true
  }
}

/** The reply handle of messages that were told. */
export const NO_REPLY: Reply = Object.freeze({
  awaited: false,
  ok(): void {},
  fail(): void {},
  for<Q extends Message>(_message: Q): Reply<ReplyOf<Q>> {
    return NO_REPLY
  },
})
