import { type Exchange, OK } from '../../http/exchange.js'
import { fromLatin1, isFieldValue, toLatin1 } from '../../http/headers.js'
import { parseJsonObject } from '../../lib/json-object.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'
import type { CustomDataView } from '../../shared/contract.js'
import type { Filter, FilterContext } from '../contract.js'
import { prefixOf } from '../custom-data.js'
import type { Spec } from './kind.js'

/** Items whose fields are remembered until the data changes. */
const REMEMBERED_MAX = 1_024

/** Names and values to set, in turn. */
type Fields = readonly string[]

class HeaderLookup implements Filter {
  readonly #name: string
  readonly #path: LinearRegexp | null
  readonly #setters: Spec['headerSetters']
  readonly #data: CustomDataView
  #remembered = new Map<string, Fields>()
  #version = -1

  constructor(spec: Spec, context: FilterContext) {
    this.#name = spec.headerKey.toLowerCase()
    this.#path = spec.pathRegExp === undefined ? null : compileRegexp(spec.pathRegExp)
    this.#setters = spec.headerSetters
    this.#data = context.data(prefixOf(spec.etcdPrefix))
  }

  handle(ex: Exchange): number {
    const { headers, path } = ex.request
    const value = headers.get(this.#name)
    if (value === null || value === '') return OK
    const group = this.#path?.findAll(path, 1)[0]?.groups[1]
    const key = fromLatin1(value) + (group === undefined ? '' : `-${group}`)
    const fields = this.#fieldsOf(key)
    for (let i = 0; i < fields.length; i += 2) {
      headers.set(fields[i] as string, fields[i + 1] as string)
    }
    return OK
  }

  #fieldsOf(key: string): Fields {
    if (this.#data.version !== this.#version) {
      this.#remembered.clear()
      this.#version = this.#data.version
    }
    let fields = this.#remembered.get(key)
    if (fields === undefined) {
      fields = this.#read(key)
      if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear()
      this.#remembered.set(key, fields)
    }
    return fields
  }

  #read(key: string): Fields {
    const json = this.#data.get(key)
    const item = json === undefined ? null : parseJsonObject(Buffer.from(json))
    if (item === null) return []
    return this.#setters.flatMap(({ etcdKey, headerKey }) => {
      const value = Object.hasOwn(item, etcdKey) ? item[etcdKey] : undefined
      const isScalar = ['string', 'number', 'boolean'].includes(typeof value)
      const text = isScalar ? toLatin1(String(value)) : ''
      // What cannot stand in a header field is left out.
      return isScalar && isFieldValue(text) ? [headerKey.toLowerCase(), text] : []
    })
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new HeaderLookup(spec, context)
