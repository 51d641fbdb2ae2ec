import { HeaderAdaptor } from '../../http/adapt.js'
import { type Exchange, OK } from '../../http/exchange.js'
import { applyHeaderChanges, type HeaderChanges, readHeaderChanges } from '../adaptor-fields.js'
import { GzippedBody, gunzipWhole, gzipWhole } from '../body-coding.js'
import { type Gathered, gatherBodies } from '../body-gatherer.js'
import { readText } from '../built.js'
import type { Filter, FilterContext } from '../contract.js'
import { TemplateAdaptor } from '../template-adaptor.js'
import type { SpecV2 } from './kind-v2.js'

const RESPONSE_NOT_FOUND = 1
const COMPRESS_FAILED = 2
const DECOMPRESS_FAILED = 3

/** What a template says beside the fields. */
interface Rendered {
  readonly header: HeaderChanges | null
  readonly body: string
}

class ResponseAdaptorV2 extends TemplateAdaptor<Rendered> implements Filter {
  readonly #header: HeaderAdaptor | null
  readonly #body: Buffer | null
  readonly #compresses: boolean
  readonly #decompressor: Gathered | null

  constructor(spec: SpecV2, context: FilterContext) {
    super(spec, context, NOTHING)
    this.#header =
      spec.header === undefined ? null : new HeaderAdaptor(spec.header, context.template)
    this.#body = spec.body === '' ? null : Buffer.from(spec.body)
    this.#compresses = spec.compress !== undefined
    this.#decompressor =
      spec.decompress === undefined
        ? null
        : {
            gathered: (ex) => this.#decompress(ex),
            notGathered: () => DECOMPRESS_FAILED,
          }
  }

  override handle(ex: Exchange): number {
    return ex.response.isPresent ? super.handle(ex) : RESPONSE_NOT_FOUND
  }

  /** There is an answer already: a request that is too large for the template takes nothing from it. */
  override notGathered(_ex: Exchange, reason: string): number {
    return this.failed(reason)
  }

  protected override read(fields: ReadonlyMap<string, unknown>): Rendered {
    return {
      header: readHeaderChanges(fields.get('header')),
      body: readText(fields.get('body'), 'body'),
    }
  }

  protected override adapt(ex: Exchange, rendered: Rendered): number {
    const { response } = ex
    if (rendered.header !== null) applyHeaderChanges(response.headers, rendered.header)
    else if (this.#header !== null) this.#header.apply(ex, response.headers)
    const body = rendered.body === '' ? this.#body : Buffer.from(rendered.body)
    if (body !== null) {
      response.body = body
      response.headers.delete('content-encoding')
    }
    return this.#code(ex)
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
