import { HeaderAdaptor } from '../../http/adapt.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type { Template } from '../../http/template.js'
import type { Filter, FilterContext } from '../contract.js'
import { renderedBody } from '../rendered-body.js'
import type { Spec } from './kind.js'

class ResponseAdaptor implements Filter {
  readonly #header: HeaderAdaptor | null
  readonly #body: Template | null

  constructor(spec: Spec, context: FilterContext) {
    const compile = (text: string): Template => context.template(text)
    this.#header = spec.header === undefined ? null : new HeaderAdaptor(spec.header, compile)
    this.#body = spec.body === '' ? null : compile(spec.body)
  }

  handle(ex: Exchange): number {
    const { response } = ex
    if (this.#header !== null) this.#header.apply(ex, response.headers)
    if (this.#body !== null) {
      const body = renderedBody(this.#body, ex)
      if (body === null) return OK
      response.body = body
      // It said how the old body was coded.
      response.headers.delete('content-encoding')
    }
    return OK
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new ResponseAdaptor(spec, context)
