import { RequestBody } from '../../http/body.js'
import type { Exchange } from '../../http/exchange.js'
import { fromLatin1, isFieldName, isFieldValue, toLatin1 } from '../../http/headers.js'
import { type JsonObject, parseJsonObject } from '../../lib/json-object.js'

/**
 * The wire format (compat/traffic-v1.md §6.7): one JSON object with `request` and `response`, the
 * same in both directions. Bodies are base64; headers are lists of texts by name, written as Go
 * does it, `X-Request-Id`.
 */
export function entityOf(ex: Exchange): Buffer {
  const { request, response } = ex
  const header = fieldsOf(request.headers.flat)
  header['Host'] ??= [fromLatin1(request.host)]
  return Buffer.from(
    JSON.stringify({
      request: {
        realIP: ex.realIp,
        method: request.method,
        scheme: '', // a server request has none (compat/traffic-v1.md §2.1)
        host: fromLatin1(request.host),
        path: request.path,
        query: request.query,
        fragment: '',
        proto: 'HTTP/1.1',
        header,
        body: base64Of(request.body?.whole ?? null),
      },
      response: {
        statusCode: response.status,
        header: fieldsOf(response.headers.flat),
        body: base64Of(response.body),
      },
    }),
  )
}

/** What the answer says that is to be done; nothing has been done yet. */
export interface Changes {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly requestFields: readonly string[]
  readonly requestBody: Uint8Array | null
  /** Null leaves the answer alone. */
  readonly response: {
    readonly status: number
    readonly fields: readonly string[]
    readonly body: Uint8Array | null
  } | null
}

/** Null when `json` is anything but an entity that can be applied. */
export function readEntity(json: Uint8Array): Changes | null {
  const { request, response = null } = parseJsonObject(json) ?? {}
  if (!isObject(request)) return null
  const { method = '', path = '', query = '' } = request
  const requestFields = flatOf(request['header'], NOT_OF_REQUESTS)
  const requestBody = bytesOf(request['body'])
  if (typeof method !== 'string' || !(method === '' || isFieldName(method))) return null
  if (typeof path !== 'string' || !(path === '' || path.startsWith('/'))) return null
  if (typeof query !== 'string' || !QUERY.test(query)) return null
  if (requestFields === null || requestBody === undefined) return null
  const changes = { method, path, query, requestFields, requestBody }
  if (response === null) return { ...changes, response: null }
  if (!isObject(response)) return null
  const status = response['statusCode']
  const fields = flatOf(response['header'], NOT_OF_ANSWERS)
  const body = bytesOf(response['body'])
  if (!Number.isInteger(status) || fields === null || body === undefined) return null
  if ((status as number) < 200 || (status as number) > 599) return null
  return { ...changes, response: { status: status as number, fields, body } }
}

/**
 * Method and path that are empty stay as they are; all else is replaced, but for the headers of the
 * answer when `keepsHeaders` (v2): those are added, and what comes back as it went is there once.
 */
export function applyChanges(ex: Exchange, changes: Changes, keepsHeaders = false): void {
  const { request, response } = ex
  if (changes.method !== '') request.method = changes.method
  if (changes.path !== '') request.path = changes.path
  request.query = changes.query
  request.headers.clear()
  addFields(request.headers, changes.requestFields)
  request.body = changes.requestBody === null ? null : RequestBody.of(changes.requestBody)
  if (changes.response === null) return
  response.status = changes.response.status
  if (keepsHeaders) addNewFields(response.headers, changes.response.fields)
  else {
    response.headers.clear()
    addFields(response.headers, changes.response.fields)
  }
  response.body = changes.response.body
}

/** Those that are not there with the same value. */
function addNewFields(headers: Exchange['response']['headers'], fields: readonly string[]): void {
  const before = new Set<string>()
  const { flat } = headers
  for (let i = 0; i < flat.length; i += 2) before.add(`${flat[i]}:${flat[i + 1]}`)
  for (let i = 0; i < fields.length; i += 2) {
    if (before.has(`${fields[i]}:${fields[i + 1]}`)) continue
    headers.add(fields[i] as string, fields[i + 1] as string)
  }
}

function addFields(headers: Exchange['request']['headers'], fields: readonly string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    headers.add(fields[i] as string, fields[i + 1] as string)
  }
}

/** Printable ASCII as it may be on a request line, and no `#`. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** They belong to one hop, or to the length of a body, and are written anew. */
const OF_HOPS = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade']
const NOT_OF_ANSWERS: ReadonlySet<string> = new Set([...OF_HOPS, 'content-length'])
/** The host of a request cannot be changed, as in Easegress. */
const NOT_OF_REQUESTS: ReadonlySet<string> = new Set([...NOT_OF_ANSWERS, 'host'])

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fieldsOf(flat: readonly string[]): Record<string, string[]> {
  const fields = Object.create(null) as Record<string, string[]>
  for (let i = 0; i < flat.length; i += 2) {
    const name = canonical(flat[i] as string)
    const value = fromLatin1(flat[i + 1] as string)
    const values = fields[name]
    if (values === undefined) fields[name] = [value]
    else values.push(value)
  }
  return fields
}

/** `x-request-id` as `X-Request-Id`. */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}

/** name, value, …; null when `header` is no map of names to lists of values. */
function flatOf(header: unknown, without: ReadonlySet<string>): string[] | null {
  if (header === undefined || header === null) return []
  if (!isObject(header)) return null
  const flat: string[] = []
  for (const [key, values] of Object.entries(header)) {
    const name = key.toLowerCase()
    if (!isFieldName(name)) return null
    if (values === null) continue
    if (!Array.isArray(values)) return null
    for (const each of values) {
      const value = typeof each === 'string' ? toLatin1(each.trim()) : null
      if (value === null || !isFieldValue(value)) return null
      if (!without.has(name)) flat.push(name, value)
    }
  }
  return flat
}

function base64Of(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('base64')
}

/** Null for no body; undefined when `text` is no base64. */
function bytesOf(text: unknown): Uint8Array | null | undefined {
  if (text === undefined || text === null || text === '') return null
  if (typeof text !== 'string' || !BASE64.test(text)) return undefined
  return Buffer.from(text, 'base64')
}
