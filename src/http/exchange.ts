import { HttpRequest, HttpResponse } from './message.js'
import { DEFAULT, emptyPair, type MessagePair } from './namespaces.js'
import { realIp } from './real-ip.js'

/**
 * What a filter's `handle` returns. 0 and above are the filter's own results, in the order of its
 * kind's `results` (the first of them is 1; 0 is "went well").
 */
export const OK = 0
/** The filter will call `ex.resume(ticket, code)` later. */
export const SUSPENDED = -1
/** From `leave`: run all that follows the wrapping filter once more. */
export const RERUN = -2
/** From `leave`: hand the result of the inside on as it is; it does not jump a second time. */
export const UNCHANGED = -3

/** Why a flow is given up: see `WrappingFilter.cancel`. */
const TIMED_OUT = 408

export const RUNNING = 0
export const WAITING = 1
export const RESPONDING = 2
export const DONE = 3
export const ABORTED = 4
export type ExchangeState = 0 | 1 | 2 | 3 | 4

/** What runs an exchange: a pipeline. */
export interface Engine {
  readonly name: string
  /** The `data` of a v2 Pipeline, as templates see it (`.data.PIPELINE`); null without. */
  readonly data: Readonly<Record<string, unknown>> | null
  /** Goes on after the filter that waited, as if it had returned `code` now. */
  advance(ex: Exchange, code: number): void
  /** Gives up the inside of an open scope and goes on in its `leave`. */
  interrupt(ex: Exchange, scope: Scope): void
  /** Ends the flow with an answer of the engine's own: its status, and text unless that is empty. */
  endWith(ex: Exchange, status: number, message: string): void
  /** Something threw on behalf of `ex`. */
  failed(ex: Exchange, thrown: unknown): void
  /** The client is gone. */
  aborted(ex: Exchange): void
  /** The flow of `ex` is given up for the reason `status`; it is back in the one that called it. */
  giveUp(ex: Exchange, status: number): void
  /** The exchange is over; what was pinned for it may go. */
  unpin(): void
}

/** Told once when the exchange is over, answered or not: statistics, log, counts. */
export interface Finisher {
  finished(ex: Exchange): void
}

/** What may be told that the exchange it works for is over. */
export interface Cancellable {
  /** Give back what is held for `ex`; nothing may be resumed after it. */
  cancel(ex: Exchange): void
}

/** The way back to the client. */
export interface Responder {
  /** The flow has ended: `ex.response` goes out, head first. */
  send(ex: Exchange): void
  /** Ends the connection with no (further) answer. */
  cut(ex: Exchange): void
  /** The peer's address in text; costs microseconds, so it is read only when somebody asks. */
  peerAddress(): string
}

/** A flow that an exchange is inside of: an open wrapping filter. */
export class Scope {
  /** Index of the wrapping node. */
  readonly node: number
  /** Runs of the inside so far, this one included. */
  attempt = 1
  startedMs = 0
  /** How the inside ended: the engine's own. */
  outcome = 0
  /** The wrapping filter's own. */
  data: unknown = null

  constructor(node: number) {
    this.node = node
  }
}

const NO_SCOPES: readonly Scope[] = Object.freeze([])

/** A flow that waits until another one, called by its filter at `pc`, has ended. */
export class Frame {
  readonly engine: Engine | null
  readonly pc: number
  readonly phase: number
  readonly scopes: Scope[]
  readonly captured: (string | null)[] | null
  readonly outer: Frame | null
  /** The call is on the stack: what it comes to is then only noted. */
  isCalling = true

  constructor(ex: Exchange) {
    this.engine = ex.engine
    this.pc = ex.pc
    this.phase = ex.phase
    this.scopes = ex.scopes
    this.captured = ex.captured
    this.outer = ex.outer
  }
}

/**
 * One request and its answer. `request` and `response` are those of the namespace that the running
 * node of a flow is in (v2): filters read and write them and need not know. Every namespace keeps
 * its two objects for life, so filters change them in place. In a namespace other than DEFAULT there
 * is no request until a filter makes one (`request.isPresent`); in v2 there is no answer until a
 * filter makes one (`response.isPresent`), and a client whose flow made none gets a 503.
 *
 * Exchanges keep one shape for life and may be used again: a late
 * callback is recognised by its ticket, never by the object.
 */
