import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { FixedAnswer } from '../../http/fixed-answer.js'
import { fromLatin1 } from '../../http/headers.js'
import { Sleeper } from '../../http/sleeper.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { ValueMatcher } from '../value-match.js'
import type { SpecV2 } from './kind-v2.js'

const MOCKED = 1

type RuleSpec = SpecV2['rules'][number]

class Rule {
  readonly delayMs: number
  readonly #answer: FixedAnswer
  readonly #path: string | undefined
  readonly #prefix: string | undefined
  readonly #headers: readonly (readonly [name: string, value: ValueMatcher])[]
  readonly #all: boolean

  constructor({ match, code, headers, body, delay }: RuleSpec) {
    this.#path = match.path
    this.#prefix = match.pathPrefix
    this.#headers = Object.entries(match.headers).map(([name, value]) => [
      name.toLowerCase(),
      new ValueMatcher(value),
    ])
    this.#all = match.matchAllHeaders
    this.delayMs = delay
    this.#answer = new FixedAnswer(code, headers, body)
  }

  matches(ex: Exchange): boolean {
    return this.#fitsPath(ex.request.path) && this.#fitsHeaders(ex)
  }

  /** A new answer, in place of what was there. */
  answer(ex: Exchange): void {
    ex.response.discard()
    this.#answer.apply(ex)
  }

  #fitsPath(path: string): boolean {
    if (this.#path === undefined && this.#prefix === undefined) return true
    if (path === this.#path) return true
    return this.#prefix !== undefined && path.startsWith(this.#prefix)
  }

  #fitsHeaders(ex: Exchange): boolean {
    if (this.#headers.length === 0) return true
    for (const [name, value] of this.#headers) {
      if (fitsHeader(ex, name, value) !== this.#all) return !this.#all
    }
    return this.#all
  }
}

/** A header that is there never matches `empty`; one that is not matches nothing else. */
function fitsHeader({ request }: Exchange, name: string, value: ValueMatcher): boolean {
  const { flat } = request.headers
  let isThere = false
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== name) continue
    isThere = true
    if (!value.isForEmpty && value.test(fromLatin1(flat[i + 1] as string))) return true
  }
  return !isThere && value.isForEmpty
}

class MockV2 implements Filter {
  readonly #rules: readonly Rule[]
  readonly #sleeper: Sleeper

  constructor(spec: SpecV2, context: FilterContext) {
    this.#rules = spec.rules.map((rule) => new Rule(rule))
    this.#sleeper = new Sleeper(context.timers)
  }

  handle(ex: Exchange): number {
    for (const rule of this.#rules) {
      if (!rule.matches(ex)) continue
      rule.answer(ex)
      if (rule.delayMs === 0) return MOCKED
      this.#sleeper.sleep(ex, rule.delayMs, MOCKED)
      return SUSPENDED
    }
    return OK
  }

  explain(ex: Exchange): Forecast {
    const rule = this.#rules.find((each) => each.matches(ex))
    if (rule === undefined) return { code: OK, detail: {} }
    rule.answer(ex)
    return { code: MOCKED, detail: rule.delayMs === 0 ? {} : { delayMs: rule.delayMs } }
  }

  cancel(ex: Exchange): void {
    this.#sleeper.cancel(ex)
  }
}

export const create = (spec: SpecV2, context: FilterContext): Filter => new MockV2(spec, context)
