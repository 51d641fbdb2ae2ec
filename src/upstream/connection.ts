import type { Socket } from 'node:net'
import { type TimerWheel, WheelTimer } from '../lib/timer-wheel.js'
import type { TurnEnd } from '../lib/turn-end.js'
import type { Call, Transport, WaitingRoom } from './call.js'
import type { ServerOptions, UpstreamErrorKind } from './contract.js'
import type { KnownLines } from './known-lines.js'
import { DATA, END, HEAD, MALFORMED, ResponseParser } from './response-parser.js'
import { codeOf, kindOfError } from './socket-error.js'
import { TcpLane } from './tcp-lane.js'

export const CONNECTING = 0
/** Serves a call, or reads away what is left of one. */
export const BUSY = 1
export const IDLE = 2
export const CLOSED = 3
export type ConnectionState = 0 | 1 | 2 | 3

/** At most this much of an answer nobody wants is read away to keep its connection. */
const DISCARD_BYTES_MAX = 65_536
/** And for at most this long. */
const DISCARD_MS = 2_000
/** Longer limits may be a fraction of a second short: no clock is read for them. */
const COARSE_FROM_MS = 10_000

/** The pool as its connections see it. */
export interface ConnectionOwner {
  readonly options: ServerOptions
  /** host:port, for messages. */
  readonly label: string
  readonly timers: TimerWheel
  readonly readBuffer: Buffer
  /** Requests leave together at the end of a turn. */
  readonly requestsDue: TurnEnd<TcpLane>
  readonly knownLines: KnownLines
  /** Begins to connect, see `dial`. */
  dial(onRead: (bytes: number) => boolean): Socket
  /** The event that says the connection can be written to. */
  readonly upEvent: 'connect' | 'secureConnect'
  hold(call: Call): void
  takeScratch(bytes: number): Buffer
  /** Nobody reads `scratch` any more. */
  giveBackScratch(scratch: Buffer): void
  stateChanged(from: ConnectionState, to: ConnectionState): void
  /** The connection is clean and wants work, or a rest. */
  giveBack(connection: Connection): void
  /** An idle connection ended by the peer's doing. */
  idleDropped(): void
  closed(connection: Connection): void
  /** Sends `call` once more, on a fresh connection. The one it was on closes right after. */
  retry(call: Call): void
}

/**
 * One socket, and the call it serves. Answers are read straight from the buffer all connections
 * share: head, body and end of a small answer reach the handler in one call stack.
 */
export class Connection implements Transport, WaitingRoom {
  isReused = false
  /** Of the peer; '' before it is connected. */
  remoteAddress = ''
  /** The pool's: it has noted the address. */
  isAddressKnown = false
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  /** Once connected; null where the stream does everything. */
  #lane: TcpLane | null = null
  readonly #parser: ResponseParser
  readonly #timer: WheelTimer
  #state: ConnectionState = CLOSED
  #call: Call | null = null
  /** When the timer means something; it may fire before and is then started for the rest. */
  #deadlineMs = Number.POSITIVE_INFINITY
  #timerDueMs = Number.POSITIVE_INFINITY
  /** The rest of an answer is being read away; bytes that may still come. */
  #isDiscarding = false
  #discardLeft = 0
  #isPumping = false
  #isInHead = false
  /** Reading is stopped because the call paused. */
  #isStopped = false
  /** The socket's buffer is full. */
  #isBlocked = false
  /** The peer is gone, but the call paused and has not been told yet. */
  #isLost = false
  #error: Error | null = null

