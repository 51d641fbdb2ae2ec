import { isIP, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { assert } from '../lib/assert.js'
import { type TimerWheel, WheelTimer } from '../lib/timer-wheel.js'
import type { TurnEnd } from '../lib/turn-end.js'
import type { Call, WaitingRoom } from './call.js'
import {
  BUSY,
  CONNECTING,
  Connection,
  type ConnectionOwner,
  type ConnectionState,
  IDLE,
} from './connection.js'
import type {
  IdleLimit,
  ServerCounts,
  ServerOptions,
  ServerOrigin,
  ServerTls,
  UpstreamErrorKind,
  UpstreamServer,
} from './contract.js'
import { CROWD_MIN, CrowdLimit, PATIENCE_MS } from './crowd-limit.js'
import { dial } from './dial.js'
import { KnownLines } from './known-lines.js'
import type { SystemResolver } from './resolver.js'
import { hostFieldOf } from './server-url.js'
import type { TcpLane } from './tcp-lane.js'

/** How often a name in use is looked up again. */
const RECHECK_MS = 5_000
/** A connection to an address that no answer has named for so long is not used again. */
const ADDRESS_LOST_MS = 10_000

/** What all pools of a worker have in common. */
export interface PoolContext {
  readonly timers: TimerWheel
  readonly readBuffer: Buffer
  readonly requestsDue: TurnEnd<TcpLane>
  readonly resolver: SystemResolver
  /** Idle connections of all pools together; kept by the pools. */
  idleCount: number
  readonly idleMax: number
  /** The thread has more to do than it can. */
  isPressed(): boolean
  connectionsOpened: number
  reused: number
  retried: number
  idleDropped: number
  refused: number
  /** Calls {@link Call.flushHeld} after the running callbacks. */
  hold(call: Call): void
  takeScratch(bytes: number): Buffer
  giveBackScratch(scratch: Buffer): void
  /** Nobody holds the pool: it is not given out any more. */
  unheld(pool: ServerPool): void
  /** The pool is retired and its last connection has closed. */
  emptied(pool: ServerPool): void
}

/** Idle connections of several pools that share a limit; kept by the pools. */
export interface IdleGroup extends IdleLimit {
  count: number
}

/**
 * The connections to one server. The one used last is used next, so that in quiet times the others
 * grow old and go. A call that finds none idle opens one, or waits when there are enough.
 */
export class ServerPool implements UpstreamServer, ConnectionOwner, WaitingRoom {
  readonly origin: ServerOrigin
  readonly hostField: string
  readonly label: string
  readonly key: string
  readonly options: ServerOptions
  readonly idleGroup: IdleGroup | null
  readonly upEvent: 'connect' | 'secureConnect'
  readonly knownLines = new KnownLines()
  holders = 0
  readonly #context: PoolContext
  readonly #connections = new Set<Connection>()
  /** Last in, first out. */
  readonly #idle: Connection[] = []
  readonly #byState = [0, 0, 0, 0]
  #isRetired = false
  /** Made once: reading the authorities costs milliseconds. */
  readonly #secureContext: SecureContext | null
  #session: Buffer | null = null
  // Calls that wait, oldest first.
  #first: Call | null = null
  #last: Call | null = null
  #queued = 0
  readonly #queueTimer: WheelTimer
  readonly #crowd = new CrowdLimit()
  readonly #patienceTimer: WheelTimer
  /** When each address of the name was last in an answer; null for a server named by address. */
  readonly #seenMs: Map<string, number> | null
  #recheckAtMs = 0

  constructor(
    context: PoolContext,
    key: string,
    origin: ServerOrigin,
    options: ServerOptions,
    idleGroup: IdleGroup | null,
  ) {
    this.#context = context
    this.key = key
    this.origin = origin
    this.options = options
    this.idleGroup = idleGroup
    this.hostField = hostFieldOf(origin)
    this.label = `${origin.host}:${origin.port}`
    this.upEvent = origin.scheme === 'https' ? 'secureConnect' : 'connect'
    this.#secureContext = origin.scheme === 'https' ? secureContextOf(options.tls) : null
    this.#seenMs = isIP(origin.host) === 0 ? new Map() : null
    this.#queueTimer = new WheelTimer<unknown>(this, onQueueTimer)
    this.#patienceTimer = new WheelTimer<unknown>(this, onPatienceTimer)
  }

  get counts(): ServerCounts {
    const connecting = this.#byState[CONNECTING] as number
    const busy = this.#byState[BUSY] as number
    const idle = this.#byState[IDLE] as number
    return { open: this.#connections.size, connecting, busy, idle, queued: this.#queued }
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#queued === 0
  }

  release(): void {
    assert(this.holders > 0, `${this.label} released more often than acquired`)
    this.holders -= 1
    if (this.holders === 0) this.#context.unheld(this)
  }

  /** Finds a connection for `call`, makes one, lets it wait, or refuses it. */
  dispatch(call: Call): void {
    const { inUse } = this
    if (inUse >= CROWD_MIN && this.#queued < this.options.queueMax && this.#isCrowded(inUse)) {
      this.#enqueue(call)
      this.#startPatience()
    } else this.#serve(call)
  }

  get inUse(): number {
    return (this.#byState[BUSY] as number) + (this.#byState[CONNECTING] as number)
  }

  #isCrowded(inUse: number): boolean {
    return this.#context.isPressed() && this.#crowd.isReached(inUse, this.timers.coarseMs)
  }

  /** Whether a connection that is done should rest although calls wait; itself is still in use. */
  #isOvercrowded(): boolean {
    const { inUse } = this
    if (inUse <= CROWD_MIN || !this.#isCrowded(inUse - 1)) return false
    this.#startPatience()
    return true
  }

  get #mayRest(): boolean {
    if (this.#isRetired || this.#context.idleCount >= this.#context.idleMax) return false
    const { idleGroup, options } = this
    return (
      this.#idle.length < options.keptMax && (idleGroup === null || idleGroup.count < idleGroup.max)
    )
  }

  #startPatience(): void {
    if (!this.#patienceTimer.isRunning) this.timers.start(this.#patienceTimer, PATIENCE_MS)
  }

  #serve(call: Call): void {
    const connection = this.#idle.pop()
    if (connection !== undefined) {
      this.#countIdle(-1)
      this.#context.reused += 1
      connection.begin(call)
    } else if (this.#connections.size < this.options.connectionsMax) this.#open(call)
    else if (this.#queued < this.options.queueMax) this.#enqueue(call)
    else {
      this.#context.refused += 1
      process.nextTick(failLater, call, 'overloaded', `${this.label}: too many requests wait`)
    }
  }

  /** Idle connections close, others when they are done; calls that wait are still served. */
  retire(): void {
    this.#isRetired = true
    for (const connection of [...this.#idle]) connection.close()
    this.#tellIfEmpty()
  }

  /** Fails all there is. */
  abortAll(message: string): void {
    while (this.#first !== null) this.#take(this.#first).fail('aborted', message)
    for (const connection of [...this.#connections]) {
      if (connection.call === null) connection.close()
      else connection.fail('aborted', message)
    }
  }

  withdraw(call: Call): void {
    this.#take(call)
    this.#tellIfEmpty()
  }

  // --- as connections see it

  get timers(): TimerWheel {
    return this.#context.timers
  }

  get readBuffer(): Buffer {
    return this.#context.readBuffer
  }

  get requestsDue(): TurnEnd<TcpLane> {
    return this.#context.requestsDue
  }

  dial(onRead: (bytes: number) => boolean): Socket {
    const { resolver, readBuffer } = this.#context
    const { origin, options } = this
    const secureContext = this.#secureContext
    const session = this.#session
    const how = { origin, tls: options.tls, resolver, readBuffer, secureContext, session }
    const socket = dial(how, onRead)
    if (origin.scheme === 'https') {
      socket.on('session', (session: Buffer) => {
        this.#session = session
      })
    }
    return socket
  }

  hold(call: Call): void {
    this.#context.hold(call)
  }

  takeScratch(bytes: number): Buffer {
    return this.#context.takeScratch(bytes)
  }

  giveBackScratch(scratch: Buffer): void {
    this.#context.giveBackScratch(scratch)
  }

  stateChanged(from: ConnectionState, to: ConnectionState): void {
    const byState = this.#byState
    byState[from] = (byState[from] as number) - 1
    byState[to] = (byState[to] as number) + 1
  }

  giveBack(connection: Connection): void {
    if (this.#seenMs !== null && !this.#isCurrent(this.#seenMs, connection)) connection.close()
    else if (this.#first !== null && !(this.#mayRest && this.#isOvercrowded())) {
      this.#context.reused += 1
      connection.begin(this.#take(this.#first))
    } else if (!this.#mayRest) connection.close()
    else {
      connection.rest(this.options.keepAliveMs)
      this.#idle.push(connection)
      this.#countIdle(1)
    }
  }

  #countIdle(change: number): void {
    this.#context.idleCount += change
    if (this.idleGroup !== null) this.idleGroup.count += change
  }

  idleDropped(): void {
    this.#context.idleDropped += 1
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) {
      this.#idle.splice(index, 1)
      this.#countIdle(-1)
    }
    if (this.#first !== null && this.#connections.size < this.options.connectionsMax) {
      this.#open(this.#take(this.#first))
    } else this.#tellIfEmpty()
  }

  retry(call: Call): void {
    this.#context.retried += 1
    // The stale connection still counts; it is closed right after this.
    if (this.#connections.size <= this.options.connectionsMax) this.#open(call)
    else this.#enqueue(call)
  }

  // ---

  #open(call: Call): void {
    this.#context.connectionsOpened += 1
    this.#connections.add(new Connection(this, call))
  }

  /** Whether the name still stands for the address; also sees to it that this is known. */
  #isCurrent(seenMs: Map<string, number>, connection: Connection): boolean {
    const now = this.#context.timers.nowMs
    if (!connection.isAddressKnown) {
      connection.isAddressKnown = true
      seenMs.set(connection.remoteAddress, now)
    }
    if (now >= this.#recheckAtMs) {
      this.#recheckAtMs = now + RECHECK_MS
      this.#context.resolver.resolve(this.origin.host, (error, addresses) => {
        if (error !== null) return
        const then = this.#context.timers.nowMs
        for (const { address } of addresses) seenMs.set(address, then)
        for (const [address, atMs] of seenMs) {
          if (then - atMs > ADDRESS_LOST_MS) seenMs.delete(address)
        }
        for (const idle of [...this.#idle]) if (!seenMs.has(idle.remoteAddress)) idle.close()
      })
    }
    return seenMs.has(connection.remoteAddress)
  }

  #enqueue(call: Call): void {
    call.waitingAt = this
    call.queuedMs = this.#context.timers.nowMs
    call.previous = this.#last
    if (this.#last === null) this.#first = call
    else this.#last.next = call
    this.#last = call
    this.#queued += 1
    if (!this.#queueTimer.isRunning) this.#startQueueTimer()
  }

  #take(call: Call): Call {
    if (call.previous === null) this.#first = call.next
    else call.previous.next = call.next
    if (call.next === null) this.#last = call.previous
    else call.next.previous = call.previous
    call.next = null
    call.previous = null
    call.waitingAt = null
    this.#queued -= 1
    if (this.#queued === 0) this.#context.timers.stop(this.#queueTimer)
    return call
  }

  #startQueueTimer(): void {
    const first = this.#first
    if (first === null) return
    const waitedMs = this.#context.timers.nowMs - first.queuedMs
    this.#context.timers.start(this.#queueTimer, this.options.queueTimeoutMs - waitedMs)
  }

  /** Called by the queue's timer: the oldest have waited too long. */
  expireQueue(): void {
    const untilMs = this.#context.timers.nowMs - this.options.queueTimeoutMs
    while (this.#first !== null && this.#first.queuedMs <= untilMs) {
      this.#context.refused += 1
      this.#take(this.#first).fail('overloaded', `${this.label}: waited too long for a connection`)
    }
    this.#startQueueTimer()
    this.#tellIfEmpty()
  }

  /**
   * Called by the timer that {@link dispatch} starts: those that were held back for long enough are
   * served as if there were no crowd.
   */
  losePatience(): void {
    const now = this.timers.nowMs
    const untilMs = now - PATIENCE_MS
    if (this.#canServe && this.#first !== null && this.#first.queuedMs <= untilMs) {
      this.#crowd.rise(now)
      while (this.#canServe && this.#first !== null && this.#first.queuedMs <= untilMs) {
        this.#serve(this.#take(this.#first))
      }
    }
    if (this.#canServe && this.#first !== null) {
      this.timers.start(this.#patienceTimer, PATIENCE_MS - (now - this.#first.queuedMs))
    }
  }

  /** Whether a call need not wait for a connection in use. */
  get #canServe(): boolean {
    return this.#idle.length > 0 || this.#connections.size < this.options.connectionsMax
  }

  #tellIfEmpty(): void {
    if (this.#isRetired && this.isEmpty) this.#context.emptied(this)
  }
}

function secureContextOf(tls: ServerTls): SecureContext {
  return createSecureContext({
    ca: tls.ca === '' ? undefined : tls.ca,
    cert: tls.cert === '' ? undefined : tls.cert,
    key: tls.key === '' ? undefined : tls.key,
  })
}

function onQueueTimer(pool: unknown): void {
  ;(pool as ServerPool).expireQueue()
}

function onPatienceTimer(pool: unknown): void {
  ;(pool as ServerPool).losePatience()
}

export function failLater(call: Call, kind: UpstreamErrorKind, message: string): void {
  call.fail(kind, message)
}
