import { RequestBody } from '../../http/body.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type { HttpRequest } from '../../http/message.js'
import { namespaceIndex } from '../../http/namespaces.js'
import { type Gathered, gatherBodies } from '../body-gatherer.js'
import {
  BuildError,
  readFields,
  readForm,
  readHeaders,
  readTarget,
  readText,
  writeForm,
} from '../built.js'
import type { Filter, FilterContext } from '../contract.js'
import { TemplateBuilder } from '../template-builder.js'
import type { Spec } from './kind.js'

const BUILD_ERR = 1

const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
])

class RequestBuilder extends TemplateBuilder implements Filter {
  constructor(spec: Spec, context: FilterContext) {
    super(spec, context, BUILD_ERR)
  }

  protected override build(ex: Exchange, value: unknown): number {
    const fields = readFields(value, 'the result')
    const method = readText(fields.get('method'), 'method').toUpperCase() || 'GET'
    if (!METHODS.has(method)) throw new BuildError(`method: ${method} is none`)
    const target = readTarget(readText(fields.get('url'), 'url'))
    const headers = readHeaders(fields.get('headers'), 'headers')
    const body = readText(fields.get('body'), 'body')
    const form = body === '' ? readForm(fields.get('formdata')) : []

    const { request } = ex
    replace(request)
    request.method = method
    request.rawPath = target.rawPath
    request.query = target.query
    request.host = target.host
    for (const [name, text] of headers) {
      if (name === 'host') request.host = text
      else if (name !== 'content-length') request.headers.add(name, text)
    }
    if (body !== '') request.body = RequestBody.of(Buffer.from(body))
    else if (form.length > 0) {
      const { body: bytes, contentType } = writeForm(form)
      request.headers.set('content-type', contentType)
      request.body = RequestBody.of(bytes)
    }
    return OK
  }
}

/** Empties a request; a body that nobody has read is not wanted any more. */
function replace(request: HttpRequest): void {
  request.body?.take()?.cancel()
  request.reset()
}

/** Takes over the request of another namespace; later changes of the one do not show in the other. */
class RequestCopier implements Filter, Gathered {
  readonly #from: number

  constructor(spec: Spec) {
    this.#from = namespaceIndex(spec.sourceNamespace)
  }

  handle(ex: Exchange): number {
    if (this.#from === ex.namespace || ex.requestIn(this.#from) === null) return OK
    // Both need the body, so it cannot stay a stream.
    return gatherBodies(ex, { requests: [this.#from], responses: [] }, this)
  }

  gathered(ex: Exchange): number {
    const from = ex.requestIn(this.#from) as HttpRequest
    const { request } = ex
    replace(request)
    request.method = from.method
    request.rawPath = from.rawPath
    request.path = from.path
    request.query = from.query
    request.host = from.host
    request.headers.share(from.headers.lend())
    request.body = from.body === null ? null : RequestBody.of(from.body.whole ?? Buffer.alloc(0))
    return OK
  }

  notGathered(ex: Exchange): number {
    ex.respond(413)
    return BUILD_ERR
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  spec.sourceNamespace === '' ? new RequestBuilder(spec, context) : new RequestCopier(spec)
