import { type ErrorJson, HTTP_STATUS } from '../lib/errors.js'
import {
  type ChunkHeader,
  type ChunkReply,
  type Message,
  messageProblem,
  type SnapshotMessage,
} from '../raft/raft.js'
import { packAppend, readAppend } from './append-body.js'
import { decodeBody, packBody } from './body.js'
import { BODY_BYTES_MAX, encodeFrame, FRAME, type FrameType } from './frame.js'
import { CHANNEL, type Channel } from './identity.js'

/** What travels once two nodes have met. */
export type Traffic =
  /** `sentMs`: the sender's monotonic clock, to come back; `wallMs`: its wall clock. */
  | { readonly type: 'ping'; readonly sentMs: number; readonly wallMs: number }
  | { readonly type: 'pong'; readonly sentMs: number; readonly wallMs: number }
  | { readonly type: 'raft'; readonly message: Message }
  | { readonly type: 'chunk'; readonly header: ChunkHeader; readonly bytes: Uint8Array }
  | { readonly type: 'chunk-reply'; readonly reply: ChunkReply }
  | Forward

/** What the connection for forwarding and the board carries. */
export type Forward =
  | {
      readonly type: 'request'
      /** Comes back in the response; unique among the requests open on this connection. */
      readonly id: number
      readonly service: string
      /** The asker gives up after this. */
      readonly timeoutMs: number
      readonly body: Uint8Array
    }
  | {
      readonly type: 'response'
      readonly id: number
      readonly body: Uint8Array
      readonly error: ErrorJson | null
    }
  | { readonly type: 'notice'; readonly service: string; readonly body: Uint8Array }

/** Bytes of a snapshot that one chunk carries, at most. */
export const CHUNK_BYTES = 1024 * 1024
/** Bytes of a request, response or notice. */
export const FORWARD_BYTES_MAX = BODY_BYTES_MAX - 4096

interface TypeRule {
  readonly channel: Channel | null
  readonly bytesMax: number
}

const RULES: ReadonlyMap<number, TypeRule> = new Map<FrameType, TypeRule>([
  [FRAME.PING, { channel: null, bytesMax: 64 }],
  [FRAME.PONG, { channel: null, bytesMax: 64 }],
  [FRAME.RAFT, { channel: CHANNEL.RAFT, bytesMax: BODY_BYTES_MAX }],
  [FRAME.CHUNK, { channel: CHANNEL.BULK, bytesMax: CHUNK_BYTES + 64 * 1024 }],
  [FRAME.CHUNK_REPLY, { channel: CHANNEL.BULK, bytesMax: 256 }],
  [FRAME.REQUEST, { channel: CHANNEL.FORWARD, bytesMax: BODY_BYTES_MAX }],
  [FRAME.RESPONSE, { channel: CHANNEL.FORWARD, bytesMax: BODY_BYTES_MAX }],
  [FRAME.NOTICE, { channel: CHANNEL.FORWARD, bytesMax: BODY_BYTES_MAX }],
])

/** What a guest may send at once. */
const GUEST_BYTES_MAX = 64 * 1024

/** Null, or why a frame may not come on an open connection. */
export function trafficProblem(
  type: number,
  bytes: number,
  channel: Channel,
  guest: boolean,
): string | null {
  const rule = RULES.get(type)
  if (rule === undefined || (rule.channel !== null && rule.channel !== channel)) {
    return `a frame of type ${type} does not belong on this connection`
  }
  const bytesMax = guest ? Math.min(rule.bytesMax, GUEST_BYTES_MAX) : rule.bytesMax
  if (bytes <= bytesMax) return null
  return `a frame of type ${type} has ${bytes} bytes, expected at most ${bytesMax}`
}

/** A whole frame; what is too long for one gives null. */
export function encodeTraffic(traffic: Traffic): Uint8Array<ArrayBuffer> | null {
  const append = traffic.type === 'raft' ? packAppend(traffic.message) : null
  if (append !== null) return encodeFrame(FRAME.RAFT, append)
  const [type, value] = packed(traffic)
  const body = packBody(value)
  return body.byteLength > BODY_BYTES_MAX ? null : encodeFrame(type, body)
}

function packed(traffic: Traffic): [FrameType, unknown] {
  switch (traffic.type) {
    case 'ping':
      return [FRAME.PING, [traffic.sentMs, traffic.wallMs]]
    case 'pong':
      return [FRAME.PONG, [traffic.sentMs, traffic.wallMs]]
    case 'raft':
      return [FRAME.RAFT, traffic.message]
    case 'chunk':
      return [FRAME.CHUNK, { header: traffic.header, bytes: traffic.bytes }]
    case 'chunk-reply':
      return [FRAME.CHUNK_REPLY, traffic.reply]
    case 'request':
      return [FRAME.REQUEST, [traffic.id, traffic.service, traffic.timeoutMs, traffic.body]]
    case 'response':
      return [FRAME.RESPONSE, [traffic.id, traffic.body, traffic.error]]
    case 'notice':
      return [FRAME.NOTICE, [traffic.service, traffic.body]]
  }
}

