/** Takes the bytes of one body. Called by the source only, never after `end` or `fail`. */
export interface BodySink {
  /** `chunk` is lent until the call returns; what is kept must be copied. */
  data(chunk: Uint8Array): void
  end(): void
  /** The rest will not come: the peer is gone, or broke the protocol. */
  fail(reason: string): void
  /** No more bytes are at hand for now: what was held back to be joined may go. */
  flush?(): void
}

/**
 * Bytes on their way, from a client or a back end. Nothing flows before `open`; then chunks come
 * until `end` or `fail`, while not paused. A chunk may still arrive in the turn of a `pause`.
 */
export interface BodySource {
  /** Bytes announced, or -1 when only the end will tell. */
  readonly length: number
  /** Called once. Bytes at hand may arrive before it returns. */
  open(sink: BodySink): void
  pause(): void
  resume(): void
  /** The rest is not wanted: give back what is held. Safe at any time, also twice. */
  cancel(): void
}

/** The body of a request: streamed once, or held whole and given out as often as asked. */
export class RequestBody {
  /** Null once the body is whole or a consumer has opened it. */
  source: BodySource | null
  whole: Uint8Array | null

  constructor(source: BodySource | null, whole: Uint8Array | null) {
    this.source = source
    this.whole = whole
  }

  static of(bytes: Uint8Array): RequestBody {
    return new RequestBody(null, bytes)
  }

  /** Bytes announced or held; -1 when unknown. */
  get length(): number {
    if (this.whole !== null) return this.whole.byteLength
    return this.source === null ? -1 : this.source.length
  }

  /** The stream, for its one consumer; null when somebody has it already or it is whole. */
  take(): BodySource | null {
    const source = this.source
    this.source = null
    return source
  }
}

const EMPTY = new Uint8Array(0)

/** What {@link collect} tells its caller, once. */
export interface Collector {
  collected(bytes: Uint8Array): void
  /** More than the bound came (or was announced); the source has been cancelled. */
  tooLarge(): void
  failed(reason: string): void
}

/** Gathers a body of at most `bytesMax` bytes. */
export function collect(source: BodySource, bytesMax: number, collector: Collector): BodySink {
  const sink = new CollectingSink(source, bytesMax, collector)
  if (source.length > bytesMax) {
    source.cancel()
    collector.tooLarge()
  } else source.open(sink)
  return sink
}

/**
 * Gathers into one buffer that doubles: a list of chunks would cost a hostile sender six bytes on
 * the wire for every few hundred bytes of ours.
 */
class CollectingSink implements BodySink {
  readonly #source: BodySource
  readonly #bytesMax: number
  readonly #collector: Collector
  #buffer: Uint8Array = EMPTY
  #bytes = 0
  #done = false

  constructor(source: BodySource, bytesMax: number, collector: Collector) {
    this.#source = source
    this.#bytesMax = bytesMax
    this.#collector = collector
  }

  data(chunk: Uint8Array): void {
    if (this.#done) return
    const bytes = this.#bytes + chunk.byteLength
    if (bytes > this.#bytesMax) {
      this.#done = true
      this.#buffer = EMPTY
      this.#source.cancel()
      this.#collector.tooLarge()
      return
    }
    if (bytes > this.#buffer.byteLength) this.#grow(bytes)
    this.#buffer.set(chunk, this.#bytes)
    this.#bytes = bytes
  }

  #grow(bytes: number): void {
    const bytesMax = this.#source.length < 0 ? this.#bytesMax : this.#source.length
    const doubled = Math.min(2 * this.#buffer.byteLength, bytesMax)
    const larger = new Uint8Array(Math.max(bytes, doubled))
    larger.set(this.#buffer.subarray(0, this.#bytes))
    this.#buffer = larger
  }

  end(): void {
    if (this.#done) return
    this.#done = true
    const whole = this.#buffer.subarray(0, this.#bytes)
    this.#buffer = EMPTY
    this.#collector.collected(whole)
  }

  fail(reason: string): void {
    if (this.#done) return
    this.#done = true
    this.#buffer = EMPTY
    this.#collector.failed(reason)
  }
}
