import type { Time } from '../../lib/clock.js'
import type { Channel } from '../identity.js'
import type { CloseCause, Connection, ConnectionHandler, Transport } from '../transport.js'

export interface SimNetworkOptions {
  readonly time: Time
  /** A whole number in 0..below-1. */
  readonly random: (below: number) => number
  /** One way, drawn for each piece; order within a connection is kept. */
  readonly latencyMs?: readonly [min: number, max: number]
  /** Shared fairly by the connections from one host to another. Default: no limit. */
  readonly bytesPerMs?: number
}

type Listener = (
  connection: Connection,
  channels: readonly Channel[] | undefined,
) => ConnectionHandler

/** Above it, `send` says that it is enough. */
const HIGH_WATER_BYTES = 64 * 1024
/** What one connection may send before the next one has its turn. */
const TURN_BYTES = 16 * 1024

/**
 * Streams between hosts in virtual time. As with TCP, bytes are delayed and cut differently from
 * how they were sent, but come in order and whole until the connection breaks; a partition holds
 * them back.
 */
export class SimNetwork {
  readonly #options: SimNetworkOptions
  readonly #listeners = new Map<string, { host: string; accept: Listener }>()
  readonly #ways = new Map<string, Way>()
  readonly #cut = new Set<string>()
  readonly #ends = new Set<End>()
  #damage = false
  /** Connections asked for, so far. */
  dialed = 0

  constructor(options: SimNetworkOptions) {
    this.#options = options
  }

  listen(host: string, address: string, accept: Listener): void {
    this.#listeners.set(address, { host, accept })
  }

