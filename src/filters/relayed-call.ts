import type { BodySink, BodySource } from '../http/body.js'
import type { Exchange } from '../http/exchange.js'
import type { TimerWheel } from '../lib/timer-wheel.js'
import type { StatsRow } from '../shared/contract.js'
import type { UpstreamCall, UpstreamClient, UpstreamRequest } from '../upstream/contract.js'

/** As the statistics call it; nobody is there to be told. */
const CLIENT_GONE = 499

/** What calls of one pool have in common. */
export interface CallSurroundings {
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
}

/**
 * One request on its way to a back end and its answer on the way back: what the upstream client
 * reads and calls, the sink of the request body, and the source of the response body in one object,
 * the only one that a plain proxied request makes. Both dialects have theirs; what they do with the
 * head of an answer, or with none, is in the classes that extend this one.
 */
export abstract class RelayedCall<P extends CallSurroundings>
  implements UpstreamRequest, BodySink, BodySource
{
  // What the upstream client reads.
  method: string
  target = ''
  /** Empty: the Host field names the server. */
  host = ''
  headers: readonly string[]
  bodyLength: number
  body: Uint8Array | null
  /** Of the response body, once its head is there. */
  length = 0

  protected readonly pool: P
  protected readonly ex: Exchange
  protected readonly ticket: number
  /** On the wheel's clock: the call, or the attempt that is under way. */
  protected startedMs: number
  protected call: UpstreamCall | null = null
  /** The request body while it streams. */
  protected upload: BodySource | null
  protected isUploadPaused = false
  /** Who takes the response body. */
  protected sink: BodySink | null = null
  protected isHeadDone = false
  protected status = 0
  protected isRecorded = false
  protected bytesIn = 0
  protected bytesOut = 0
  /** The body broke off before anybody took it. */
  protected failure: string | null = null

  constructor(pool: P, ex: Exchange, headers: readonly string[]) {
    const { method, body } = ex.request
    this.pool = pool
    this.ex = ex
    this.ticket = ex.suspend(this)
    this.startedMs = pool.timers.coarseMs
    this.method = method
    this.headers = headers
    this.body = body === null ? null : body.whole
    const length = body === null ? 0 : body.length
    this.upload = body === null || body.whole !== null ? null : body.take()
    // A stream that somebody before has taken is empty now, as in Easegress.
    this.bodyLength = this.body === null && this.upload === null ? 0 : length
  }

  // -- request body ------------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    this.bytesOut += chunk.byteLength
    if (this.call?.writeBody(chunk) === false && this.upload !== null) {
      this.isUploadPaused = true
      this.upload.pause()
    }
  }

  end(): void {
    this.upload = null
    this.call?.endBody()
  }

  fail(): void {
    this.upload = null
    this.call?.cancel()
  }

  onDrain(): void {
    if (!this.isUploadPaused) return
    this.isUploadPaused = false
    this.upload?.resume()
  }

  /** The answer is complete or lost: what is left of the request has nowhere to go. */
  protected stopUpload(): void {
    const { upload } = this
    this.upload = null
    upload?.cancel()
  }

  // -- answer ------------------------------------------------------------------------------------

  onBody(chunk: Uint8Array): void {
    this.bytesIn += chunk.byteLength
    try {
      this.sink?.data(chunk)
    } catch (thrown) {
      this.threw(thrown)
    }
  }

  onBatchEnd(): void {
    try {
      this.sink?.flush?.()
    } catch (thrown) {
      this.threw(thrown)
    }
  }

  onEnd(): void {
    this.stopUpload()
    const { sink } = this
    this.sink = null
    try {
      sink?.end()
    } catch (thrown) {
      this.threw(thrown)
    }
    // Last, as the server has read the clock for the end of the exchange by then.
    this.record(this.status)
  }

  /**
   * Who takes the answer threw. The connection calls from its own reading of the socket, where that
   * would cost the worker; so it costs the exchange, as everywhere.
   */
  protected threw(thrown: unknown): void {
    this.ex.enter(raise, thrown)
  }

  /** The rest of the body will not come. */
  protected breakOff(message: string): void {
    this.record(this.status)
    const { sink } = this
    this.sink = null
    if (sink === null) {
      this.failure = message
      return
    }
    try {
      sink.fail(message)
    } catch (thrown) {
      this.threw(thrown)
    }
  }

  protected record(status: number): void {
    if (this.isRecorded) return
    this.isRecorded = true
    const { stats, timers } = this.pool
    stats.record(status, timers.coarseMs - this.startedMs, this.bytesOut, this.bytesIn)
  }

  // -- response body -----------------------------------------------------------------------------

  open(sink: BodySink): void {
    if (this.failure !== null) {
      sink.fail(this.failure)
      return
    }
    this.sink = sink
    this.call?.resume()
  }

  pause(): void {
    this.call?.pause()
  }

  resume(): void {
    this.call?.resume()
  }

  /** The body is not wanted, or, before the head is there, the whole answer: the exchange ended. */
  cancel(): void {
    this.stopUpload()
    if (!this.isHeadDone) {
      this.withdraw()
      return
    }
    this.sink = null
    this.call?.discard()
    this.record(this.status)
  }

  /** Before there was an answer, its exchange ended. */
  protected withdraw(): void {
    this.call?.cancel()
    this.record(CLIENT_GONE)
  }
}

function raise(_ex: Exchange, thrown: unknown): void {
  throw thrown
}
