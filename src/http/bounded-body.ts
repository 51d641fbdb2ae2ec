import type { BodySink, BodySource } from './body.js'
import { type Exchange, RESPONDING } from './exchange.js'

/** Ends the exchange with a 413; called once. */
export type TooLarge = (ex: Exchange) => void

/** A request body of unknown length that may have at most so many bytes. */
export class BoundedBody implements BodySource, BodySink {
  readonly length = -1
  readonly #source: BodySource
  readonly #ex: Exchange
  readonly #tooLarge: TooLarge
  #bytesLeft: number
  #sink: BodySink | null = null

  constructor(source: BodySource, bytesMax: number, ex: Exchange, tooLarge: TooLarge) {
    this.#source = source
    this.#bytesLeft = bytesMax
    this.#ex = ex
    this.#tooLarge = tooLarge
  }

  open(sink: BodySink): void {
    this.#sink = sink
    this.#source.open(this)
  }

  pause(): void {
    this.#source.pause()
  }

  resume(): void {
    this.#source.resume()
  }

  cancel(): void {
    this.#sink = null
    this.#source.cancel()
  }

  data(chunk: Uint8Array): void {
    const sink = this.#sink
    if (sink === null) return
    this.#bytesLeft -= chunk.byteLength
    if (this.#bytesLeft >= 0) {
      sink.data(chunk)
      return
    }
    this.cancel()
    // Once an answer is on its way no other can be given.
    if (this.#ex.state === RESPONDING) this.#ex.responder?.cut(this.#ex)
    else this.#tooLarge(this.#ex)
  }

  flush(): void {
    this.#sink?.flush?.()
  }

  end(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end()
  }

  fail(reason: string): void {
    const sink = this.#sink
    this.#sink = null
    sink?.fail(reason)
  }
}
