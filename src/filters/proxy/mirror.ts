import type { BodySource } from '../../http/body.js'
import type { Exchange } from '../../http/exchange.js'
import { WheelTimer } from '../../lib/timer-wheel.js'
import type { UpstreamCall, UpstreamHandler, UpstreamRequest } from '../../upstream/contract.js'
import type { MirrorPool, MirrorServer } from './mirror-pool.js'
import { COPIES_MAX } from './pool-spec.js'
import { RelayedBody } from './relayed-body.js'

/** What a copy may lag behind its request, in bytes of body; then it is given up. */
const LAG_BYTES_MAX = 256 * 1024
/** An answer is read away so far, so that its connection can be kept; then that is closed. */
const ANSWER_BYTES_MAX = 256 * 1024
/** And for so long. */
const ANSWER_MS_MAX = 10_000

/** In the statistics: a copy that was not made or given up, and one whose request broke off. */
const DROPPED = 503
const BROKEN_OFF = 499

/**
 * Sends copies of requests to a pool and takes no notice of the answers. A request never waits for
 * its copy: one that cannot keep up is given up and counted as a 503 of the mirror pool.
 */
export class Mirror {
  readonly pool: MirrorPool
  readonly #copiesMax: number
  #copies = 0

  constructor(pool: MirrorPool, copiesMax = COPIES_MAX) {
    this.pool = pool
    this.#copiesMax = copiesMax
  }

  /** Copies under way. */
  get copies(): number {
    return this.#copies
  }

  /** Before the request itself is sent: a body that streams goes two ways from then on. */
  copy(ex: Exchange): void {
    if (this.#copies >= this.#copiesMax) {
      this.pool.stats.record(DROPPED, 0, 0, 0)
      return
    }
    const { request } = ex
    const server = this.pool.pick(ex)
    if (server === null) {
      this.pool.stats.record(DROPPED, 0, 0, 0)
      return
    }
    const { body } = request
    const source = body === null ? null : body.take()
    const streamed = source === null ? 0 : source.length
    const copy = new MirrorCopy(this, request, server, streamed)
    this.#copies += 1
    if (body !== null && source !== null) body.source = new Tee(source, copy)
    copy.start()
  }

  /** Called by each copy at its end, once. */
  ended(): void {
    this.#copies -= 1
  }
}

/** One copy on its way; nothing of the exchange is kept, which may be over long before. */
class MirrorCopy implements UpstreamRequest, UpstreamHandler {
  readonly method: string
  readonly target: string
  readonly host: string
  readonly headers: readonly string[]
  readonly bodyLength: number
  readonly body: Uint8Array | null
  readonly #mirror: Mirror
  readonly #server: MirrorServer
  readonly #startedMs: number
  #call: UpstreamCall | null = null
  #hasEnded = false
  /** All of the request has been given to the connection. */
  #isSent: boolean
  /** Of an announced body; below 0 without one. */
  #bytesLeft: number
  #isFull = false
  /** Given since the connection was full. */
  #lagBytes = 0
  #bytesOut: number
  #status = 0
  #answerBytes = 0
  #deadline: WheelTimer | null = null

  /** `streamed`: length of a body that is to come by {@link data}; 0 for none, -1 if unknown. */
  constructor(
    mirror: Mirror,
    request: Exchange['request'],
    server: MirrorServer,
    streamed: number,
  ) {
    this.#mirror = mirror
    this.#server = server
    this.#startedMs = mirror.pool.timers.coarseMs
    this.method = request.method
    this.host = server.keepsHost === true ? request.host : ''
    this.target = server.pathPrefix + request.target
    this.headers = request.headers.lend()
    this.body = request.body === null ? null : request.body.whole
    this.bodyLength = this.body !== null ? this.body.byteLength : streamed
    this.#isSent = streamed === 0
    this.#bytesLeft = streamed
    this.#bytesOut = request.headBytes + (this.body?.byteLength ?? 0)
  }

  start(): void {
    this.#call = this.#mirror.pool.client.send(this.#server.server, this, this)
  }

  // -- the request's body ------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    const call = this.#call
    if (call === null || this.#hasEnded) return
    this.#bytesOut += chunk.byteLength
    this.#bytesLeft -= chunk.byteLength
    if (this.#bytesLeft === 0) this.#isSent = true
    const hasRoom = call.writeBody(chunk)
    if (hasRoom && !this.#isFull) return
    this.#isFull = true
    this.#lagBytes += chunk.byteLength
    if (this.#lagBytes > LAG_BYTES_MAX) this.#giveUp(DROPPED)
  }

  end(): void {
    this.#isSent = true
    this.#call?.endBody()
  }

  /** The body will not be complete, so the copy cannot be. */
  broken(): void {
    if (!this.#isSent) this.#giveUp(BROKEN_OFF)
  }

  onDrain(): void {
    this.#isFull = false
    this.#lagBytes = 0
  }

  // -- the answer --------------------------------------------------------------------------------

  onHead(status: number, _headers: readonly string[], bodyLength: number): void {
    this.#status = status
    if (bodyLength === 0 && this.#isSent) return // `onEnd` follows
    if (!this.#isSent || bodyLength > ANSWER_BYTES_MAX) {
      // An answer before the end of the request: whatever it says, more of the copy is no use.
      this.#giveUp(status)
      return
    }
    const timer = new WheelTimer<unknown>(this, expire)
    this.#deadline = timer
    this.#mirror.pool.timers.start(timer, ANSWER_MS_MAX)
  }

  onBody(chunk: Uint8Array): void {
    this.#answerBytes += chunk.byteLength
    if (this.#answerBytes > ANSWER_BYTES_MAX) this.#giveUp(this.#status)
  }

  onBatchEnd(): void {
    // Nothing is handed on.
  }

  onEnd(): void {
    this.#end(this.#status)
  }

  onError(): void {
    this.#end(this.#status === 0 ? DROPPED : this.#status)
  }

  /** The answer takes too long. */
  expired(): void {
    this.#giveUp(this.#status)
  }

  #giveUp(status: number): void {
    if (this.#hasEnded) return
    this.#call?.cancel()
    this.#end(status)
  }

  #end(status: number): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { pool } = this.#mirror
    if (this.#deadline !== null) pool.timers.stop(this.#deadline)
    const durationMs = pool.timers.coarseMs - this.#startedMs
    pool.stats.record(status, durationMs, this.#bytesOut, this.#answerBytes)
    this.#mirror.ended()
  }
}

const expire = (copy: unknown): void => (copy as MirrorCopy).expired()

/** A body that goes two ways; the pace is that of the request, which always comes first. */
class Tee extends RelayedBody {
  readonly #copy: MirrorCopy

  constructor(source: BodySource, copy: MirrorCopy) {
    super(source)
    this.#copy = copy
  }

  override cancel(): void {
    this.#copy.broken()
    super.cancel()
  }

  override data(chunk: Uint8Array): void {
    super.data(chunk)
    this.#copy.data(chunk)
  }

  override end(): void {
    super.end()
    this.#copy.end()
  }

  override fail(reason: string): void {
    super.fail(reason)
    this.#copy.broken()
  }
}
