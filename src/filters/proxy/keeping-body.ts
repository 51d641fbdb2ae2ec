import type { BodySink, BodySource } from '../../http/body.js'

interface Head {
  readonly status: number
  readonly headers: readonly string[]
}

/** Where bodies are kept, and what they may take meanwhile. */
export interface Keeper {
  readonly entryBytesMax: number
  /** False: there is no room for so many bytes more. */
  reserve(bytes: number): boolean
  unreserve(bytes: number): void
  store(key: string, head: Head, body: Uint8Array): void
}

const LEAST_BYTES = 1024
const NOTHING = new Uint8Array(0)

/** Hands a body on as it comes, and to a cache when it has all gone by and was not too large. */
export class KeepingBody implements BodySource, BodySink {
  readonly length: number
  readonly #source: BodySource
  readonly #keeper: Keeper
  readonly #key: string
  readonly #head: Head
  #sink: BodySink | null = null
  #buffer = NOTHING
  #bytes = 0
  #isKeeping = true

  constructor(source: BodySource, keeper: Keeper, key: string, head: Head) {
    this.length = source.length
    this.#source = source
    this.#keeper = keeper
    this.#key = key
    this.#head = head
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
    this.#forget()
    this.#source.cancel()
  }

  data(chunk: Uint8Array): void {
    if (this.#isKeeping && !this.#copied(chunk)) this.#forget()
    this.#sink?.data(chunk)
  }

  flush(): void {
    this.#sink?.flush?.()
  }

  end(): void {
    if (this.#isKeeping) {
      const whole = this.#buffer.subarray(0, this.#bytes)
      const isTight = whole.byteLength === this.#buffer.byteLength
      this.#forget()
      this.#keeper.store(this.#key, this.#head, isTight ? whole : whole.slice())
    }
    const sink = this.#sink
    this.#sink = null
    sink?.end()
  }

  fail(reason: string): void {
    this.#forget()
    const sink = this.#sink
    this.#sink = null
    sink?.fail(reason)
  }

  #copied(chunk: Uint8Array): boolean {
    const bytes = this.#bytes + chunk.byteLength
    if (bytes > this.#keeper.entryBytesMax) return false
    if (bytes > this.#buffer.byteLength && !this.#grown(bytes)) return false
    this.#buffer.set(chunk, this.#bytes)
    this.#bytes = bytes
    return true
  }

  /** By doubling, so that many small chunks cost no more than a few large ones. */
  #grown(bytes: number): boolean {
    const doubled = Math.max(LEAST_BYTES, 2 * this.#buffer.byteLength)
    const wanted = this.length < 0 ? Math.max(bytes, doubled) : Math.max(bytes, this.length)
    const size = Math.min(wanted, Math.max(bytes, this.#keeper.entryBytesMax))
    if (!this.#keeper.reserve(size - this.#buffer.byteLength)) return false
    const larger = new Uint8Array(size)
    larger.set(this.#buffer.subarray(0, this.#bytes))
    this.#buffer = larger
    return true
  }

  #forget(): void {
    this.#isKeeping = false
    this.#keeper.unreserve(this.#buffer.byteLength)
    this.#buffer = NOTHING
  }
}
