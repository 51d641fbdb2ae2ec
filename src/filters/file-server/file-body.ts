import type { FileHandle } from 'node:fs/promises'
import type { BodySink, BodySource } from '../../http/body.js'
import type { Exchange } from '../../http/exchange.js'

/** Read at once. */
const CHUNK_BYTES = 64 * 1024

/** A part of an open file, read as fast as it is taken; closes it in the end. */
export class FileBody implements BodySource {
  readonly length: number
  readonly #file: FileHandle
  readonly #ex: Exchange
  #at: number
  #left: number
  #sink: BodySink | null = null
  #isPaused = false
  #isReading = false
  #isClosed = false
  #buffer: Buffer | null = null

  constructor(file: FileHandle, start: number, length: number, ex: Exchange) {
    this.#file = file
    this.#ex = ex
    this.#at = start
    this.#left = length
    this.length = length
  }

  open(sink: BodySink): void {
    this.#sink = sink
    if (this.#left === 0) this.#finish()
    else this.#read()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.#sink !== null) this.#read()
  }

  cancel(): void {
    this.#sink = null
    this.#close()
  }

  #read(): void {
    if (this.#isReading || this.#isPaused || this.#isClosed) return
    this.#isReading = true
    this.#buffer ??= Buffer.allocUnsafe(Math.min(CHUNK_BYTES, this.#left))
    const wanted = Math.min(this.#buffer.byteLength, this.#left)
    this.#file.read(this.#buffer, 0, wanted, this.#at).then(
      ({ bytesRead }) => this.#ex.enter(() => this.#taken(bytesRead), null),
      (error: Error) => this.#ex.enter(() => this.#failed(error.message), null),
    )
  }

  #taken(bytes: number): void {
    this.#isReading = false
    const sink = this.#sink
    if (sink === null) return
    if (bytes === 0) {
      this.#failed('the file became shorter while it was read')
      return
    }
    this.#at += bytes
    this.#left -= bytes
    sink.data((this.#buffer as Buffer).subarray(0, bytes))
    // The sink may have given up within that call.
    if (this.#sink === null) return
    if (this.#left === 0) this.#finish()
    else this.#read()
  }

  #finish(): void {
    const sink = this.#sink
    this.#sink = null
    this.#close()
    sink?.end()
  }

  #failed(reason: string): void {
    this.#isReading = false
    const sink = this.#sink
    this.#sink = null
    this.#close()
    sink?.fail(reason)
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#file.close().catch(() => {})
  }
}
