import type { Exchange } from '../../http/exchange.js'
import { FixedAnswer } from '../../http/fixed-answer.js'
import type { Filter } from '../contract.js'
import type { Spec } from './kind.js'

const FALLBACK = 1

class Fallback implements Filter {
  readonly #answer: FixedAnswer

  constructor(spec: Spec) {
    this.#answer = new FixedAnswer(spec.mockCode, spec.mockHeaders, spec.mockBody)
  }

  /** Other headers that earlier filters set stay, as in Easegress. */
  handle(ex: Exchange): number {
    this.#answer.apply(ex)
    return FALLBACK
  }
}

export const create = (spec: Spec): Filter => new Fallback(spec)
