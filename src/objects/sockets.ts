import { systemTime, type Timers } from '../lib/clock.js'
import type { ConnectionGate, TrafficHandler, TrafficListener } from '../listener/contract.js'
import type { Logger } from '../telemetry/log.js'

/** What identifies a listen socket. Objects come and go; the socket stays while one wants it. */
export interface SocketKey {
  readonly host: string
  readonly port: number
  readonly transport: 'tcp'
}

/** A server that wants to answer on a socket. */
export interface Claimant {
  readonly server: string
  /** The older server keeps a socket that two of them claim. */
  readonly createdVersion: number
  readonly handler: TrafficHandler
  readonly gate: ConnectionGate
}

export interface SocketState {
  readonly server: string
  readonly state: 'running' | 'failed'
  readonly error: string
}

export interface SocketPorts {
  /** Asks whether the node may bind the address; a reason when not. */
  claim(key: SocketKey): Promise<{ granted: boolean; reason: string }>
  release(key: SocketKey): void
  /** Null when it cannot be bound. */
  open(key: SocketKey, gate: ConnectionGate): TrafficListener | null
}

const keyText = (key: SocketKey): string => `${key.transport} ${key.host} ${key.port}`

interface Entry {
  readonly key: SocketKey
  readonly claimants: Claimant[]
  listener: TrafficListener | null
  error: string
  /** A claim is under way, or the socket is being waited for. */
  opening: Promise<void> | null
}

/** How often a retired socket is looked at, and how long its idle connections may stay. */
const RETIRED_CHECK_MS = 1_000
const RETIRED_IDLE_MS = 15_000

/**
 * The listen sockets of one worker, keyed by address, port and transport and not by object, so
 * that a change of an object never touches a socket that another generation wants as well.
 */
export class SocketTable {
  readonly #entries = new Map<string, Entry>()
  readonly #ports: SocketPorts
  readonly #log: Logger
  /**
   * Listeners whose socket is closed and whose connections are still there, with the key they had:
   * those connections are answered by whoever claims that key now.
   */
  readonly #retired = new Map<TrafficListener, string>()
  readonly #timers: Timers
  #draining = false

  constructor(ports: SocketPorts, log: Logger, timers: Timers = systemTime) {
    this.#ports = ports
    this.#log = log
    this.#timers = timers
  }

  /** From this turn on `claimant` answers on `key`, unless an older server holds it. */
  claim(key: SocketKey, claimant: Claimant): void {
    const entry = this.#entry(key)
    const at = entry.claimants.findIndex((each) => each.server === claimant.server)
    if (at >= 0) entry.claimants[at] = claimant
    else entry.claimants.push(claimant)
    entry.claimants.sort((a, b) => a.createdVersion - b.createdVersion)
    this.#point(entry)
  }

  /** `server` no longer answers on `key`; the next claimant takes over in this very turn. */
  release(key: SocketKey, server: string): void {
    const entry = this.#entries.get(keyText(key))
    if (entry === undefined) return
    const at = entry.claimants.findIndex((each) => each.server === server)
    if (at >= 0) entry.claimants.splice(at, 1)
    this.#point(entry)
  }

  /** Opens what is wanted and closes what is not. Resolves when every opening was tried once. */
  async reconcile(): Promise<void> {
    const openings: Promise<void>[] = []
    for (const [text, entry] of this.#entries) {
      if (entry.opening !== null) {
        // Also one that nobody wants now: a second claim beside it would be undone by its release.
        openings.push(entry.opening)
      } else if (entry.claimants.length === 0) {
        this.#entries.delete(text)
        this.#close(entry)
      } else if (entry.listener === null) {
        entry.opening = this.#open(entry)
        openings.push(entry.opening)
      }
    }
    await Promise.all(openings)
  }

