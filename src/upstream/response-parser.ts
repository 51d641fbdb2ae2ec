import {
  CONNECTION,
  CONTENT_LENGTH,
  type FieldName,
  hashStep,
  internFieldName,
  KEEP_ALIVE,
  ORDINARY,
  TOKEN_LOWER,
  TRANSFER_ENCODING,
} from './field-names.js'
import { type HeadFacts, KnownLines, MARKS } from './known-lines.js'

/** Bounds of the head of one answer, and again of its trailers. */
export const HEAD_BYTES_MAX = 65_536
export const FIELDS_MAX = 128
const INTERIM_MAX = 32
/** Longest chunk-size line: 16 digits and an extension. */
const CHUNK_LINE_BYTES_MAX = 1024

/** What {@link ResponseParser.next} found. */
export const NEED_MORE = 0
/** `status`, `headers` and `bodyLength` are set. */
export const HEAD = 1
/** `bytes[chunkStart, chunkEnd)` is the next piece of the body; never empty. */
export const DATA = 2
/** The answer is complete. */
export const END = 3
/** `problem` says why. Nothing more is read. */
export const MALFORMED = 4
export type ParserEvent = 0 | 1 | 2 | 3 | 4

const IN_HEAD = 0
const IN_SIZED = 1
const IN_CHUNK_SIZE = 2
const IN_CHUNK_EXTENSION = 3
const AT_CHUNK_SIZE_LF = 4
const IN_CHUNK_DATA = 5
const AT_CHUNK_DATA_CR = 6
const AT_CHUNK_DATA_LF = 7
const AT_TRAILER_START = 8
const IN_TRAILER_NAME = 9
const IN_TRAILER_VALUE = 10
const AT_TRAILER_LF = 11
const AT_LAST_LF = 12
const UNTIL_CLOSE = 13
const AT_END = 14
const BROKEN = 15

const HTAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const COLON = 0x3a
const SEMICOLON = 0x3b

/** 1 for bytes allowed in field values and reason phrases: RFC 9110 §5.5, obs-text included. */
const TEXT = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  TEXT[byte] = byte === HTAB || (byte >= SP && byte !== 0x7f) ? 1 : 0
}
/** Value of a hexadecimal digit, else 16. */
const HEX = new Uint8Array(256).fill(16)
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit
}
const VERSION_PREFIX = Buffer.from('HTTP/1.', 'latin1')
const CHUNKED = Buffer.from('chunked', 'latin1')
const KEEP_ALIVE_WORD = Buffer.from('keep-alive', 'latin1')
const TIMEOUT_EQUALS = Buffer.from('timeout=', 'latin1')

// The lines of the head being read; filled and used within one call.
const lineMarks = new Int32Array(MARKS * FIELDS_MAX)
const lineNames: FieldName[] = []
/** Index of the value in `headers`; -1 for a field that is not passed on. */
const lineFields = new Int32Array(FIELDS_MAX)
/** Those that were not known. */
const pendingLines = new Int32Array(FIELDS_MAX)

const INCOMPLETE = -1
const REFUSED = -2
const EMPTY: Buffer = Buffer.alloc(0)

/**
 * Answers on one connection, one after the other: RFC 9112, without its leniencies. The caller
 * pulls events, so it can stop between any two:
 *
 * 1. `start(isHead)` for each request, `input` for each read, then `next` until NEED_MORE, END or
 *    MALFORMED. Bytes not consumed stay where they are: {@link keepUnread} before the buffer is
 *    used again.
 * 2. After END: reuse only if `canReuse` and `unread` is 0.
 *
 * Text is Latin-1. Interim answers (1xx) are skipped, but for 101, which we never ask for.
 */
