import { type Cancellable, type Exchange, SUSPENDED } from '../../http/exchange.js'
import type { TokenVerifier } from './token-verifier.js'

/** An exchange that waits until keys are here; then `goOn` says what comes of it. */
export class PendingKeys implements Cancellable {
  readonly #ex: Exchange
  readonly #ticket: number
  readonly #goOn: (ex: Exchange) => number
  readonly #forget: () => void

  /** For a filter that returns SUSPENDED then. `goOn` gives a result or, if it waits, SUSPENDED. */
  constructor(ex: Exchange, verifier: TokenVerifier, goOn: (ex: Exchange) => number) {
    this.#ex = ex
    this.#ticket = ex.suspend(this)
    this.#goOn = goOn
    this.#forget = verifier.whenReady(() => this.#ready())
  }

  cancel(): void {
    this.#forget()
  }

  #ready(): void {
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    ex.enter(goOn, this)
  }

  /** Called through the exchange's guard. */
  run(): void {
    const ex = this.#ex
    const code = this.#goOn(ex)
    // It waits for something else now, which is to be told in place of this.
    if (code === SUSPENDED) ex.waiting = ex.holder
    else ex.resume(this.#ticket, code)
  }
}

const goOn = (_ex: Exchange, pending: PendingKeys): void => pending.run()
