import { assert } from '../lib/assert.js'
import type { Time, Timer } from '../lib/clock.js'
import { encodeFrame, FrameDecoder, type FrameFault } from './frame.js'
import type { Handshake, HandshakeOutcome, Remote } from './handshake.js'
import { HANDSHAKE_BODY_BYTES_MAX } from './handshake-messages.js'
import type { Channel, Introduction, Peer } from './identity.js'
import { Outbox, type OutboxLimits } from './outbox.js'
import { strangerAnswer } from './stranger.js'
import { decodeTraffic, encodeTraffic, type Traffic, trafficProblem } from './traffic.js'
import type { CloseCause, Connection, ConnectionHandler } from './transport.js'

export interface SessionTiming {
  /** From the dial, or from a connection coming in, to the end of the handshake. */
  readonly handshakeMs: number
  /** Between two pings. */
  readonly pingMs: number
  /** Without a byte from the peer for so long, it is taken for dead. */
  readonly deadMs: number
}

/** How a session ended, or why it never began. */
export type Ending =
  | { readonly type: 'refused'; readonly outcome: Extract<HandshakeOutcome, { ok: false }> }
  /** The peer does not keep to the protocol. */
  | { readonly type: 'fault'; readonly code: FrameFault['code'] | 'body'; readonly message: string }
  /** The connection went, or never came about. */
  | { readonly type: 'lost'; readonly message: string; readonly cause: CloseCause | 'unanswered' }
  /** This side closed it. */
  | { readonly type: 'closed'; readonly message: string }

export interface SessionHandler {
  /** The connection stands, the peer is about to be met. Called once at most. */
  handshake(session: Session, remote: Remote): Handshake
  /** False: not wanted after all; the handler has closed it. */
  onEstablished(session: Session): void
  /** Pings and pongs are not reported. */
  onTraffic(session: Session, traffic: Traffic): void
  /** There is room again after `send` returned false. */
  onDrained(session: Session): void
  /** Once, the last call. */
  onEnded(session: Session, ending: Ending): void
}

export interface SessionStats {
  bytesIn: number
  bytesOut: number
  framesIn: number
  framesOut: number
  /** Frames lost because a queue was full. */
  dropped: number
  /** Round trip of the last ping, in milliseconds; null before the first. */
  rttMs: number | null
  /** The peer's wall clock less ours, in milliseconds, within half a round trip. */
  clockOffsetMs: number | null
}

export const newSessionStats = (): SessionStats => ({
  bytesIn: 0,
  bytesOut: 0,
  framesIn: 0,
  framesOut: 0,
  dropped: 0,
  rttMs: null,
  clockOffsetMs: null,
})

/** One connection to a peer, from dialing or accepting it to its end. */
export class Session implements ConnectionHandler {
  readonly #time: Time
  readonly #timing: SessionTiming
  readonly #handler: SessionHandler
  readonly #limitsOf: (channel: Channel) => OutboxLimits
  #outbox: Outbox | null = null
  readonly #decoder: FrameDecoder
  readonly isDialed: boolean
  readonly stats: SessionStats = newSessionStats()
  #connection: Connection | null = null
  #handshake: Handshake | null = null
  #established: { readonly peer: Peer; readonly channel: Channel } | null = null
  /** What this node said of itself. */
  #introduction: Introduction | null = null
  #blocked = false
  #full = false
  #over = false
  #lastHeardMs: number
  #establishedMs: number | null = null
  #timer: Timer

