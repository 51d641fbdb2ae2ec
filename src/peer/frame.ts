import { crc32 } from 'node:zlib'

/**
 * What two nodes exchange: a header of {@link HEADER_BYTES} bytes and a body.
 *
 * | offset | bytes | |
 * | --- | --- | --- |
 * | 0 | 4 | magic {@link MAGIC} |
 * | 4 | 1 | version of this layout, {@link FRAME_VERSION} |
 * | 5 | 1 | type, one of {@link FRAME} |
 * | 6 | 2 | CRC-16 of bytes 4, 5 and 8..11, see {@link headerCheck} |
 * | 8 | 4 | bytes of the body, big-endian, at most {@link BODY_BYTES_MAX} |
 * | 12 | 4 | CRC-32 of bytes 4..11 and the body |
 *
 * The header has a check of its own, since a damaged length would make a body of everything that
 * follows: bytes keep coming, so the connection looks alive, and no frame ever arrives.
 */
export const HEADER_BYTES = 16
/** The first byte is in no text and starts no TLS record, so that a stranger is told apart by it. */
export const MAGIC = Uint8Array.of(0x8a, 0x45, 0x47, 0x50)
export const FRAME_VERSION = 2
export const BODY_BYTES_MAX = 16 * 1024 * 1024

/** Types of frames. Part of the wire format: append only. */
export const FRAME = {
  HELLO: 1,
  CHALLENGE: 2,
  PROOF: 3,
  WELCOME: 4,
  READY: 5,
  REFUSE: 6,
  PING: 16,
  PONG: 17,
  RAFT: 32,
  CHUNK: 48,
  CHUNK_REPLY: 49,
  REQUEST: 64,
  RESPONSE: 65,
  NOTICE: 66,
} as const

export type FrameType = (typeof FRAME)[keyof typeof FRAME]

/** Why a stream of bytes is not worth reading on. */
export interface FrameFault {
  readonly code:
    | 'http'
    | 'http2'
    | 'tls'
    | 'magic'
    | 'version'
    | 'header'
    | 'type'
    | 'length'
    | 'checksum'
    | 'truncated'
  readonly message: string
}

export interface FrameSink {
  /** Before anything is allocated for the body: null to go on, else what is wrong with it. */
  admit(type: number, bodyBytes: number): string | null
  /** `body` is a copy of its own. */
  onFrame(type: number, body: Uint8Array): void
  /** Once, and the last call. */
  onFault(fault: FrameFault): void
}

/** One frame, ready to be written. */
export function encodeFrame(type: FrameType, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + body.byteLength)
  const view = new DataView(frame.buffer)
  frame.set(MAGIC)
  frame[4] = FRAME_VERSION
  frame[5] = type
  view.setUint32(8, body.byteLength)
  view.setUint16(6, headerCheck(frame))
  frame.set(body, HEADER_BYTES)
  view.setUint32(12, checksum(frame, body))
  return frame
}

function checksum(header: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(header.subarray(4, 12)))
}

/** By the byte that leaves: what remains of it, for the polynomial 0x1021 (CCITT). */
const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let rest = byte << 8
  for (let bit = 0; bit < 8; bit++) rest = (rest & 0x8000) === 0 ? rest << 1 : (rest << 1) ^ 0x1021
  return rest
})

/** CRC-16/CCITT of version, type and length: no damage within 16 neighbouring bits goes unseen. */
function headerCheck(header: Uint8Array): number {
  let rest = 0xffff
  for (const at of HEADER_CHECKED) {
    rest = ((rest << 8) & 0xffff) ^ (CRC16[(rest >> 8) ^ (header[at] as number)] as number)
  }
  return rest
}

const HEADER_CHECKED = [4, 5, 8, 9, 10, 11] as const

/** While less than this is announced it is allocated at once, else as it arrives. */
const FIRST_ALLOCATION_BYTES = 64 * 1024

/**
 * Cuts a stream into frames. Takes any split, never throws, never holds more than twice what has
 * arrived of a body (or {@link FIRST_ALLOCATION_BYTES}), whatever length a header claims.
 */
export class FrameDecoder {
  readonly #sink: FrameSink
  readonly #header = new Uint8Array(HEADER_BYTES)
  readonly #view = new DataView(this.#header.buffer)
  #headerFill = 0
  #body: Uint8Array | null = null
  #bodyBytes = 0
  #bodyFill = 0
  #stopped = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Bytes held for the frame under way. */
  get heldBytes(): number {
    return this.#body?.byteLength ?? 0
  }