export class ResponseParser {
  status = 0
  /**
   * name, value, … of the last head: names in lower case, no hop-by-hop fields. The parser does not
   * change it later, nor may others: a head that comes again is the same array.
   */
  headers: readonly string[] = []
  /** Of the last head: bytes, 0 for none, -1 when only the end will tell. */
  bodyLength = 0
  /** The peer will keep the connection open after this answer, and its end is beyond doubt. */
  canReuse = false
  /** How long the peer says it keeps the connection when idle, in ms; -1 when it does not say. */
  idleHintMs = -1
  chunkStart = 0
  chunkEnd = 0
  problem = ''
  bytes: Buffer = EMPTY
  #pos = 0
  #end = 0
  #state = IN_HEAD
  #isHead = false
  /** The last piece handed out: answers of one back end often lie in the same place. */
  #view: Uint8Array = EMPTY
  #viewed: Buffer = EMPTY
  #viewStart = 0
  #viewEnd = 0
  #interims = 0
  /** Bytes left of the sized body or the chunk. */
  #left = 0
  /** Digits, or bytes of the line or of the trailers, as the state has it. */
  #count = 0
  #trailers = 0
  /** A head that came in pieces; null as long as none was cut. */
  #carry: Buffer | null = null
  #carryLength = 0
  // What the head being read said about itself.
  #minor = 0
  #contentLength = -1
  #isChunked = false
  #saysClose = false
  #saysKeepAlive = false
  /** Fields named by Connection; null as long as there are none. */
  #named: string[] | null = null
  /** `headers` while it is made. */
  #fields: string[] = []
  #lines = 0
  #pending = 0
  readonly #known: KnownLines

  /** `known`: shared by all connections to one server. */
  constructor(known: KnownLines = new KnownLines()) {
    this.#known = known
  }

  /** Expects an answer to a new request. Unread bytes are dropped. */
  start(isHead: boolean): void {
    this.#isHead = isHead
    this.#state = IN_HEAD
    this.#interims = 0
    this.#pos = 0
    this.#end = 0
    this.#carryLength = 0
    this.bodyLength = 0
    this.canReuse = false
  }

  /** Bytes given and not consumed. */
  get unread(): number {
    return this.#end - this.#pos
  }

