import type { Exchange } from '../../http/exchange.js'
import { FixedAnswer } from '../../http/fixed-answer.js'
import type { Filter } from '../contract.js'
import type { Spec } from './kind.js'

const FALLBACK = 1
const RESPONSE_NOT_FOUND = 2

class FallbackV2 implements Filter {
  readonly #answer: FixedAnswer

  constructor(spec: Spec) {
    this.#answer = new FixedAnswer(spec.mockCode, spec.mockHeaders, spec.mockBody)
  }

  /** Where there is no answer to replace, Easegress fails; that is what its second result is for. */
  handle(ex: Exchange): number {
    if (!ex.response.isPresent) return RESPONSE_NOT_FOUND
    this.#answer.apply(ex)
    return FALLBACK
  }
}

export const create = (spec: Spec): Filter => new FallbackV2(spec)
