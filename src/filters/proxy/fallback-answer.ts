import type { Exchange } from '../../http/exchange.js'
import { FixedAnswer } from '../../http/fixed-answer.js'
import type { Spec } from './kind.js'

/** Replaces answers of back ends whose status counts as a failure. */
export class FallbackAnswer {
  readonly #codes: ReadonlySet<number>
  readonly #answer: FixedAnswer

  constructor(codes: readonly number[], spec: Exclude<Spec['fallback'], undefined>) {
    this.#codes = new Set(codes)
    this.#answer = new FixedAnswer(spec.mockCode, spec.mockHeaders, spec.mockBody)
  }

  /** True when it did. */
  replaces(ex: Exchange): boolean {
    if (!this.#codes.has(ex.response.status)) return false
    this.#answer.apply(ex)
    return true
  }
}
