import { HeaderAdaptor, PathAdaptor } from '../../http/adapt.js'
import { RequestBody } from '../../http/body.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type { HttpRequest } from '../../http/message.js'
import { type Clock, systemTime } from '../../lib/clock.js'
import { checkRegexp } from '../../lib/regexp.js'
import { applyHeaderChanges, type HeaderChanges, readHeaderChanges } from '../adaptor-fields.js'
import { GzippedBody, gunzipWhole, gzipWhole } from '../body-coding.js'
import { type Gathered, gatherBodies } from '../body-gatherer.js'
import { BuildError, readFields, readText } from '../built.js'
import type { Filter, FilterContext } from '../contract.js'
import { TemplateAdaptor } from '../template-adaptor.js'
import type { SpecV2 } from './kind-v2.js'
import { Signer } from './signer.js'

const DECOMPRESS_FAILED = 1
const COMPRESS_FAILED = 2
const SIGN_FAILED = 3

/** What a template says beside the fields. */
interface Rendered {
  readonly host: string
  readonly method: string
  readonly path: PathAdaptor | null
  readonly header: HeaderChanges | null
  readonly body: string
}

/** The steps, in order; each may have to wait for a body before it. */
class RequestAdaptorV2 extends TemplateAdaptor<Rendered> implements Filter {
  readonly #host: string
  readonly #method: string
  readonly #path: PathAdaptor | null
  readonly #header: HeaderAdaptor | null
  readonly #body: Buffer | null
  readonly #compresses: boolean
  readonly #signer: Signer | null
  readonly #decompressor: Gathered | null
  readonly #signing: Gathered
  readonly #clock: Clock

  constructor(spec: SpecV2, context: FilterContext, clock: Clock) {
    super(spec, context, NOTHING)
    this.#host = spec.host
    this.#method = spec.method ?? ''
    this.#path = spec.path === undefined ? null : new PathAdaptor(spec.path)
    this.#header =
      spec.header === undefined ? null : new HeaderAdaptor(spec.header, context.template)
    this.#body = spec.body === '' ? null : Buffer.from(spec.body)
    this.#compresses = spec.compress !== undefined
    this.#signer = spec.sign === undefined ? null : new Signer(spec.sign)
    this.#clock = clock
    this.#decompressor =
      spec.decompress === undefined
        ? null
        : {
            gathered: (ex) => this.#decompress(ex),
            notGathered: (ex) => tooLarge(ex, DECOMPRESS_FAILED),
          }
    this.#signing = {
      gathered: (ex) => this.#sign(ex),
      notGathered: (ex) => tooLarge(ex, SIGN_FAILED),
    }
  }

  protected override read(fields: ReadonlyMap<string, unknown>): Rendered {
    const host = readText(fields.get('host'), 'host')
    const method = readText(fields.get('method'), 'method')
    if (!/^[\x21-\x7e]*$/.test(host)) throw new BuildError('host: not a host')
    if (!/^[A-Z]*$/.test(method)) throw new BuildError('method: expected capital letters')
    return {
      host,
      method,
      path: readPath(fields.get('path')),
      header: readHeaderChanges(fields.get('header')),
      body: readText(fields.get('body'), 'body'),
    }
  }

  protected override adapt(ex: Exchange, rendered: Rendered): number {
    const { request } = ex
    const method = rendered.method || this.#method
    if (method !== '') request.method = method
    const path = rendered.path ?? this.#path
    if (path !== null) request.path = path.adapt(request.path)
    if (rendered.header !== null) applyHeaderChanges(request.headers, rendered.header)
    else if (this.#header !== null) this.#header.apply(ex, request.headers)
    const body = rendered.body === '' ? this.#body : Buffer.from(rendered.body)
    if (body !== null) {
      request.body?.take()?.cancel()
      request.headers.delete('content-encoding')
      setBody(request, body)
    }
    const host = rendered.host || this.#host
    if (host !== '') request.host = host
    return this.#code(ex)
  }

  /** Compresses, or takes a coding off. */
  #code(ex: Exchange): number {
    const { request } = ex
    const coding = request.headers.get('content-encoding')
    if (this.#compresses && coding === null && request.body !== null) return this.#compress(ex)
    if (this.#decompressor === null || coding !== 'gzip') return this.#goOn(ex)
    return gatherBodies(ex, { requests: [ex.namespace], responses: [] }, this.#decompressor)
  }

  #compress(ex: Exchange): number {
    const { request } = ex
    const body = request.body as RequestBody
    const source = body.whole === null ? body.take() : null
    request.headers.set('content-encoding', 'gzip')
    if (source !== null) {
      request.body = new RequestBody(new GzippedBody(source, ex), null)
      request.headers.delete('content-length')
      return this.#goOn(ex)
    }
    return gzipWhole(ex, body.whole ?? Buffer.alloc(0), (later, bytes) => {
      if (bytes === null) return COMPRESS_FAILED
      setBody(later.request, bytes)
      return this.#goOn(later)
    })
  }

  #decompress(ex: Exchange): number {
    const whole = ex.request.body?.whole ?? null
    // Streamed away before: there is nothing to do anything to.
    if (whole === null) return DECOMPRESS_FAILED
    return gunzipWhole(ex, whole, (later, bytes) => {
      if (bytes === null) return DECOMPRESS_FAILED
      later.request.headers.delete('content-encoding')
      setBody(later.request, bytes)
      return this.#goOn(later)
    })
  }

  #goOn(ex: Exchange): number {
    if (this.#signer === null) return OK
    if (!this.#signer.needsBody) return this.#sign(ex)
    return gatherBodies(ex, { requests: [ex.namespace], responses: [] }, this.#signing)
  }

  #sign(ex: Exchange): number {
    return this.#signer?.sign(ex.request, this.#clock.wallMs()) === true ? OK : SIGN_FAILED
  }
}

const NOTHING: Rendered = { host: '', method: '', path: null, header: null, body: '' }

function tooLarge(ex: Exchange, code: number): number {
  ex.respond(413)
  return code
}

function setBody(request: HttpRequest, bytes: Uint8Array): void {
  request.body = RequestBody.of(bytes)
  if (request.headers.has('content-length')) {
    request.headers.set('content-length', String(bytes.byteLength))
  }
}

/** `{replace, addPrefix, trimPrefix, regexpReplace}` out of a template; null when there is none. */
function readPath(value: unknown): PathAdaptor | null {
  if (value === undefined || value === null) return null
  const fields = readFields(value, 'path')
  const text = (name: string): string => readText(fields.get(name.toLowerCase()), `path/${name}`)
  const pattern = readFields(fields.get('regexpreplace') ?? null, 'path/regexpReplace')
  const regexp = readText(pattern.get('regexp'), 'path/regexpReplace/regexp')
  const problem = regexp === '' ? null : checkRegexp(regexp)
  if (problem !== null) throw new BuildError(`path/regexpReplace/regexp: ${problem}`)
  return new PathAdaptor({
    replace: text('replace'),
    addPrefix: text('addPrefix'),
    trimPrefix: text('trimPrefix'),
    ...(regexp === ''
      ? {}
      : { regexpReplace: { regexp, replace: readText(pattern.get('replace'), 'path') } }),
  })
}

export const create = (spec: SpecV2, context: FilterContext): Filter =>
  new RequestAdaptorV2(spec, context, systemTime)