  /** Bytes of the body known to be still to come; -1 when unknown. */
  get remaining(): number {
    if (this.#state === AT_END) return 0
    return this.#state === IN_SIZED ? this.#left : -1
  }

  /** True once a byte of an answer has been seen since {@link start}. */
  get hasBegun(): boolean {
    return this.#state !== IN_HEAD || this.#interims > 0 || this.#carryLength > 0
  }

  /** True while a head has been read in part. */
  get isMidHead(): boolean {
    return this.#state === IN_HEAD && this.#carryLength > 0
  }

  /** `bytes[0, length)` is what was read. Whatever is unread is put in front, at a copy's cost. */
  input(bytes: Buffer, length: number): void {
    if (this.#pos < this.#end) {
      const unread = this.bytes.subarray(this.#pos, this.#end)
      this.bytes = Buffer.concat([unread, bytes.subarray(0, length)])
      this.#end = this.bytes.length
    } else {
      this.bytes = bytes
      this.#end = length
    }
    this.#pos = 0
  }

  /** Copies what is unread, as the buffer given to {@link input} is about to be used again. */
  keepUnread(): void {
    if (this.#pos === this.#end) return
    this.bytes = Buffer.from(this.bytes.subarray(this.#pos, this.#end))
    this.#pos = 0
    this.#end = this.bytes.length
  }

  /** The piece that DATA announced; a view, not a copy. */
  chunk(): Uint8Array {
    const bytes = this.bytes
    if (
      bytes !== this.#viewed ||
      this.chunkStart !== this.#viewStart ||
      this.chunkEnd !== this.#viewEnd
    ) {
      this.#viewed = bytes
      this.#viewStart = this.chunkStart
      this.#viewEnd = this.chunkEnd
      this.#view = new Uint8Array(
        bytes.buffer,
        bytes.byteOffset + this.chunkStart,
        this.chunkEnd - this.chunkStart,
      )
    }
    return this.#view
  }

  next(): ParserEvent {
    for (;;) {
      switch (this.#state) {
        case IN_HEAD:
          return this.#nextHead()
        case IN_SIZED:
          if (this.#left === 0) {
            this.#state = AT_END
            return END
          }
          return this.#take(this.#left)
        case IN_CHUNK_DATA:
          if (this.#left > 0) return this.#take(this.#left)
          this.#state = AT_CHUNK_DATA_CR
          break
        case UNTIL_CLOSE:
          return this.#take(Number.MAX_SAFE_INTEGER)
        case AT_END:
          return END
        case BROKEN:
          return MALFORMED
        default: {
          if (this.#pos === this.#end) return NEED_MORE
          const problem = this.#frame(this.bytes[this.#pos++] as number)
          if (problem !== '') return this.#refuse(problem)
        }
      }
    }
  }

  /** The peer has closed: END if that is how this answer ends, else MALFORMED (cut short). */
  eof(): ParserEvent {
    if (this.#state === UNTIL_CLOSE || this.#state === AT_END) {
      this.#state = AT_END
      return END
    }
    return this.#state === BROKEN ? MALFORMED : this.#refuse('closed before the end')
  }

  #take(most: number): ParserEvent {
    const available = this.#end - this.#pos
    if (available === 0) return NEED_MORE
    const taken = Math.min(available, most)
    this.chunkStart = this.#pos
    this.#pos += taken
    this.chunkEnd = this.#pos
    this.#left -= taken
    return DATA
  }

  #refuse(problem: string): ParserEvent {
    this.problem = problem
    this.#state = BROKEN
    this.canReuse = false
    return MALFORMED
  }

  /** One byte of chunked framing (RFC 9112 §7.1); a problem, or ''. */
  #frame(byte: number): string {
    switch (this.#state) {
      case IN_CHUNK_SIZE: {
        const digit = HEX[byte] as number
        if (digit < 16) {
          this.#left = this.#left * 16 + digit
          this.#count += 1
          const isTooLong = this.#count > 16 || this.#left > Number.MAX_SAFE_INTEGER
          return isTooLong ? 'chunk size too large' : ''
        }
        if (this.#count === 0) return 'chunk size expected'
        if (byte === CR) this.#state = AT_CHUNK_SIZE_LF
        else if (byte === SEMICOLON) this.#state = IN_CHUNK_EXTENSION
        else return 'bad byte in chunk size'
        return ''
      }
      case IN_CHUNK_EXTENSION:
        this.#count += 1
        if (byte === CR) this.#state = AT_CHUNK_SIZE_LF
        else if (TEXT[byte] === 0) return 'bad byte in chunk extension'
        else if (this.#count > CHUNK_LINE_BYTES_MAX) return 'chunk extension too long'
        return ''
      case AT_CHUNK_SIZE_LF:
        if (byte !== LF) return 'bare CR after chunk size'
        if (this.#left > 0) this.#state = IN_CHUNK_DATA
        else {
          this.#state = AT_TRAILER_START
          this.#trailers = 0
          this.#count = 0
        }
        return ''
      case AT_CHUNK_DATA_CR:
        if (byte !== CR) return 'chunk longer than its size'
        this.#state = AT_CHUNK_DATA_LF
        return ''
      case AT_CHUNK_DATA_LF:
        if (byte !== LF) return 'bare CR after chunk'
        this.#expectChunk()
        return ''
      default:
        return this.#trailer(byte)
    }
  }

  #expectChunk(): void {
    this.#state = IN_CHUNK_SIZE
    this.#left = 0
    this.#count = 0
  }

  /** Trailers are checked as fields are, and dropped. */
  #trailer(byte: number): string {
    this.#count += 1
    if (this.#count > HEAD_BYTES_MAX) return 'trailers too large'
    switch (this.#state) {
      case AT_TRAILER_START:
        if (byte === CR) {
          this.#state = AT_LAST_LF
          return ''
        }
        this.#trailers += 1
        if (this.#trailers > FIELDS_MAX) return 'too many trailers'
        this.#state = IN_TRAILER_NAME
        return TOKEN_LOWER[byte] === 0 ? 'bad trailer' : ''
      case IN_TRAILER_NAME:
        if (byte === COLON) this.#state = IN_TRAILER_VALUE
        else if (TOKEN_LOWER[byte] === 0) return 'bad trailer'
        return ''
      case IN_TRAILER_VALUE:
        if (byte === CR) this.#state = AT_TRAILER_LF
        else if (TEXT[byte] === 0) return 'bad trailer'
        return ''
      case AT_TRAILER_LF:
        if (byte !== LF) return 'bare CR in trailers'
        this.#state = AT_TRAILER_START
        return ''
      default:
        if (byte !== LF) return 'bare CR after the last chunk'
        this.#state = AT_END
        return ''
    }
  }

  #nextHead(): ParserEvent {
    for (;;) {
      if (this.#pos === this.#end) return NEED_MORE
      const begin = this.#pos
      let head = this.bytes
      let at = begin
      let after: number
      if (this.#carryLength === 0) {
        after = this.#scan(head, at, this.#end)
        if (after >= 0) this.#pos = after
      } else {
        const length = this.#carryLength
        head = this.#append()
        at = 0
        // Lines are checked when they are complete, or a peer that sends single bytes makes each
        // of them cost as much as the whole head.
        const lf = head.indexOf(LF, length)
        if (lf === -1 || lf >= this.#carryLength) {
          return this.#isCarryFull() ? this.#refuse('head too large') : NEED_MORE
        }
        after = this.#scan(head, 0, this.#carryLength)
        if (after >= 0) this.#pos = begin + after - length
      }
      if (after === REFUSED) return this.#refuse(this.problem)
      if (after === INCOMPLETE) {
        if (this.#carryLength === 0) this.#append()
        return this.#isCarryFull() ? this.#refuse('head too large') : NEED_MORE
      }
      this.#carryLength = 0
      this.#carry = null
      if (after - at > HEAD_BYTES_MAX) return this.#refuse('head too large')
      if (this.status >= 200) return this.#finishHead(head, at, after)
      if (this.status === 101) return this.#refuse('101 without an upgrade')
      this.#interims += 1
      if (this.#interims > INTERIM_MAX) return this.#refuse('too many interim answers')
    }
  }

  #isCarryFull(): boolean {
    return this.#carryLength > HEAD_BYTES_MAX
  }

  /** Consumes what is unread into the carry, but for what no head may have. */
  #append(): Buffer {
    const wanted = Math.min(this.unread, HEAD_BYTES_MAX + 1 - this.#carryLength)
    const length = this.#carryLength + wanted
    let carry = this.#carry
    if (carry === null || carry.length < length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, 2 * length))
      if (carry !== null) carry.copy(grown, 0, 0, this.#carryLength)
      carry = grown
      this.#carry = carry
    }
    this.bytes.copy(carry, this.#carryLength, this.#pos, this.#pos + wanted)
    this.#carryLength = length
    this.#pos += wanted
    return carry
  }

  /**
   * Checks the head in `b[start, end)` up to where it is cut, and notes its fields. Returns the
   * index after it, INCOMPLETE or REFUSED.
   */
  #scan(b: Buffer, start: number, end: number): number {
    const length = this.#known.headLengthAt(b, start, end)
    if (length > 0) {
      this.#takeKnownHead(this.#known.facts as HeadFacts)
      return start + length
    }
    this.#fields = []
    this.headers = this.#fields
    this.#contentLength = -1
    this.#isChunked = false
    this.#saysClose = false
    this.#saysKeepAlive = false
    this.#named = null
    this.idleHintMs = -1
    this.#pending = 0
    let p = this.#scanStatusLine(b, start, end)
    if (p < 0) return p
    for (let line = 0; ; line++) {
      if (p >= end) return INCOMPLETE
      if (b[p] === CR) {
        if (p + 1 >= end) return INCOMPLETE
        this.#lines = line
        return b[p + 1] === LF ? p + 2 : this.#bad('bare CR')
      }
      if (line === FIELDS_MAX) return this.#bad('too many fields')
      const length = this.#known.lengthAt(line, b, p, end)
      p = length > 0 ? this.#takeKnown(line, b, p, length) : this.#scanLine(line, b, p, end)
      if (p < 0) return p
    }
  }

  #takeKnownHead(facts: HeadFacts): void {
    this.status = facts.status
    this.#minor = facts.minor
    this.#contentLength = facts.contentLength
    this.#isChunked = facts.isChunked
    this.#saysClose = facts.saysClose
    this.#saysKeepAlive = facts.saysKeepAlive
    this.#named = facts.named
    this.idleHintMs = facts.idleHintMs
    this.headers = facts.headers
    this.#pending = 0
  }

  /** Line `line` at `start` is what it was in the answer before. */
  #takeKnown(line: number, b: Buffer, start: number, length: number): number {
    const known = this.#known
    const valueStart = start + known.valueStart(line)
    const valueEnd = start + known.valueEnd(line)
    const value = known.value(line)
    return this.#noteLine(
      line,
      b,
      start,
      valueStart,
      valueEnd,
      start + length,
      known.name(line),
      value,
    )
  }

  /** Checks line `line`, which begins at `start`. Returns what {@link #scan} does. */
  #scanLine(line: number, b: Buffer, start: number, end: number): number {
    let p = start
    let hash = 0
    for (; p < end; p++) {
      const lower = TOKEN_LOWER[b[p] as number] as number
      if (lower === 0) break
      hash = hashStep(hash, lower)
    }
    if (p >= end) return INCOMPLETE
    // Also a line that begins with white space (obs-fold), or white space before the colon.
    if (b[p] !== COLON || p === start) return this.#bad('bad field name')
    const name = internFieldName(b, start, p, hash)
    p += 1
    while (p < end && (b[p] === SP || b[p] === HTAB)) p += 1
    const valueStart = p
    while (p < end && TEXT[b[p] as number] === 1) p += 1
    if (p >= end) return INCOMPLETE
    if (b[p] !== CR) return this.#bad(b[p] === LF ? 'bare LF' : 'bad byte in field value')
    if (p + 1 >= end) return INCOMPLETE
    if (b[p + 1] !== LF) return this.#bad('bare CR')
    let valueEnd = p
    while (valueEnd > valueStart && isBlank(b[valueEnd - 1] as number)) valueEnd -= 1
    pendingLines[this.#pending] = line
    this.#pending += 1
    return this.#noteLine(line, b, start, valueStart, valueEnd, p + 2, name, '')
  }

  /** Enters a line that has been checked; returns `end`, or REFUSED for what it means to us. */
  #noteLine(
    line: number,
    b: Buffer,
    start: number,
    valueStart: number,
    valueEnd: number,
    end: number,
    name: FieldName,
    value: string,
  ): number {
    const mark = MARKS * line
    lineMarks[mark] = start
    lineMarks[mark + 1] = valueStart
    lineMarks[mark + 2] = valueEnd
    lineMarks[mark + 3] = end
    lineNames[line] = name
    lineFields[line] = -1
    if (name.meaning !== ORDINARY) {
      const problem = this.#note(name.meaning, b, valueStart, valueEnd)
      if (problem !== '') return this.#bad(problem)
      if (name.meaning !== CONTENT_LENGTH) return end
    }
    lineFields[line] = this.#fields.push(name.text, value) - 1
    return end
  }

  /** `HTTP/1.1 200 OK`: RFC 9112 §4. The space before an empty reason may be missing. */
  #scanStatusLine(b: Buffer, start: number, end: number): number {
    const length = Math.min(end - start, 12)
    for (let i = 0; i < length; i++) {
      const byte = b[start + i] as number
      if (i < 7 ? byte !== VERSION_PREFIX[i] : !isStatusByte(i, byte)) {
        return this.#bad('bad status line')
      }
    }
    let p = start + 12
    if (p >= end) return INCOMPLETE
    this.#minor = (b[start + 7] as number) - 0x30
    const hundreds = (b[start + 9] as number) - 0x30
    const tens = (b[start + 10] as number) - 0x30
    this.status = hundreds * 100 + tens * 10 + (b[start + 11] as number) - 0x30
    if (b[p] === SP) {
      while (p < end && TEXT[b[p] as number] === 1) p += 1
      if (p >= end) return INCOMPLETE
    }
    if (b[p] !== CR) return this.#bad('bad status line')
    if (p + 1 >= end) return INCOMPLETE
    return b[p + 1] === LF ? p + 2 : this.#bad('bare CR')
  }

  /** Notes a field that means something to us; a problem, or ''. */
  #note(meaning: number, b: Buffer, start: number, end: number): string {
    if (meaning === CONTENT_LENGTH) {
      // Repeated ones are refused even when they agree: RFC 9112 §6.3 allows either.
      if (this.#contentLength >= 0) return 'repeated content-length'
      this.#contentLength = decimal(b, start, end)
      return this.#contentLength < 0 ? 'bad content-length' : ''
    }
    if (meaning === TRANSFER_ENCODING) {
      if (this.#isChunked) return 'repeated transfer-encoding'
      this.#isChunked = true
      return isWord(CHUNKED, b, start, end) ? '' : 'transfer-encoding other than chunked'
    }
    if (meaning === CONNECTION) {
      if (isWord(KEEP_ALIVE_WORD, b, start, end)) this.#saysKeepAlive = true
      else this.#noteConnection(b.toString('latin1', start, end))
    }
    if (meaning === KEEP_ALIVE) this.#noteKeepAlive(b, start, end)
    return ''
  }

  /** `timeout=5, max=100`, in seconds. Only a hint, so whatever else it says is passed over. */
  #noteKeepAlive(b: Buffer, start: number, end: number): void {
    const digits = start + TIMEOUT_EQUALS.length
    if (end <= digits || !isWord(TIMEOUT_EQUALS, b, start, digits)) return
    let last = digits
    while (last < end && isDigit(b[last] as number)) last += 1
    const seconds = decimal(b, digits, last)
    if (seconds >= 0) this.idleHintMs = seconds * 1000
  }

  #noteConnection(value: string): void {
    for (const part of value.toLowerCase().split(',')) {
      const option = part.trim()
      if (option === 'close') this.#saysClose = true
      else if (option === 'keep-alive') this.#saysKeepAlive = true
      else if (option !== '') {
        if (this.#named === null) this.#named = []
        this.#named.push(option)
      }
    }
  }

  #bad(problem: string): number {
    this.problem = problem
    return REFUSED
  }

