import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import {
  bindProblem,
  type NodeTransport,
  type PeerListener,
  parsePeerUrl,
} from '../peer/node-transport.js'
import { CHANNEL, type Channel, type Links } from '../peer/peer.js'
import type { ClusterSetup } from '../root/threads.js'
import type { Logger } from '../telemetry/log.js'

/** A port that is taken is tried again. */
const RETRY_MS = 5_000
const STRANGER_MS = 60_000
const STRANGERS_MAX = 64

export interface PeerPortsOptions {
  readonly time: Time
  readonly log: Logger
  readonly setup: ClusterSetup
  readonly isFirstLife: boolean
  readonly transport: NodeTransport
  readonly links: Pick<Links, 'accept'>
  onFailed(error: GatewayError): void
}

interface Port {
  readonly url: string
  readonly option: string
  /** Null: all. */
  readonly channels: readonly Channel[] | null
  /** Without it this process does not start. */
  readonly isNeeded: boolean
  wasRefused: boolean
}

/**
 * The ports of this node for others: all of the peer protocol on the one (2380), what clients of
 * the store need on the other (2379).
 */
export class PeerPorts {
  readonly #options: PeerPortsOptions
  readonly #listeners = new Set<PeerListener>()
  readonly #strangers = new Set<string>()
  #isClosed = false

  constructor(options: PeerPortsOptions) {
    this.#options = options
  }

  open(): void {
    const { setup, isFirstLife } = this.#options
    const { peerListen, clientListen } = setup
    const taken = new Set<string>()
    for (const url of peerListen.urls) {
      if (taken.has(url)) continue
      taken.add(url)
      const isNeeded = peerListen.isAskedFor && isFirstLife
      this.#open(portOf(url, 'cluster-listen-peer-urls', null, isNeeded))
    }
    for (const url of clientListen.urls) {
      if (taken.has(url)) continue
      taken.add(url)
      const isNeeded = clientListen.isAskedFor && isFirstLife
      this.#open(portOf(url, 'cluster-listen-client-urls', [CHANNEL.FORWARD], isNeeded))
    }
  }

  close(): void {
    this.#isClosed = true
    for (const listener of this.#listeners) listener.close(() => {})
    this.#listeners.clear()
  }

  #open(port: Port): void {
    if (this.#isClosed) return
    const { transport, links, log, setup } = this.#options
    const target = parsePeerUrl(port.url)
    if (target === null) {
      this.#refuse(port, 'it is no peer URL')
      return
    }
    const { host } = target
    const guard = {
      tls: setup.tls !== null,
      secret: setup.secret !== '',
      allowInsecure: setup.allowInsecure,
    }
    const problem = bindProblem(host, guard)
    if (problem !== null) {
      this.#refuse(port, problem)
      return
    }
    const listener = transport.listen({
      host,
      port: target.port,
      accept: (connection) =>
        port.channels === null ? links.accept(connection) : links.accept(connection, port.channels),
      onStranger: (address, reason) => this.#onStranger(address, reason),
      onListening: () => log.info('listening for peers', { url: port.url }),
      onFailed: (error) => {
        this.#listeners.delete(listener)
        this.#refuse(port, reasonOf(error))
      },
    })
    this.#listeners.add(listener)
  }

  /** Who is turned away may come again at once: the same sentence is said once a minute. */
  #onStranger(address: string, reason: string): void {
    if (this.#strangers.has(reason) || this.#strangers.size >= STRANGERS_MAX) return
    const { log, time } = this.#options
    this.#strangers.add(reason)
    time.after(STRANGER_MS, () => this.#strangers.delete(reason))
    log.warn('a connection that is no peer', { address, reason })
  }

  #refuse(port: Port, reason: string): void {
    const { log, time, onFailed } = this.#options
    const message = `cannot listen on ${port.url} (${port.option}): ${reason}`
    if (port.isNeeded) {
      onFailed(new GatewayError('STORE_UNAVAILABLE', message))
      return
    }
    if (!port.wasRefused) log.warn('cannot listen for peers, retrying', { url: port.url, reason })
    const again = { ...port, wasRefused: true }
    time.after(RETRY_MS, () => this.#open(again))
  }
}

const portOf = (
  url: string,
  option: string,
  channels: readonly Channel[] | null,
  isNeeded: boolean,
): Port => ({ url, option, channels, isNeeded, wasRefused: false })

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'the port is taken'
  if (error.code === 'EACCES') return 'this process may not listen there'
  if (error.code === 'EADDRNOTAVAIL') return 'the address is not one of this machine'
  return error.message
}
