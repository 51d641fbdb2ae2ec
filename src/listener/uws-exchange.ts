import type { BodySink, BodySource } from '../http/body.js'
import { RequestBody } from '../http/body.js'
import { ABORTED, DONE, Exchange, RESPONDING, type Responder } from '../http/exchange.js'
import type { ListenerLimits, TrafficHandler } from './contract.js'
import { type Answering, DUE_BYTES_MAX, type DueAnswers } from './due-answers.js'
import type { Peer, PeerBook } from './peers.js'
import { ACCEPTED, copyHead, framing } from './request-head.js'
import { isBodiless, responseHead } from './response-head.js'
import type { UwsRequest, UwsResponse } from './uws.js'

/** What an exchange needs of the listener it came through. */
export interface ExchangeHome {
  readonly limits: ListenerLimits
  /** Its clients speak TLS. */
  readonly isTls: boolean
  /** Who is behind each connection; null where that is whoever is at its other end. */
  readonly peers: PeerBook | null
  readonly draining: boolean
  /** Answers that leave together at the end of a turn. */
  readonly due: DueAnswers
  /** The exchange is over; the object may be used again. */
  release(exchange: UwsExchange, reusable: boolean): void
  /** The exchange streams for longer than a turn: it is visited every few seconds. */
  watch(exchange: UwsExchange): void
  unwatch(exchange: UwsExchange): void
  report(thrown: unknown): void
}

const NOTHING = new Uint8Array(0)
const NO_CERTIFICATES: readonly Uint8Array[] = Object.freeze([])
const BAD_REQUEST = 400
/** A body of one piece up to this size is left to uWS, which keeps what a slow client does not take. */
const WHOLE_BYTES_MAX = 16_384

/** First and longest wait before a socket that is held in both directions is looked at again. */
const PULSE_MS_MIN = 10
const PULSE_MS_MAX = 2_560

/** First and longest wait before writing goes on without having been told of room. */
const NUDGE_MS_MIN = 20
const NUDGE_MS_MAX = 5_120

/**
 * One exchange on uWebSockets.js: the way back to the client, the source of the request body and
 * the sink of the response body in one object, so that a plain request allocates nothing here.
 * Used again for other requests; `res` is null whenever touching uWS would be wrong.
 */
export class UwsExchange implements Responder, BodySource, BodySink, Answering {
  readonly ex = new Exchange()
  /** Of the request body: bytes announced, -1 when chunked. */
  length = 0
  readonly #home: ExchangeHome
  #res: UwsResponse | null = null
  #handler: TrafficHandler | null = null
  /** uWS corks for us while its own handler is on the stack. */
  #inHandler = false
  #address: string | null = null
  /** Only where the listener knows of peers. */
  #peer: Peer | null = null
  #isHead = false

  #bodySink: BodySink | null = null
  #held: Uint8Array[] | null = null
  #bodyEnded = true
  /** Whoever takes the request body wants no more of it for now. */
  #bodyPaused = false
  /** uWS has been told to pause, and tells neither of bytes that came nor of room for ours. */
  #isStopped = false
  #pulseMs = PULSE_MS_MIN
  /** How often room had to be waited for. */
  #waits = 0
  #nudgeMs = NUDGE_MS_MIN
  #bodyUnwanted = false
  #chunkIn: Uint8Array = NOTHING

  #source: BodySource | null = null
  #totalBytes = 0
  #sentBytes = 0
  #headPending = false
  #rest: Uint8Array | null = null
  #sourcePaused = false
  #sourceEnded = false
  #writableAttached = false
  #closing = false
  /** The answer is whole and leaves at the end of the turn: itself, or `#chunk` as its body. */
  #isDue = false
  #chunk: Uint8Array = NOTHING
  #watched = false
  #progressMs = 0

