import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Clock } from '../../lib/clock.js'
import { parseJsonObject } from '../../lib/json-object.js'
import { TOKEN_CHARS_MAX } from '../../lib/jwt.js'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.js'
import type {
  UpstreamCall,
  UpstreamClient,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamServer,
} from '../../upstream/contract.js'
import type { FilterContext } from '../contract.js'
import { setIdentity } from './identity.js'
import type { IntrospectSpec } from './oauth-spec.js'
import { INVALID, type TokenJudge } from './token-judge.js'

/** An answer about a token that is longer is none. */
const ANSWER_BYTES_MAX = 65_536
/** RFC 6749 appendix A.12: visible ASCII and blanks; a blank would end the token before. */
const TOKEN = /^[\x21-\x7e]+$/

/** Asks a server whether tokens are valid (RFC 7662), over connections that are kept. */
export class Introspector implements TokenJudge {
  readonly client: UpstreamClient
  readonly server: UpstreamServer
  readonly timers: TimerWheel
  readonly clock: Clock
  readonly timeoutMs: number
  readonly target: string
  readonly headers: readonly string[]
  readonly #formEnd: string
  /** What a client that goes away has to find. */
  readonly #waiting = new Map<Exchange, Introspection>()

  constructor(spec: IntrospectSpec, context: FilterContext, clock: Clock) {
    const { protocol, hostname, port, pathname, search } = new URL(spec.endPoint)
    const scheme = protocol === 'https:' ? 'https' : 'http'
    this.client = context.upstream
    this.timers = context.timers
    this.clock = clock
    this.timeoutMs = spec.timeout
    this.target = pathname + search
    this.server = this.client.acquire(
      {
        scheme,
        host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
        port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
      },
      { tls: { verify: !spec.insecureTls, ca: '', cert: '', key: '', serverName: '' } },
    )
    const headers = ['content-type', 'application/x-www-form-urlencoded']
    headers.push('accept', 'application/json')
    if (spec.clientId === '' && spec.basicAuth !== '') {
      headers.push('authorization', `Basic ${spec.basicAuth}`)
    }
    this.headers = headers
    const { clientId, clientSecret } = spec
    const own = new URLSearchParams({ client_id: clientId, client_secret: clientSecret })
    this.#formEnd = clientId === '' ? '' : `&${own}`
  }

  judge(ex: Exchange, token: string): number {
    if (token.length > TOKEN_CHARS_MAX || !TOKEN.test(token)) {
      ex.respond(403)
      return INVALID
    }
    const form = Buffer.from(`${new URLSearchParams({ token })}${this.#formEnd}`, 'latin1')
    const introspection = new Introspection(this, ex, form)
    this.#waiting.set(ex, introspection)
    introspection.start()
    return SUSPENDED
  }

  /** The verdict on the token of `ex` is there. */
  judged(ex: Exchange): void {
    this.#waiting.delete(ex)
  }

  cancel(ex: Exchange): void {
    const introspection = this.#waiting.get(ex)
    this.#waiting.delete(ex)
    introspection?.abandon()
  }

  retire(): void {
    this.server.release()
  }
}

/** One question, and the answer to it: what is sent and who takes what comes back in one object. */
class Introspection implements UpstreamRequest, UpstreamHandler {
  // What the upstream client reads.
  readonly method = 'POST'
  readonly target: string
  readonly host = ''
  readonly headers: readonly string[]
  readonly bodyLength: number
  readonly body: Uint8Array

  readonly #owner: Introspector
  readonly #ex: Exchange
  readonly #ticket: number
  readonly #deadline: WheelTimer
  #call: UpstreamCall | null = null
  #mayAskAgain = true
  #isAnswering = false
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(owner: Introspector, ex: Exchange, form: Uint8Array) {
    this.#owner = owner
    this.#ex = ex
    this.#ticket = ex.suspend()
    this.#deadline = new WheelTimer<unknown>(this, expire)
    this.target = owner.target
    this.headers = owner.headers
    this.body = form
    this.bodyLength = form.byteLength
  }

  start(): void {
    const { timers, timeoutMs } = this.#owner
    timers.start(this.#deadline, timeoutMs)
    this.#ask()
  }

  #ask(): void {
    this.#call = this.#owner.client.send(this.#owner.server, this, this)
  }

  /** Nobody waits for the verdict any more. */
  abandon(): void {
    this.#owner.timers.stop(this.#deadline)
    this.#call?.cancel()
  }

  onHead(status: number, _headers: readonly string[], bodyLength: number): void {
    this.#isAnswering = true
    // RFC 7662 §2.2: anything but 200 says nothing about the token.
    if (status === 200 && bodyLength <= ANSWER_BYTES_MAX) return
    this.#call?.discard()
    this.#refuse()
  }

  onBody(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength
    if (this.#bytes <= ANSWER_BYTES_MAX) {
      this.#chunks.push(Buffer.from(chunk))
      return
    }
    this.#call?.cancel()
    this.#refuse()
  }

  onEnd(): void {
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    const identity = identityIn(Buffer.concat(this.#chunks), this.#owner.clock.wallMs())
    const isValid =
      identity !== null && setIdentity(ex.request.headers, identity.sub, identity.scope)
    if (isValid) this.#finish(OK)
    else this.#refuse()
  }

  onError(kind: UpstreamErrorKind): void {
    // The server may have closed a kept connection just then; asking twice does no harm.
    const wasClosed = kind === 'reset' || kind === 'closed-early'
    if (wasClosed && this.#mayAskAgain && !this.#isAnswering) {
      this.#mayAskAgain = false
      this.#ask()
    } else this.#refuse()
  }

  onDrain(): void {
    // The form goes out in one piece.
  }

  onBatchEnd(): void {
    // Nothing is handed on before the end.
  }

  /** Took too long. */
  expired(): void {
    this.#call?.cancel()
    this.#refuse()
  }

  #refuse(): void {
    if (this.#ex.isLive(this.#ticket)) this.#ex.respond(403)
    this.#finish(INVALID)
  }

  #finish(code: number): void {
    this.#owner.timers.stop(this.#deadline)
    if (!this.#ex.isLive(this.#ticket)) return
    this.#owner.judged(this.#ex)
    this.#ex.resume(this.#ticket, code)
  }
}

const expire = (introspection: unknown): void => (introspection as Introspection).expired()

interface Identity {
  readonly sub: string
  readonly scope: string
}

/** Whose token it is, when the answer says that it is active; RFC 7662 §2.2. */
function identityIn(answer: Uint8Array, nowMs: number): Identity | null {
  const {
    active,
    error = null,
    sub = null,
    scope = null,
    exp = null,
  } = parseJsonObject(answer) ?? {}
  if (active !== true || (error !== null && error !== '')) return null
  if (!isText(sub) || !isText(scope)) return null
  // A server that says "active" of what is over is wrong about one of the two.
  if (exp !== null && !(typeof exp === 'number' && nowMs < exp * 1_000)) return null
  return { sub: sub ?? '', scope: scope ?? '' }
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
