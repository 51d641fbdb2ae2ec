import { type Exchange, OK } from '../../http/exchange.js'
import type { HttpResponse } from '../../http/message.js'
import { namespaceIndex } from '../../http/namespaces.js'
import { type Gathered, gatherBodies } from '../body-gatherer.js'
import { BuildError, readFields, readHeaders, readText } from '../built.js'
import type { Filter, FilterContext } from '../contract.js'
import { TemplateBuilder } from '../template-builder.js'
import type { Spec } from './kind.js'

const BUILD_ERR = 1

class ResponseBuilder extends TemplateBuilder implements Filter {
  constructor(spec: Spec, context: FilterContext) {
    super(spec, context, BUILD_ERR)
  }

  protected override build(ex: Exchange, value: unknown): number {
    const fields = readFields(value, 'the result')
    const status = statusIn(fields.get('statuscode'))
    const headers = readHeaders(fields.get('headers'), 'headers')
    const body = readText(fields.get('body'), 'body')

    const { response } = ex
    response.discard()
    response.status = status
    response.body = body === '' ? null : Buffer.from(body)
    // Its length is what the body is, whatever the template says.
    for (const [name, text] of headers) {
      if (name !== 'content-length') response.headers.add(name, text)
    }
    return OK
  }
}

function statusIn(value: unknown): number {
  if (value === undefined || value === null || value === 0) return 200
  if (typeof value === 'number' && Number.isInteger(value) && value >= 200 && value < 600) {
    return value
  }
  throw new BuildError('statusCode: expected a status code in 200..599')
}

/** Takes over the answer of another namespace; later changes of the one do not show in the other. */
class ResponseCopier implements Filter, Gathered {
  readonly #from: number

  constructor(spec: Spec) {
    this.#from = namespaceIndex(spec.sourceNamespace)
  }

  handle(ex: Exchange): number {
    if (this.#from === ex.namespace || ex.responseIn(this.#from) === null) return OK
    return gatherBodies(ex, { requests: [], responses: [this.#from] }, this)
  }

  gathered(ex: Exchange): number {
    const from = ex.responseIn(this.#from) as HttpResponse
    const { response } = ex
    response.discard()
    response.status = from.status
    response.headers.share(from.headers.lend())
    response.body = from.body
    return OK
  }

  notGathered(): number {
    return BUILD_ERR
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  spec.sourceNamespace === '' ? new ResponseBuilder(spec, context) : new ResponseCopier(spec)