  // What uWS calls must not throw: that would end the process. Made once, not for each request.
  readonly #onAborted = (): void => this.#aborted()
  readonly #onData = (chunk: ArrayBuffer, isLast: boolean): void => this.#received(chunk, isLast)
  readonly #onWritable = (): boolean => this.#writable()
  readonly #writeWhole = (): void => this.#guard(this.#sendWhole)
  readonly #writeChunk = (): void => this.#guard(this.#sendChunk)
  readonly #writeRest = (): void => this.#guard(this.#sendRest)
  readonly #writeHeadOnly = (): void => this.#guard(this.#sendHead)
  readonly #writeEnd = (): void => this.#guard(this.#sendEnd)

  constructor(home: ExchangeHome) {
    this.#home = home
    this.ex.isTls = home.isTls
    this.ex.responder = this
  }

  /**
   * Takes a request from uWS: copied, checked, handed to the server, attached if it has to wait.
   * `isGet`: see {@link copyHead}.
   */
  begin(res: UwsResponse, req: UwsRequest, handler: TrafficHandler | null, isGet = false): void {
    this.#res = res
    this.#inHandler = true
    try {
      const ex = this.ex
      ex.responder = this
      this.#handler = handler
      let verdict = copyHead(req, ex.request, isGet)
      if (this.#home.peers !== null) {
        this.#peer = this.#home.peers.find(res.getProxiedRemoteAddress())
        if (this.#peer === null) verdict = BAD_REQUEST
      }
      // As received: filters may change the method that goes to the back end.
      this.#isHead = ex.request.method === 'HEAD'
      if (verdict !== ACCEPTED || handler === null) {
        this.#closing = true
        ex.respond(verdict === ACCEPTED ? 503 : verdict)
        ex.state = RESPONDING
        if (verdict === ACCEPTED) this.#sendWhole()
        else setImmediate(() => this.#answerRefused(res))
        return
      }
      if (framing.bodyLength !== 0) this.#attachBody(res)
      ex.owner = handler
      handler.handle(ex)
    } catch (thrown) {
      this.#home.report(thrown)
      this.#fail()
    } finally {
      this.#inHandler = false
      // Only where the answer has to wait: it costs 0.2 µs. Whoever gets here without either of the
      // two, answer or handler, ends the process.
      if (this.#res === res) res.onAborted(this.#onAborted)
    }
  }

  /**
   * In a later turn: where a head is not to be trusted, neither is what follows it. While this
   * request has no answer, uWebSockets.js closes the connection rather than take the rest of what
   * arrived for another request and hand that on, as it would do after an answer.
   */
  #answerRefused(res: UwsResponse): void {
    if (this.#res === res) res.cork(this.#writeWhole)
  }

  #attachBody(res: UwsResponse): void {
    this.length = framing.bodyLength
    this.#bodyEnded = false
    this.ex.request.body = new RequestBody(this, null)
    res.onData(this.#onData)
  }

  /** Runs what writes to uWS; what it throws costs this connection alone. */
  #guard(write: () => void): void {
    try {
      write.call(this)
    } catch (thrown) {
      this.#home.report(thrown)
      this.cut()
    }
  }

  /** Something of ours threw outside the engine's guard. */
  #fail(): void {
    if (this.#res === null || this.#isDue) return
    if (this.ex.state === RESPONDING && !this.#headPending) {
      this.cut()
      return
    }
    this.ex.respond(500)
    this.ex.state = RESPONDING
    this.#closing = true
    if (this.#inHandler) this.#sendWhole()
    else this.#res.cork(this.#writeWhole)
  }

  // -- request body ------------------------------------------------------------------------------

  #received(data: ArrayBuffer, isLast: boolean): void {
    const chunk = new Uint8Array(data)
    this.ex.bodyBytesIn += chunk.byteLength
    const isSurplus = this.#bodyPaused
    if (!isSurplus) this.#progressMs = 0
    if (isLast) this.#bodyEnded = true
    else if (!this.#watched) this.#watch()
    if (this.#bodyUnwanted) return
    this.#chunkIn = chunk
    try {
      this.ex.enter(deliver, this)
    } catch (thrown) {
      this.#home.report(thrown)
      this.#fail()
    }
    if (isSurplus && this.#bodyPaused && this.#res !== null && !this.#bodyEnded) {
      this.#stop(this.#res)
      if (this.#needsWritable) this.#pulseLater(this.#res)
    }
  }

  /** Called through the exchange's guard. */
  deliver(): void {
    const chunk = this.#chunkIn
    this.#chunkIn = NOTHING
    const sink = this.#bodySink
    if (sink === null) {
      if (chunk.byteLength > 0) {
        if (this.#held === null) this.#held = []
        this.#held.push(chunk.slice())
      }
      if (!this.#bodyEnded) this.pause()
      return
    }
    if (chunk.byteLength > 0) sink.data(chunk)
    if (this.#bodyEnded && this.#bodySink === sink) {
      this.#bodySink = null
      sink.end()
    }
  }

  open(sink: BodySink): void {
    this.#bodySink = sink
    const held = this.#held
    this.#held = null
    if (held !== null) for (const chunk of held) sink.data(chunk)
    if (this.#bodyEnded) {
      this.#bodySink = null
      sink.end()
    } else this.resume()
  }

  pause(): void {
    if (this.#bodyPaused || this.#bodyEnded || this.#res === null) return
    this.#bodyPaused = true
    if (!this.#needsWritable) this.#stop(this.#res)
  }

  resume(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#pulseMs = PULSE_MS_MIN
    if (this.#res !== null) this.#go(this.#res)
  }

  // A socket that is paused tells no more of room for the answer. So while the client has to take
  // bytes of the answer before more can be written, it is not paused, whatever the wish: else a
  // back end that reads on only when its answer is taken would wait for ever. What comes meanwhile
  // is passed on, and after each such piece the socket rests for longer (a pulse), so that a client
  // who uploads and takes nothing fills no memory before it is cut off.

  get #needsWritable(): boolean {
    return this.#sourcePaused || this.#rest !== null
  }

  #stop(res: UwsResponse): void {
    this.#isStopped = true
    res.pause()
  }

  /**
   * A resume stalls uWS for good unless a pause is the last that happened to its socket, and a
   * write that finds no room undoes a pause; so the two are always called together.
   */
  #go(res: UwsResponse): void {
    if (!this.#isStopped) return
    this.#isStopped = false
    res.pause()
    res.resume()
  }

  #pulseLater(res: UwsResponse): void {
    const waitMs = this.#pulseMs
    if (waitMs > PULSE_MS_MAX) return // the visits go on with it
    this.#pulseMs = waitMs * 2
    setTimeout(() => {
      if (this.#res === res && this.#needsWritable) this.#go(res)
    }, waitMs).unref()
  }

  /** The rest of the request body is read away, or the connection closed after the answer. */
  cancel(): void {
    this.#bodySink = null
    this.#held = null
    this.#bodyUnwanted = true
    this.resume()
  }

  // -- answer ------------------------------------------------------------------------------------

  send(ex: Exchange): void {
    const res = this.#res
    if (res === null) return
    const source = ex.response.takeSource()
    if (source === null) {
      if (this.#inHandler) this.#sendWhole()
      else if (this.#mayBeDue()) {
        this.#isDue = true
        this.#home.due.put(this)
      } else res.cork(this.#writeWhole)
      return
    }
    this.#source = source
    this.#totalBytes = source.length
    this.#headPending = true
    source.open(this)
  }

  data(chunk: Uint8Array): void {
    const res = this.#res
    if (res === null || chunk.byteLength === 0) return
    this.#progressMs = 0
    this.ex.bodyBytesOut += chunk.byteLength
    if (this.#rest !== null) {
      // A chunk may still come in the turn of a pause.
      this.#rest = Buffer.concat([this.#rest, chunk])
      return
    }
    const isWhole = this.#headPending && this.#totalBytes === chunk.byteLength
    if (isWhole && chunk.byteLength <= DUE_BYTES_MAX && this.#mayBeDue()) {
      this.#isDue = true
      this.#chunk = this.#home.due.putCopy(this, chunk)
      return
    }
    this.#chunk = chunk
    if (this.#inHandler) this.#sendChunk()
    else res.cork(this.#writeChunk)
    this.#chunk = NOTHING
  }

  /** Not while the request still comes in: what is read of it might reach a flow that is over. */
  #mayBeDue(): boolean {
    return !this.#inHandler && this.#bodyEnded && this.#home.due.invites()
  }

  sendDue(): void {
    const res = this.#res
    if (res === null || !this.#isDue) return
    this.#isDue = false
    res.cork(this.#headPending ? this.#writeChunk : this.#writeWhole)
    this.#chunk = NOTHING
  }

  end(): void {
    const res = this.#res
    if (res === null) return
    this.#sourceEnded = true
    this.#source = null
    if (this.#rest !== null || this.#isDue) return // the last bytes end it
    if (this.#totalBytes > 0 && this.#sentBytes < this.#totalBytes) {
      this.cut() // shorter than announced: the client must be able to tell
      return
    }
    if (this.#inHandler) this.#sendEnd()
    else res.cork(this.#writeEnd)
  }

  fail(): void {
    this.#source = null
    if (this.#res === null || this.#isDue) return
    if (!this.#headPending) {
      this.cut()
      return
    }
    this.#headPending = false
    this.ex.respond(502)
    this.#res.cork(this.#writeWhole)
  }

  flush(): void {
    if (!this.#headPending || this.#isDue || this.#res === null) return
    if (this.#inHandler) this.#sendHead()
    else this.#res.cork(this.#writeHeadOnly)
  }

  cut(): void {
    const res = this.#res
    if (res === null) return
    res.close() // runs the abort handler, if it is attached yet
    if (this.#res === res) this.#aborted()
  }

  peerAddress(): string {
    if (this.#address === null) {
      if (this.#peer !== null) this.#address = this.#peer.address
      else this.#address = this.#res === null ? '' : addressText(this.#res.getRemoteAddress())
    }
    return this.#address
  }

  /** In DER, the client's own first; none when it has shown none. The same objects every time. */
  peerCertificates(): readonly Uint8Array[] {
    return this.#peer?.certificates ?? NO_CERTIFICATES
  }

  /** True when the connection has to end with this answer. */
  #closes(): boolean {
    if (this.#closing || this.#home.draining || this.#handler?.keepAlive === false) return true
    if (this.#bodyEnded) return false
    const left = this.length < 0 ? Number.POSITIVE_INFINITY : this.length - this.ex.bodyBytesIn
    return left > this.#home.limits.leftoverBytesMax
  }

  #sendWhole(): void {
    const res = this.#res as UwsResponse
    const response = this.ex.response
    const close = this.#closes()
    const head = this.#isHead
    const body = response.body
    if (head && body !== null) response.headers.set('content-length', String(body.byteLength))
    if (this.#bodyPaused) this.resume()
    if (isBodiless(response.status) || head) {
      res.writeStatus(responseHead(response, close, head)).endWithoutBody()
    } else {
      // `end` writes the close field itself and closes once all is sent.
      res.writeStatus(responseHead(response, false, false))
      if (body === null) res.end('', close)
      else {
        this.ex.bodyBytesOut = body.byteLength
        res.end(body, close)
      }
    }
    this.#finished()
  }

  #sendHead(): void {
    this.#headPending = false
    const res = this.#res as UwsResponse
    if (this.#bodyPaused) this.resume()
    res.writeStatus(responseHead(this.ex.response, this.#closes(), false))
    if (!this.#watched) this.#watch()
  }

  #sendChunk(): void {
    const res = this.#res as UwsResponse
    const chunk = this.#chunk
    if (this.#headPending) {
      if (this.#totalBytes === chunk.byteLength) {
        this.#sentBytes = chunk.byteLength
        this.#headPending = false
        if (this.#bodyPaused) this.resume()
        if (chunk.byteLength <= WHOLE_BYTES_MAX) {
          res.writeStatus(responseHead(this.ex.response, false, false))
          res.end(chunk, this.#closes())
          this.#finished()
          return
        }
        res.writeStatus(responseHead(this.ex.response, this.#closes(), false))
        const [ok, done] = res.tryEnd(chunk, chunk.byteLength)
        if (done) this.#finished()
        else if (!ok) this.#keepRest(chunk, 0)
        return
      }
      this.#sendHead()
    }
    const before = this.#sentBytes
    this.#sentBytes += chunk.byteLength
    if (this.#totalBytes < 0) {
      if (res.write(chunk)) this.#nudgeMs = NUDGE_MS_MIN
      else this.#waitWritable()
      return
    }
    const [ok, done] = res.tryEnd(chunk, this.#totalBytes)
    if (done) this.#finished()
    else if (!ok) this.#keepRest(chunk, before)
  }

  /** What `tryEnd` did not take is ours to offer again; `start` is the chunk's place in the body. */
  #keepRest(chunk: Uint8Array, start: number): void {
    const written = (this.#res as UwsResponse).getWriteOffset() - start
    this.#rest = chunk.slice(Math.max(0, written))
    if (this.#rest.byteLength === 0) this.#rest = null
    this.#waitWritable()
  }

  #waitWritable(): void {
    if (!this.#watched) this.#watch()
    if (!this.#writableAttached) {
      this.#writableAttached = true
      ;(this.#res as UwsResponse).onWritable(this.#onWritable)
    }
    if (!this.#sourcePaused && this.#source !== null) {
      this.#sourcePaused = true
      this.#source.pause()
    }
    const res = this.#res as UwsResponse
    this.#go(res)
    this.#waits += 1
    if (this.length !== 0) this.#nudgeLater(res)
  }

  /**
   * While a client uploads and downloads at once, uWS may never tell of room: what it restores at a
   * resume is what the last pause of any socket of the thread found (`us_events` in its
   * AsyncSocket.h). Writing goes on by itself then: if there is still no room, that makes uWS look
   * for it anew. Five times until something is taken, as each adds to what uWS holds.
   */
  #nudgeLater(res: UwsResponse): void {
    const waitMs = this.#nudgeMs
    if (waitMs > NUDGE_MS_MAX) return
    this.#nudgeMs = waitMs * 4
    const wait = this.#waits
    const isWaiting = () => this.#res === res && this.#waits === wait && this.#needsWritable
    setTimeout(() => {
      if (!isWaiting()) return
      this.#writeOnPaused(res)
      if (isWaiting()) this.#nudgeLater(res)
    }, waitMs).unref()
  }

  #writable(): boolean {
    const res = this.#res
    if (res === null) return true
    this.#progressMs = 0
    this.#pulseMs = PULSE_MS_MIN
    this.#nudgeMs = NUDGE_MS_MIN
    return this.#writeOnPaused(res)
  }

  #writeOnPaused(res: UwsResponse): boolean {
    const isDone = this.#writeOn(res)
    if (this.#res === res && this.#bodyPaused && !this.#needsWritable) this.#stop(res)
    return isDone
  }

  #writeOn(res: UwsResponse): boolean {
    if (this.#rest !== null) {
      res.cork(this.#writeRest)
      if (this.#res === null || this.#rest !== null) return this.#rest === null
    }
    if (this.#sourceEnded) return true
    if (this.#sourcePaused && this.#source !== null) {
      this.#sourcePaused = false
      this.#guard(this.#resumeSource)
    }
    return true
  }

  #resumeSource(): void {
    this.#source?.resume()
  }

  #sendRest(): void {
    const res = this.#res as UwsResponse
    const rest = this.#rest as Uint8Array
    const before = res.getWriteOffset()
    const [ok, done] = res.tryEnd(rest, this.#totalBytes)
    if (done) {
      this.#rest = null
      this.#finished()
      return
    }
    if (ok) {
      this.#rest = null
      if (this.#sourceEnded) this.cut() // shorter than announced
      return
    }
    const left = rest.subarray(res.getWriteOffset() - before)
    this.#rest = left.byteLength === 0 ? null : left
  }

  #sendEnd(): void {
    const res = this.#res as UwsResponse
    if (this.#headPending) {
      // A stream that had no bytes: an empty answer.
      this.#headPending = false
      this.#sendWhole()
      return
    }
    res.end()
    this.#finished()
  }

  // -- end ---------------------------------------------------------------------------------------

  /** All is handed to uWS. */
  #finished(): void {
    this.#res = null
    this.ex.state = DONE
    if (!this.#bodyEnded) {
      // uWS goes on reading the rest of the request; nobody wants it.
      this.#bodyUnwanted = true
      this.#bodySink = null
      this.#held = null
    }
    this.#over()
  }

  #aborted(): void {
    this.#res = null
    const ex = this.ex
    if (ex.state === DONE || ex.state === ABORTED) return
    const sink = this.#bodySink
    const source = this.#source
    this.#bodySink = null
    this.#source = null
    try {
      if (ex.engine !== null) ex.engine.aborted(ex)
      ex.state = ABORTED
      if (source !== null) source.cancel()
      if (sink !== null) sink.fail('client gone')
    } catch (thrown) {
      ex.state = ABORTED
      this.#home.report(thrown)
    }
    this.#over()
  }

  #over(): void {
    const ex = this.ex
    const engine = ex.engine
    if (this.#watched) {
      this.#watched = false
      this.#home.unwatch(this)
    }
    try {
      ex.owner?.finished(ex)
      engine?.unpin()
    } catch (thrown) {
      this.#home.report(thrown)
    }
    // With request bytes outstanding uWS may still call this object: it is not used again.
    const reusable = this.#bodyEnded
    if (reusable) this.#reset()
    this.#home.release(this, reusable)
  }

  #reset(): void {
    this.ex.reset()
    this.length = 0
    this.#handler = null
    this.#address = null
    this.#peer = null
    this.#bodySink = null
    this.#held = null
    this.#bodyPaused = false
    this.#isStopped = false
    this.#pulseMs = PULSE_MS_MIN
    this.#nudgeMs = NUDGE_MS_MIN
    this.#bodyUnwanted = false
    this.#source = null
    this.#totalBytes = 0
    this.#sentBytes = 0
    this.#headPending = false
    this.#rest = null
    this.#sourcePaused = false
    this.#sourceEnded = false
    this.#writableAttached = false
    this.#closing = false
    this.#isDue = false
    this.#chunk = NOTHING
    this.#progressMs = 0
  }

  // -- slow clients ------------------------------------------------------------------------------

  #watch(): void {
    this.#watched = true
    this.#progressMs = 0
    this.#home.watch(this)
  }

  /**
   * Visited every few seconds while streaming: restarts uWebSockets.js's own clock, which would
   * cut the connection after ten seconds, and applies our limit instead.
   */
  visit(elapsedMs: number): void {
    const res = this.#res
    if (res === null) return
    const waitsForClient = !this.#bodyPaused || this.#needsWritable
    this.#progressMs += waitsForClient && this.#waitsNow() ? elapsedMs : 0
    if (this.#progressMs > this.#home.limits.stallMs) {
      this.cut()
      return
    }
    res.pause()
    res.resume()
    if (this.#isStopped && !this.#needsWritable) res.pause()
    else this.#isStopped = false
  }

  /** True while it is the client's turn: to send body bytes, or to take ours. */
  #waitsNow(): boolean {
    if (this.#needsWritable) return true
    return !this.#bodyEnded && !this.#bodyPaused && this.ex.state !== RESPONDING
  }
}

function deliver(_ex: Exchange, to: UwsExchange): void {
  to.deliver()
}

/** An address as text: dotted for IPv4 and IPv4-mapped, RFC 5952 enough for IPv6. */
export function addressText(binary: ArrayBuffer): string {
  const bytes = new Uint8Array(binary)
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return ''
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff
  if (mapped && bytes[11] === 0xff) return bytes.subarray(12).join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16))
  }
  return groups.join(':')
}