  /** Connects for `call`. */
  constructor(owner: ConnectionOwner, call: Call) {
    this.#owner = owner
    this.#parser = new ResponseParser(owner.knownLines)
    this.#timer = new WheelTimer<unknown>(this, onTimer)
    this.#call = call
    call.waitingAt = this
    this.#enter(CONNECTING)
    this.#arm(owner.options.connectTimeoutMs)
    const socket = owner.dial((bytes) => this.#onRead(bytes))
    this.#socket = socket
    socket.once(owner.upEvent, () => this.#onUp())
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onLost(null))
    socket.on('error', (error) => this.#onLost(error))
    socket.on('close', () => this.#onLost(null))
  }

  /** The call it serves or connects for. */
  get call(): Call | null {
    return this.#call
  }

  /** Serves `call`. Only when idle, or from `giveBack`. */
  begin(call: Call): void {
    this.#call = call
    if (this.#state !== BUSY) this.#enter(BUSY)
    this.#disarm()
    this.#parser.start(call.isHead)
    call.attach(this)
  }

  /**
   * Waits for work, for a while less than the peer says it does: a request that crosses its close
   * on the way is lost, and not every request may be sent again.
   */
  rest(keepAliveMs: number): void {
    const hintMs = this.#parser.idleHintMs
    const safeMs = hintMs < 0 ? keepAliveMs : Math.max(hintMs - 1_000, hintMs / 2)
    this.#enter(IDLE)
    this.#arm(Math.min(keepAliveMs, safeMs))
  }

  /** Closes now. A call on it is not told. */
  close(): void {
    if (this.#state === CLOSED) return
    this.#call = null
    this.#enter(CLOSED)
    this.#owner.timers.stop(this.#timer)
    this.#lane?.drop()
    this.#socket.destroy()
    this.#owner.closed(this)
  }

  // --- as calls see it

  writeText(text: string): boolean {
    const lane = this.#lane
    if (lane?.isFree !== true) return this.#wrote(this.#socket.write(text, 'latin1'))
    if (lane.isHolding) {
      lane.letGo()
      return this.writeText(text)
    }
    if (!lane.mayHold()) return this.#wrote(lane.write(text))
    lane.hold(text)
    return true
  }

  writeBytes(bytes: Uint8Array): boolean {
    this.#lane?.letGo()
    return this.#wrote(this.#socket.write(bytes))
  }

  takeScratch(bytes: number): Buffer {
    return this.#owner.takeScratch(bytes)
  }

  writeScratch(scratch: Buffer, bytes: number): boolean {
    const hasRoom = this.writeBytes(scratch.subarray(0, bytes))
    if (this.#socket.writableLength === 0) this.#owner.giveBackScratch(scratch)
    return hasRoom
  }

  hold(call: Call): void {
    this.#owner.hold(call)
  }

  requestSent(): void {
    if (!this.#isBlocked) this.#arm(this.#owner.options.responseTimeoutMs)
  }

  resume(call: Call): void {
    if (this.#isPumping) {
      if (this.#isInHead) {
        this.#isInHead = false
        this.#pump(call)
      }
      return
    }
    this.#isPumping = true
    this.#pump(call)
    this.#isPumping = false
    if (this.#call !== call || call.isPaused) return
    if (this.#isLost) {
      this.#tellLost(call)
      return
    }
    if (call.isAnswered) call.handler.onBatchEnd()
    if (this.#call !== call || call.isPaused) return
    this.#startReading()
    this.#armForAnswer(call)
  }

  abort(): void {
    this.close()
  }

  withdraw(): void {
    this.close()
  }

  discard(): void {
    const call = this.#call
    const parser = this.#parser
    this.#call = null
    if (call === null || !call.isAnswered || !call.isSent || this.#isLost) {
      this.close()
      return
    }
    this.#isDiscarding = true
    this.#discardLeft = DISCARD_BYTES_MAX
    this.#discardRead()
    if (!this.#isDiscarding) return
    // Of a body without a length only what has been read is known.
    if (parser.remaining < 0 || parser.remaining > DISCARD_BYTES_MAX) this.close()
    else {
      this.#startReading()
      this.#arm(DISCARD_MS)
    }
  }

  /** Ends the call on it with an error, or sends it elsewhere. */
  fail(kind: UpstreamErrorKind, message: string): void {
    const call = this.#call
    const isStale =
      (kind === 'reset' || kind === 'closed-early') && this.isReused && !this.#parser.hasBegun
    this.#call = null
    if (call === null) this.close()
    else if (isStale && call.prepareRetry()) {
      this.#owner.retry(call)
      this.close()
    } else {
      this.close()
      call.fail(kind, `${this.#owner.label}: ${message}`)
    }
  }

  // --- events of the socket

  #onUp(): void {
    const call = this.#call
    if (this.#state !== CONNECTING || call === null) return
    const socket = this.#socket
    this.remoteAddress = socket.remoteAddress ?? ''
    if (this.#owner.upEvent === 'connect') {
      this.#lane = TcpLane.over(
        socket,
        this.#owner.requestsDue,
        (bytes) => this.#onRead(bytes),
        () => this.#onDrain(),
      )
    }
    this.begin(call)
  }

  /** Returns whether to go on reading. */
  #onRead(bytes: number): boolean {
    const call = this.#call
    if (this.#lane?.isHolding === true) {
      // The answer to something else, on a connection that was at rest until this turn.
      this.fail('closed-early', 'spoke before it was asked')
      return false
    }
    if (call !== null && this.#state === BUSY) {
      this.#parser.input(this.#owner.readBuffer, bytes)
      return this.#deliver(call)
    }
    if (this.#isDiscarding) {
      this.#parser.input(this.#owner.readBuffer, bytes)
      this.#discardRead()
    } else if (this.#state === IDLE) {
      // Nothing was asked: whatever this is, the next answer would be read wrong.
      this.#owner.idleDropped()
      this.close()
    }
    return this.#state !== CLOSED
  }

  #deliver(call: Call): boolean {
    this.#isPumping = true
    this.#pump(call)
    this.#isPumping = false
    if (this.#call !== call) return this.#state !== CLOSED
    if (call.isPaused) {
      this.#parser.keepUnread()
      this.#isStopped = true
      this.#disarm()
      return false
    }
    const { idleTimeoutMs, responseTimeoutMs } = this.#owner.options
    if (call.isAnswered) {
      this.#arm(idleTimeoutMs)
      call.handler.onBatchEnd()
    } else if (responseTimeoutMs === 0) {
      // No limit until the head begins, which may be long after an interim answer; then the whole
      // of it has as long as a silence may last.
      if (!this.#parser.isMidHead) this.#disarm()
      else if (this.#deadlineMs === Number.POSITIVE_INFINITY) this.#arm(idleTimeoutMs)
    }
    return this.#state !== CLOSED
  }

  /** Hands out events until the bytes are used up, the call pauses, or it is over. */
  #pump(call: Call): void {
    const parser = this.#parser
    const handler = call.handler
    while (!call.isPaused) {
      switch (parser.next()) {
        case HEAD:
          call.answered()
          this.#isInHead = true
          handler.onHead(parser.status, parser.headers, parser.bodyLength)
          this.#isInHead = false
          break
        case DATA:
          handler.onBody(parser.chunk())
          break
        case END:
          this.#complete(call)
          return
        case MALFORMED:
          this.fail('malformed', parser.problem)
          return
        default:
          return
      }
      if (this.#call !== call) return
    }
  }

  /** First the connection, then the handler: what it sends next can use the connection. */
  #complete(call: Call): void {
    this.#call = null
    const canReuse = call.isSent && this.#isClean()
    call.finish()
    if (canReuse) this.#free()
    else this.close()
    call.handler.onEnd()
  }

  #isClean(): boolean {
    const parser = this.#parser
    return (
      parser.canReuse &&
      parser.idleHintMs !== 0 &&
      parser.unread === 0 &&
      !this.#isLost &&
      this.#state === BUSY &&
      this.#socket.writableLength === 0 &&
      this.#lane?.isWaiting !== true
    )
  }

  #free(): void {
    this.isReused = true
    this.#startReading()
    this.#owner.giveBack(this)
  }

  /** Consumes the unwanted rest as far as it has been read. */
  #discardRead(): void {
    const parser = this.#parser
    for (;;) {
      switch (parser.next()) {
        case DATA:
          this.#discardLeft -= parser.chunkEnd - parser.chunkStart
          if (this.#discardLeft >= 0) break
          this.#isDiscarding = false
          this.close()
          return
        case END:
          this.#isDiscarding = false
          if (this.#isClean()) this.#free()
          else this.close()
          return
        case MALFORMED:
          this.#isDiscarding = false
          this.close()
          return
        default:
          return
      }
    }
  }

  #onDrain(): void {
    this.#isBlocked = false
    const call = this.#call
    if (this.#state !== BUSY || call === null) return
    if (call.isAnswered) this.#armForAnswer(call)
    else if (call.isSent) this.#arm(this.#owner.options.responseTimeoutMs)
    else this.#disarm()
    call.drained()
  }

  /** The peer has closed, or the socket broke: `error` says which. */
  #onLost(error: Error | null): void {
    if (this.#state === CLOSED || this.#isLost) return
    this.#isLost = true
    this.#error = error
    const call = this.#call
    if (call === null) {
      if (this.#state === IDLE) this.#owner.idleDropped()
      this.close()
      return
    }
    // What was read before the end is the caller's first.
    if (call.isPaused && (call.isAnswered || this.#parser.unread > 0)) return
    this.#tellLost(call)
  }

  #tellLost(call: Call): void {
    const isConnecting = this.#state === CONNECTING
    if (this.#error !== null) {
      const code = codeOf(this.#error)
      this.fail(kindOfError(this.#error, isConnecting), code === '' ? this.#error.message : code)
    } else if (isConnecting) this.fail('reset', 'closed while connecting')
    else if (this.#parser.hasBegun) {
      if (this.#parser.eof() === END) this.#complete(call)
      else this.fail('closed-early', 'closed in the middle of an answer')
    } else this.fail('closed-early', 'closed before the answer')
  }

  // --- time

  #armForAnswer(call: Call): void {
    const { idleTimeoutMs, responseTimeoutMs } = this.#owner.options
    if (call.isPaused) this.#disarm()
    else if (call.isAnswered) this.#arm(idleTimeoutMs)
    else if (call.isSent) this.#arm(responseTimeoutMs)
  }

  /** 0: no limit. A running timer that is due early enough is left alone. */
  #arm(ms: number): void {
    if (ms === 0) {
      this.#disarm()
      return
    }
    const { timers } = this.#owner
    const deadlineMs = (ms < COARSE_FROM_MS ? timers.nowMs : timers.coarseMs) + ms
    this.#deadlineMs = deadlineMs
    if (this.#timer.isRunning && this.#timerDueMs <= deadlineMs) return
    this.#timerDueMs = deadlineMs
    timers.start(this.#timer, ms)
  }

  #disarm(): void {
    this.#deadlineMs = Number.POSITIVE_INFINITY
  }

  /** Called by the timer. */
  timeOut(): void {
    const deadlineMs = this.#deadlineMs
    if (deadlineMs === Number.POSITIVE_INFINITY) return
    const leftMs = deadlineMs - this.#owner.timers.nowMs
    if (leftMs > 0) {
      this.#timerDueMs = deadlineMs
      this.#owner.timers.start(this.#timer, leftMs)
      return
    }
    const call = this.#call
    if (this.#state === CONNECTING) this.fail('connect-timeout', 'not connected in time')
    else if (call === null) this.close()
    else if (call.isPaused) this.#disarm()
    else if (call.isAnswered || !call.isSent) this.fail('idle-timeout', 'no progress in a body')
    else this.fail('response-timeout', 'no answer in time')
  }

  // --- small change

  #wrote(hasRoom: boolean): boolean {
    if (!hasRoom) {
      this.#isBlocked = true
      this.#arm(this.#owner.options.idleTimeoutMs)
    }
    return hasRoom
  }

  #startReading(): void {
    if (!this.#isStopped) return
    this.#isStopped = false
    this.#socket.resume()
  }

  #enter(state: ConnectionState): void {
    const from = this.#state
    this.#state = state
    this.#owner.stateChanged(from, state)
  }
}

function onTimer(connection: unknown): void {
  ;(connection as Connection).timeOut()
}
