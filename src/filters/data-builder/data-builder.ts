import { type Exchange, OK } from '../../http/exchange.js'
import { fromPlain } from '../../template/value.js'
import type { Filter, FilterContext } from '../contract.js'
import { TemplateBuilder } from '../template-builder.js'
import type { Spec } from './kind.js'

const BUILD_ERR = 1

class DataBuilder extends TemplateBuilder implements Filter {
  readonly #key: string

  constructor(spec: Spec, context: FilterContext) {
    super(spec, context, BUILD_ERR)
    this.#key = spec.dataKey
  }

  protected override build(ex: Exchange, value: unknown): number {
    ex.data ??= new Map()
    ex.data.set(this.#key, fromPlain(value))
    return OK
  }
}

export const create = (spec: Spec, context: FilterContext): Filter => new DataBuilder(spec, context)
