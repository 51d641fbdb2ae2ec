import type { Exchange } from '../../http/exchange.js'
import type { Headers } from '../../http/headers.js'
import type { HttpResponse } from '../../http/message.js'
import {
  CodedBody,
  type Coding,
  compressNow,
  forbidsTransform,
  haveOtherBytes,
  SmallCompressedBody,
  SYNC_BYTES_MAX,
} from '../coded-body.js'
import { WholeBody } from '../whole-body.js'
import { CodingChoice } from './accept-encoding.js'

/** Bodies that one Proxy of a worker compresses as they stream, about 300 KB each; more go as is. */
const STREAMS_MAX = 256

/** Of a part of the body, of none, or of another protocol to come. */
const UNTOUCHED: ReadonlySet<number> = new Set([204, 205, 206, 304])

/** Compresses answers for clients that like it (RFC 9110 §8.4.1, §12.5.3). */
export class Compression {
  readonly #minLength: number
  readonly #streamsMax: number
  readonly #choice = new CodingChoice()
  #streams = 0
  readonly #released = (): void => {
    this.#streams -= 1
  }

  constructor(minLength: number, streamsMax = STREAMS_MAX) {
    this.#minLength = minLength
    this.#streamsMax = streamsMax
  }

  /** Bodies that are compressed as they stream, at this time. */
  get streams(): number {
    return this.#streams
  }

  /** Replaces the body of the answer, and what its fields say of it, when all speaks for it. */
  apply(ex: Exchange): void {
    const { request, response } = ex
    if (!this.#isFit(response) || forbidsTransform(request.headers)) return
    addVary(response.headers)
    const coding = this.#choice.of(request.headers)
    if (coding === null) return
    const { body } = response
    if (body !== null && body.byteLength <= SYNC_BYTES_MAX) {
      response.body = compressNow(coding, body)
    } else if (!this.#streamed(ex, coding)) return
    describe(response.headers, coding)
  }

  /** False when there is no room for one more stream. */
  #streamed(ex: Exchange, coding: Coding): boolean {
    const { response } = ex
    const source = response.body === null ? response.source : new WholeBody(response.body)
    if (source === null) return false
    const isSmall = source.length >= 0 && source.length <= SYNC_BYTES_MAX
    if (!isSmall && this.#streams >= this.#streamsMax) return false
    response.takeSource()
    if (isSmall) response.source = new SmallCompressedBody(source, coding)
    else {
      this.#streams += 1
      response.source = CodedBody.compressed(source, coding, ex, this.#released)
    }
    return true
  }

  #isFit(response: HttpResponse): boolean {
    const { body, source, headers, status } = response
    if (UNTOUCHED.has(status)) return false
    const length = body !== null ? body.byteLength : source === null ? 0 : source.length
    if (length === 0 || (length > 0 && length < this.#minLength)) return false
    return !headers.has('content-encoding') && !forbidsTransform(headers)
  }
}

function describe(headers: Headers, coding: Coding): void {
  headers.set('content-encoding', coding)
  haveOtherBytes(headers)
}

function addVary(headers: Headers): void {
  for (const value of headers.values('vary')) {
    for (const name of value.split(',')) {
      const trimmed = name.trim()
      if (trimmed === '*' || trimmed.toLowerCase() === 'accept-encoding') return
    }
  }
  headers.add('vary', 'Accept-Encoding')
}
