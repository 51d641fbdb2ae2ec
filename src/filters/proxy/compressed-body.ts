import {
  type BrotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  type Gzip,
  gzipSync,
} from 'node:zlib'
import { type BodySink, type BodySource, type Collector, collect } from '../../http/body.js'
import type { Coding } from './accept-encoding.js'

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

/** A body that is compressed as it comes, on zlib's threads, at the pace of the slower side. */
export class CompressedBody implements BodySource, BodySink {
  readonly length = -1
  readonly #source: BodySource
  readonly #coding: Coding
  /** A body of unknown length may come in bits that somebody waits for: none is held back. */
  readonly #isLive: boolean
  /** Told once, when zlib has given back its memory. */
  #released: (() => void) | null
  #stream: Gzip | BrotliCompress | null = null
  #sink: BodySink | null = null
  #isSourcePaused = false
  #hasUnflushed = false

  constructor(source: BodySource, coding: Coding, released: () => void) {
    this.#source = source
    this.#coding = coding
    this.#isLive = source.length < 0
    this.#released = released
  }

  // -- out ---------------------------------------------------------------------------------------

  open(sink: BodySink): void {
    this.#sink = sink
    const stream = this.#coding === 'br' ? createBrotliCompress(BROTLI) : createGzip()
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#compressed(chunk))
    stream.on('drain', () => this.#drained())
    stream.on('end', () => this.#ended())
    stream.on('error', (error) => this.#broken(error.message))
    stream.on('close', () => this.#release())
    this.#source.open(this)
  }

  #compressed(chunk: Buffer): void {
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
    if (this.#isLive && this.#hasUnflushed) {
      this.#hasUnflushed = false
      this.#stream?.flush(
        this.#coding === 'br' ? constants.BROTLI_OPERATION_FLUSH : constants.Z_SYNC_FLUSH,
      )
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
