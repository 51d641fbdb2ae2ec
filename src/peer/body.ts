import { Packr } from 'msgpackr'

/** What a body may be made of. */
export interface BodyBounds {
  /** Lists and maps within each other; the outermost is 1. */
  readonly depthMax: number
  /** Values of all kinds, the keys of maps included. */
  readonly itemsMax: number
}

export const BODY_BOUNDS: BodyBounds = { depthMax: 12, itemsMax: 512 * 1024 }
/** Before a peer is authenticated. */
export const HANDSHAKE_BOUNDS: BodyBounds = { depthMax: 2, itemsMax: 64 }

const KEY_BYTES_MAX = 64

export type Decoded =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string }

/** Without records: these would need all earlier frames of the same connection. */
const packr = new Packr({
  useRecords: false,
  moreTypes: false,
  encodeUndefinedAsNil: true,
  variableMapSize: true,
})

/** Plain data as msgpack bytes of their own. Undefined becomes null; bigints and dates do not pass. */
export function encodeBody(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(packBody(value))
}

/** The same in memory that the next call writes over, for who copies it at once. */
export function packBody(value: unknown): Uint8Array {
  return packr.pack(value)
}

/**
 * Never throws. Byte fields of the value are views of `bytes`. The bytes are walked before msgpackr
 * sees them: it knows no bounds, takes 0xc1 for a value, and runs extensions that any module of the
 * process may have registered.
 */
export function decodeBody(bytes: Uint8Array, bounds: BodyBounds = BODY_BOUNDS): Decoded {
  const problem = bodyProblem(bytes, bounds)
  if (problem !== null) return { ok: false, problem }
  try {
    return { ok: true, value: packr.unpack(bytes) }
  } catch (thrown) {
    return { ok: false, problem: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}

const NEEDS_MORE = 'the body ends within a value'

/**
 * Says what is wrong with the bytes of a body, or null: one msgpack value, no extension, no 64-bit
 * integer (the encoder writes large numbers as floats), maps with short strings as keys.
 */
export function bodyProblem(bytes: Uint8Array, bounds: BodyBounds): string | null {
  const { depthMax, itemsMax } = bounds
  const end = bytes.byteLength
  // Values still to come at each depth; for a map, an even number means that a key is next.
  const left: number[] = [1]
  const isMap: boolean[] = [false]
  let at = 0
  let items = 0
  for (;;) {
    while (left.length > 0 && left[left.length - 1] === 0) {
      left.pop()
      isMap.pop()
    }
    if (left.length === 0) return at === end ? null : `${end - at} bytes follow the body`
    if (at >= end) return NEEDS_MORE
    if (++items > itemsMax) return `expected at most ${itemsMax} values`
    const top = left.length - 1
    const isKey = isMap[top] === true && (left[top] as number) % 2 === 0
    left[top] = (left[top] as number) - 1
    const token = bytes[at++] as number
    const lengthBytes = LENGTH_BYTES[token] as number
    const kind = KINDS[token] as number
    if (kind === REFUSED) return `byte 0x${token.toString(16)} is not allowed in a body`
    if (isKey && kind !== TEXT) return 'expected a string as key'
    if (at + lengthBytes > end) return NEEDS_MORE
    let count = FIXED[token] as number
    for (let i = 0; i < lengthBytes; i++) count = count * 256 + (bytes[at++] as number)
    if (kind === LIST || kind === MAP) {
      const values = kind === MAP ? count * 2 : count
      if (values > end - at) return NEEDS_MORE
      if (left.length > depthMax) return `expected at most ${depthMax} levels`
      left.push(values)
      isMap.push(kind === MAP)
      continue
    }
    if (isKey && count > KEY_BYTES_MAX) return `expected a key of at most ${KEY_BYTES_MAX} bytes`
    if (count > end - at) return NEEDS_MORE
    at += count
  }
}

const REFUSED = 0
/** Followed by as many bytes as the count says. */
const PLAIN = 1
const TEXT = 2
const LIST = 3
const MAP = 4

/** What each first byte means (msgpack specification, "Formats"). */
const KINDS = new Uint8Array(256)
/** Bytes of the length that follows the first byte. */
const LENGTH_BYTES = new Uint8Array(256)
/** Length within the first byte, or of a value whose length is fixed. */
const FIXED = new Uint8Array(256)

function define(from: number, to: number, kind: number, fixed: number, lengthBytes = 0): void {
  for (let token = from; token <= to; token++) {
    KINDS[token] = kind
    LENGTH_BYTES[token] = lengthBytes
    FIXED[token] = kind === PLAIN || lengthBytes > 0 ? fixed : token - from
  }
}

define(0x00, 0x7f, PLAIN, 0)
define(0x80, 0x8f, MAP, 0)
define(0x90, 0x9f, LIST, 0)
define(0xa0, 0xbf, TEXT, 0)
define(0xc0, 0xc0, PLAIN, 0)
define(0xc2, 0xc3, PLAIN, 0)
define(0xc4, 0xc4, PLAIN, 0, 1)
define(0xc5, 0xc5, PLAIN, 0, 2)
define(0xc6, 0xc6, PLAIN, 0, 4)
define(0xca, 0xca, PLAIN, 4)
define(0xcb, 0xcb, PLAIN, 8)
define(0xcc, 0xcc, PLAIN, 1)
define(0xcd, 0xcd, PLAIN, 2)
define(0xce, 0xce, PLAIN, 4)
define(0xd0, 0xd0, PLAIN, 1)
define(0xd1, 0xd1, PLAIN, 2)
define(0xd2, 0xd2, PLAIN, 4)
define(0xd9, 0xd9, TEXT, 0, 1)
define(0xda, 0xda, TEXT, 0, 2)
define(0xdb, 0xdb, TEXT, 0, 4)
define(0xdc, 0xdc, LIST, 0, 2)
define(0xdd, 0xdd, LIST, 0, 4)
define(0xde, 0xde, MAP, 0, 2)
define(0xdf, 0xdf, MAP, 0, 4)
define(0xe0, 0xff, PLAIN, 0)
