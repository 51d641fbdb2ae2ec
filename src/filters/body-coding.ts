import { createGzip, type Gzip, gunzip, gzip, gzipSync } from 'node:zlib'
import type { BodySink, BodySource } from '../http/body.js'
import { type Cancellable, type Exchange, SUSPENDED } from '../http/exchange.js'

/** Up to so many bytes are compressed at once on this thread: a hop to another costs more. */
const SYNC_BYTES_MAX = 16 * 1024
/** What a body may become when it is decompressed, in bytes: a thousandth of that is enough to try. */
export const DECOMPRESSED_BYTES_MAX = 16 * 1024 * 1024

/** Told of the bytes; null when that failed. Returns what `handle` of the filter would. */
type Then = (ex: Exchange, bytes: Uint8Array | null) => number

/** Compresses what is at hand, off the thread when it is long; gives what `then` gives. */
export function gzipWhole(ex: Exchange, bytes: Uint8Array, then: Then): number {
  if (bytes.byteLength <= SYNC_BYTES_MAX) return then(ex, gzipSync(bytes))
  const later = new Later(ex, then)
  gzip(bytes, (error, result) => later.done(error === null ? result : null))
  return SUSPENDED
}

/** Decompresses off the thread, up to {@link DECOMPRESSED_BYTES_MAX}. */
export function gunzipWhole(ex: Exchange, bytes: Uint8Array, then: Then): number {
  if (bytes.byteLength === 0) return then(ex, null)
  const later = new Later(ex, then)
  const options = { maxOutputLength: DECOMPRESSED_BYTES_MAX }
  gunzip(bytes, options, (error, result) => later.done(error === null ? result : null))
  return SUSPENDED
}

class Later implements Cancellable {
  readonly #ex: Exchange
  readonly #ticket: number
  readonly #then: Then

  constructor(ex: Exchange, then: Then) {
    this.#ex = ex
    this.#then = then
    this.#ticket = ex.suspend(this)
  }

  done(bytes: Uint8Array | null): void {
    if (!this.#ex.isLive(this.#ticket)) return
    this.#ex.enter((ex, result) => ex.resume(this.#ticket, this.#then(ex, result)), bytes)
  }

  cancel(): void {
    // What zlib works on is its own; the result finds a dead ticket.
  }
}

/** A stream that is compressed on its way. */
export class GzippedBody implements BodySource {
  readonly length = -1
  readonly #source: BodySource
  readonly #ex: Exchange
  #gzip: Gzip | null = null
  #sink: BodySink | null = null

  /** `ex`: whose body it is, and who pays for it when its consumer fails. */
  constructor(source: BodySource, ex: Exchange) {
    this.#source = source
    this.#ex = ex
  }

  open(sink: BodySink): void {
    this.#sink = sink
    const gzip = createGzip()
    this.#gzip = gzip
    const enter = (then: () => void): void => this.#ex.enter(then, null)
    gzip.on('data', (chunk: Buffer) => enter(() => this.#sink?.data(chunk)))
    gzip.on('end', () => enter(() => this.#finish()))
    gzip.on('error', () => enter(() => this.#fail('compression failed')))
    gzip.on('drain', () => enter(() => this.#source.resume()))
    this.#source.open({
      data: (chunk) => {
        // What comes is lent: zlib reads it later, on another thread.
        if (!gzip.write(Buffer.from(chunk))) this.#source.pause()
      },
      end: () => gzip.end(),
      fail: (reason) => this.#fail(reason),
    })
  }

  pause(): void {
    this.#gzip?.pause()
  }

  resume(): void {
    this.#gzip?.resume()
  }

  cancel(): void {
    this.#close()
    this.#source.cancel()
  }

  #finish(): void {
    const sink = this.#sink
    this.#close()
    sink?.end()
  }

  #fail(reason: string): void {
    const sink = this.#sink
    this.#close()
    sink?.fail(reason)
  }

  #close(): void {
    this.#sink = null
    this.#gzip?.destroy()
    this.#gzip = null
  }
}
