import type { TimerWheel } from '../lib/timer-wheel.js'
import { WheelTimer } from '../lib/timer-wheel.js'
import { TurnEnd } from '../lib/turn-end.js'
import { Call } from './call.js'
import type {
  IdleLimit,
  ServerOptions,
  ServerOrigin,
  ServerTls,
  UpstreamCall,
  UpstreamClient,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamServer,
  UpstreamStats,
} from './contract.js'
import type { Pressure } from './crowd-limit.js'
import { failLater, type IdleGroup, type PoolContext, ServerPool } from './pool.js'
import { buildRequestHead } from './request-head.js'
import type { SystemResolver } from './resolver.js'
import type { TcpLane } from './tcp-lane.js'

const DEFAULT_TLS: ServerTls = Object.freeze({
  verify: true,
  ca: '',
  cert: '',
  key: '',
  serverName: '',
})

export const DEFAULT_SERVER_OPTIONS: ServerOptions = Object.freeze({
  connectionsMax: 512,
  keptMax: Number.MAX_SAFE_INTEGER,
  keptTogether: null,
  queueMax: 1024,
  queueTimeoutMs: 10_000,
  connectTimeoutMs: 30_000,
  responseTimeoutMs: 0,
  idleTimeoutMs: 60_000,
  keepAliveMs: 60_000,
  tls: DEFAULT_TLS,
})

/**
 * One read takes at most this much. Four times of what libuv reads by default: an answer of 1 MB
 * costs 0.6 times the CPU time. More gains little, and what a slow client does not take of a read
 * waits in memory.
 */
const READ_BYTES = 262_144
const IDLE_MAX = 10_240
/** Requests that leave together; later ones shall not wait for a crowd. */
const TOGETHER_MAX = 64
/** Memory for copies of request bodies; the largest is what one read of a listener may bring. */
const SCRATCH_BYTES_MIN = 66_000
const SCRATCH_BYTES_MAX = 1_048_576

export interface UpstreamClientOptions {
  /** Its driver calls `advance` every few milliseconds. */
  readonly timers: TimerWheel
  readonly resolver: SystemResolver
  /** Idle connections over all servers. Default 10 240. */
  readonly idleMax?: number
  /** Of the thread; without it the thread counts as one that has time to spare. */
  readonly pressure?: Pressure
}

/** The HTTP/1.1 client of one worker. */
export class HttpUpstreamClient implements UpstreamClient, PoolContext {
  readonly timers: TimerWheel
  readonly resolver: SystemResolver
  readonly readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  readonly requestsDue = new TurnEnd<TcpLane>(TOGETHER_MAX, letGo)
  readonly idleMax: number
  idleCount = 0
  connectionsOpened = 0
  reused = 0
  retried = 0
  idleDropped = 0
  refused = 0
  readonly #pressure: Pressure | null
  readonly #byKey = new Map<string, ServerPool>()
  /** Those too that nobody holds any more, until they are empty. */
  readonly #pools = new Set<ServerPool>()
  #held: Call[] = []
  /** Takes copies of body pieces: a new buffer for each made a long upload grow by 37 MB. */
  #scratch: Buffer | null = null
  #isClosed = false
  #onClosed: (() => void)[] = []

  constructor(options: UpstreamClientOptions) {
    this.timers = options.timers
    this.resolver = options.resolver
    this.idleMax = options.idleMax ?? IDLE_MAX
    this.#pressure = options.pressure ?? null
  }

  get stats(): UpstreamStats {
    let [open, connecting, busy, idle, queued] = [0, 0, 0, 0, 0]
    for (const { counts } of this.#pools) {
      open += counts.open
      connecting += counts.connecting
      busy += counts.busy
      idle += counts.idle
      queued += counts.queued
    }
    const { connectionsOpened, reused, retried, idleDropped, refused } = this
    const since = { connectionsOpened, reused, retried, idleDropped, refused }
    return { open, connecting, busy, idle, queued, ...since }
  }

  /** Throws when `options.tls` holds no usable certificates or key. */
  acquire(origin: ServerOrigin, options: Partial<ServerOptions> = {}): UpstreamServer {
    const { scheme, host, port } = origin
    const merged: ServerOptions = { ...DEFAULT_SERVER_OPTIONS, ...options }
    const key = JSON.stringify([scheme, host, port, merged])
    let pool = this.#byKey.get(key)
    if (pool === undefined) {
      const group = this.#idleGroupOf(merged.keptTogether)
      pool = new ServerPool(this, key, { scheme, host, port }, merged, group)
      this.#byKey.set(key, pool)
      this.#pools.add(pool)
    }
    pool.holders += 1
    return pool
  }

  /** That of servers that are there already, if there are such. */
  #idleGroupOf(limit: IdleLimit | null): IdleGroup | null {
    if (limit === null) return null
    for (const { idleGroup } of this.#pools) {
      if (idleGroup?.name === limit.name && idleGroup.max === limit.max) return idleGroup
    }
    return { ...limit, count: 0 }
  }

  send(server: UpstreamServer, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const pool = server as ServerPool
    const head = buildRequestHead(request, pool.hostField)
    const call = new Call(request, head ?? '', handler)
    if (head === null) {
      process.nextTick(failLater, call, 'aborted', `${pool.label}: request cannot go on the wire`)
    } else if (this.#isClosed || pool.holders === 0) {
      process.nextTick(failLater, call, 'aborted', `${pool.label}: no longer in use`)
    } else pool.dispatch(call)
    return call
  }

  close(drainMs: number): Promise<void> {
    this.#isClosed = true
    const timer = new WheelTimer<unknown>(this, onDrainTimer)
    this.timers.start(timer, drainMs)
    return new Promise((resolve) => {
      this.#onClosed.push(() => {
        this.timers.stop(timer)
        resolve()
      })
      for (const pool of [...this.#pools]) pool.retire()
      this.#tellIfClosed()
    })
  }

  /** Called by the drain timer. */
  abortAll(): void {
    for (const pool of [...this.#pools]) pool.abortAll('closing')
  }

  // --- as pools see it

  isPressed(): boolean {
    return this.#pressure?.isFull(this.timers.coarseMs) === true
  }

  hold(call: Call): void {
    if (this.#held.push(call) === 1) setImmediate(flushHeld, this)
  }

  takeScratch(bytes: number): Buffer {
    const scratch = this.#scratch
    this.#scratch = null
    if (scratch !== null && scratch.length >= bytes) return scratch
    return Buffer.allocUnsafeSlow(Math.max(SCRATCH_BYTES_MIN, bytes))
  }

  giveBackScratch(scratch: Buffer): void {
    if (scratch.length <= SCRATCH_BYTES_MAX) this.#scratch = scratch
  }

  /** Called by the immediate that {@link hold} sets. */
  flushHeld(): void {
    const held = this.#held
    this.#held = []
    for (const call of held) call.flushHeld()
  }

  unheld(pool: ServerPool): void {
    if (this.#byKey.get(pool.key) === pool) this.#byKey.delete(pool.key)
    pool.retire()
  }

  emptied(pool: ServerPool): void {
    this.#pools.delete(pool)
    this.#tellIfClosed()
  }

  #tellIfClosed(): void {
    if (!this.#isClosed || this.#pools.size > 0) return
    const waiting = this.#onClosed
    this.#onClosed = []
    for (const done of waiting) done()
  }
}

function flushHeld(client: HttpUpstreamClient): void {
  client.flushHeld()
}

function letGo(lane: TcpLane): void {
  lane.letGo()
}

function onDrainTimer(client: unknown): void {
  ;(client as HttpUpstreamClient).abortAll()
}
