/**
 * Requests with one answer each, and notices with none, over the forwarding connections. Nothing is
 * sent twice: whoever gets the outcome 'unknown' looks before asking again.
 */
import { assert } from '../lib/assert.js'
import type { Time, Timer } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Peer } from './identity.js'
import type { Links } from './links.js'
import { FORWARD_BYTES_MAX, type Forward } from './traffic.js'

/**
 * Failures: OVERLOADED or STORE_UNAVAILABLE with `detail.outcome` 'none' (the peer never got it),
 * STORE_UNAVAILABLE or TIMEOUT with 'unknown', or what the peer answered, as it said it.
 */
export type Answer =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly error: GatewayError }

export interface Service {
  /** Whether who is no member may ask. Default: no. */
  readonly guests?: boolean
  /** `answer` is called once, now or later; what comes after the asker gave up is dropped. */
  onRequest?(body: Uint8Array, peer: Peer, answer: (answer: Answer) => void): void
  onNotice?(body: Uint8Array, peer: Peer): void
}

export interface RpcOptions {
  readonly time: Time
  /** Only what it takes to send. */
  readonly links: Pick<Links, 'sendForward'>
}

/** Requests of one peer that wait here for an answer; above it they are refused. */
const OPEN_MAX = 1024
const TIMEOUT_MS_MAX = 60_000

interface Asked {
  readonly peer: string
  readonly timer: Timer
  readonly done: (answer: Answer) => void
}

export class Rpc {
  readonly #time: Time
  readonly #links: Pick<Links, 'sendForward'>
  readonly #services = new Map<string, Service>()
  readonly #asked = new Map<number, Asked>()
  /** Of each peer, the ids of what it asked here. */
  readonly #open = new Map<string, Set<number>>()
  #ids = 0

  constructor(options: RpcOptions) {
    this.#time = options.time
    this.#links = options.links
  }

  /** `name`: lower-case letters, digits and hyphens; part of the wire format. */
  serve(name: string, service: Service): void {
    assert(!this.#services.has(name), `service ${name} exists`)
    this.#services.set(name, service)
  }

  /** `done` is called once, never before this returns. `timeoutMs`: 1..60,000. */
  ask(
    incarnation: string,
    service: string,
    body: Uint8Array,
    timeoutMs: number,
    done: (answer: Answer) => void,
  ): void {
    const id = ++this.#ids
    const limitMs = Math.max(1, Math.min(timeoutMs, TIMEOUT_MS_MAX))
    const sent = this.#send(incarnation, { type: 'request', id, service, timeoutMs: limitMs, body })
    if (sent !== null) {
      this.#time.after(0, () => done({ ok: false, error: sent }))
      return
    }
    const timer = this.#time.after(limitMs, () => {
      const message = `no answer of the peer within ${limitMs} ms`
      this.#settle(id, failed('TIMEOUT', message, 'unknown'))
    })
    this.#asked.set(id, { peer: incarnation, timer, done })
  }

  /** May be lost. False: it was not even sent. */
  tell(incarnation: string, service: string, body: Uint8Array): boolean {
    return this.#send(incarnation, { type: 'notice', service, body }) === null
  }

  /** For `LinksHandler.onForward`. */
  receive(traffic: Forward, peer: Peer): void {
    if (traffic.type === 'response') {
      const { id, body, error } = traffic
      // Ids are counted over all peers: nobody answers for another.
      if (this.#asked.get(id)?.peer !== peer.incarnation) return
      this.#settle(
        id,
        error === null ? { ok: true, body } : { ok: false, error: GatewayError.fromJSON(error) },
      )
      return
    }
    const service = this.#services.get(traffic.service)
    const allowed = service !== undefined && (!peer.guest || service.guests === true)
    if (traffic.type === 'notice') {
      if (allowed) service.onNotice?.(traffic.body, peer)
    } else if (!allowed || service.onRequest === undefined) {
      const message = `this node does not answer "${traffic.service}"${peer.guest ? ' to who is no member' : ''}`
      this.#respond(peer, traffic.id, failed('STORE_UNAVAILABLE', message, 'none'))
    } else this.#serve(service, traffic, peer)
  }

  /** For `LinksHandler.onForwardDown`. */
  peerDown(peer: Peer): void {
    this.#open.delete(peer.incarnation)
    const lost = [...this.#asked].filter(([, asked]) => asked.peer === peer.incarnation)
    for (const [id] of lost) {
      const message = `the connection to "${peer.name}" was lost before its answer came`
      this.#settle(id, failed('STORE_UNAVAILABLE', message, 'unknown'))
    }
  }

  #serve(service: Service, request: Extract<Forward, { type: 'request' }>, peer: Peer): void {
    const open = this.#open.get(peer.incarnation) ?? new Set<number>()
    this.#open.set(peer.incarnation, open)
    const { id } = request
    if (open.has(id)) return
    if (open.size >= OPEN_MAX) {
      this.#respond(peer, id, failed('OVERLOADED', 'too many requests of this peer wait', 'none'))
      return
    }
    open.add(id)
    const deadline = this.#time.after(Math.min(request.timeoutMs, TIMEOUT_MS_MAX), () => {
      open.delete(id)
    })
    service.onRequest?.(request.body, peer, (answer) => {
      deadline.cancel()
      // The connection that asked is gone, or its patience.
      if (!open.delete(id) || this.#open.get(peer.incarnation) !== open) return
      this.#respond(peer, id, answer)
    })
  }

  #respond(peer: Peer, id: number, answer: Answer): void {
    const body = answer.ok ? answer.body : new Uint8Array(0)
    const error = answer.ok ? null : answer.error.toJSON()
    const sent = this.#links.sendForward(peer.incarnation, { type: 'response', id, body, error })
    if (sent !== 'too-long') return
    const long = failed('INTERNAL', 'the answer is too long for one frame', 'unknown')
    this.#links.sendForward(peer.incarnation, {
      type: 'response',
      id,
      body: new Uint8Array(0),
      error: long.error.toJSON(),
    })
  }

  #send(incarnation: string, traffic: Forward): GatewayError | null {
    const sent = this.#links.sendForward(incarnation, traffic)
    if (sent === 'sent') return null
    if (sent === 'down') {
      return failed('STORE_UNAVAILABLE', 'there is no connection to the peer', 'none').error
    }
    if (sent === 'full') {
      return failed('OVERLOADED', 'too much waits to be sent to the peer', 'none').error
    }
    return failed(
      'DOCUMENT_TOO_LARGE',
      `a request between nodes has at most ${FORWARD_BYTES_MAX} bytes`,
      'none',
    ).error
  }

  #settle(id: number, answer: Answer): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    this.#asked.delete(id)
    asked.timer.cancel()
    asked.done(answer)
  }
}

function failed(
  code: GatewayError['code'],
  message: string,
  outcome: 'none' | 'unknown',
): Extract<Answer, { ok: false }> {
  return { ok: false, error: new GatewayError(code, message, { outcome }) }
}