  /** Nothing is delivered after this, even if it is called from within `onFrame`. */
  stop(): void {
    this.#stopped = true
    this.#body = null
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.byteLength && !this.#stopped) {
      at = this.#body === null ? this.#takeHeader(chunk, at) : this.#takeBody(chunk, at)
    }
  }

  /** The stream is over: a fault if that cuts a frame. */
  end(): void {
    if (this.#stopped || (this.#headerFill === 0 && this.#body === null)) return
    if (this.#headerFill < MAGIC.byteLength && this.#header[0] !== MAGIC[0]) this.#stranger(true)
    else this.#fault('truncated', 'the connection ended within a frame')
  }

  #takeHeader(chunk: Uint8Array, from: number): number {
    const take = Math.min(HEADER_BYTES - this.#headerFill, chunk.byteLength - from)
    this.#header.set(chunk.subarray(from, from + take), this.#headerFill)
    this.#headerFill += take
    if (!this.#isOurs() || this.#headerFill < HEADER_BYTES) return from + take
    const problem = this.#checkHeader()
    if (problem !== null) {
      this.#fault(problem.code, problem.message)
      return from + take
    }
    this.#bodyBytes = this.#view.getUint32(8)
    this.#bodyFill = 0
    this.#body = new Uint8Array(Math.min(this.#bodyBytes, FIRST_ALLOCATION_BYTES))
    if (this.#bodyBytes === 0) this.#complete(this.#body)
    return from + take
  }

  #isOurs(): boolean {
    const known = Math.min(this.#headerFill, MAGIC.byteLength)
    for (let i = 0; i < known; i++) {
      if (this.#header[i] === MAGIC[i]) continue
      this.#stranger(false)
      return false
    }
    return true
  }

  /** Waits for the four bytes that tell a method of HTTP, unless no method begins like this. */
  #stranger(ended: boolean): void {
    const first = this.#header[0] as number
    const isLetter = first >= 0x41 && first <= 0x5a
    if (isLetter && this.#headerFill < 4 && !ended) return
    const start = String.fromCharCode(...this.#header.subarray(0, Math.min(4, this.#headerFill)))
    if (start === 'PRI ') this.#fault('http2', 'the peer speaks HTTP/2')
    else if (HTTP_STARTS.has(start)) this.#fault('http', 'the peer speaks HTTP')
    else if (first === 0x16) {
      this.#fault('tls', 'the peer speaks TLS to a port in clear text: use https:// on both sides')
    } else this.#fault('magic', 'the peer does not speak the peer protocol')
  }

  #checkHeader(): FrameFault | null {
    const [version, type] = [this.#header[4] as number, this.#header[5] as number]
    if (version !== FRAME_VERSION) {
      const message = `the peer uses frame version ${version}, this node ${FRAME_VERSION}`
      return { code: 'version', message }
    }
    if (this.#view.getUint16(6) !== headerCheck(this.#header)) {
      return { code: 'header', message: 'the header of a frame was damaged on its way' }
    }
    const length = this.#view.getUint32(8)
    if (length > BODY_BYTES_MAX) {
      const message = `a frame announces ${length} bytes, expected at most ${BODY_BYTES_MAX}`
      return { code: 'length', message }
    }
    const problem = this.#sink.admit(type, length)
    return problem === null ? null : { code: 'type', message: problem }
  }

  #takeBody(chunk: Uint8Array, from: number): number {
    const take = Math.min(this.#bodyBytes - this.#bodyFill, chunk.byteLength - from)
    const body = this.#room(this.#bodyFill + take)
    body.set(chunk.subarray(from, from + take), this.#bodyFill)
    this.#bodyFill += take
    if (this.#bodyFill === this.#bodyBytes) this.#complete(body)
    return from + take
  }

  #room(needed: number): Uint8Array {
    const body = this.#body as Uint8Array
    if (needed <= body.byteLength) return body
    // Never more than twice what has arrived, and exactly the announced length in the end.
    const grown = new Uint8Array(Math.min(this.#bodyBytes, Math.max(needed, body.byteLength * 2)))
    grown.set(body.subarray(0, this.#bodyFill))
    this.#body = grown
    return grown
  }

  #complete(body: Uint8Array): void {
    const type = this.#header[5] as number
    if (checksum(this.#header, body) !== this.#view.getUint32(12)) {
      this.#fault('checksum', 'the checksum of a frame is wrong')
      return
    }
    this.#headerFill = 0
    this.#body = null
    this.#sink.onFrame(type, body)
  }

  #fault(code: FrameFault['code'], message: string): void {
    this.stop()
    this.#sink.onFault({ code, message })
  }
}

/** First four bytes of the methods of RFC 9110 §9 and RFC 5789. */
const HTTP_STARTS: ReadonlySet<string> = new Set([
  'GET ',
  'HEAD',
  'POST',
  'PUT ',
  'DELE',
  'OPTI',
  'PATC',
  'CONN',
  'TRAC',
])
