import type {
  UpstreamCall,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
} from './contract.js'
import { isIdempotent } from './request-head.js'

/** Body bytes kept before a connection is up, and for a second try. */
const KEEP_BYTES_MAX = 65_536
/** A body that fits leaves as part of one string with the head, else as one buffer. */
const TEXT_BYTES_MAX = 2_048
/** With this much at hand a held head is not held any longer. */
const HOLD_BYTES_MAX = 16_384

/** The connection as a call that runs on it sees it. */
export interface Transport {
  /** It has served a request before, so it may be found closed. */
  readonly isReused: boolean
  /** Both return false when the caller should wait for `drained`. `bytes` now belong to it. */
  writeText(text: string): boolean
  writeBytes(bytes: Uint8Array): boolean
  /** Memory for at least `bytes`, to be filled and given to {@link writeScratch} at once. */
  takeScratch(bytes: number): Buffer
  /** Writes the first `bytes` of it. The kernel mostly takes them at once; then it is used again. */
  writeScratch(scratch: Buffer, bytes: number): boolean
  /** Calls {@link Call.flushHeld} after the running callbacks. */
  hold(call: Call): void
  /** The request has been written to its end. */
  requestSent(): void
  resume(call: Call): void
  /** Close; the call will not be told. */
  abort(): void
  /** As abort, but the connection may be kept when the rest is short. */
  discard(): void
  /** Close, and tell the call. */
  fail(kind: UpstreamErrorKind, message: string): void
}

/** Who has a call that is on no connection yet. */
export interface WaitingRoom {
  withdraw(call: Call): void
}

/**
 * One request and where its sending stands. Made once for each request; outlives the connection
 * it is tried on first when there is a second try.
 */
export class Call implements UpstreamCall {
  readonly handler: UpstreamHandler
  /** HEAD: the answer has no body. */
  readonly isHead: boolean
  isDone = false
  isPaused = false
  /** All of the request is with the socket. */
  isSent = false
  isAnswered = false
  /** Where it waits; null while it runs on a connection. */
  waitingAt: WaitingRoom | null = null
  /** The pool's queue. */
  next: Call | null = null
  previous: Call | null = null
  queuedMs = 0
  readonly #head: string
  readonly #bodyLength: number
  readonly #isIdempotent: boolean
  #body: Uint8Array | null
  #link: Transport | null = null
  #isHeadWritten = false
  #isBodyEnded: boolean
  #isRetried = false
  #wantsDrain = false
  /** Body bytes taken from the caller. */
  #taken = 0
  /** Copies of all that was taken, or null when some of it is not at hand any more. */
  #kept: Uint8Array[] | null = null
  #keptBytes = 0