  /** True while a wanted socket is not open: `reconcile` is worth calling again. */
  get isIncomplete(): boolean {
    if (this.#draining) return false
    for (const entry of this.#entries.values()) {
      if (entry.claimants.length > 0 && entry.listener === null) return true
    }
    return false
  }

  /** One state for each claimant. */
  states(): SocketState[] {
    const states: SocketState[] = []
    for (const { key, claimants, listener, error } of this.#entries.values()) {
      claimants.forEach(({ server }, index) => {
        const holder = (claimants[0] as Claimant).server
        if (index > 0) {
          const why = `port ${key.port} is held by HTTPServer ${holder}`
          states.push({ server, state: 'failed', error: why })
        } else if (listener === null) {
          states.push({
            server,
            state: 'failed',
            error: error || `port ${key.port} is being opened`,
          })
        } else states.push({ server, state: 'running', error: '' })
      })
    }
    return states
  }

  /** Exchanges under way on all sockets, those of retired ones included. */
  get activeCount(): number {
    let count = 0
    for (const entry of this.#entries.values()) count += entry.listener?.activeCount ?? 0
    for (const listener of this.#retired.keys()) count += listener.activeCount
    return count
  }

  /** Stops accepting; every answer from now on ends its connection. */
  drain(): void {
    this.#draining = true
    for (const entry of this.#entries.values()) {
      entry.listener?.drain()
      entry.listener?.stopAccepting()
    }
  }

  /** Ends everything at once: the thread is about to exit. */
  closeAll(): void {
    for (const entry of this.#entries.values()) entry.listener?.close()
    for (const listener of this.#retired.keys()) listener.close()
    this.#entries.clear()
    this.#retired.clear()
  }

  #entry(key: SocketKey): Entry {
    const text = keyText(key)
    let entry = this.#entries.get(text)
    if (entry === undefined) {
      entry = { key, claimants: [], listener: null, error: '', opening: null }
      this.#entries.set(text, entry)
    }
    return entry
  }

  #point(entry: Entry): void {
    const handler = entry.claimants[0]?.handler ?? null
    entry.listener?.setHandler(handler)
    if (this.#retired.size === 0) return
    const text = keyText(entry.key)
    for (const [listener, key] of this.#retired) if (key === text) listener.setHandler(handler)
  }

  async #open(entry: Entry): Promise<void> {
    try {
      const { granted, reason } = await this.#ports.claim(entry.key)
      if (!granted) {
        entry.error = reason
        return
      }
      const first = entry.claimants[0]
      if (first === undefined || this.#draining || !this.#isCurrent(entry)) {
        if (first === undefined && this.#isCurrent(entry)) this.#entries.delete(keyText(entry.key))
        this.#ports.release(entry.key)
        return
      }
      // All claimants of a socket count on the same words; they differ in the cap alone.
      let last = first.gate
      const gate: ConnectionGate = {
        opened: () => {
          last = entry.claimants[0]?.gate ?? last
          return last.opened()
        },
        closed: () => last.closed(),
      }
      entry.listener = this.#ports.open(entry.key, gate)
      entry.error = entry.listener === null ? `cannot listen on port ${entry.key.port}` : ''
      if (entry.listener === null) this.#ports.release(entry.key)
      this.#point(entry)
    } catch (thrown) {
      entry.error = thrown instanceof Error ? thrown.message : String(thrown)
    } finally {
      entry.opening = null
    }
  }

  #isCurrent(entry: Entry): boolean {
    return this.#entries.get(keyText(entry.key)) === entry
  }

  /** Connections stay for what is under way on them; uWebSockets.js ends idle ones in 12 s. */
  #close(entry: Entry): void {
    const listener = entry.listener
    if (listener === null) return
    entry.listener = null
    listener.drain()
    listener.setHandler(null)
    listener.stopAccepting()
    this.#ports.release(entry.key)
    this.#retired.set(listener, keyText(entry.key))
    this.#log.info('listener closed', { host: entry.key.host, port: entry.key.port })
    this.#closeWhenDone(listener, 0)
  }

  #closeWhenDone(listener: TrafficListener, waitedMs: number): void {
    this.#timers.after(RETIRED_CHECK_MS, () => {
      if (!this.#retired.has(listener)) return
      if (listener.activeCount > 0 || waitedMs < RETIRED_IDLE_MS) {
        this.#closeWhenDone(listener, waitedMs + RETIRED_CHECK_MS)
        return
      }
      this.#retired.delete(listener)
      listener.close()
    })
  }
}
