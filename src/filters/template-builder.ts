import type { Exchange } from '../http/exchange.js'
import type { Logger } from '../telemetry/log.js'
import { type BodyNeeds, type Gathered, gatherBodies } from './body-gatherer.js'
import { BuildError, readYaml } from './built.js'
import type { FilterContext } from './contract.js'
import { bodiesRead, DataTemplate, type TemplateSpec } from './template-data.js'

/**
 * A filter that renders a template, reads what comes out as YAML and makes something of it. Bodies
 * that the template reads are whole by then.
 */
export abstract class TemplateBuilder implements Gathered {
  readonly #template: DataTemplate
  readonly #needs: BodyNeeds
  readonly #needsNone: boolean
  readonly #buildErr: number
  readonly #log: Logger
  readonly #filter: string

  /** `buildErr`: the code of that result. */
  constructor(spec: TemplateSpec, context: FilterContext, buildErr: number) {
    this.#template = new DataTemplate(spec, context.log, context.name)
    this.#needs = bodiesRead(spec)
    this.#needsNone = this.#needs.requests.length === 0 && this.#needs.responses.length === 0
    this.#buildErr = buildErr
    this.#log = context.log
    this.#filter = context.name
  }

  /** Makes of `value`, which is YAML's, what the filter is for; may throw a {@link BuildError}. */
  protected abstract build(ex: Exchange, value: unknown): number

  handle(ex: Exchange): number {
    return this.#needsNone ? this.gathered(ex) : gatherBodies(ex, this.#needs, this)
  }

  gathered(ex: Exchange): number {
    const text = this.#template.render(ex)
    if (text === null) return this.#buildErr
    try {
      return this.build(ex, readYaml(text))
    } catch (thrown) {
      if (!(thrown instanceof BuildError)) throw thrown
      return this.failed(thrown.message)
    }
  }

  notGathered(ex: Exchange, reason: string, isRequest: boolean): number {
    if (isRequest) ex.respond(413)
    return this.failed(reason)
  }

  /** Nothing could be built. */
  protected failed(reason: string): number {
    this.#log.warn('nothing could be built', { filter: this.#filter, reason })
    return this.#buildErr
  }
}
