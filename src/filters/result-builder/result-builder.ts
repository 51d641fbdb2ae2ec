import { type Exchange, OK } from '../../http/exchange.js'
import { readText } from '../built.js'
import type { Filter, FilterContext } from '../contract.js'
import { TemplateBuilder } from '../template-builder.js'
import type { Spec } from './kind.js'
import { RESULTS } from './results-spec.js'

const codeOf = (result: string): number => RESULTS.indexOf(result) + 1
const BUILD_ERR = codeOf('buildErr')
const UNKNOWN = codeOf('unknown')

class ResultBuilder extends TemplateBuilder implements Filter {
  constructor(spec: Spec, context: FilterContext) {
    super(spec, context, BUILD_ERR)
  }

  /** `result9` counts too: that Easegress does not know it is a mistake there. */
  protected override build(_ex: Exchange, value: unknown): number {
    const result = readText(value, 'the result')
    if (result === '') return OK
    return codeOf(result) || UNKNOWN
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new ResultBuilder(spec, context)
