import type { MessagePort } from 'node:worker_threads'
import { assert, unreachable } from '../lib/assert.js'
import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Logger } from '../telemetry/log.js'
import type { ActorRef, Asked, Asks, MemberOf, Message, ReplyOf } from './actor.js'
import { Call } from './call.js'
import { ASK, CREDIT, decode, encode, FAIL, type Frame, OK, type Parcel, TELL } from './codec.js'

export interface LinkOptions {
  /** Of what is on the other side, for logs and errors. */
  readonly name: string
  readonly time: Time
  readonly log: Logger
  /** Asks that may be open at once; more fail with OVERLOADED. Default 1,024. */
  readonly asksMax?: number
  /**
   * Messages that may lie in the port before the other thread took them out; more are lost and
   * counted (tell) or fail with OVERLOADED (ask). Default 8,192.
   */
  readonly backlogMax?: number
}

export interface LinkStats {
  readonly asksOpen: number
  /** Messages posted that the other side has not yet taken out of the port. */
  readonly backlog: number
  /** Told but not sent: the backlog was full, or the link closed. */
  readonly lost: number
  /** Answers that came after their time-out. */
  readonly late: number
}

/** The receiver reports each time it took this many; far below any sensible `backlogMax`. */
const CREDIT_EVERY = 128
const LOST_LOG_MS = 10_000

type AnyAsk = Message & Asks<unknown>

/**
 * One end of a `MessagePort` between two threads. Either end may serve an actor to the other and
 * refer to the one served there. The port belongs to the link.
 */
export class PortLink<Theirs extends Message = never> {
  /** The actor that the other end serves. */
  readonly remote: ActorRef<Theirs>
  /** Resolves when the port has closed: by either end, or because the other thread ended. */
  readonly closed: Promise<void>
  readonly #options: Required<LinkOptions>
  readonly #port: MessagePort
  readonly #calls = new Map<number, Call>()
  #served: ActorRef<AnyAsk> | null = null
  #open = true
  #lastId = 0
  #backlog = 0
  #uncredited = 0
  #lost = 0
  #unlogged = 0
  #loggedAtMs = Number.NEGATIVE_INFINITY
  #late = 0

  constructor(port: MessagePort, options: LinkOptions) {
    this.#options = { asksMax: 1024, backlogMax: 8192, ...options }
    this.#port = port
    this.remote = {
      name: options.name,
      tell: (message: Theirs) => this.#tell(message),
      ask: <Q extends Asked<Theirs>>(message: Q, timeoutMs: number) =>
        this.#ask(message, timeoutMs) as Promise<ReplyOf<MemberOf<Theirs, Q>>>,
    }
    this.closed = new Promise((resolve) => {
      port.once('close', () => {
        this.#onClose()
        resolve()
      })
    })
    port.on('message', (parcel: Parcel) => this.#onFrame(decode(parcel)))
  }

  /**
   * Hands the messages of the other end to `ref`. Call it in the turn that made the link: what
   * comes before is a bug and throws.
   */
  serve<M extends Message>(ref: ActorRef<M>): this {
    this.#served = ref as unknown as ActorRef<AnyAsk>
    return this
  }

  /** Closes both ends. Open asks fail. */
  close(): void {
    this.#port.close()
  }

  stats(): LinkStats {
    return {
      asksOpen: this.#calls.size,
      backlog: this.#backlog,
      lost: this.#lost,
      late: this.#late,
    }
  }

  #tell(message: Theirs): void {
    if (this.#open && this.#backlog < this.#options.backlogMax) this.#post([TELL, message])
    else this.#lose()
  }

  #ask(message: Theirs, timeoutMs: number): Promise<unknown> {
    const { name, time, asksMax, backlogMax } = this.#options
    const id = this.#nextId()
    const call = new Call(name, time, timeoutMs, () => this.#calls.delete(id))
    if (!this.#open) call.lost('STORE_UNAVAILABLE', `${name} is gone`)
    else if (this.#calls.size >= asksMax) call.lost('OVERLOADED', `too many open asks to ${name}`)
    else if (this.#backlog >= backlogMax) call.lost('OVERLOADED', `${name} does not keep up`)
    else {
      call.taken = true // as far as can be known here
      this.#calls.set(id, call)
      this.#post([ASK, id, timeoutMs, message])
    }
    return call.promise
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0
    return this.#lastId
  }

  #post(frame: Frame): void {
    const { parcel, moved } = encode(frame)
    this.#port.postMessage(parcel, moved)
    if (frame[0] === TELL || frame[0] === ASK) this.#backlog += 1
  }

  #onFrame(frame: Frame): void {
    switch (frame[0]) {
      case TELL:
        this.#took()
        this.#actor().tell(frame[1] as AnyAsk)
        break
      case ASK:
        this.#took()
        this.#serveAsk(frame[1], frame[2], frame[3] as AnyAsk)
        break
      case OK:
        this.#settle(frame[1], (call) => call.ok(frame[2]))
        break
      case FAIL:
        this.#settle(frame[1], (call) => call.fail(GatewayError.fromJSON(frame[2])))
        break
      case CREDIT:
        this.#backlog -= frame[1]
        break
      default:
        unreachable(frame)
    }
  }

  #actor(): ActorRef<AnyAsk> {
    assert(this.#served !== null, `${this.#options.name} sent a message, but no actor is served`)
    return this.#served
  }

  #took(): void {
    this.#uncredited += 1
    if (this.#uncredited < CREDIT_EVERY) return
    this.#reply([CREDIT, this.#uncredited])
    this.#uncredited = 0
  }

  #serveAsk(id: number, timeoutMs: number, message: AnyAsk): void {
    this.#actor()
      .ask(message, timeoutMs)
      .then((value) => this.#reply([OK, id, value]))
      .catch((thrown: unknown) => this.#reply([FAIL, id, GatewayError.from(thrown).toJSON()]))
  }

  #reply(frame: Frame): void {
    if (this.#open) this.#post(frame)
  }

  #settle(id: number, how: (call: Call) => void): void {
    const call = this.#calls.get(id)
    if (call === undefined) this.#late += 1
    else how(call)
  }

  #lose(): void {
    this.#lost += 1
    this.#unlogged += 1
    const { time, log, name } = this.#options
    const nowMs = time.monotonicMs()
    if (nowMs - this.#loggedAtMs < LOST_LOG_MS) return
    const why = this.#open ? 'backlog' : 'closed'
    log.warn('messages to another thread lost', { to: name, why, count: this.#unlogged })
    this.#loggedAtMs = nowMs
    this.#unlogged = 0
  }

  #onClose(): void {
    this.#open = false
    for (const call of [...this.#calls.values()]) {
      call.lost('STORE_UNAVAILABLE', `${this.#options.name} went away before it answered`)
    }
  }
}