export class Exchange {
  request = new HttpRequest()
  response = new HttpResponse()
  /** The client speaks TLS: a matter of its connection, which stays when the object is used again. */
  isTls = false
  /** Of `request` and `response`, by `namespaceIndex`. */
  namespace = DEFAULT
  /** All namespaces used so far, DEFAULT first; null until a flow uses a second one. */
  pairs: MessagePair[] | null = null
  /** Largest request body the server lets through, in bytes; 0: it sets no bound (v1, and streams). */
  requestBodyMax = 0
  /** What filters of a v2 flow left for templates under `.data`; null until one does. */
  data: Map<string, unknown> | null = null
  state: ExchangeState = RUNNING
  /** Who answers; null once the client is gone or answered. */
  responder: Responder | null = null
  engine: Engine | null = null
  /** On whose account the exchange runs: a server. */
  owner: Finisher | null = null
  /** Where the flow stands: index of the node that runs or waits. */
  pc = 0
  /** Which call of that node: the engine's own. */
  phase = 0
  /** Open wrapping filters, innermost last. Shared and empty until the first opens. */
  scopes: Scope[] = NO_SCOPES as Scope[]
  /** The flow that called the one it is in, through Bridge; null in all others. */
  outer: Frame | null = null
  /** How many calls and aggregations it is inside of; see `FLOW_DEPTH_MAX`. */
  depth = 0
  /** Values of template variables, by index in the pipeline's table; null without templates. */
  captured: (string | null)[] | null = null
  /** The filter that waits, to be told of an abort. */
  waiting: Cancellable | null = null
  /** What the last `suspend` named. */
  holder: Cancellable | null = null
  /** When the server took it, in milliseconds on the worker's monotonic clock. */
  startedMs = 0
  /** The route taken, as configured; for the statistics. */
  pattern = ''
  /** The beginning of paths that the route is for, as configured; '' when it has none. Only of v2. */
  pathPrefix = ''
  /** Where the server counts it, the server's own; 0: as one without a route. */
  place = 0
  /** Bytes of body received and sent; for the statistics. */
  bodyBytesIn = 0
  bodyBytesOut = 0
  /** True while the engine's loop is on the stack: a resume is then only noted. */
  looping = false
  resumedWith: number = SUSPENDED
  #ticket = 0
  #realIp: string | null = null
  #peer: string | null = null

  /** Makes the object ready for another request. Old tickets stay dead. */
  reset(): void {
    this.request.reset()
    this.response.reset()
    // The engine left all other namespaces when the flow ended.
    this.namespace = DEFAULT
    this.pairs = null
    this.requestBodyMax = 0
    this.data = null
    this.state = RUNNING
    this.responder = null
    this.engine = null
    this.owner = null
    this.pc = 0
    this.phase = 0
    this.scopes = NO_SCOPES as Scope[]
    this.outer = null
    this.depth = 0
    this.captured = null
    this.waiting = null
    this.holder = null
    this.startedMs = 0
    this.pattern = ''
    this.pathPrefix = ''
    this.place = 0
    this.bodyBytesIn = 0
    this.bodyBytesOut = 0
    this.looping = false
    this.resumedWith = SUSPENDED
    this.#ticket += 1
    this.#realIp = null
    this.#peer = null
  }

  /** Makes `namespace` the active one: what `request` and `response` are from now on. */
  useNamespace(namespace: number): void {
    if (namespace === this.namespace) return
    this.pairs ??= [{ namespace: DEFAULT, request: this.request, response: this.response }]
    let pair = this.#pairOf(namespace)
    if (pair === null) {
      pair = emptyPair(namespace)
      this.pairs.push(pair)
    }
    this.namespace = namespace
    this.request = pair.request
    this.response = pair.response
  }

