import type { Logger } from '../telemetry/log.js'
import {
  type ConnectionGate,
  DEFAULT_LIMITS,
  type ListenAddress,
  type ListenerLimits,
  type TlsIdentity,
  type TrafficHandler,
  type TrafficListener,
} from './contract.js'
import { DueAnswers } from './due-answers.js'
import type { PeerBook } from './peers.js'
import type { Place, PortGroup } from './port-group.js'
import { tlsAppOf } from './tls-app.js'
import {
  closeListenSocket,
  createApp,
  localPort,
  type UwsApp,
  type UwsListenSocket,
  type UwsRequest,
  type UwsResponse,
} from './uws.js'
import { type ExchangeHome, UwsExchange } from './uws-exchange.js'

/** Exchange objects kept for the next requests; more than this are left to the collector. */
const FREE_MAX = 1024
/** uWebSockets.js cuts streams after ten seconds without a sign of life from us. */
const VISIT_MS = 4_000

export interface ListenOptions {
  /** Null, as without: clear text. Its first certificate is shown, and none asked for. */
  readonly tls?: TlsIdentity | null
  /** The sockets of other workers on the same port. */
  readonly group?: PortGroup | null
  readonly limits?: ListenerLimits
}

interface Setup {
  readonly app: UwsApp
  readonly isTls: boolean
  readonly peers: PeerBook | null
  readonly limits: ListenerLimits
  readonly log: Logger
}

const NO_GATE: ConnectionGate = { opened: () => true, closed: () => {} }

/** HTTP/1.1 on one address, in clear text or over TLS, by uWebSockets.js. */
export class UwsListener implements TrafficListener, ExchangeHome {
  readonly limits: ListenerLimits
  readonly isTls: boolean
  readonly peers: PeerBook | null
  draining = false
  readonly due = new DueAnswers()
  readonly #app: UwsApp
  readonly #log: Logger
  #socket: UwsListenSocket | null
  #handler: TrafficHandler | null = null
  readonly #free: UwsExchange[] = []
  readonly #streaming = new Set<UwsExchange>()
  readonly #visits: NodeJS.Timeout
  #active = 0
  #connections = 0
  #place: Place | null = null
  readonly port: number

  private constructor({ app, isTls, peers, limits, log }: Setup, socket: UwsListenSocket) {
    this.#app = app
    this.#socket = socket
    this.#log = log
    this.isTls = isTls
    this.peers = peers
    this.limits = limits
    this.port = localPort(socket)
    this.#visits = setInterval(() => {
      for (const exchange of this.#streaming) exchange.visit(VISIT_MS)
    }, VISIT_MS)
    this.#visits.unref()
  }

  /**
   * Opens the socket, sharing the port with the other workers of the process (SO_REUSEPORT). Null
   * when it cannot be bound; that nobody outside the process has it must have been probed before.
   * Throws when the certificates of `tls` cannot be used.
   */
  static open(
    address: ListenAddress,
    gate: ConnectionGate,
    log: Logger,
    { tls = null, group = null, limits = DEFAULT_LIMITS }: ListenOptions = {},
  ): UwsListener | null {
    const [pair] = tls?.pairs ?? []
    const app = pair === undefined ? createApp() : tlsAppOf(pair)
    const listen = (done: (socket: UwsListenSocket | false) => void): void => {
      if (address.host === '') app.listen(address.port, done)
      else app.listen(address.host, address.port, done)
    }
    return UwsListener.#open(
      { app, isTls: tls !== null, peers: null, limits, log },
      gate,
      (done) => {
        if (group === null) {
          listen(done)
          return null
        }
        return group.join(() => {
          let isOpen = false
          listen((socket) => {
            isOpen = socket !== false
            done(socket)
          })
          return isOpen
        })
      },
    )
  }

  /** Clear text on a Unix socket, from clients that speak TLS to someone who tells `peers` of them. */
  static openInner(
    path: string,
    peers: PeerBook,
    log: Logger,
    limits: ListenerLimits,
  ): UwsListener | null {
    const app = createApp()
    app.get(peers.helloPath, (res) => void res.endWithoutBody())
    return UwsListener.#open({ app, isTls: true, peers, limits, log }, NO_GATE, (done) => {
      app.listen_unix(done, path)
      return null
    })
  }

  static #open(
    setup: Setup,
    gate: ConnectionGate,
    listen: (done: (socket: UwsListenSocket | false) => void) => Place | null,
  ): UwsListener | null {
    const { app } = setup
    const made: { listener: UwsListener | null } = { listener: null }
    let refusing = false
    const count = (res: UwsResponse, change: number): void => {
      if (change < 0) {
        // A refused connection is closed inside this very callback, and was never counted.
        if (refusing) return
        ;(made.listener as UwsListener).#connections -= 1
        gate.closed()
      } else if (gate.opened()) (made.listener as UwsListener).#connections += 1
      else {
        refusing = true
        res.close()
        refusing = false
      }
    }
    app.filter(count)
    // Methods are told apart by their case: `get` comes to the second.
    app.get('/*', (res, req) => (made.listener as UwsListener).#begin(res, req, true))
    app.any('/*', (res, req) => (made.listener as UwsListener).#begin(res, req, false))
    const place = listen((socket) => {
      if (socket !== false) made.listener = new UwsListener(setup, socket)
    })
    if (made.listener === null) app.close()
    else made.listener.#place = place
    return made.listener
  }

  get activeCount(): number {
    return this.#active
  }

  get connectionCount(): number {
    return this.#connections
  }

  setHandler(handler: TrafficHandler | null): void {
    this.#handler = handler
  }

  leave(): boolean {
    return this.#socket !== null && this.#place?.leave() === true
  }

  stopAccepting(): void {
    const socket = this.#socket
    if (socket === null) return
    this.#socket = null
    if (this.#place === null) closeListenSocket(socket)
    else this.#place.left(() => closeListenSocket(socket))
  }

  drain(): void {
    this.draining = true
  }

  close(): void {
    clearInterval(this.#visits)
    this.stopAccepting()
    this.#app.close()
  }

  #begin(res: UwsResponse, req: UwsRequest, isGet: boolean): void {
    const exchange = this.#free.pop() ?? new UwsExchange(this)
    this.#active += 1
    exchange.begin(res, req, this.#handler, isGet)
  }

  release(exchange: UwsExchange, reusable: boolean): void {
    this.#active -= 1
    if (reusable && this.#free.length < FREE_MAX) this.#free.push(exchange)
  }

  watch(exchange: UwsExchange): void {
    this.#streaming.add(exchange)
  }

  unwatch(exchange: UwsExchange): void {
    this.#streaming.delete(exchange)
  }

  report(thrown: unknown): void {
    this.#log.error('exchange failed', {
      error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
    })
  }
}
