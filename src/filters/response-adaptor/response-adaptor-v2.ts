import { HeaderAdaptor } from '../../http/adapt.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type { Logger } from '../../telemetry/log.js'
import { applyHeaderChanges, type HeaderChanges, readHeaderChanges } from '../adaptor-fields.js'
import { GzippedBody, gunzipWhole, gzipWhole } from '../body-coding.js'
import { type BodyNeeds, type Gathered, gatherBodies } from '../body-gatherer.js'
import { BuildError, readFields, readText, readYaml } from '../built.js'
import type { Filter, FilterContext } from '../contract.js'
import { bodiesRead, DataTemplate } from '../template-data.js'
import type { SpecV2 } from './kind-v2.js'

const RESPONSE_NOT_FOUND = 1
const COMPRESS_FAILED = 2
const DECOMPRESS_FAILED = 3
const BUILD_ERR = 4

/** What a template says beside the fields. */
interface Rendered {
  readonly header: HeaderChanges | null
  readonly body: string
}

class ResponseAdaptorV2 implements Filter, Gathered {
  readonly #header: HeaderAdaptor | null
  readonly #body: Buffer | null
  readonly #compresses: boolean
  readonly #template: DataTemplate | null
  readonly #needs: BodyNeeds
  readonly #decompressor: Gathered | null
  readonly #log: Logger
  readonly #name: string

  constructor(spec: SpecV2, context: FilterContext) {
    this.#header =
      spec.header === undefined ? null : new HeaderAdaptor(spec.header, context.template)
    this.#body = spec.body === '' ? null : Buffer.from(spec.body)
    this.#compresses = spec.compress !== undefined
    const hasTemplate = spec.template !== ''
    this.#template = hasTemplate ? new DataTemplate(spec, context.log, context.name) : null
    this.#needs = hasTemplate ? bodiesRead(spec) : { requests: [], responses: [] }
    this.#decompressor =
      spec.decompress === undefined
        ? null
        : {
            gathered: (ex) => this.#decompress(ex),
            notGathered: () => DECOMPRESS_FAILED,
          }
    this.#log = context.log
    this.#name = context.name
  }

  handle(ex: Exchange): number {
    if (!ex.response.isPresent) return RESPONSE_NOT_FOUND
    if (this.#template === null) return this.gathered(ex)
    return gatherBodies(ex, this.#needs, this)
  }

  notGathered(_ex: Exchange, reason: string): number {
    return this.#buildErr(reason)
  }

  gathered(ex: Exchange): number {
    try {
      const rendered = this.#template === null ? NOTHING : this.#render(ex, this.#template)
      if (rendered === null) return BUILD_ERR
      this.#adapt(ex, rendered)
    } catch (thrown) {
      if (!(thrown instanceof BuildError)) throw thrown
      return this.#buildErr(thrown.message)
    }
    return this.#code(ex)
  }

  #buildErr(reason: string): number {
    this.#log.warn('nothing could be built', { filter: this.#name, reason })
    return BUILD_ERR
  }

  #render(ex: Exchange, template: DataTemplate): Rendered | null {
    const text = template.render(ex)
    if (text === null) return null
    const fields = readFields(readYaml(text), 'the result')
    return {
      header: readHeaderChanges(fields.get('header')),
      body: readText(fields.get('body'), 'body'),
    }
  }

  #adapt(ex: Exchange, rendered: Rendered): void {
    const { response } = ex
    if (rendered.header !== null) applyHeaderChanges(response.headers, rendered.header)
    else if (this.#header !== null) this.#header.apply(ex, response.headers)
    const body = rendered.body === '' ? this.#body : Buffer.from(rendered.body)
    if (body === null) return
    response.body = body
    response.headers.delete('content-encoding')
  }

  #code(ex: Exchange): number {
    const { headers } = ex.response
    const coding = headers.get('content-encoding')
    if (this.#compresses && coding === null) return this.#compress(ex)
    if (this.#decompressor === null || coding !== 'gzip') return OK
    return gatherBodies(ex, { requests: [], responses: [ex.namespace] }, this.#decompressor)
  }

  #compress(ex: Exchange): number {
    const { response } = ex
    const source = response.takeSource()
    if (source === null && response.body === null) return OK
    response.headers.set('content-encoding', 'gzip')
    if (source !== null) {
      response.headers.delete('content-length')
      response.source = new GzippedBody(source, ex)
      return OK
    }
    return gzipWhole(ex, response.body as Uint8Array, (later, bytes) => {
      if (bytes === null) return COMPRESS_FAILED
      later.response.body = bytes
      return OK
    })
  }

  #decompress(ex: Exchange): number {
    const { body } = ex.response
    if (body === null) return OK
    return gunzipWhole(ex, body, (later, bytes) => {
      if (bytes === null) return DECOMPRESS_FAILED
      later.response.headers.delete('content-encoding')
      later.response.body = bytes
      return OK
    })
  }
}

const NOTHING: Rendered = { header: null, body: '' }

export const create = (spec: SpecV2, context: FilterContext): Filter =>
  new ResponseAdaptorV2(spec, context)
