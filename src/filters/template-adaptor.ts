import type { Exchange } from '../http/exchange.js'
import { readFields } from './built.js'
import type { FilterContext } from './contract.js'
import { TemplateBuilder } from './template-builder.js'
import type { TemplateSpec } from './template-data.js'

/** Of both adaptors of v2. */
const BUILD_ERR = 4

/** An adaptor of v2: what its template says, if it has one, goes before what its fields say. */
export abstract class TemplateAdaptor<R> extends TemplateBuilder {
  readonly #nothing: R | null

  /** `nothing`: as a template that says nothing. */
  constructor(spec: TemplateSpec, context: FilterContext, nothing: R) {
    super(spec, context, BUILD_ERR)
    this.#nothing = spec.template === '' ? nothing : null
  }

  /** What a template said; may throw a `BuildError`. */
  protected abstract read(fields: ReadonlyMap<string, unknown>): R

  /** Makes the changes. */
  protected abstract adapt(ex: Exchange, rendered: R): number

  override handle(ex: Exchange): number {
    return this.#nothing === null ? super.handle(ex) : this.adapt(ex, this.#nothing)
  }

  protected override build(ex: Exchange, value: unknown): number {
    return this.adapt(ex, this.read(readFields(value, 'the result')))
  }
}
