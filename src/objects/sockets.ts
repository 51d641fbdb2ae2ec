import { systemTime, type Timers } from '../lib/clock.js'
import type {
  ConnectionGate,
  TlsIdentity,
  TrafficHandler,
  TrafficListener,
} from '../listener/contract.js'
import type { NodeWords } from '../shared/contract.js'
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
  /** Null: clear text. */
  readonly tls: TlsIdentity | null
  /** Where workers note the sockets of the port: see `PortGroup`. */
  readonly places: NodeWords
}

/** How a socket is to be opened. */
export type Opening = Pick<Claimant, 'gate' | 'tls' | 'places'>

export interface SocketState {
  readonly server: string
  readonly state: 'running' | 'failed'
  readonly error: string
}

export interface SocketPorts {
  /** Asks whether the node may bind the address; a reason when not. */
  claim(key: SocketKey): Promise<{ granted: boolean; reason: string }>
  release(key: SocketKey): void
  /** Null when it cannot be bound; throws when the certificates cannot be used. */
  open(key: SocketKey, opening: Opening): TrafficListener | null
}

const keyText = (key: SocketKey): string => `${key.transport} ${key.host} ${key.port}`

interface Entry {
  readonly key: SocketKey
  readonly claimants: Claimant[]
  listener: TrafficListener | null
  /** Of `listener`. */
  tls: TlsIdentity | null
  /** Certificates that could not be used; no use in trying them again. */
  refusedTls: TlsIdentity | null
  error: string
  /** A claim is under way, or the socket is being waited for. */
  opening: Promise<void> | null
}

/** A listener whose socket is closed, or about to be, and whose connections are still there. */
interface Retired {
  /** What it listened on: its connections are answered by whoever claims that now. */
  readonly key: string
  readonly tls: TlsIdentity | null
  /** Another one listens there, with other certificates: its connections stay as they are. */
  isReplaced: boolean
}

/** How often a retired socket is looked at, and how long its idle connections may stay. */
const RETIRED_CHECK_MS = 1_000
const RETIRED_IDLE_MS = 15_000
/**
 * From telling the kernel to prefer other sockets to closing this one. Long enough for handshakes
 * over long ways to be complete.
 */
const LEAVE_MS = 500

/** Whether a connection opened under `before` may be answered by one who wants `now`. */
function isFit(before: TlsIdentity | null, now: TlsIdentity | null): boolean {
  if (before === null || now === null) return before === now
  return before.clientCa === now.clientCa
}

const isSame = (a: TlsIdentity | null, b: TlsIdentity | null): boolean =>
  a?.fingerprint === b?.fingerprint

/**
 * The listen sockets of one worker, keyed by address, port and transport and not by object, so
 * that a change of an object never touches a socket that another generation wants as well.
 */
