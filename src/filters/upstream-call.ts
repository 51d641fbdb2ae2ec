import type { BodySink, BodySource } from '../http/body.js'
import { type Exchange, OK } from '../http/exchange.js'
import type { Headers } from '../http/headers.js'
import { type TimerWheel, WheelTimer } from '../lib/timer-wheel.js'
import type { CircuitBreaker } from '../resilience/circuit-breaker.js'
import { type BackOff, retryWaitMs } from '../resilience/retry.js'
import type { StatsRow } from '../shared/contract.js'
import type {
  UpstreamCall,
  UpstreamClient,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamServer,
} from '../upstream/contract.js'
import type { OriginCache } from '../upstream/origin-cache.js'
import {
  FAILURE_CODE,
  INTERNAL_ERROR,
  SERVER_ERROR,
  SHORT_CIRCUITED,
  TIMEOUT,
} from './call-results.js'

/** As the statistics call it; nobody is there to be told. */
const CLIENT_GONE = 499

/** A server that may get a request. */
export interface CallServer {
  readonly server: UpstreamServer
  /** In front of every path. */
  readonly pathPrefix: string
  /** Whether it gets the Host of the request, or its own. */
  readonly keepsHost: boolean
}

/** Where requests are sent. */
export interface CallPool<S extends CallServer = CallServer> {
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
  /** Null: there is nobody to send to. */
  pick(ex: Exchange): S | null
}

/** Which redirections are followed, instead of being handed on. */
export interface Redirects {
  /** In a row; one more is a failure. */
  readonly max: number
  readonly origins: OriginCache
}

/** What holds for all requests of one pool. */
export interface CallRules<S extends CallServer = CallServer> {
  readonly pool: CallPool<S>
  /** Null: every call is the last. */
  readonly retry: (BackOff & { readonly maxAttempts: number }) | null
  readonly breaker: CircuitBreaker | null
  /** To the head of an answer, of each attempt, in ms; 0: no limit. */
  readonly timeoutMs: number
  /** Null: all from 500 on. */
  readonly failureCodes: ReadonlySet<number> | null
  /** Of a response's body; negative: no limit. */
  readonly bodyBytesMax: number
  nodeMs(): number
  readonly redirects: Redirects | null
  /** The answer of `server` is in `ex`; `headers` are those of the back end alone. */
  answered(ex: Exchange, headers: readonly string[], server: S): void
}

/**
 * One request of v2 with all its attempts: breaker(retry(timeout(call))), as in Easegress. The
 * object is what the upstream client reads and calls, the sink of the request body and the source of
 * the response body. An attempt that failed leaves nothing behind: neither header nor body of it gets
 * into the answer.
 */
