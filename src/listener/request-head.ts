import { isFieldName, toLatin1 } from '../http/headers.js'
import type { HttpRequest } from '../http/message.js'
import { HEAD_BYTES_MAX } from './head-limit.js'
import type { UwsRequest } from './uws.js'

/** What a request head may turn out to be. */
export const ACCEPTED = 0

const ODD_VALUE = /[^\t\x20-\x7e]/
const ODD_TARGET = /[^\x21-\x7e]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/
const DIGITS = /^\d{1,15}$/
/** `uri-host [":" port]` of RFC 9110 §7.2, with an address in brackets or a name that may be empty. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-fA-F:.]+\])(?::\d*)?$/

/** Filled by {@link copyHead}, for the request at hand; one a worker is enough. */
export const framing = {
  /** Content-Length, -1 when the body is chunked, 0 when there is none. */
  bodyLength: 0,
}

let target: HttpRequest
let hostCount = 0
let lengthCount = 0
/** Means something once `lengthCount` is above 0. */
let length = ''
let coding: string | null = null
let odd = false
let bad = false

/** Longer texts are not kept for the next request. */
const KNOWN_LENGTH_MAX = 256
// Parts of a request before that were found right, so they begin as such. Most requests of a worker repeat most of
// them: those are not checked again, and further on they are the same texts as before.
let knownMethod = 'GET'
let knownHost = ''
let knownPath = '/'

// The fields of a request before that was accepted, name, value, …, and what they said. Those of a
// request are compared with them in their places; as long as each is the same, they are not copied.
let known: readonly string[] = []
let knownBytes = 0
let knownBodyLength = 0

/** How many entries of `known` the request has repeated; below 0 from its first field that differs. */
let repeated = 0
/** Its fields, from then on. */
let flat: string[] = []

/** One closure for life instead of one a request. */
function takeField(name: string, value: string): void {
  const at = repeated
  if (at >= 0) {
    if (at < known.length && name === known[at] && value === known[at + 1]) repeated = at + 2
    else {
      differ()
      takeField(name, value)
    }
    return
  }
  const place = flat.length
  if (place < known.length && name === known[place] && value === known[place + 1]) {
    addField(known[place] as string, known[place + 1] as string)
    return
  }
  if (ODD_VALUE.test(value)) {
    odd = true
    if (CONTROL.test(value)) bad = true
  }
  addField(name, value)
}

/** Fields that were only compared so far are taken one by one. */
function differ(): void {
  const count = repeated
  repeated = -1
  flat = []
  hostCount = 0
  lengthCount = 0
  coding = null
  odd = false
  bad = false
  for (let i = 0; i < count; i += 2) addField(known[i] as string, known[i + 1] as string)
}

function addField(name: string, value: string): void {
  switch (name.length) {
    case 4:
      if (name === 'host') {
        hostCount += 1
        target.host = value
      }
      break
    case 6:
      if (name === 'expect') return // answered by uWS itself before us
      break
    case 14:
      if (name === 'content-length') {
        lengthCount += 1
        length = value
      }
      break
    case 17:
      if (name === 'transfer-encoding') coding = coding === null ? value : `${coding},${value}`
      break
  }
  target.headBytes += name.length + value.length + 4
  flat.push(name, value)
}

/**
 * Copies the head of a request and checks what uWebSockets.js leaves unchecked. Returns ACCEPTED
 * or the status to refuse with (RFC 9112 §3.2, §6.3; RFC 9110 §5.5; RFC 6585 §5). Text is Latin-1
 * afterwards. `isGet`: the method is known to be GET; asking for it would cost a call out of V8.
 */
export function copyHead(req: UwsRequest, request: HttpRequest, isGet = false): number {
  target = request
  repeated = 0
  const method = isGet ? 'GET' : req.getCaseSensitiveMethod()
  const path = req.getUrl()
  request.method = method === knownMethod ? knownMethod : method
  request.rawPath = path === knownPath ? knownPath : path
  request.query = req.getQuery() ?? ''
  request.headBytes = lineBytesOf(request)
  req.forEach(takeField)
  if (repeated === known.length && repeated > 0) return repeatFields(request)
  return newFields(req, request)
}

/** All fields are those of the request before, which was accepted. */
function repeatFields(request: HttpRequest): number {
  framing.bodyLength = 0
  request.headers.share(known)
  request.host = knownHost
  request.headBytes += knownBytes
  if (request.headBytes > HEAD_BYTES_MAX) return 431
  if (!isLineValid(request)) return 400
  framing.bodyLength = knownBodyLength
  return ACCEPTED
}

function newFields(req: UwsRequest, request: HttpRequest): number {
  framing.bodyLength = 0
  const lineBytes = lineBytesOf(request)
  if (repeated >= 0) differ() // fewer than before
  const { headers, headBytes, host } = request
  headers.share(flat)
  if (headBytes > HEAD_BYTES_MAX) return 431
  if (bad || hostCount !== 1) return 400
  if (host !== knownHost && !HOST.test(host)) return 400
  if (!isLineValid(request)) return 400
  if (odd && !rereadOddValues(req)) return 400
  const verdict = frame()
  if (verdict === ACCEPTED && !odd) {
    known = flat
    knownHost = host
    knownBytes = headBytes - lineBytes
    knownBodyLength = framing.bodyLength
  }
  return verdict
}

function lineBytesOf({ method, rawPath, query }: HttpRequest): number {
  return method.length + rawPath.length + query.length + 12
}

function isLineValid({ method, rawPath, query }: HttpRequest): boolean {
  if (rawPath !== knownPath) {
    if (ODD_TARGET.test(rawPath) || rawPath.charCodeAt(0) !== 0x2f) return false
    if (rawPath.length <= KNOWN_LENGTH_MAX) knownPath = rawPath
  }
  if (query !== '' && ODD_TARGET.test(query)) return false
  if (method !== knownMethod) {
    if (!isFieldName(method)) return false
    if (method.length <= KNOWN_LENGTH_MAX) knownMethod = method
  }
  return true
}

function frame(): number {
  if (coding !== null) {
    if (lengthCount > 0 || coding.toLowerCase() !== 'chunked') return 400
    framing.bodyLength = -1
    return ACCEPTED
  }
  if (lengthCount === 0) return ACCEPTED
  if (lengthCount > 1 || !DIGITS.test(length)) return 400
  framing.bodyLength = Number(length)
  return ACCEPTED
}

/**
 * `forEach` decodes UTF-8, so that bytes beyond ASCII may stand for anything once they are cut to
 * bytes again (U+010D is CR). `getHeader` gives Latin-1, but only of the first field of a name.
 */
function rereadOddValues(req: UwsRequest): boolean {
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    if (!ODD_VALUE.test(flat[i + 1] as string)) continue
    if (isRepeated(name)) return false
    const exact = req.getHeader(name)
    // Text beyond Latin-1 can only be a decoded value: then its bytes are known all the same.
    const bytes = /[\u0100-\uffff]/.test(exact) ? toLatin1(exact) : exact
    if (CONTROL.test(bytes) || bytes.includes('\ufffd')) return false
    flat[i + 1] = bytes
    if (name === 'host') return false
  }
  return true
}

function isRepeated(name: string): boolean {
  let count = 0
  for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) count += 1
  return count > 1
}