  /** How `host` reaches others. */
  transport(host: string): Transport {
    return { connect: (address, handler) => this.#connect(host, address, handler) }
  }

  /** Nothing passes from one host to another until {@link heal}; what is sent waits. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`)
  }

  heal(): void {
    this.#cut.clear()
    for (const way of this.#ways.values()) way.work()
  }

  /** Cuts one host off from all others, both ways. */
  isolate(host: string, others: readonly string[]): void {
    for (const other of others) {
      if (other === host) continue
      this.cut(host, other)
      this.cut(other, host)
    }
  }

  /** The process of a host is gone: its connections break, nothing is called there any more. */
  kill(host: string): void {
    for (const [address, listener] of this.#listeners) {
      if (listener.host === host) this.#listeners.delete(address)
    }
    for (const end of [...this.#ends]) if (end.host === host) end.close()
  }

  /** Breaks some connections, as a firewall that forgets them does. */
  breakSome(percent: number): void {
    for (const end of [...this.#ends]) {
      if (this.#options.random(100) < percent) end.break('connection reset')
    }
  }

  /** The connections of a host break on its side alone; the other side hears nothing. */
  lose(host: string): void {
    for (const end of [...this.#ends]) if (end.host === host) end.lose('connection reset')
  }

  /** Connections that stand, or are about to. */
  get openCount(): number {
    return this.#ends.size / 2
  }

  /** Changes one byte of what is sent next, anywhere. */
  damageNext(): void {
    this.#damage = true
  }

  #damaged(piece: Uint8Array): Uint8Array {
    if (!this.#damage) return piece
    this.#damage = false
    const copy = new Uint8Array(piece)
    const at = this.#options.random(copy.byteLength)
    copy[at] = (copy[at] as number) ^ (1 + this.#options.random(255))
    return copy
  }

  #connect(host: string, address: string, handler: ConnectionHandler): Connection {
    this.dialed += 1
    const near = this.#end(host)
    near.handler = handler
    const listener = this.#listeners.get(address)
    if (listener === undefined) {
      this.#options.time.after(this.#latencyMs(), () => near.break('connection refused', 'refused'))
      return near
    }
    const far = this.#end(listener.host)
    near.join(far, this.#way(host, listener.host), address)
    far.join(near, this.#way(listener.host, host), host)
    // The far side opens when the first word gets through, the near one when the answer does.
    near.put({ open: () => this.#open(listener, address, far) })
    return near
  }

  #open(listener: { host: string; accept: Listener }, address: string, far: End): void {
    const current = this.#listeners.get(address)
    if (current !== listener) {
      far.break('connection refused', 'refused')
      return
    }
    far.handler = listener.accept(far, undefined)
    far.opened()
    far.put({ open: () => far.other?.opened() })
  }

  #end(host: string): End {
    const end = new End(host, () => this.#ends.delete(end))
    this.#ends.add(end)
    return end
  }

  #way(from: string, to: string): Way {
    const key = `${from} ${to}`
    const known = this.#ways.get(key)
    if (known !== undefined) return known
    const { time, bytesPerMs } = this.#options
    const way = new Way(
      time,
      bytesPerMs ?? Number.POSITIVE_INFINITY,
      () => this.#latencyMs(),
      () => this.#cut.has(key),
      (piece) => this.#damaged(piece),
    )
    this.#ways.set(key, way)
    return way
  }

  #latencyMs(): number {
    const [min, max] = this.#options.latencyMs ?? [1, 1]
    return min + this.#options.random(max - min + 1)
  }
}

type Piece = Uint8Array | { readonly open: () => void } | 'end'

/** One side of a connection. */
class End implements Connection {
  readonly host: string
  readonly #gone: () => void
  handler: ConnectionHandler | null = null
  other: End | null = null
  #way: Way | null = null
  #address = ''
  readonly queue: Piece[] = []
  queuedBytes = 0
  #wasFull = false
  #closing = false
  #over = false
  /** No piece overtakes an earlier one. */
  arrivesMs = 0

  constructor(host: string, gone: () => void) {
    this.host = host
    this.#gone = gone
  }

  join(other: End, way: Way, address: string): void {
    this.other = other
    this.#way = way
    this.#address = address
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over || this.#closing) return true
    this.put(bytes)
    this.#wasFull ||= this.queuedBytes > HIGH_WATER_BYTES
    return !this.#wasFull
  }

  close(): void {
    if (this.#closing || this.#over) return
    this.#closing = true
    this.handler = null
    this.put('end')
  }

  /** Both sides hear of it, at once. */
  break(reason: string, cause: CloseCause = 'other'): void {
    this.#finish(reason, cause)
    const { other } = this
    if (other !== null) other.#finish(reason, cause)
  }

  lose(reason: string): void {
    this.#finish(reason, 'other')
  }

  opened(): void {
    const certificateNames = null
    this.handler?.onOpen({ address: this.#address, isLoopback: true, certificateNames })
  }

  put(piece: Piece): void {
    if (this.#over || this.#way === null) return
    this.queue.push(piece)
    if (piece instanceof Uint8Array) this.queuedBytes += piece.byteLength
    this.#way.wake(this)
  }

  /** What is sent next: at most {@link TURN_BYTES}. */
  take(): Piece | null {
    const piece = this.queue.shift()
    if (piece === undefined) return null
    if (!(piece instanceof Uint8Array)) return piece
    const part = piece.subarray(0, TURN_BYTES)
    if (part.byteLength < piece.byteLength) this.queue.unshift(piece.subarray(TURN_BYTES))
    this.queuedBytes -= part.byteLength
    if (this.#wasFull && this.queuedBytes === 0) {
      this.#wasFull = false
      this.handler?.onDrained()
    }
    return part
  }

  arrive(piece: Piece): void {
    if (piece === 'end') this.break('closed by the peer')
    else if (this.#over) return
    else if (piece instanceof Uint8Array) this.handler?.onData(piece)
    else piece.open()
  }

  #finish(reason: string, cause: CloseCause): void {
    if (this.#over) return
    this.#over = true
    this.queue.length = 0
    this.#gone()
    this.handler?.onClosed(reason, cause)
  }
}

/** From one host to another: takes from each connection in turn. */
class Way {
  readonly #time: Time
  readonly #bytesPerMs: number
  readonly #latencyMs: () => number
  readonly #isCut: () => boolean
  readonly #damaged: (piece: Uint8Array) => Uint8Array
  readonly #waiting: End[] = []
  #busy = false

  constructor(
    time: Time,
    bytesPerMs: number,
    latencyMs: () => number,
    isCut: () => boolean,
    damaged: (piece: Uint8Array) => Uint8Array,
  ) {
    this.#damaged = damaged
    this.#time = time
    this.#bytesPerMs = bytesPerMs
    this.#latencyMs = latencyMs
    this.#isCut = isCut
  }

  wake(end: End): void {
    if (!this.#waiting.includes(end)) this.#waiting.push(end)
    this.#start()
  }

  work(): void {
    this.#start()
  }

  /** Later, so that nobody is called from within a send. */
  #start(): void {
    if (this.#busy || this.#waiting.length === 0 || this.#isCut()) return
    this.#busy = true
    this.#time.after(0, () => this.#turn())
  }

  #turn(): void {
    const end = this.#waiting.shift()
    const piece = this.#isCut() ? null : (end?.take() ?? null)
    if (end === undefined || piece === null) {
      if (end !== undefined && end.queue.length > 0) this.#waiting.unshift(end)
      this.#busy = false
      if (piece === null && !this.#isCut()) this.#start()
      return
    }
    const bytes = piece instanceof Uint8Array ? piece.byteLength : 64
    const takesMs = bytes / this.#bytesPerMs
    const nowMs = this.#time.monotonicMs()
    end.arrivesMs = Math.max(end.arrivesMs, nowMs + takesMs + this.#latencyMs())
    const { other } = end
    const arriving = piece instanceof Uint8Array ? this.#damaged(piece) : piece
    this.#time.after(end.arrivesMs - nowMs, () => other?.arrive(arriving))
    if (end.queue.length > 0) this.#waiting.push(end)
    this.#time.after(takesMs, () => {
      this.#busy = false
      this.#start()
    })
  }
}