  constructor(request: UpstreamRequest, head: string, handler: UpstreamHandler) {
    this.handler = handler
    this.isHead = request.method === 'HEAD'
    this.#head = head
    this.#bodyLength = request.bodyLength
    this.#isIdempotent = isIdempotent(request.method)
    this.#body = request.bodyLength === 0 ? null : request.body
    this.#isBodyEnded = request.bodyLength === 0 || request.body !== null
    if (!this.#isBodyEnded) this.#kept = []
  }

  /** Sends what is at hand on `link`. Called by the connection, once a try. */
  attach(link: Transport): void {
    this.waitingAt = null
    this.#link = link
    if (this.#bodyLength === 0) {
      link.writeText(this.#head)
      this.#sent(link)
    } else if (this.#body !== null) {
      this.#writeWhole(link, this.#body)
      this.#sent(link)
    } else if (this.#isBodyEnded || this.#keptBytes > 0) {
      const hasRoom = this.#flush(link)
      if (this.#wantsDrain && hasRoom) this.drained()
    } else link.hold(this)
  }

  /** The running callbacks are over, and no body came with the head: it goes alone. */
  flushHeld(): void {
    const link = this.#link
    if (link === null || this.#isHeadWritten) return
    if (!this.#flush(link)) this.#wantsDrain = true
  }

  /** The socket has room again. */
  drained(): void {
    if (!this.#wantsDrain || this.isDone) return
    this.#wantsDrain = false
    this.handler.onDrain()
  }

  /** The answer's head is there: no second try. */
  answered(): void {
    this.isAnswered = true
    if (this.#isHeadWritten) this.#kept = null
  }

  /**
   * True when the request may be sent once more on another connection, which is then what the
   * caller does next.
   */
  prepareRetry(): boolean {
    const isAtHand = this.#bodyLength === 0 || this.#body !== null || this.#kept !== null
    if (this.#isRetried || !this.#isIdempotent || !isAtHand) return false
    this.#isRetried = true
    this.#link = null
    this.#isHeadWritten = false
    this.isSent = false
    return true
  }

  /** The end, by whichever way: everything that is held is let go. */
  finish(): void {
    this.isDone = true
    this.waitingAt = null
    this.#link = null
    this.#kept = null
    this.#body = null
  }

  /** Ends the call with an error. */
  fail(kind: UpstreamErrorKind, message: string): void {
    if (this.isDone) return
    this.finish()
    this.handler.onError(kind, message)
  }

  writeBody(chunk: Uint8Array): boolean {
    const bytes = chunk.byteLength
    if (this.isDone || this.#isBodyEnded || bytes === 0) return true
    this.#taken += bytes
    if (this.#bodyLength > 0) {
      if (this.#taken > this.#bodyLength) return this.#break('request body longer than announced')
      this.#isBodyEnded = this.#taken === this.#bodyLength
    }
    const link = this.#link
    if (link !== null) {
      if (this.#isHeadWritten) return this.#stream(link, chunk)
      if (this.#isWholeForOnce(chunk)) return this.#writeForOnce(link, chunk)
    }
    this.#keep(Buffer.from(chunk))
    let hasRoom = true
    if (link === null) hasRoom = this.#keptBytes < KEEP_BYTES_MAX
    else if (this.#isBodyEnded || this.#keptBytes >= HOLD_BYTES_MAX) hasRoom = this.#flush(link)
    if (!hasRoom) this.#wantsDrain = true
    return hasRoom
  }

  endBody(): void {
    if (this.isDone || this.#isBodyEnded) return
    if (this.#bodyLength > 0) {
      this.#break('request body shorter than announced')
      return
    }
    this.#isBodyEnded = true
    const link = this.#link
    if (link === null) return
    if (!this.#isHeadWritten) this.#flush(link)
    else {
      link.writeText('0\r\n\r\n')
      this.#sent(link)
    }
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    if (this.#link !== null) this.#link.resume(this)
  }

  cancel(): void {
    if (this.isDone) return
    const link = this.#link
    const room = this.waitingAt
    this.finish()
    if (link !== null) link.abort()
    else if (room !== null) room.withdraw(this)
  }

  discard(): void {
    const link = this.#link
    if (this.isDone || link === null) {
      this.cancel()
      return
    }
    this.finish()
    link.discard()
  }

  #sent(link: Transport): void {
    this.isSent = true
    link.requestSent()
  }

  #break(message: string): true {
    const link = this.#link
    const room = this.waitingAt
    if (link !== null) link.fail('aborted', message)
    else {
      this.fail('aborted', message)
      if (room !== null) room.withdraw(this)
    }
    return true
  }

  #keep(copy: Uint8Array): void {
    this.#kept?.push(copy)
    this.#keptBytes += copy.byteLength
  }

  /** All of the body has come at once with the head, and there will be no second try. */
  #isWholeForOnce(chunk: Uint8Array): boolean {
    return this.#isBodyEnded && chunk.byteLength === this.#bodyLength && !this.#isIdempotent
  }

  #writeForOnce(link: Transport, body: Uint8Array): boolean {
    this.#kept = null
    this.#isHeadWritten = true
    const hasRoom = this.#writeWhole(link, body)
    if (!hasRoom) this.#wantsDrain = true
    this.#sent(link)
    return hasRoom
  }

  #writeWhole(link: Transport, body: Uint8Array): boolean {
    if (body.byteLength <= TEXT_BYTES_MAX) return link.writeText(this.#head + latin1(body))
    const message = Buffer.allocUnsafe(this.#head.length + body.byteLength)
    message.write(this.#head, 'latin1')
    message.set(body, this.#head.length)
    return link.writeBytes(message)
  }

  /** Head and all that is kept, in one write. */
  #flush(link: Transport): boolean {
    const kept = this.#kept as Uint8Array[]
    const isChunked = this.#bodyLength < 0
    let hasRoom: boolean
    if (this.#keptBytes <= TEXT_BYTES_MAX) {
      let text = this.#head
      for (const piece of kept) {
        if (isChunked) text += `${piece.byteLength.toString(16)}\r\n${latin1(piece)}\r\n`
        else text += latin1(piece)
      }
      if (isChunked && this.#isBodyEnded) text += '0\r\n\r\n'
      hasRoom = link.writeText(text)
    } else {
      const parts: Uint8Array[] = [Buffer.from(this.#head, 'latin1')]
      for (const piece of kept) parts.push(isChunked ? chunkOf(piece) : piece)
      if (isChunked && this.#isBodyEnded) parts.push(Buffer.from('0\r\n\r\n', 'latin1'))
      hasRoom = link.writeBytes(Buffer.concat(parts))
    }
    this.#isHeadWritten = true
    if (!this.#mayRetry(link)) this.#kept = null
    if (this.#isBodyEnded) this.#sent(link)
    return hasRoom
  }

  /** A later piece of the body. It is copied: the kernel may take it after this has returned. */
  #stream(link: Transport, chunk: Uint8Array): boolean {
    if (this.#kept !== null) {
      if (this.#keptBytes + chunk.byteLength <= KEEP_BYTES_MAX) this.#keep(Buffer.from(chunk))
      else this.#kept = null
    }
    const scratch = link.takeScratch(chunk.byteLength + CHUNK_FRAME_BYTES)
    let bytes = chunk.byteLength
    if (this.#bodyLength < 0) bytes = frameChunk(chunk, scratch)
    else scratch.set(chunk)
    const hasRoom = link.writeScratch(scratch, bytes)
    if (!hasRoom) this.#wantsDrain = true
    if (this.#isBodyEnded) this.#sent(link)
    return hasRoom
  }

  #mayRetry(link: Transport): boolean {
    return (
      link.isReused &&
      this.#isIdempotent &&
      !this.#isRetried &&
      !this.isAnswered &&
      this.#keptBytes <= KEEP_BYTES_MAX
    )
  }
}

/** Bytes as text of units up to 0xFF. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** At most this much is put around a chunk. */
const CHUNK_FRAME_BYTES = 20

/** Writes `piece` as a chunk (RFC 9112 §7.1) to the front of `target`; returns its length. */
function frameChunk(piece: Uint8Array, target: Buffer): number {
  const sizeBytes = target.write(`${piece.byteLength.toString(16)}\r\n`, 'latin1')
  target.set(piece, sizeBytes)
  return sizeBytes + piece.byteLength + target.write('\r\n', sizeBytes + piece.byteLength, 'latin1')
}

function chunkOf(piece: Uint8Array): Buffer {
  const target = Buffer.allocUnsafe(piece.byteLength + CHUNK_FRAME_BYTES)
  return target.subarray(0, frameChunk(piece, target))
}
