import {
  type BrotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGunzip,
  createGzip,
  type Gunzip,
  type Gzip,
  gzipSync,
} from 'node:zlib'
import { type BodySink, type BodySource, type Collector, collect } from '../http/body.js'
import type { Exchange } from '../http/exchange.js'
import type { Headers } from '../http/headers.js'

export type Coding = 'br' | 'gzip'

/** Up to so many bytes are compressed at once on this thread: a hop to another costs more. */
export const SYNC_BYTES_MAX = 16 * 1024

/**
 * Quality 4 takes about the time of gzip and gives less; the window of 256 KiB bounds what one
 * stream holds to about what gzip does, where the default of 4 MiB would not.
 */
const BROTLI = {
  params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 18 },
}

/** Compresses what is at hand; for at most {@link SYNC_BYTES_MAX} bytes. */
export function compressNow(coding: Coding, bytes: Uint8Array): Uint8Array {
  return coding === 'br' ? brotliCompressSync(bytes, BROTLI) : gzipSync(bytes)
}

/** A body of known small length, compressed when it is whole. */
export class SmallCompressedBody implements BodySource, Collector {
  /** Not known before it is done. */
  readonly length = -1
  readonly #source: BodySource
  readonly #coding: Coding
  #sink: BodySink | null = null

  constructor(source: BodySource, coding: Coding) {
    this.#source = source
    this.#coding = coding
  }

