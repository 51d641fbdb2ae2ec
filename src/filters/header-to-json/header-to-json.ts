import { RequestBody } from '../../http/body.js'
import { type Exchange, OK } from '../../http/exchange.js'
import { fromLatin1 } from '../../http/headers.js'
import { parseJson, writeJson } from '../../template/json.js'
import { GoMap, TemplateError, type Value } from '../../template/value.js'
import type { Filter } from '../contract.js'
import type { Spec } from './kind.js'

const JSON_ERR = 1
const BODY_READ_ERR = 2

class HeaderToJson implements Filter {
  readonly #fields: readonly (readonly [header: string, key: string])[]

  constructor(spec: Spec) {
    this.#fields = spec.headerMap.map(({ header, json }) => [header.toLowerCase(), json])
  }

  /** Without one of the headers nothing happens, so no body has to be whole. */
  needsRequestBody(ex: Exchange): boolean {
    return this.#fields.some(([header]) => (ex.request.headers.get(header) ?? '') !== '')
  }

  handle(ex: Exchange): number {
    const { request } = ex
    const found = new Map<string, Value>()
    for (const [header, key] of this.#fields) {
      const value = request.headers.get(header)
      if (value !== null && value !== '') found.set(key, fromLatin1(value))
    }
    if (found.size === 0) return OK
    const { body } = request
    if (body !== null && body.whole === null) return BODY_READ_ERR
    const merged = mergedInto(body?.whole ?? new Uint8Array(0), found)
    if (merged === null) return JSON_ERR
    const bytes = Buffer.from(merged)
    request.body = RequestBody.of(bytes)
    if (request.headers.has('content-length')) {
      request.headers.set('content-length', String(bytes.byteLength))
    }
    return OK
  }
}

/** The body with the entries; null when it is neither an object nor a list of objects. */
function mergedInto(body: Uint8Array, found: ReadonlyMap<string, Value>): string | null {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  if (text.trim() === '') return writeJson(new GoMap(new Map(found)))
  let value: Value
  try {
    value = parseJson(text)
  } catch (thrown) {
    if (thrown instanceof TemplateError) return null
    throw thrown
  }
  const objects = Array.isArray(value) ? value : [value]
  for (const object of objects) {
    if (!(object instanceof GoMap)) return null
    for (const [key, text] of found) object.entries.set(key, text)
  }
  return writeJson(value)
}

export const create = (spec: Spec): Filter => new HeaderToJson(spec)
