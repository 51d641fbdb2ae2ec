import type { BodySink, BodySource } from '../http/body.js'

const CHUNK_BYTES = 64 * 1024

/** Bytes at hand, given out as a stream. */
export class WholeBody implements BodySource {
  readonly length: number
  readonly #bytes: Uint8Array
  #sink: BodySink | null = null
  #at = 0
  #isPaused = false
  #isGiving = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.length = bytes.byteLength
  }

  open(sink: BodySink): void {
    this.#sink = sink
    this.#give()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#give()
  }

  cancel(): void {
    this.#sink = null
  }

  #give(): void {
    if (this.#isGiving) return // the call that gives goes on
    this.#isGiving = true
    while (this.#sink !== null && !this.#isPaused) {
      if (this.#at === this.length) {
        const sink = this.#sink
        this.#sink = null
        sink.end()
        break
      }
      const chunk = this.#bytes.subarray(this.#at, this.#at + CHUNK_BYTES)
      this.#at += chunk.byteLength
      this.#sink.data(chunk)
    }
    this.#isGiving = false
  }
}