  constructor(options: {
    readonly time: Time
    readonly timing: SessionTiming
    readonly handler: SessionHandler
    readonly limitsOf: (channel: Channel) => OutboxLimits
    readonly isDialed: boolean
  }) {
    this.#time = options.time
    this.#timing = options.timing
    this.#handler = options.handler
    this.#limitsOf = options.limitsOf
    this.isDialed = options.isDialed
    this.#lastHeardMs = options.time.monotonicMs()
    this.#decoder = new FrameDecoder({
      admit: (type, bytes) => this.#admit(type, bytes),
      onFrame: (type, body) => this.#onFrame(type, body),
      onFault: (fault) => this.#onFault(fault),
    })
    this.#timer = this.#time.after(this.#timing.handshakeMs, () =>
      this.#end({ type: 'lost', message: 'no answer in time', cause: 'unanswered' }),
    )
  }

  /** To be called at once after the connection was made. */
  attach(connection: Connection): void {
    this.#connection = connection
  }

  /** Null before the handshake is done. */
  get peer(): Peer | null {
    return this.#established?.peer ?? null
  }

  get channel(): Channel | null {
    return this.#established?.channel ?? null
  }

  /** What this node said of itself in the handshake; null before. */
  get introduction(): Introduction | null {
    return this.#introduction
  }

  /** Monotonic time of the last byte from the peer. */
  get lastHeardMs(): number {
    return this.#lastHeardMs
  }

  /** For how long it has stood, or stood; 0 when the handshake never ended well. */
  get stoodMs(): number {
    return this.#establishedMs === null ? 0 : this.#time.monotonicMs() - this.#establishedMs
  }

  get queuedBytes(): number {
    return this.#outbox?.bytes ?? 0
  }

  /** Takes precedence over everything else; may cost the oldest of its kind when many wait. */
  sendUrgent(traffic: Traffic, key: string | null): void {
    if (this.#over || this.#outbox === null) return
    const frame = encodeTraffic(traffic)
    assert(frame !== null, 'an urgent frame is too long')
    this.stats.dropped += this.#outbox.pushUrgent(frame, key)
    this.#pump()
  }

  /** `full`: not taken, try again after `onDrained`. `too-long`: never will be. */
  send(traffic: Traffic): 'sent' | 'full' | 'too-long' {
    if (this.#over || this.#outbox === null) return 'full'
    const frame = encodeTraffic(traffic)
    if (frame === null) return 'too-long'
    if (!this.#blocked && this.#outbox.isEmpty) {
      this.#write(frame)
      return 'sent'
    }
    if (!this.#outbox.push(frame)) {
      this.#full = true
      this.stats.dropped += 1
      return 'full'
    }
    this.#pump()
    return 'sent'
  }

  /** What the connection took leaves now; see {@link Connection.flush}. */
  flush(): void {
    this.#connection?.flush?.()
  }

  /** Is the peer alive? If it does not answer within `withinMs`, the session ends. */
  probe(withinMs: number): void {
    if (this.#over || this.#established === null) return
    const askedMs = this.#time.monotonicMs()
    this.#ping()
    this.#time.after(withinMs, () => {
      if (this.#lastHeardMs > askedMs) return
      this.#end({ type: 'lost', message: 'no answer to a probe', cause: 'unanswered' })
    })
  }

  close(message: string): void {
    this.#end({ type: 'closed', message })
  }

  onOpen(remote: Remote): void {
    if (this.#over) return
    this.#lastHeardMs = this.#time.monotonicMs()
    this.#handshake = this.#handler.handshake(this, remote)
    this.#afterHandshakeStep()
  }

  /** Set by the handler while it makes the handshake. */
  introduced(as: Introduction): void {
    this.#introduction = as
  }

  onData(bytes: Uint8Array): void {
    if (this.#over) return
    this.#lastHeardMs = this.#time.monotonicMs()
    this.stats.bytesIn += bytes.byteLength
    this.#decoder.push(bytes)
  }

  onDrained(): void {
    if (this.#over) return
    this.#blocked = false
    this.#pump()
  }

  onClosed(reason: string, cause: CloseCause): void {
    this.#connection = null
    if (!this.#over) this.#decoder.end()
    this.#end({ type: 'lost', message: reason, cause })
  }

  #admit(type: number, bytes: number): string | null {
    if (this.#established !== null) {
      const { channel, peer } = this.#established
      return trafficProblem(type, bytes, channel, peer.guest)
    }
    if (bytes > HANDSHAKE_BODY_BYTES_MAX) return `${bytes} bytes are too many for a handshake`
    const expected = this.#handshake?.expects(type) ?? false
    return expected ? null : `a frame of type ${type} was not expected in a handshake`
  }

  #onFrame(type: number, body: Uint8Array): void {
    this.stats.framesIn += 1
    if (this.#established === null) {
      this.#handshake?.receive(type, body)
      this.#afterHandshakeStep()
      return
    }
    const traffic = decodeTraffic(type, body)
    if (typeof traffic === 'string') this.violation(traffic)
    else if (traffic.type === 'ping') this.sendUrgent(this.#pong(traffic.sentMs), 'pong')
    else if (traffic.type === 'pong') this.#onPong(traffic.sentMs, traffic.wallMs)
    else this.#handler.onTraffic(this, traffic)
  }

  /** The peer sent what it must not send. */
  violation(message: string): void {
    this.#end({ type: 'fault', code: 'body', message })
  }

  #onFault(fault: FrameFault): void {
    const answer = this.#established === null ? strangerAnswer(fault.code) : null
    if (answer !== null && !this.isDialed) this.#connection?.send(answer)
    this.#end({ type: 'fault', code: fault.code, message: fault.message })
  }

  #afterHandshakeStep(): void {
    const handshake = this.#handshake as Handshake
    for (const { type, body } of handshake.take()) this.#write(encodeFrame(type, body))
    const { outcome } = handshake
    if (outcome === null || this.#over) return
    if (!outcome.ok) {
      this.#end({ type: 'refused', outcome })
      return
    }
    this.#handshake = null
    this.#established = { peer: outcome.peer, channel: outcome.channel }
    this.#establishedMs = this.#time.monotonicMs()
    this.#outbox = new Outbox(this.#limitsOf(outcome.channel))
    this.#timer.cancel()
    this.#timer = this.#time.after(this.#timing.pingMs, () => this.#onBeat())
    this.#ping()
    this.#handler.onEstablished(this)
  }

  #onBeat(): void {
    const silentMs = this.#time.monotonicMs() - this.#lastHeardMs
    if (silentMs >= this.#timing.deadMs) {
      const message = `nothing heard for ${Math.round(silentMs)} ms`
      this.#end({ type: 'lost', message, cause: 'unanswered' })
      return
    }
    this.#ping()
    this.#timer = this.#time.after(this.#timing.pingMs, () => this.#onBeat())
  }

  #ping(): void {
    const sentMs = this.#time.monotonicMs()
    this.sendUrgent({ type: 'ping', sentMs, wallMs: this.#time.wallMs() }, 'ping')
  }

  #pong(sentMs: number): Traffic {
    return { type: 'pong', sentMs, wallMs: this.#time.wallMs() }
  }

  #onPong(sentMs: number, wallMs: number): void {
    const rttMs = this.#time.monotonicMs() - sentMs
    if (rttMs < 0 || rttMs > this.#timing.deadMs) return
    this.stats.rttMs = rttMs
    this.stats.clockOffsetMs = wallMs + rttMs / 2 - this.#time.wallMs()
  }

  #pump(): void {
    const outbox = this.#outbox
    if (this.#over || outbox === null) return
    while (!this.#blocked && !this.#over) {
      const frame = outbox.shift()
      if (frame === null) break
      this.#write(frame)
    }
    if (this.#full && outbox.isHalfEmpty && !this.#over) {
      this.#full = false
      this.#handler.onDrained(this)
    }
  }

  #write(frame: Uint8Array): void {
    const { stats } = this
    stats.framesOut += 1
    stats.bytesOut += frame.byteLength
    if (this.#connection?.send(frame) === false) this.#blocked = true
  }

  #end(ending: Ending): void {
    if (this.#over) return
    this.#over = true
    this.#timer.cancel()
    this.#decoder.stop()
    this.#connection?.close()
    this.#connection = null
    this.#handler.onEnded(this, ending)
  }
}