  /** The request in a namespace, active or not; null when there is none. */
  requestIn(namespace: number): HttpRequest | null {
    const request =
      namespace === this.namespace ? this.request : (this.#pairOf(namespace)?.request ?? null)
    return request?.isPresent === true ? request : null
  }

  /** The answer in a namespace, active or not; null when there is none. */
  responseIn(namespace: number): HttpResponse | null {
    const response =
      namespace === this.namespace ? this.response : (this.#pairOf(namespace)?.response ?? null)
    return response?.isPresent === true ? response : null
  }

  /** The flow is over: back to DEFAULT; what came of the other namespaces is given back. */
  leaveNamespaces(): void {
    const pairs = this.pairs
    if (pairs === null) return
    this.useNamespace(DEFAULT)
    this.pairs = null
    for (const { namespace, response } of pairs) if (namespace !== DEFAULT) response.discard()
  }

  #pairOf(namespace: number): MessagePair | null {
    if (this.pairs !== null) {
      for (const pair of this.pairs) if (pair.namespace === namespace) return pair
    }
    return null
  }

  /**
   * What the client asked with, as far as can be known: a proxy in front says it in
   * `X-Forwarded-Proto`, which comes first as in Easegress (compat/traffic-v2.md §2).
   */
  get scheme(): string {
    return this.schemeOf(this.request)
  }

  /** The same by the fields of `request`, which may be of another namespace. */
  schemeOf(request: HttpRequest): string {
    return request.headers.get('x-forwarded-proto') || (this.isTls ? 'https' : 'http')
  }

  /** True when the client went away before the answer was complete. */
  get isAborted(): boolean {
    return this.state === ABORTED
  }

  /**
   * For a filter about to return SUSPENDED: the number with which it may resume, once. `holder`
   * is told when the exchange ends early; without one the filter itself is.
   */
  suspend(holder: Cancellable | null = null): number {
    this.#ticket += 1
    this.holder = holder
    this.resumedWith = SUSPENDED
    return this.#ticket
  }

  /** True while `ticket` may still resume this exchange. */
  isLive(ticket: number): boolean {
    return ticket === this.#ticket && (this.state === RUNNING || this.state === WAITING)
  }

  /**
   * Goes on with the result of a filter that waited. Ignored when the ticket is dead: after an
   * abort, a time limit, a rerun, or the reuse of this object.
   */
  resume(ticket: number, code: number): void {
    if (!this.isLive(ticket)) return
    this.#ticket += 1
    if (this.looping) this.resumedWith = code
    else (this.engine as Engine).advance(this, code)
  }

  /** Kills the ticket that is out, and tells its holder. */
  revoke(): void {
    this.#ticket += 1
    const waiting = this.waiting
    this.waiting = null
    if (waiting !== null) waiting.cancel(this)
  }

  /**
   * For a wrapping filter, from a timer of its own: gives up all that goes on inside `scope`, whose
   * tickets die, and goes on in its `leave`. True when there was something to give up; false when
   * the exchange waits no more, or waits outside.
   */
  interrupt(scope: Scope): boolean {
    if (this.state !== WAITING) return false
    if (!this.scopes.includes(scope)) {
      let frame = this.outer
      while (frame !== null && !frame.scopes.includes(scope)) frame = frame.outer
      if (frame === null) return false
      while (!this.scopes.includes(scope)) (this.engine as Engine).giveUp(this, TIMED_OUT)
    }
    ;(this.engine as Engine).interrupt(this, scope)
    return true
  }

  /** Puts the flow it is in aside for another one. For engines. */
  enterFlow(engine: Engine): Frame {
    const frame = new Frame(this)
    this.outer = frame
    this.depth += 1
    this.engine = engine
    this.pc = 0
    this.scopes = NO_SCOPES as Scope[]
    this.captured = null
    return frame
  }

  /** Back to the flow that was put aside last. For engines. */
  leaveFlow(): void {
    const frame = this.outer as Frame
    this.outer = frame.outer
    this.depth -= 1
    this.engine = frame.engine
    this.pc = frame.pc
    this.phase = frame.phase
    this.scopes = frame.scopes
    this.captured = frame.captured
  }

  /** Opens a scope for the wrapping filter at `node`. */
  openScope(node: number): Scope {
    const scope = new Scope(node)
    if (this.scopes === NO_SCOPES) this.scopes = [scope]
    else this.scopes.push(scope)
    return scope
  }

  /**
   * Sets an answer made here, in place of one that may be there. Fields that filters have set stay,
   * as in Easegress, but for those that were about the body before.
   */
  respond(status: number, body: Uint8Array | null = null): void {
    const response = this.response
    response.headers.deleteOfContent()
    response.body = body
    response.status = status
  }

  /**
   * The one way in from outside (socket, timer, message): what throws costs this exchange a 500
   * (or its connection, once the head is out) and nobody else anything.
   */
  enter<A>(fn: (ex: Exchange, arg: A) => void, arg: A): void {
    try {
      fn(this, arg)
    } catch (thrown) {
      if (this.engine === null) throw thrown
      this.engine.failed(this, thrown)
    }
  }

  /** See `real-ip.ts`. Fixed at the first call: later changes of the fields do not alter it. */
  get realIp(): string {
    if (this.#realIp === null) {
      const request = this.pairs === null ? this.request : (this.pairs[0] as MessagePair).request
      this.#realIp = realIp(request.headers, this.peer)
    }
    return this.#realIp
  }

  /** The address at the other end of the connection; to be had only while that is there. */
  get peer(): string {
    this.#peer ??= this.responder === null ? '' : this.responder.peerAddress()
    return this.#peer
  }
}