  open(sink: BodySink): void {
    this.#sink = sink
    collect(this.#source, SYNC_BYTES_MAX, this)
  }

  collected(bytes: Uint8Array): void {
    const sink = this.#sink
    if (sink === null) return
    const compressed = compressNow(this.#coding, bytes)
    sink.data(compressed)
    // The sink may have given up within that call.
    if (this.#sink === null) return
    this.#sink = null
    sink.end()
  }

  tooLarge(): void {
    this.failed('the body is longer than announced')
  }

  failed(reason: string): void {
    const sink = this.#sink
    this.#sink = null
    sink?.fail(reason)
  }

  pause(): void {
    // What it gives comes in one piece.
  }

  resume(): void {
    // As for `pause`.
  }

  cancel(): void {
    this.#sink = null
    this.#source.cancel()
  }
}

/** What goes on with the bytes of a body. */
export interface Coder {
  open(): Gzip | BrotliCompress | Gunzip
  /** Brings out what has gone in; null where nothing is held back. */
  readonly flushKind: number | null
}

const CODERS: Readonly<Record<Coding, Coder>> = {
  br: {
    open: () => createBrotliCompress(BROTLI),
    flushKind: constants.BROTLI_OPERATION_FLUSH,
  },
  gzip: { open: () => createGzip(), flushKind: constants.Z_SYNC_FLUSH },
}
const GUNZIP: Coder = { open: () => createGunzip(), flushKind: null }

/**
 * A body that is compressed, or taken apart, as it comes, on zlib's threads, at the pace of the
 * slower side.
 */
export class CodedBody implements BodySource, BodySink {
  readonly length = -1
  readonly #source: BodySource
  readonly #coder: Coder
  readonly #ex: Exchange
  /** A body of unknown length may come in bits that somebody waits for: none is held back. */
  readonly #isLive: boolean
  /** Of what comes out. */
  #bytesLeft: number
  /** Told once, when zlib has given back its memory. */
  #released: (() => void) | null
  #stream: Gzip | BrotliCompress | Gunzip | null = null
  #sink: BodySink | null = null
  #isSourcePaused = false
  #hasUnflushed = false

  /** `ex`: whose body it is, and who pays for it when its consumer fails; here and below. */
  static compressed(
    source: BodySource,
    coding: Coding,
    ex: Exchange,
    released: () => void,
  ): CodedBody {
    return new CodedBody(source, CODERS[coding], Number.POSITIVE_INFINITY, ex, released)
  }

  /** Of a body in gzip; what comes of it breaks off when it is more than `bytesMax`. */
  static unpacked(
    source: BodySource,
    bytesMax: number,
    ex: Exchange,
    released: () => void,
  ): CodedBody {
    return new CodedBody(source, GUNZIP, bytesMax, ex, released)
  }

  private constructor(
    source: BodySource,
    coder: Coder,
    bytesMax: number,
    ex: Exchange,
    released: () => void,
  ) {
    this.#source = source
    this.#coder = coder
    this.#ex = ex
    this.#isLive = source.length < 0
    this.#bytesLeft = bytesMax
    this.#released = released
  }

  // -- out ---------------------------------------------------------------------------------------

  open(sink: BodySink): void {
    this.#sink = sink
    const stream = this.#coder.open()
    this.#stream = stream
    const enter = (then: () => void): void => {
      // Without a sink the exchange may serve somebody else by now.
      if (this.#sink !== null) this.#ex.enter(then, null)
    }
    stream.on('data', (chunk: Buffer) => enter(() => this.#coded(chunk)))
    stream.on('drain', () => enter(() => this.#drained()))
    stream.on('end', () => enter(() => this.#ended()))
    stream.on('error', (error) => enter(() => this.#broken(error.message)))
    stream.on('close', () => this.#release())
    this.#source.open(this)
  }

  #coded(chunk: Buffer): void {
    this.#bytesLeft -= chunk.byteLength
    if (this.#bytesLeft < 0) {
      this.#broken('the body is larger than it may be')
      this.#close()
      return
    }
    this.#sink?.data(chunk)
    this.#sink?.flush?.()
  }

  #drained(): void {
    if (!this.#isSourcePaused || this.#sink === null) return
    this.#isSourcePaused = false
    this.#source.resume()
  }

  #ended(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end()
  }

  #broken(reason: string): void {
    const sink = this.#sink
    if (sink === null) return
    this.#sink = null
    this.#source.cancel()
    sink.fail(reason)
  }

  #release(): void {
    const released = this.#released
    this.#released = null
    released?.()
  }

  pause(): void {
    this.#stream?.pause()
  }

  resume(): void {
    this.#stream?.resume()
  }

  cancel(): void {
    this.#sink = null
    this.#source.cancel()
    this.#close()
  }

  #close(): void {
    if (this.#stream === null) this.#release()
    else this.#stream.destroy()
  }

  // -- in ----------------------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    const stream = this.#stream
    if (stream === null || this.#sink === null) return
    this.#hasUnflushed = true
    if (stream.write(Buffer.from(chunk)) || this.#isSourcePaused) return
    this.#isSourcePaused = true
    this.#source.pause()
  }

  flush(): void {
    if (this.#sink === null) return
    const { flushKind } = this.#coder
    if (this.#isLive && this.#hasUnflushed && flushKind !== null) {
      this.#hasUnflushed = false
      this.#stream?.flush(flushKind)
    }
    this.#sink.flush?.()
  }

  end(): void {
    this.#stream?.end()
  }

  fail(reason: string): void {
    const sink = this.#sink
    this.#sink = null
    this.#close()
    sink?.fail(reason)
  }
}

/** Fields that tell of the bytes that were, and are not true of those that go out. */
const OF_THE_BYTES = ['content-length', 'content-md5', 'content-digest', 'digest', 'accept-ranges']

/** Says of an answer that its bytes are others than those that its fields were made for. */
export function haveOtherBytes(headers: Headers): void {
  for (const name of OF_THE_BYTES) headers.delete(name)
  const tag = headers.get('etag')
  // A strong validator would promise the same bytes (RFC 9110 §8.8.1).
  if (tag?.startsWith('"')) headers.set('etag', `W/${tag}`)
}

const NO_TRANSFORM = /(?:^|,)\s*no-transform\s*(?:,|$)/i

/** RFC 9111 §5.2.1.6 and §5.2.2.6. */
export function forbidsTransform({ flat }: Headers): boolean {
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] === 'cache-control' && NO_TRANSFORM.test(flat[i + 1] as string)) return true
  }
  return false
}
