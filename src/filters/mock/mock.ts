import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { FixedAnswer } from '../../http/fixed-answer.js'
import { Sleeper } from '../../http/sleeper.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import type { Spec } from './kind.js'

const MOCKED = 1

class Rule {
  readonly answer: FixedAnswer
  readonly delayMs: number
  readonly #path: string | undefined
  readonly #prefix: string | undefined

  constructor(spec: Spec['rules'][number]) {
    this.#path = spec.path
    this.#prefix = spec.pathPrefix
    this.delayMs = spec.delay
    this.answer = new FixedAnswer(spec.code, spec.headers, spec.body)
  }

  /** An exact path is exact: Easegress v1.0.0 lets such a rule match everything. */
  matches(path: string): boolean {
    if (this.#path === undefined && this.#prefix === undefined) return true
    if (path === this.#path) return true
    return this.#prefix !== undefined && path.startsWith(this.#prefix)
  }
}

class Mock implements Filter {
  readonly #rules: readonly Rule[]
  readonly #sleeper: Sleeper

  constructor(spec: Spec, context: FilterContext) {
    this.#rules = spec.rules.map((rule) => new Rule(rule))
    this.#sleeper = new Sleeper(context.timers)
  }

  handle(ex: Exchange): number {
    for (const rule of this.#rules) {
      if (!rule.matches(ex.request.path)) continue
      rule.answer.apply(ex)
      if (rule.delayMs === 0) return MOCKED
      this.#sleeper.sleep(ex, rule.delayMs, MOCKED)
      return SUSPENDED
    }
    return OK
  }

  explain(ex: Exchange): Forecast {
    const rule = this.#rules.find((each) => each.matches(ex.request.path))
    if (rule === undefined) return { code: OK, detail: {} }
    rule.answer.apply(ex)
    return { code: MOCKED, detail: rule.delayMs === 0 ? {} : { delayMs: rule.delayMs } }
  }

  cancel(ex: Exchange): void {
    this.#sleeper.cancel(ex)
  }
}

export const create = (spec: Spec, context: FilterContext): Filter => new Mock(spec, context)
