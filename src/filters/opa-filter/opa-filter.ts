import { type Exchange, OK } from '../../http/exchange.js'
import { fromLatin1 } from '../../http/headers.js'
import { EvaluationError, fromJson, Policy, type Value } from '../../rego/rego.js'
import type { Filter } from '../contract.js'
import type { Spec } from './kind.js'

const DENIED = 1
const ERROR_FIELD = 'x-eg-opa-error'

class OpaFilter implements Filter {
  readonly #policy: Policy
  readonly #status: number
  readonly #readsBody: boolean
  /** Names as the policy has them (`X-Role`) and as they are looked up. */
  readonly #fields: readonly (readonly [canonical: string, name: string])[]

  constructor(spec: Spec) {
    this.#policy = new Policy(spec.policy)
    this.#status = spec.defaultStatus
    this.#readsBody = spec.readBody
    this.#fields = spec.includedHeaders
      .split(',')
      .map((name) => name.replaceAll(' ', '').toLowerCase())
      .filter((name) => name !== '')
      .map((name) => [canonical(name), name])
  }

  handle(ex: Exchange): number {
    if (!ex.response.isPresent) ex.response.status = 200
    let allow: Value | undefined
    try {
      allow = this.#policy.evaluate('allow', this.#input(ex), Date.now())
    } catch (thrown) {
      if (!(thrown instanceof EvaluationError)) throw thrown
      return this.#fail(ex, thrown.message)
    }
    if (allow === undefined) return this.#fail(ex, 'the policy gives no value to data.http.allow')
    if (typeof allow !== 'boolean')
      return this.#fail(ex, 'data.http.allow is neither true nor false')
    return allow ? OK : this.#deny(ex, null)
  }

  #deny(ex: Exchange, body: Uint8Array | null): number {
    const { response } = ex
    response.body = body
    response.status = this.#status
    return DENIED
  }

  #fail(ex: Exchange, message: string): number {
    ex.response.headers.set(ERROR_FIELD, 'true')
    return this.#deny(ex, Buffer.from(message))
  }

  #input(ex: Exchange): Value {
    const { request } = ex
    const query: Record<string, string[]> = {}
    for (const [name, value] of new URLSearchParams(request.query)) {
      if (Object.hasOwn(query, name)) query[name]?.push(value)
      else Object.defineProperty(query, name, { value: [value], enumerable: true })
    }
    const headers: Record<string, string> = {}
    for (const [field, name] of this.#fields) {
      const values = name === 'host' ? [request.host] : request.headers.values(name)
      if (values.length > 0) headers[field] = values.map(fromLatin1).join(', ')
    }
    const body = request.body?.whole ?? null
    return fromJson({
      request: {
        method: request.method,
        path: request.path,
        path_parts: request.path.replace(/^\/+|\/+$/g, '').split('/'),
        raw_query: request.query,
        query,
        headers,
        scheme: ex.scheme,
        realIP: ex.realIp,
        body: this.#readsBody && body !== null ? Buffer.from(body).toString() : '',
      },
    })
  }
}

/** `x-role` as `X-Role`. */
function canonical(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
}

export const create = (spec: Spec): Filter => new OpaFilter(spec)