export class SocketTable {
  readonly #entries = new Map<string, Entry>()
  readonly #ports: SocketPorts
  readonly #log: Logger
  readonly #retired = new Map<TrafficListener, Retired>()
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
      } else if (this.#isStale(entry)) this.#renew(entry, entry.listener)
    }
    await Promise.all(openings)
  }

  /** True while a wanted socket is not open: `reconcile` is worth calling again. */
  get isIncomplete(): boolean {
    if (this.#draining) return false
    for (const entry of this.#entries.values()) {
      if (entry.claimants.length === 0) continue
      if (entry.listener === null || this.#isStale(entry)) return true
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
        } else states.push({ server, state: error === '' ? 'running' : 'failed', error })
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
    for (const { listener } of this.#entries.values()) {
      listener?.drain()
      listener?.stopAccepting()
    }
    for (const listener of this.#retired.keys()) {
      listener.drain()
      listener.stopAccepting()
    }
  }

  /**
   * This worker ends, others go on: new connections are led to those, every answer ends its
   * connection. True when some milliseconds should pass before `closeAll`.
   */
  leave(): boolean {
    this.#draining = true
    let isLed = false
    for (const { listener } of this.#entries.values()) {
      listener?.drain()
      if (listener?.leave() === true) isLed = true
    }
    return isLed
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
      entry = {
        key,
        claimants: [],
        listener: null,
        tls: null,
        refusedTls: null,
        error: '',
        opening: null,
      }
      this.#entries.set(text, entry)
    }
    return entry
  }

  #point(entry: Entry): void {
    const first = entry.claimants[0]
    const handlerFor = (tls: TlsIdentity | null): TrafficHandler | null =>
      first !== undefined && isFit(tls, first.tls) ? first.handler : null
    entry.listener?.setHandler(handlerFor(entry.tls))
    if (this.#retired.size === 0) return
    const text = keyText(entry.key)
    for (const [listener, { key, tls }] of this.#retired) {
      if (key === text) listener.setHandler(handlerFor(tls))
    }
  }

  /** Whether the holder of an open socket wants other certificates than it was opened with. */
  #isStale({ claimants, tls, refusedTls }: Entry): boolean {
    const wanted = claimants[0]?.tls ?? null
    return !isSame(wanted, tls) && (refusedTls === null || !isSame(wanted, refusedTls))
  }

  async #open(entry: Entry): Promise<void> {
    let isHeld = false
    try {
      const { granted, reason } = await this.#ports.claim(entry.key)
      if (!granted) {
        entry.error = reason
        return
      }
      isHeld = true
      const first = entry.claimants[0]
      if (first === undefined || this.#draining || !this.#isCurrent(entry)) {
        if (first === undefined && this.#isCurrent(entry)) this.#entries.delete(keyText(entry.key))
        return
      }
      entry.listener = this.#listenerFor(entry, first)
    } catch (thrown) {
      entry.error = thrown instanceof Error ? thrown.message : String(thrown)
    } finally {
      if (isHeld && entry.listener === null) this.#ports.release(entry.key)
      entry.opening = null
    }
  }

  /** Opens a socket, which notes in `entry` how that went. Null when it cannot be bound. */
  #listenerFor(entry: Entry, first: Claimant): TrafficListener | null {
    // All claimants of a socket count on the same words; they differ in the cap alone.
    let last = first.gate
    const gate: ConnectionGate = {
      opened: () => {
        last = entry.claimants[0]?.gate ?? last
        return last.opened()
      },
      closed: () => last.closed(),
    }
    const { tls, places } = first
    const listener = this.#ports.open(entry.key, { gate, tls, places })
    entry.error = listener === null ? `cannot listen on port ${entry.key.port}` : ''
    if (listener !== null) {
      entry.tls = tls
      entry.listener = listener
      this.#point(entry)
    }
    return listener
  }

  /**
   * Opens a socket with the certificates that are wanted now beside the one with the old, whose
   * connections go on. New ones come to this one alone, as far as the kernel can be told so.
   */
  #renew(entry: Entry, old: TrafficListener): void {
    const first = entry.claimants[0] as Claimant
    const before = entry.tls
    try {
      if (this.#listenerFor(entry, first) === null) return
    } catch (thrown) {
      entry.refusedTls = first.tls
      entry.error = `the certificates cannot be used: ${thrown instanceof Error ? thrown.message : thrown}`
      return
    }
    entry.refusedTls = null
    const retired = { key: keyText(entry.key), tls: before, isReplaced: isFit(before, first.tls) }
    this.#retired.set(old, retired)
    if (!retired.isReplaced) old.drain()
    this.#point(entry)
    this.#log.info('certificates changed', { host: entry.key.host, port: entry.key.port })
    if (old.leave()) this.#timers.after(LEAVE_MS, () => old.stopAccepting())
    else old.stopAccepting()
    this.#closeWhenDone(old, 0)
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
    const key = keyText(entry.key)
    for (const [other, retired] of this.#retired) {
      if (retired.key !== key || !retired.isReplaced) continue
      retired.isReplaced = false
      other.drain()
      other.stopAccepting()
    }
    this.#retired.set(listener, { key, tls: entry.tls, isReplaced: false })
    this.#log.info('listener closed', { host: entry.key.host, port: entry.key.port })
    this.#closeWhenDone(listener, 0)
  }

  #closeWhenDone(listener: TrafficListener, waitedMs: number): void {
    this.#timers.after(RETIRED_CHECK_MS, () => {
      const retired = this.#retired.get(listener)
      if (retired === undefined) return
      const stays = retired.isReplaced
        ? listener.connectionCount > 0
        : listener.activeCount > 0 || waitedMs < RETIRED_IDLE_MS
      if (stays) {
        this.#closeWhenDone(listener, retired.isReplaced ? 0 : waitedMs + RETIRED_CHECK_MS)
        return
      }
      this.#retired.delete(listener)
      listener.close()
    })
  }
}
