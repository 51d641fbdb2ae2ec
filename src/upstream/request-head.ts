import type { UpstreamRequest } from './contract.js'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Printable ASCII: what may stand between the two spaces of a request line. */
const TARGET = /^[\x21-\x7e]+$/
/** What no value may contain: units that are a control character, or no byte at all. */
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const NOT_IN_NAME = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/

/** Its answer makes the connection a tunnel (RFC 9110 §9.3.6), which nobody here could use. */
const TUNNEL = 'CONNECT'

/** Methods that may be sent twice: RFC 9110 §9.2.2. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'TRACE':
    case 'PUT':
    case 'DELETE':
      return true
    default:
      return false
  }
}

/** Without a body these say so, RFC 9110 §8.6: a server may wait for one otherwise. */
function expectsBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH'
}

/** The head made last, and of what: requests of one kind come in runs. */
let lastHead: string | null = null
let lastMethod = ''
let lastTarget = ''
let lastHost = ''
let lastLength = 0
let lastFields: readonly string[] = []

function hasLastFields(headers: readonly string[]): boolean {
  if (headers === lastFields) return true
  if (headers.length !== lastFields.length) return false
  for (let i = 0; i < headers.length; i++) if (headers[i] !== lastFields[i]) return false
  return true
}

/**
 * The head of `request` as it goes on the wire, in Latin-1, or null when a part of it cannot go on
 * any wire. Nobody before us has to be trusted for that: each part is checked, so nothing in it
 * can end a line. Connection is left out: HTTP/1.1 keeps connections open.
 */
export function buildRequestHead(request: UpstreamRequest, hostField: string): string | null {
  const { method, target, headers, bodyLength, body } = request
  if (body !== null && body.byteLength !== bodyLength) return null
  const host = request.host === '' ? hostField : request.host
  if (
    target === lastTarget &&
    method === lastMethod &&
    host === lastHost &&
    bodyLength === lastLength &&
    hasLastFields(headers)
  ) {
    return lastHead
  }
  lastHead = makeHead(request, host)
  lastMethod = method
  lastTarget = target
  lastHost = host
  lastLength = bodyLength
  lastFields = headers
  return lastHead
}

function makeHead(request: UpstreamRequest, host: string): string | null {
  const { method, target, headers, bodyLength } = request
  if (!TARGET.test(target) || NOT_IN_VALUE.test(host)) return null
  if (method !== 'GET' && (method === TUNNEL || !TOKEN.test(method))) return null
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n`
  const named = namedByConnection(headers)
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (isOurs(name) || named?.includes(name)) continue
    const value = headers[i + 1] as string
    if (name === '' || NOT_IN_NAME.test(name) || NOT_IN_VALUE.test(value)) return null
    head = `${head}${name}: ${value}\r\n`
  }
  if (bodyLength > 0) return `${head}content-length: ${bodyLength}\r\n\r\n`
  if (bodyLength < 0) return `${head}transfer-encoding: chunked\r\n\r\n`
  return expectsBody(method) ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`
}

/** Written by us, or of this hop only: RFC 9110 §7.6.1; Expect because listeners answer it. */
function isOurs(name: string): boolean {
  switch (name.length) {
    case 2:
      return name === 'te'
    case 4:
      return name === 'host'
    case 6:
      return name === 'expect'
    case 7:
      return name === 'trailer' || name === 'upgrade'
    case 10:
      return name === 'connection' || name === 'keep-alive'
    case 14:
      return name === 'content-length'
    case 16:
      return name === 'proxy-connection'
    case 17:
      return name === 'transfer-encoding'
    default:
      return false
  }
}

/** Fields the client declared to be of its hop only; null in the usual case of none. */
function namedByConnection(headers: readonly string[]): string[] | null {
  let named: string[] | null = null
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length !== 10 || name !== 'connection') continue
    const value = headers[i + 1] as string
    if (value === 'keep-alive' || value === 'close') continue
    for (const part of value.toLowerCase().split(',')) {
      const option = part.trim()
      if (isProtected(option)) continue
      if (named === null) named = []
      named.push(option)
    }
  }
  return named
}

/**
 * What a gateway says about its client is not the client's to take away: `Connection:
 * x-forwarded-for` would hide where a request came from.
 */
function isProtected(option: string): boolean {
  return option.startsWith('x-forwarded-') || option === 'x-real-ip' || option === 'forwarded'
}
