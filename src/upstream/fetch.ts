import { type TimerWheel, WheelTimer } from '../lib/timer-wheel.js'
import type {
  UpstreamCall,
  UpstreamClient,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamServer,
} from './contract.js'
import { locationIn, type Redirects, redirected } from './redirect.js'

export interface FetchRequest {
  readonly method: string
  /** Path and query as on the request line. */
  readonly target: string
  /** Value of the Host field; the server's own without. */
  readonly host?: string
  /** name, value, … with names in lower case. */
  readonly headers: readonly string[]
  readonly body: Uint8Array | null
  /** Without, redirections are answers like others. */
  readonly redirects?: Redirects
}

export interface FetchLimits {
  /** For the whole of it, in ms. */
  readonly timeoutMs: number
  /** Of the answer's body. */
  readonly bytesMax: number
}

export interface FetchOutcome {
  /** 0 when there was no whole answer. */
  readonly status: number
  /** As for `UpstreamHandler.onHead`. */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** Why there was no answer; empty when there was. Names the server, never request data. */
  readonly failure: string
}

const NOTHING = Buffer.alloc(0)

/**
 * One small request with its answer collected: for filters that ask somebody about a request, not
 * for traffic. Sent a second time when a kept connection turns out closed before the answer, so
 * only for what may be asked twice.
 */
export class Fetch implements UpstreamRequest, UpstreamHandler {
  method: string
  target: string
  host: string
  headers: readonly string[]
  bodyLength: number
  body: Uint8Array | null

  readonly #client: UpstreamClient
  readonly #redirects: Redirects | null
  #server: UpstreamServer
  #redirected = 0
  readonly #timers: TimerWheel
  readonly #limits: FetchLimits
  readonly #done: (outcome: FetchOutcome) => void
  readonly #deadline: WheelTimer
  #call: UpstreamCall | null = null
  #mayAskAgain = true
  #isOver = false
  #status = 0
  #fields: readonly string[] = []
  #chunks: Buffer[] = []
  #bytes = 0

  /** `done` is called once, unless `cancel` was called before; never before `start` returns. */
  constructor(
    client: UpstreamClient,
    server: UpstreamServer,
    timers: TimerWheel,
    request: FetchRequest,
    limits: FetchLimits,
    done: (outcome: FetchOutcome) => void,
  ) {
    this.method = request.method
    this.host = request.host ?? ''
    this.target = request.target
    this.headers = request.headers
    this.body = request.body
    this.bodyLength = request.body?.byteLength ?? 0
    this.#client = client
    this.#redirects = request.redirects ?? null
    this.#server = server
    this.#timers = timers
    this.#limits = limits
    this.#done = done
    this.#deadline = new WheelTimer<unknown>(this, expire)
  }

  start(): void {
    this.#timers.start(this.#deadline, this.#limits.timeoutMs)
    this.#ask()
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timers.stop(this.#deadline)
    this.#call?.cancel()
  }

  #ask(): void {
    this.#call = this.#client.send(this.#server, this, this)
  }

  onHead(status: number, headers: readonly string[], bodyLength: number): void {
    this.#status = status
    this.#fields = headers
    if (bodyLength > this.#limits.bytesMax) this.#refuse('answered with too large a body')
  }

  onBody(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength
    if (this.#bytes > this.#limits.bytesMax) this.#refuse('answered with too large a body')
    else this.#chunks.push(Buffer.from(chunk))
  }

  onEnd(): void {
    if (this.#redirects !== null && this.#isRedirected(this.#redirects)) return
    const body = this.#chunks.length === 0 ? NOTHING : Buffer.concat(this.#chunks)
    this.#end({ status: this.#status, headers: this.#fields, body, failure: '' })
  }

  /** True when the answer sent it elsewhere, and it has gone there or given up. */
  #isRedirected({ max, origins }: Redirects): boolean {
    const location = locationIn(this.#status, this.#fields)
    if (location === null) return false
    const { origin, hostField } = this.#server
    const from = new URL(this.target, `${origin.scheme}://${hostField}`)
    const next = redirected(from, this.#status, location, this)
    if (next === null || this.#redirected >= max) {
      this.#refuse('sent elsewhere, where nobody can be asked')
      return true
    }
    this.#redirected += 1
    const { url } = next
    // A place that is named whole, and one elsewhere, is asked by its own name.
    if (URL.canParse(location) || url.host !== from.host) this.host = ''
    this.method = next.method
    this.headers = next.headers
    this.target = url.pathname + url.search
    if (!next.keepsBody) {
      this.body = null
      this.bodyLength = 0
    }
    if (url.origin !== from.origin) this.#server = origins.get(url)
    this.#status = 0
    this.#chunks = []
    this.#bytes = 0
    this.#ask()
    return true
  }

  onError(kind: UpstreamErrorKind, message: string): void {
    const wasClosed = kind === 'reset' || kind === 'closed-early'
    if (wasClosed && this.#mayAskAgain && this.#status === 0) {
      this.#mayAskAgain = false
      this.#ask()
    } else this.#end({ status: 0, headers: [], body: NOTHING, failure: message })
  }

  onDrain(): void {
    // The body goes out in one piece.
  }

  onBatchEnd(): void {
    // Nothing is handed on before the end.
  }

  /** Took too long. */
  expired(): void {
    this.#refuse(`did not answer within ${this.#limits.timeoutMs} ms`)
  }

  #refuse(what: string): void {
    this.#call?.cancel()
    const failure = `${this.#server.hostField} ${what}`
    this.#end({ status: 0, headers: [], body: NOTHING, failure })
  }

  #end(outcome: FetchOutcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timers.stop(this.#deadline)
    this.#done(outcome)
  }
}

const expire = (fetch: unknown): void => (fetch as Fetch).expired()
