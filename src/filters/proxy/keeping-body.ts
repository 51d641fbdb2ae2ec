import type { BodySource } from '../../http/body.js'
import { RelayedBody } from './relayed-body.js'

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
export class KeepingBody extends RelayedBody {
  readonly #keeper: Keeper
  readonly #key: string
  readonly #head: Head
  #buffer = NOTHING
  #bytes = 0
  #isKeeping = true

  constructor(source: BodySource, keeper: Keeper, key: string, head: Head) {
    super(source)
    this.#keeper = keeper
    this.#key = key
    this.#head = head
  }

  override cancel(): void {
    this.#forget()
    super.cancel()
  }

  override data(chunk: Uint8Array): void {
    if (this.#isKeeping && !this.#copied(chunk)) this.#forget()
    super.data(chunk)
  }

  override end(): void {
    if (this.#isKeeping) {
      const whole = this.#buffer.subarray(0, this.#bytes)
      const isTight = whole.byteLength === this.#buffer.byteLength
      this.#forget()
      this.#keeper.store(this.#key, this.#head, isTight ? whole : whole.slice())
    }
    super.end()
  }

  override fail(reason: string): void {
    this.#forget()
    super.fail(reason)
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