export class UpstreamExchange<S extends CallServer>
  implements UpstreamRequest, UpstreamHandler, BodySink, BodySource
{
  // What the upstream client reads.
  method: string
  target = ''
  host = ''
  headers: readonly string[]
  bodyLength: number
  body: Uint8Array | null
  /** Of the response body, once its head is there. */
  length = 0

  readonly #rules: CallRules<S>
  readonly #ex: Exchange
  readonly #ticket: number
  /** On the node's clock, for the breaker. */
  #startedMs = 0
  /** Of the breaker; null without. */
  #permit: number | null = null
  #attempt = 0
  /** Of the attempt, on the wheel's clock. */
  #attemptMs = 0
  #server: S | null = null
  #call: UpstreamCall | null = null
  /** The wait for the head of an answer, or for the next attempt. */
  #timer: WheelTimer | null = null
  #isBackingOff = false
  /** Where the last redirection led; null before the first. */
  #url: URL | null = null
  #redirected = 0
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

  constructor(rules: CallRules<S>, ex: Exchange) {
    const { request } = ex
    this.#rules = rules
    this.#ex = ex
    this.#ticket = ex.suspend(this)
    this.method = request.method
    this.headers = withoutProxyFields(request.headers)
    const { body } = request
    this.body = body === null ? null : body.whole
    const length = body === null ? 0 : body.length
    this.#upload = body === null || body.whole !== null ? null : body.take()
    // A stream that somebody before has taken is empty now.
    this.bodyLength = this.body === null && this.#upload === null ? 0 : length
  }

  start(): void {
    const { breaker } = this.#rules
    if (breaker !== null) {
      this.#startedMs = this.#rules.nodeMs()
      this.#permit = breaker.acquire(this.#startedMs)
      if (this.#permit === null) {
        this.#end(503, SHORT_CIRCUITED)
        return
      }
    }
    this.#try()
  }

  #try(): void {
    const { pool, timeoutMs } = this.#rules
    const { request } = this.#ex
    this.#attempt += 1
    if (this.#redirected > 0) this.#startOver()
    this.#attemptMs = pool.timers.coarseMs
    this.#isRecorded = false
    this.#bytesIn = 0
    this.#bytesOut = 0
    const server = pool.pick(this.#ex)
    if (server === null) {
      this.#failed(503, INTERNAL_ERROR)
      return
    }
    this.#server = server
    this.#bytesOut = request.headBytes + (this.body === null ? 0 : this.body.byteLength)
    this.host = server.keepsHost ? request.host : ''
    this.target = server.pathPrefix === '' ? request.target : server.pathPrefix + request.target
    this.#call = pool.client.send(server.server, this, this)
    if (timeoutMs > 0) this.#startTimer(timeoutMs)
    this.#upload?.open(this)
  }

  /** Takes back what redirections have changed; a body that streams is never sent again. */
  #startOver(): void {
    const { request } = this.#ex
    this.#url = null
    this.#redirected = 0
    this.method = request.method
    this.headers = withoutProxyFields(request.headers)
    this.body = request.body === null ? null : request.body.whole
    this.bodyLength = this.body === null ? 0 : this.body.byteLength
  }

  #startTimer(ms: number): void {
    this.#timer ??= new WheelTimer<unknown>(this, expire)
    this.#rules.pool.timers.start(this.#timer, ms)
  }

  #stopTimer(): void {
    if (this.#timer !== null) this.#rules.pool.timers.stop(this.#timer)
  }

  /** Called by the timer: no head in time, or the wait for the next attempt is over. */
  expired(): void {
    if (!this.#ex.isLive(this.#ticket)) return
    if (this.#isBackingOff) {
      this.#isBackingOff = false
      this.#try()
      return
    }
    this.#call?.cancel()
    this.#stopUpload()
    this.#failed(408, TIMEOUT)
  }

  /** Whether what went wrong is to be tried again: a body that streamed away cannot be. */
  get #mayRetry(): boolean {
    const { retry } = this.#rules
    if (retry === null || this.#attempt >= retry.maxAttempts) return false
    return this.bodyLength === 0 || this.body !== null
  }

  /** There is no answer of this attempt. */
  #failed(status: number, code: number): void {
    this.#record(status)
    if (this.#mayRetry) this.#backOff()
    else this.#end(status, code)
  }

  #backOff(): void {
    const retry = this.#rules.retry as BackOff
    this.#isBackingOff = true
    this.#startTimer(retryWaitMs(retry, this.#attempt, Math.random()))
  }

  /** Without an answer of a back end; one that was there before keeps all but its status. */
  #end(status: number, code: number): void {
    this.#settleBreaker(true)
    if (!this.#ex.isLive(this.#ticket)) return
    this.#ex.response.status = status
    this.#ex.resume(this.#ticket, code)
  }

  #settleBreaker(isFailure: boolean): void {
    const permit = this.#permit
    if (permit === null) return
    this.#permit = null
    const nowMs = this.#rules.nodeMs()
    this.#rules.breaker?.record(permit, nowMs, nowMs - this.#startedMs, isFailure)
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
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) {
      this.#stopTimer()
      return
    }
    const { bodyBytesMax, failureCodes, redirects } = this.#rules
    if (redirects !== null && REDIRECTS.has(status)) {
      if (this.#redirect(status, headers, redirects)) return
    }
    this.#stopTimer()
    const isTooLarge = bodyBytesMax >= 0 && bodyLength > bodyBytesMax
    const isFailure = failureCodes === null ? status >= 500 : failureCodes.has(status)
    if (isTooLarge || (isFailure && this.#mayRetry)) {
      this.#stopUpload()
      this.#call?.discard()
      this.#status = status
      if (isTooLarge) this.#failed(500, INTERNAL_ERROR)
      else {
        this.#record(status)
        this.#backOff()
      }
      return
    }
    this.#headDone = true
    this.#status = status
    this.length = bodyLength
    const { response } = ex
    // What filters before have answered is replaced, but for its fields.
    if (response.isPresent && (response.body !== null || response.source !== null)) {
      response.body = null
    }
    merge(response.headers, headers)
    response.status = status
    if (bodyLength !== 0) response.source = this
    this.#settleBreaker(isFailure)
    this.#rules.answered(ex, headers, this.#server as S)
    ex.resume(this.#ticket, isFailure ? FAILURE_CODE : OK)
    // A flow that goes on later takes the body later.
    if (bodyLength !== 0 && this.#sink === null) this.#call?.pause()
  }

  /** True when the answer has been dealt with: the request goes elsewhere, or nowhere. */
  #redirect(status: number, headers: readonly string[], { max, origins }: Redirects): boolean {
    const at = headers.findIndex((name, i) => i % 2 === 0 && name === 'location')
    if (at < 0) return false
    const from = this.#url ?? urlOf(this.#server as S, this.target)
    const to = redirected(from, headers[at + 1] as string)
    const keeps = status >= 307 || this.method === 'HEAD'
    const isStream = this.bodyLength !== 0 && this.body === null
    if (to !== null && status >= 307 && isStream) return false
    this.#call?.discard()
    if (to === null || this.#redirected >= max) {
      this.#stopTimer()
      this.#stopUpload()
      this.#status = status
      this.#failed(503, SERVER_ERROR)
      return true
    }
    this.#stopUpload()
    this.#redirected += 1
    if (!keeps) {
      if (this.method !== 'GET') this.method = 'GET'
      if (this.bodyLength !== 0) this.headers = without(this.headers, OF_BODIES)
      this.body = null
      this.bodyLength = 0
    }
    if (!isSameSite(from, to)) this.headers = without(this.headers, SECRETS)
    this.#url = to
    this.host = ''
    this.target = to.pathname + to.search
    const { pool } = this.#rules
    this.#call = pool.client.send(origins.get(to), this, this)
    return true
  }

  onBody(chunk: Uint8Array): void {
    this.#bytesIn += chunk.byteLength
    const { bodyBytesMax } = this.#rules
    if (bodyBytesMax >= 0 && this.#bytesIn > bodyBytesMax) {
      this.#call?.cancel()
      this.#stopUpload()
      this.#break('the response body is larger than serverMaxBodySize')
    } else this.#sink?.data(chunk)
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

  onError(_kind: UpstreamErrorKind, message: string): void {
    this.#stopTimer()
    this.#stopUpload()
    if (this.#headDone) this.#break(message)
    else this.#failed(503, SERVER_ERROR)
  }

  /** The rest of the body will not come. */
  #break(message: string): void {
    this.#record(this.#status)
    const sink = this.#sink
    this.#sink = null
    if (sink === null) this.#failure = message
    else sink.fail(message)
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
    const { pool } = this.#rules
    const durationMs = pool.timers.coarseMs - this.#attemptMs
    pool.stats.record(status, durationMs, this.#bytesOut, this.#bytesIn)
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
    if (this.#headDone) {
      this.#sink = null
      this.#stopUpload()
      this.#call?.discard()
      this.#record(this.#status)
      return
    }
    this.#stopTimer()
    this.#stopUpload()
    if (!this.#isBackingOff) {
      this.#call?.cancel()
      this.#record(CLIENT_GONE)
    }
    // What its client gave up says nothing about the back ends.
    if (this.#permit !== null) this.#rules.breaker?.release(this.#permit)
    this.#permit = null
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Fields that are about a body that is not sent any more. */
const OF_BODIES: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
])
/** Fields that are for the first server alone. */
const SECRETS: ReadonlySet<string> = new Set(['authorization', 'cookie'])

const without = (flat: readonly string[], names: ReadonlySet<string>): readonly string[] =>
  flat.filter((_, at) => !names.has(flat[at - (at % 2)] as string))

function urlOf({ server }: CallServer, target: string): URL {
  const { scheme } = server.origin
  return new URL(target, `${scheme}://${server.hostField}`)
}

/** Where a Location leads, or null when nobody can be asked there. */
function redirected(from: URL, location: string): URL | null {
  if (!URL.canParse(location, from.href)) return null
  const to = new URL(location, from)
  return to.protocol === 'http:' || to.protocol === 'https:' ? to : null
}

/** As for cookies: the same host, or one below it. */
const isSameSite = (from: URL, to: URL): boolean =>
  to.hostname === from.hostname || to.hostname.endsWith(`.${from.hostname}`)

const expire = (call: unknown): void => (call as UpstreamExchange<CallServer>).expired()

/** Without the fields of this hop that the upstream client does not leave out by itself. */
function withoutProxyFields(headers: Headers): readonly string[] {
  const flat = headers.lend()
  for (let i = 0; i < flat.length; i += 2) {
    if (!isProxyField(flat[i] as string)) continue
    return flat.filter((_, at) => !isProxyField(flat[at - (at % 2)] as string))
  }
  return flat
}

const isProxyField = (name: string): boolean =>
  name.length > 17 && (name === 'proxy-authorization' || name === 'proxy-authenticate')

/** Fields of the back end come behind those that are there; of CORS they replace them. */
function merge(headers: Headers, from: readonly string[]): void {
  const isEmpty = headers.flat.length === 0
  for (let i = 0; i < from.length && !isEmpty; i += 2) {
    const name = from[i] as string
    if (name.startsWith('access-control-')) headers.delete(name)
  }
  headers.addAll(from)
  headers.delete('proxy-authenticate')
}
