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
let length = ''
let coding: string | null = null
let odd = false
let bad = false

/** Longer texts, and fields further behind, are not kept for the next request. */
const KNOWN_LENGTH_MAX = 256
const KNOWN_FIELDS_MAX = 32
// Parts of a request before that were found right, so they begin as such. Most requests of a worker repeat most of
// them: those are not checked again, and further on they are the same texts as before.
let knownMethod = 'GET'
let knownHost = ''
let knownPath = '/'
/** name, value, … in their places. */
const knownFields = new Array<string>(2 * KNOWN_FIELDS_MAX).fill('')

/** One closure for life instead of one a request. */
function takeField(name: string, value: string): void {
  const { flat } = target.headers
  const at = flat.length
  if (at < knownFields.length && name === knownFields[at] && value === knownFields[at + 1]) {
    addField(knownFields[at] as string, knownFields[at + 1] as string)
    return
  }
  if (ODD_VALUE.test(value)) {
    odd = true
    if (CONTROL.test(value)) bad = true
  } else if (at < knownFields.length && value.length <= KNOWN_LENGTH_MAX) {
    knownFields[at] = name
    knownFields[at + 1] = value
  }
  addField(name, value)
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
  target.headers.flat.push(name, value)
}

/**
 * Copies the head of a request and checks what uWebSockets.js leaves unchecked. Returns ACCEPTED
 * or the status to refuse with (RFC 9112 §3.2, §6.3; RFC 9110 §5.5; RFC 6585 §5). Text is Latin-1
 * afterwards. `isGet`: the method is known to be GET; asking for it would cost a call out of V8.
 */
export function copyHead(req: UwsRequest, request: HttpRequest, isGet = false): number {
  target = request
  hostCount = 0
  lengthCount = 0
  length = ''
  coding = null
  odd = false
  bad = false
  const method = isGet ? 'GET' : req.getCaseSensitiveMethod()
  const path = req.getUrl()
  request.method = method === knownMethod ? knownMethod : method
  request.rawPath = path === knownPath ? knownPath : path
  request.query = req.getQuery() ?? ''
  request.headBytes = method.length + path.length + request.query.length + 12
  req.forEach(takeField)
  framing.bodyLength = 0
  if (request.headBytes > HEAD_BYTES_MAX) return 431
  if (bad || hostCount !== 1) return 400
  if (request.host !== knownHost) {
    if (!HOST.test(request.host)) return 400
    knownHost = request.host
  }
  if (request.rawPath !== knownPath) {
    if (ODD_TARGET.test(path) || path.charCodeAt(0) !== 0x2f) return 400
    if (path.length <= KNOWN_LENGTH_MAX) knownPath = path
  }
  if (request.query !== '' && ODD_TARGET.test(request.query)) return 400
  if (request.method !== knownMethod) {
    if (!isFieldName(method)) return 400
    if (method.length <= KNOWN_LENGTH_MAX) knownMethod = method
  }
  if (odd && !rereadOddValues(req, request)) return 400
  return frame()
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
function rereadOddValues(req: UwsRequest, request: HttpRequest): boolean {
  const flat = request.headers.flat
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    if (!ODD_VALUE.test(flat[i + 1] as string)) continue
    if (request.headers.values(name).length > 1) return false
    const exact = req.getHeader(name)
    // Text beyond Latin-1 can only be a decoded value: then its bytes are known all the same.
    const bytes = /[\u0100-\uffff]/.test(exact) ? toLatin1(exact) : exact
    if (CONTROL.test(bytes) || bytes.includes('\ufffd')) return false
    flat[i + 1] = bytes
    if (name === 'host') return false
  }
  return true
}