/** The frame's meaning, or a sentence saying what is wrong with it. Never throws. */
export function decodeTraffic(type: number, body: Uint8Array): Traffic | string {
  const append = type === FRAME.RAFT ? readAppend(body) : null
  if (append !== null) return raft(append)
  const decoded = decodeBody(body)
  if (!decoded.ok) return decoded.problem
  const reader = READERS.get(type)
  return reader === undefined ? `unknown type ${type}` : reader(decoded.value)
}

type Reader = (value: unknown) => Traffic | string

const isNumber = (value: unknown): value is number => Number.isFinite(value)
const isWhole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array
const isService = (value: unknown): value is string =>
  typeof value === 'string' && /^[a-z][a-z0-9-]{0,39}$/.test(value)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function beat(type: 'ping' | 'pong'): Reader {
  return (value) => {
    const [sentMs, wallMs] = Array.isArray(value) ? (value as unknown[]) : []
    return isNumber(sentMs) && isNumber(wallMs) ? { type, sentMs, wallMs } : `${type}: malformed`
  }
}

function raft(message: unknown): Traffic | string {
  const problem = messageProblem(message)
  return problem === null ? { type: 'raft', message: message as Message } : problem
}

function chunk(value: unknown): Traffic | string {
  if (!isRecord(value) || !isRecord(value['header'])) return 'chunk: malformed'
  const { bytes } = value
  const { transfer, message, offset, length, totalBytes } = value['header']
  const problem = messageProblem(message)
  if (problem !== null) return `chunk: ${problem}`
  if ((message as Message).type !== 'snapshot') return 'chunk: expected a message of type snapshot'
  const numbers = isWhole(transfer) && isWhole(offset) && isWhole(length) && isWhole(totalBytes)
  if (!numbers || !isBytes(bytes)) return 'chunk: malformed'
  if (length !== bytes.byteLength || length > CHUNK_BYTES || offset + length > totalBytes) {
    return 'chunk: the lengths do not fit'
  }
  const snapshot = message as SnapshotMessage
  return {
    type: 'chunk',
    header: { transfer, message: snapshot, offset, length, totalBytes },
    bytes,
  }
}

function chunkReply(value: unknown): Traffic | string {
  const { transfer, offset, refused } = isRecord(value) ? value : {}
  if (!isWhole(transfer) || !isWhole(offset) || typeof refused !== 'boolean') {
    return 'chunk reply: malformed'
  }
  return { type: 'chunk-reply', reply: { transfer, offset, refused } }
}

function request(value: unknown): Traffic | string {
  const [id, service, timeoutMs, body] = Array.isArray(value) ? (value as unknown[]) : []
  if (!isWhole(id) || !isService(service) || !isWhole(timeoutMs) || !isBytes(body)) {
    return 'request: malformed'
  }
  return { type: 'request', id, service, timeoutMs, body }
}

function response(value: unknown): Traffic | string {
  const [id, body, given] = Array.isArray(value) ? (value as unknown[]) : []
  const error = given === null ? null : errorOf(given)
  if (!isWhole(id) || !isBytes(body) || error === undefined) return 'response: malformed'
  return { type: 'response', id, body, error }
}

/** A code that only a newer version knows becomes INTERNAL. */
function errorOf(value: unknown): ErrorJson | undefined {
  if (!isRecord(value) || !isRecord(value['detail'])) return undefined
  const { code, message, detail } = value
  if (typeof code !== 'string' || typeof message !== 'string') return undefined
  const plain = Object.values(detail).every((each) =>
    ['string', 'number', 'boolean'].includes(typeof each),
  )
  if (!plain) return undefined
  const known = Object.hasOwn(HTTP_STATUS, code) ? (code as ErrorJson['code']) : 'INTERNAL'
  return { code: known, message, detail: detail as ErrorJson['detail'] }
}

function notice(value: unknown): Traffic | string {
  const [service, body] = Array.isArray(value) ? (value as unknown[]) : []
  if (!isService(service) || !isBytes(body)) return 'notice: malformed'
  return { type: 'notice', service, body }
}

const READERS: ReadonlyMap<number, Reader> = new Map<FrameType, Reader>([
  [FRAME.PING, beat('ping')],
  [FRAME.PONG, beat('pong')],
  [FRAME.RAFT, raft],
  [FRAME.CHUNK, chunk],
  [FRAME.CHUNK_REPLY, chunkReply],
  [FRAME.REQUEST, request],
  [FRAME.RESPONSE, response],
  [FRAME.NOTICE, notice],
])
