import { HeaderAdaptor, PathAdaptor } from '../../http/adapt.js'
import { RequestBody } from '../../http/body.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type { Template } from '../../http/template.js'
import type { Filter, FilterContext } from '../contract.js'
import { renderedBody } from '../rendered-body.js'
import type { Spec } from './kind.js'

class RequestAdaptor implements Filter {
  readonly #method: string | null
  readonly #path: PathAdaptor | null
  readonly #header: HeaderAdaptor | null
  readonly #body: Template | null

  constructor(spec: Spec, context: FilterContext) {
    const compile = (text: string): Template => context.template(text)
    this.#method = spec.method ?? null
    this.#path = spec.path === undefined ? null : new PathAdaptor(spec.path)
    this.#header = spec.header === undefined ? null : new HeaderAdaptor(spec.header, compile)
    this.#body = spec.body === '' ? null : compile(spec.body)
  }

  handle(ex: Exchange): number {
    const { request } = ex
    if (this.#method !== null) request.method = this.#method
    if (this.#path !== null) request.path = this.#path.adapt(request.path)
    if (this.#header !== null) this.#header.apply(ex, request.headers)
    if (this.#body !== null) {
      const body = renderedBody(this.#body, ex)
      if (body === null) return OK
      request.body?.take()?.cancel()
      request.body = RequestBody.of(body)
    }
    return OK
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new RequestAdaptor(spec, context)
