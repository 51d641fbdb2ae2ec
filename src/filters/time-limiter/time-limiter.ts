import { UrlRule } from '../../http/adapt.js'
import { type Exchange, OK, type Scope, UNCHANGED } from '../../http/exchange.js'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.js'
import type { FilterContext, Forecast, WrappingFilter } from '../contract.js'
import type { Spec } from './kind.js'

const TIMEOUT = 1

interface Rule {
  readonly rule: UrlRule
  readonly timeoutMs: number
}

/** An inside that runs against the clock. */
class Run {
  readonly ex: Exchange
  readonly scope: Scope
  readonly timer: WheelTimer<Run>
  /** What earlier filters had answered before. */
  readonly responseFields: readonly string[]
  isLate = false

  constructor(ex: Exchange, scope: Scope) {
    this.ex = ex
    this.scope = scope
    this.responseFields = ex.response.headers.lend()
    this.timer = new WheelTimer<Run>(this, timeIsUp)
  }
}

function timeIsUp(run: Run): void {
  run.isLate = true
  run.ex.interrupt(run.scope)
}

class TimeLimiter implements WrappingFilter {
  readonly #rules: readonly Rule[]
  readonly #timers: TimerWheel

  constructor(spec: Spec, context: FilterContext) {
    this.#rules = spec.urls.map((url) => ({
      rule: new UrlRule(url),
      timeoutMs: url.timeoutDuration ?? spec.defaultTimeoutDuration,
    }))
    this.#timers = context.timers
  }

  enter(ex: Exchange, scope: Scope): number {
    const timeoutMs = this.#timeoutFor(ex)
    if (timeoutMs < 0) return OK
    const run = new Run(ex, scope)
    scope.data = run
    this.#timers.start(run.timer as WheelTimer, timeoutMs)
    return OK
  }

  /** Of the first rule that matches; negative without one. */
  #timeoutFor(ex: Exchange): number {
    for (const { rule, timeoutMs } of this.#rules) if (rule.matches(ex)) return timeoutMs
    return -1
  }

  explain(ex: Exchange): Forecast {
    const timeoutMs = this.#timeoutFor(ex)
    return { code: OK, detail: timeoutMs < 0 ? {} : { timeoutMs } }
  }

  /** A body that streams is no longer within the limit: the inside is done with its head. */
  leave(ex: Exchange, scope: Scope): number {
    const run = scope.data as Run | null
    if (run === null) return UNCHANGED
    this.#timers.stop(run.timer as WheelTimer)
    if (!run.isLate) return UNCHANGED
    const { response } = ex
    response.discard()
    response.status = 408
    response.headers.share(run.responseFields)
    response.headers.set('x-eg-time-limiter', 'timed-out')
    return TIMEOUT
  }

  cancel(_ex: Exchange, scope: Scope): void {
    const run = scope.data as Run | null
    if (run !== null) this.#timers.stop(run.timer as WheelTimer)
  }
}

export const create = (spec: Spec, context: FilterContext): WrappingFilter =>
  new TimeLimiter(spec, context)
