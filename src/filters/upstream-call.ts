import { type BodySource, type Collector, collect } from '../http/body.js'
import { type Exchange, OK } from '../http/exchange.js'
import type { Headers } from '../http/headers.js'
import { WheelTimer } from '../lib/timer-wheel.js'
import type { CircuitBreaker } from '../resilience/circuit-breaker.js'
import { type BackOff, retryWaitMs } from '../resilience/retry.js'
import type { UpstreamErrorKind, UpstreamHandler, UpstreamServer } from '../upstream/contract.js'
import { keepsRequest, locationIn, type Redirects, redirected } from '../upstream/redirect.js'
import {
  FAILURE_CODE,
  INTERNAL_ERROR,
  SERVER_ERROR,
  SHORT_CIRCUITED,
  TIMEOUT,
} from './call-results.js'
import { type CallSurroundings, RelayedCall } from './relayed-call.js'
import { WholeBody } from './whole-body.js'

/**
 * Bodies of unknown length are held where their bound is at most so many bytes, so that one beyond it
 * can be answered with a 500 as in Easegress. Larger bounds are there to let bodies through: those
 * stream, and are cut off.
 */
export const HELD_BYTES_MAX = 256 * 1024

/** A server that may get a request. */
export interface CallServer {
  readonly server: UpstreamServer
  /** In front of every path. */
  readonly pathPrefix: string
  /** Whether it gets the Host of the request, or its own. */
  readonly keepsHost: boolean
}

/** Where requests are sent. */
export interface CallPool<S extends CallServer = CallServer> extends CallSurroundings {
  /** Null: there is nobody to send to. */
  pick(ex: Exchange): S | null
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
 * One request of v2 with all its attempts: breaker(retry(timeout(call))), as in Easegress. An
 * attempt that failed leaves nothing behind: neither header nor body of it gets into the answer.
 */
export class UpstreamExchange<S extends CallServer>
  extends RelayedCall<CallPool<S>>
  implements UpstreamHandler
{
  readonly #rules: CallRules<S>
  /** On the node's clock, for the breaker. */
  #acquiredMs = 0
  /** Of the breaker; null without. */
  #permit: number | null = null
  #attempt = 0
  #server: S | null = null
  /** The wait for the head of an answer, or for the next attempt. */
  #timer: WheelTimer | null = null
  #isBackingOff = false
  /** Where the last redirection led; null before the first. */
  #url: URL | null = null
  #redirected = 0

  constructor(rules: CallRules<S>, ex: Exchange) {
    super(rules.pool, ex, withoutProxyFields(ex.request.headers))
    this.#rules = rules
  }

  start(): void {
    const { breaker } = this.#rules
    if (breaker !== null) {
      this.#acquiredMs = this.#rules.nodeMs()
      this.#permit = breaker.acquire(this.#acquiredMs)
      if (this.#permit === null) {
        this.#end(503, SHORT_CIRCUITED)
        return
      }
    }
    this.#try()
  }

  #try(): void {
    const { pool } = this
    const { timeoutMs } = this.#rules
    const { request } = this.ex
    this.#attempt += 1
    if (this.#redirected > 0) this.#startOver()
    this.startedMs = pool.timers.coarseMs
    this.isRecorded = false
    this.bytesIn = 0
    this.bytesOut = 0
    const server = pool.pick(this.ex)
    if (server === null) {
      this.#failed(503, INTERNAL_ERROR)
      return
    }
    this.#server = server
    this.bytesOut = request.headBytes + (this.body === null ? 0 : this.body.byteLength)
    this.host = server.keepsHost ? request.host : ''
    this.target = server.pathPrefix === '' ? request.target : server.pathPrefix + request.target
    this.call = pool.client.send(server.server, this, this)
    if (timeoutMs > 0) this.#startTimer(timeoutMs)
    this.upload?.open(this)
  }

  /** Takes back what redirections have changed; a body that streams is never sent again. */
  #startOver(): void {
    const { request } = this.ex
    this.#url = null
    this.#redirected = 0
    this.method = request.method
    this.headers = withoutProxyFields(request.headers)
    this.body = request.body === null ? null : request.body.whole
    this.bodyLength = this.body === null ? 0 : this.body.byteLength
  }

  #startTimer(ms: number): void {
    this.#timer ??= new WheelTimer<unknown>(this, expire)
    this.pool.timers.start(this.#timer, ms)
  }

  #stopTimer(): void {
    if (this.#timer !== null) this.pool.timers.stop(this.#timer)
  }

  /** Called by the timer: no head in time, or the wait for the next attempt is over. */
  expired(): void {
    if (!this.ex.isLive(this.ticket)) return
    try {
      if (this.#isBackingOff) {
        this.#isBackingOff = false
        this.#try()
      } else this.#giveUp(408, TIMEOUT)
    } catch (thrown) {
      this.threw(thrown)
    }
  }

