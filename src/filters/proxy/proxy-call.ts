import type { BodySink, BodySource } from '../../http/body.js'
import { type Exchange, OK } from '../../http/exchange.js'
import type {
  UpstreamCall,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamServer,
} from '../../upstream/contract.js'
import type { Pool, PoolServer } from './pool.js'

const SERVER_ERROR = 4
/** As the statistics call it; nobody is there to be told. */
const CLIENT_GONE = 499

/**
 * One request on its way to a back end and its answer on the way back: what the upstream client
 * reads and calls, the sink of the request body, and the source of the response body in one object,
 * the only one that a plain proxied request makes here.
 */
export class ProxyCall implements UpstreamRequest, UpstreamHandler, BodySink, BodySource {
  // What the upstream client reads.
  readonly method: string
  readonly target: string
  /** Empty: the Host field names the server, as in Easegress v1. */
  readonly host = ''
  readonly headers: readonly string[]
  readonly bodyLength: number
  readonly body: Uint8Array | null
  /** Of the response body, once its head is there. */
  length = 0

  readonly #pool: Pool
  readonly #ex: Exchange
  readonly #ticket: number
  readonly #startedMs: number
  #call: UpstreamCall | null = null
  /** The request body while it streams. */
  #upload: BodySource | null
  #uploadPaused = false
  /** Who takes the response body. */
  #sink: BodySink | null = null
  #headDone = false
  #status = 0
  #isRecorded = false
  #bytesIn = 0
  #bytesOut = 0
  /** The body broke off before anybody took it. */
  #failure: string | null = null

  constructor(pool: Pool, ex: Exchange, server: PoolServer) {
    const { request } = ex
    this.#pool = pool
    this.#ex = ex
    this.#ticket = ex.suspend(this)
    this.#startedMs = pool.timers.coarseMs
    this.method = request.method
    this.target = server.pathPrefix === '' ? request.target : server.pathPrefix + request.target
    this.headers = request.headers.lend()
    const { body } = request
    this.body = body === null ? null : body.whole
    const length = body === null ? 0 : body.length
    this.#upload = body === null || body.whole !== null ? null : body.take()
    // A stream that somebody before has taken is empty now, as in Easegress.
    this.bodyLength = this.body === null && this.#upload === null ? 0 : length
    this.#bytesOut = request.headBytes
  }

  start(server: UpstreamServer): void {
    this.#call = this.#pool.client.send(server, this, this)
    if (this.body !== null) this.#bytesOut += this.body.byteLength
    this.#upload?.open(this)
  }

  // -- request body ------------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    this.#bytesOut += chunk.byteLength
    if (this.#call?.writeBody(chunk) === false && this.#upload !== null) {
      this.#uploadPaused = true
      this.#upload.pause()
    }
  }

  end(): void {
    this.#upload = null
    this.#call?.endBody()
  }

  fail(): void {
    this.#upload = null
    this.#call?.cancel()
  }

  onDrain(): void {
    if (!this.#uploadPaused) return
    this.#uploadPaused = false
    this.#upload?.resume()
  }

  // -- answer ------------------------------------------------------------------------------------

  onHead(status: number, headers: readonly string[], bodyLength: number): void {
    this.#headDone = true
    this.#status = status
    this.length = bodyLength
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    const { response } = ex
    response.headers.addAll(headers)
    response.status = status
    if (bodyLength !== 0) response.source = this
    const { afterHead } = this.#pool
    ex.resume(this.#ticket, afterHead === null ? OK : afterHead.answered(ex, headers))
    // A flow that goes on later takes the body later.
    if (bodyLength !== 0 && this.#sink === null) this.#call?.pause()
  }

  onBody(chunk: Uint8Array): void {
    this.#bytesIn += chunk.byteLength
    this.#sink?.data(chunk)
  }

  onBatchEnd(): void {
    this.#sink?.flush?.()
  }

  onEnd(): void {
    this.#stopUpload()
    const sink = this.#sink
    this.#sink = null
    sink?.end()
    // Last, as the server has read the clock for the end of the exchange by then.
    this.#record(this.#status)
  }

  onError(kind: UpstreamErrorKind, message: string): void {
    this.#stopUpload()
    if (this.#headDone) {
      this.#record(this.#status)
      const sink = this.#sink
      this.#sink = null
      if (sink === null) this.#failure = message
      else sink.fail(message)
      return
    }
    const ex = this.#ex
    const status = statusOf(kind)
    this.#record(status)
    if (!ex.isLive(this.#ticket)) return
    ex.respond(status, Buffer.from(`${reasonOf(kind)}: pool ${this.#pool.title}\n`))
    ex.response.headers.set('content-type', 'text/plain; charset=utf-8')
    ex.resume(this.#ticket, SERVER_ERROR)
  }

  /** The answer is complete or lost: what is left of the request has nowhere to go. */
  #stopUpload(): void {
    const upload = this.#upload
    this.#upload = null
    upload?.cancel()
  }

  #record(status: number): void {
    if (this.#isRecorded) return
    this.#isRecorded = true
    const durationMs = this.#pool.timers.coarseMs - this.#startedMs
    this.#pool.stats.record(status, durationMs, this.#bytesOut, this.#bytesIn)
  }

  // -- response body -----------------------------------------------------------------------------

  open(sink: BodySink): void {
    if (this.#failure !== null) {
      sink.fail(this.#failure)
      return
    }
    this.#sink = sink
    this.#call?.resume()
  }

  pause(): void {
    this.#call?.pause()
  }

  resume(): void {
    this.#call?.resume()
  }

  /** The body is not wanted, or, before the head is there, the whole answer: the exchange ended. */
  cancel(): void {
    if (!this.#headDone) {
      this.#stopUpload()
      this.#call?.cancel()
      this.#record(CLIENT_GONE)
      return
    }
    this.#sink = null
    this.#stopUpload()
    this.#call?.discard()
    this.#record(this.#status)
  }
}

/** 504 for our own time-outs, 503 for all else, as v1 has it. */
function statusOf(kind: UpstreamErrorKind): number {
  return kind.endsWith('-timeout') ? 504 : 503
}

function reasonOf(kind: UpstreamErrorKind): string {
  switch (kind) {
    case 'refused':
    case 'unreachable':
    case 'dns':
    case 'tls':
      return 'the back end cannot be reached'
    case 'connect-timeout':
    case 'response-timeout':
    case 'idle-timeout':
      return 'the back end did not answer in time'
    case 'reset':
    case 'closed-early':
    case 'aborted':
      return 'the back end closed the connection'
    case 'malformed':
      return 'the back end gave no valid answer'
    case 'overloaded':
      return 'too many requests wait for the back end'
  }
}