  /** How long the body is: RFC 9112 §6.3, but refusing what that merely discourages. */
  #finishHead(b: Buffer, start: number, end: number): ParserEvent {
    const status = this.status
    if (this.#isChunked) {
      if (this.#contentLength >= 0) return this.#refuse('content-length with transfer-encoding')
      if (this.#minor === 0) return this.#refuse('transfer-encoding in HTTP/1.0')
    }
    this.#fillValues(b, start, end)
    if (this.#named !== null || status === 204) this.#dropFields(status)
    this.canReuse = this.#minor === 1 ? !this.#saysClose : this.#saysKeepAlive && !this.#saysClose
    this.bodyLength = 0
    if (this.#isHead || status === 204 || status === 304) this.#state = AT_END
    else if (this.#isChunked) {
      this.bodyLength = -1
      this.#expectChunk()
    } else if (this.#contentLength >= 0) {
      this.bodyLength = this.#contentLength
      this.#left = this.#contentLength
      this.#state = IN_SIZED
    } else {
      this.bodyLength = -1
      this.canReuse = false
      this.#state = UNTIL_CLOSE
    }
    return HEAD
  }

  /**
   * The values of lines that were not known. One string for the head, and values cut from it:
   * cheaper than a conversion for each.
   */
  #fillValues(b: Buffer, start: number, end: number): void {
    if (this.#pending === 0) {
      this.#known.hit()
      return
    }
    const headers = this.#fields
    const text = b.toString('latin1', start, end)
    for (let i = 0; i < this.#pending; i++) {
      const line = pendingLines[i] as number
      const field = lineFields[line] as number
      if (field < 0) continue
      const from = (lineMarks[MARKS * line + 1] as number) - start
      headers[field] = text.substring(from, (lineMarks[MARKS * line + 2] as number) - start)
    }
    if (!this.#known.missed(end - start, this.#lines)) return
    const facts = {
      status: this.status,
      minor: this.#minor,
      contentLength: this.#contentLength,
      isChunked: this.#isChunked,
      saysClose: this.#saysClose,
      saysKeepAlive: this.#saysKeepAlive,
      named: this.#named,
      idleHintMs: this.idleHintMs,
      headers,
    }
    this.#known.learn(b, start, end, facts, this.#lines, lineMarks, lineNames, lineFields)
  }

  /** Fields that Connection names, and the length of a 204, which has none (RFC 9110 §8.6). */
  #dropFields(status: number): void {
    const headers = this.headers
    const left: string[] = []
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      if (name === 'content-length') {
        if (status === 204) continue
      } else if (this.#named?.includes(name)) continue
      left.push(name, headers[i + 1] as string)
    }
    this.headers = left
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB
}

/** Index 7 to 11 of a status line: minor version, space, a status of 100 to 599. */
function isStatusByte(index: number, byte: number): boolean {
  if (index === 7) return byte === 0x30 || byte === 0x31
  if (index === 8) return byte === SP
  return byte >= (index === 9 ? 0x31 : 0x30) && byte <= (index === 9 ? 0x35 : 0x39)
}

/** 1 to 16 digits and nothing else, at most 2^53 - 1; else -1. */
function decimal(b: Buffer, start: number, end: number): number {
  if (end === start || end - start > 16) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    if (!isDigit(b[i] as number)) return -1
    value = value * 10 + (b[i] as number) - 0x30
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1
}

/** `word` is in lower case. */
function isWord(word: Buffer, b: Buffer, start: number, end: number): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) {
    const byte = b[start + i] as number
    if (byte !== word[i] && TOKEN_LOWER[byte] !== word[i]) return false
  }
  return true
}