  /** The attempt is under way, and is to be no more. */
  #giveUp(status: number, code: number): void {
    this.sink = null
    this.call?.cancel()
    this.stopUpload()
    this.#failed(status, code)
  }

  /** Whether what went wrong is to be tried again: a body that streamed away cannot be. */
  get #mayRetry(): boolean {
    const { retry } = this.#rules
    if (retry === null || this.#attempt >= retry.maxAttempts) return false
    return this.bodyLength === 0 || this.body !== null
  }

  /** There is no answer of this attempt. */
  #failed(status: number, code: number): void {
    this.record(status)
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
    if (!this.ex.isLive(this.ticket)) return
    this.ex.response.status = status
    this.ex.resume(this.ticket, code)
  }

  #settleBreaker(isFailure: boolean): void {
    const permit = this.#permit
    if (permit === null) return
    this.#permit = null
    const nowMs = this.#rules.nodeMs()
    this.#rules.breaker?.record(permit, nowMs, nowMs - this.#acquiredMs, isFailure)
  }

  // -- answer ------------------------------------------------------------------------------------

  onHead(status: number, headers: readonly string[], bodyLength: number): void {
    if (!this.ex.isLive(this.ticket)) {
      this.#stopTimer()
      return
    }
    try {
      this.#headCame(status, headers, bodyLength)
    } catch (thrown) {
      this.threw(thrown)
    }
  }

  #headCame(status: number, headers: readonly string[], bodyLength: number): void {
    const { bodyBytesMax, failureCodes, redirects } = this.#rules
    if (redirects !== null && status >= 300 && status < 400) {
      if (this.#redirect(status, headers, redirects)) return
    }
    const isTooLarge = bodyBytesMax >= 0 && bodyLength > bodyBytesMax
    const isFailure = failureCodes === null ? status >= 500 : failureCodes.has(status)
    if (isTooLarge || (isFailure && this.#mayRetry)) {
      this.#stopTimer()
      this.stopUpload()
      this.call?.discard()
      this.status = status
      if (isTooLarge) this.#failed(500, INTERNAL_ERROR)
      else {
        this.record(status)
        this.#backOff()
      }
      return
    }
    this.status = status
    if (bodyLength < 0 && bodyBytesMax >= 0 && bodyBytesMax <= HELD_BYTES_MAX) {
      this.#hold([...headers], isFailure)
      return
    }
    this.length = bodyLength
    this.#answer(headers, isFailure, bodyLength === 0 ? null : this)
    // A flow that goes on later takes the body later.
    if (bodyLength !== 0 && this.sink === null) this.call?.pause()
  }

  /** The attempt is not over before the body is here; its time-out goes on. */
  #hold(headers: readonly string[], isFailure: boolean): void {
    const collector: Collector = {
      collected: (bytes) => {
        this.#answer(headers, isFailure, bytes.byteLength === 0 ? null : new WholeBody(bytes))
      },
      tooLarge: () => this.#giveUp(500, INTERNAL_ERROR),
      failed: () => this.#failed(500, INTERNAL_ERROR),
    }
    this.sink = collect(NO_SOURCE, this.#rules.bodyBytesMax, collector)
  }

  #answer(headers: readonly string[], isFailure: boolean, body: BodySource | null): void {
    const { ex } = this
    const { response } = ex
    this.#stopTimer()
    this.isHeadDone = true
    // What filters before have answered is replaced, but for its fields.
    if (response.isPresent && (response.body !== null || response.source !== null)) {
      response.body = null
    }
    merge(response.headers, headers)
    response.status = this.status
    if (body !== null) response.source = body
    this.#settleBreaker(isFailure)
    this.#rules.answered(ex, headers, this.#server as S)
    ex.resume(this.ticket, isFailure ? FAILURE_CODE : OK)
  }

  /** True when the answer has been dealt with: the request goes elsewhere, or nowhere. */
  #redirect(status: number, headers: readonly string[], { max, origins }: Redirects): boolean {
    const location = locationIn(status, headers)
    if (location === null) return false
    const from = this.#url ?? urlOf(this.#server as S, this.target)
    const next = redirected(from, status, location, this)
    const isStream = this.bodyLength !== 0 && this.body === null
    if (next !== null && keepsRequest(status) && isStream) return false
    this.call?.discard()
    if (next === null || this.#redirected >= max) {
      this.#stopTimer()
      this.stopUpload()
      this.status = status
      this.#failed(503, SERVER_ERROR)
      return true
    }
    this.stopUpload()
    this.#redirected += 1
    if (!next.keepsBody) {
      this.body = null
      this.bodyLength = 0
    }
    const { url } = next
    this.method = next.method
    this.headers = next.headers
    this.#url = url
    this.host = ''
    this.target = url.pathname + url.search
    this.call = this.pool.client.send(origins.get(url), this, this)
    return true
  }

  override onBody(chunk: Uint8Array): void {
    const { bodyBytesMax } = this.#rules
    if (this.isHeadDone && bodyBytesMax >= 0 && this.bytesIn + chunk.byteLength > bodyBytesMax) {
      this.call?.cancel()
      this.stopUpload()
      this.breakOff('the response body is larger than serverMaxBodySize')
    } else super.onBody(chunk)
  }

  onError(_kind: UpstreamErrorKind, message: string): void {
    this.#stopTimer()
    this.stopUpload()
    const { sink } = this
    if (this.isHeadDone) this.breakOff(message)
    else if (sink === null) this.#failed(503, SERVER_ERROR)
    else {
      this.sink = null
      sink.fail(message) // it was held
    }
  }

  protected override withdraw(): void {
    this.#stopTimer()
    if (!this.#isBackingOff) super.withdraw()
    // What its client gave up says nothing about the back ends.
    if (this.#permit !== null) this.#rules.breaker?.release(this.#permit)
    this.#permit = null
  }
}

function urlOf({ server }: CallServer, target: string): URL {
  const { scheme } = server.origin
  return new URL(target, `${scheme}://${server.hostField}`)
}

/** The connection gives what is held straight to who holds it. */
const NO_SOURCE: BodySource = {
  length: -1,
  open: () => {},
  pause: () => {},
  resume: () => {},
  cancel: () => {},
}

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
