import { connect, createServer, isIP, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { flag, libc, socketAddress } from '../lib/libc.js'
import { addressBytes } from '../lib/listen-sockets.js'
import type { Logger } from '../telemetry/log.js'
import { readGreeting } from './client-hello.js'
import {
  type CertificatePair,
  type ConnectionGate,
  DEFAULT_LIMITS,
  type ListenAddress,
  type TlsIdentity,
  type TrafficHandler,
  type TrafficListener,
} from './contract.js'
import { type InnerSocket, openInnerSocket } from './inner-socket.js'
import { PeerBook } from './peers.js'
import type { Place } from './port-group.js'
import { TLS12_CIPHERS } from './tls-app.js'
import { type ListenOptions, UwsListener } from './uws-listener.js'

/** From accepting to the end of the handshake: what uWebSockets.js gives its clients, too. */
const HANDSHAKE_MS = 10_000
const BACKLOG = 512

/**
 * HTTP/1.1 over TLS where uWebSockets.js's own will not do: it can neither insist on a certificate of
 * the client nor show it (it verifies one that is there, and takes clients without), and a second
 * server name brings a second set of routes, which must never be removed. So Node.js ends TLS here,
 * and what it deciphers goes to a listener within the process, which knows by a token who it is
 * from. That costs a copy and a pair of system calls more for each piece.
 */
export class TlsFront implements TrafficListener {
  readonly #inner: UwsListener
  readonly #innerSocket: InnerSocket
  readonly #peers: PeerBook
  readonly #gate: ConnectionGate
  readonly #server: Server
  /** One for each certificate, in order. */
  readonly #tls: readonly Shown[]
  readonly #sockets = new Set<Socket>()
  #place: Place | null = null
  #isAccepting = true
  port = 0

  private constructor(
    inner: UwsListener,
    innerSocket: InnerSocket,
    peers: PeerBook,
    gate: ConnectionGate,
    identity: TlsIdentity,
  ) {
    this.#inner = inner
    this.#innerSocket = innerSocket
    this.#peers = peers
    this.#gate = gate
    this.#tls = identity.pairs.map((pair) => {
      const server = tlsServerOf(pair, identity.clientCa)
      server.on('secureConnection', (socket) => this.#join(socket))
      // Not of TLS, cut off, too slow, or without the certificate: the client's own business.
      server.on('tlsClientError', (_error, socket) => socket.destroy())
      return { names: new Set(pair.names), server }
    })
    if (this.#tls.length === 0) throw new Error('there is no certificate')
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    this.#server.on('error', () => {}) // accept(2) without descriptors; it goes on by itself
  }

  /**
   * As {@link UwsListener.open}. Throws when the certificates of `tls` cannot be used, or there are no
   * calls of the C library.
   */
  static open(
    address: ListenAddress,
    gate: ConnectionGate,
    log: Logger,
    tls: TlsIdentity,
    { group = null, limits = DEFAULT_LIMITS }: Omit<ListenOptions, 'tls'> = {},
  ): TlsFront | null {
    const peers = new PeerBook()
    const made: { inner: UwsListener | null } = { inner: null }
    const innerSocket = openInnerSocket((path) => {
      made.inner = UwsListener.openInner(path, peers, log, limits)
      return made.inner !== null
    })
    const { inner } = made
    if (inner === null || innerSocket === null) return null
    const undo = (): void => {
      inner.close()
      innerSocket.close()
    }
    let front: TlsFront
    try {
      front = new TlsFront(inner, innerSocket, peers, gate, tls)
      if (group === null) front.#listen(address)
      else front.#place = group.join(() => front.#listen(address))
    } catch (thrown) {
      undo()
      throw thrown
    }
    if (front.port > 0) return front
    undo()
    return null
  }

  get activeCount(): number {
    return this.#inner.activeCount
  }

  get connectionCount(): number {
    return this.#sockets.size
  }

  setHandler(handler: TrafficHandler | null): void {
    this.#inner.setHandler(handler)
  }

  leave(): boolean {
    return this.#isAccepting && this.#place?.leave() === true
  }

  stopAccepting(): void {
    if (!this.#isAccepting) return
    this.#isAccepting = false
    if (this.#place === null) this.#server.close()
    else this.#place.left(() => this.#server.close())
  }

  drain(): void {
    this.#inner.drain()
  }

  close(): void {
    this.stopAccepting()
    this.#inner.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#innerSocket.close()
  }

  #listen({ host, port }: ListenAddress): boolean {
    const fd = sharedSocket(host, port)
    if (fd < 0) return false
    this.#server.listen({ fd })
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') return false
    this.port = bound.port
    return true
  }

  #accept(socket: Socket): void {
    if (!this.#gate.opened()) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#gate.closed()
    })
    if (this.#tls.length === 1) this.#serverFor('').emit('connection', socket)
    else this.#greet(socket)
  }

  /**
   * Which certificate is shown depends on the host the client asks for, and Node.js adds the one that
   * its SNICallback chooses to the first instead of replacing it: with keys of two kinds the wrong
   * one would be shown. So the host is read out of the greeting before TLS begins.
   */
  #greet(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS)
    socket.once('close', () => clearTimeout(timer))
    let held: Buffer = Buffer.alloc(0)
    const look = (): void => {
      const chunk: Buffer | null = socket.read()
      if (chunk === null) return
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const greeting = readGreeting(held)
      if (!greeting.isWhole) return
      clearTimeout(timer)
      socket.off('readable', look)
      socket.unshift(held)
      this.#serverFor(greeting.serverName).emit('connection', socket)
    }
    socket.on('readable', look)
  }

  /** The first that is for the name, as Go's `crypto/tls` chooses; else the first of all. */
  #serverFor(name: string): TlsServer {
    const plain = name.toLowerCase().replace(/\.+$/, '')
    const dot = plain.indexOf('.')
    const wildcard = dot < 0 ? '' : `*${plain.slice(dot)}`
    const found = this.#tls.find(({ names }) => names.has(plain) || names.has(wildcard))
    return (found ?? (this.#tls[0] as Shown)).server
  }

  /** The handshake is done: from now on each side gets what the other sends. */
  #join(client: TLSSocket): void {
    const { hello, forget } = this.#peers.enter({
      address: plainAddress(client.remoteAddress ?? ''),
      certificates: certificatesOf(client),
    })
    const inner = connect({ path: this.#innerSocket.path })
    inner.write(hello)
    client.on('error', () => inner.destroy())
    inner.on('error', () => client.destroy())
    client.once('close', () => inner.destroy())
    inner.once('close', () => {
      forget()
      client.end()
    })
    inner.once('data', () => {
      client.pipe(inner)
      inner.pipe(client)
    })
  }
}

/** A certificate, and the server that shows it. */
interface Shown {
  readonly names: ReadonlySet<string>
  readonly server: TlsServer
}

const CIPHERS = `TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:${TLS12_CIPHERS}`

function tlsServerOf({ cert, key }: CertificatePair, clientCa: string): TlsServer {
  return createTlsServer({
    cert,
    key,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    handshakeTimeout: HANDSHAKE_MS,
    ...(clientCa === '' ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  })
}

/** What the client has shown, and above it what it was verified by. */
function certificatesOf(client: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = []
  let certificate = client.getPeerX509Certificate()
  while (certificate !== undefined) {
    chain.push(certificate.raw)
    certificate = certificate.issuerCertificate
  }
  return chain
}

const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '')

const ANY_IPV4 = '0.0.0.0'
const ANY_IPV6 = '::'

/** A socket that listens, on a port that others of this user may share; -1 when it cannot be had. */
function sharedSocket(host: string, port: number): number {
  if (host === '') {
    const both = sharedSocket(ANY_IPV6, port)
    return both >= 0 ? both : sharedSocket(ANY_IPV4, port)
  }
  const system = libc()
  if (system === null) {
    throw new Error('client certificates and several certificates need Linux and the package koffi')
  }
  const address = host === 'localhost' ? '127.0.0.1' : host
  if (isIP(address) === 0) throw new Error(`${host} is not an address`)
  const isIpv6 = isIP(address) === 6
  const fd = system.tcpSocket(isIpv6)
  if (fd < 0) return -1
  const isReady =
    system.setSocketOption(fd, 'reuseAddress', flag(true)) &&
    system.setSocketOption(fd, 'reusePort', flag(true)) &&
    (!isIpv6 || system.setSocketOption(fd, 'ipv6Only', flag(false))) &&
    system.listen(fd, socketAddress(addressBytes(address), port), BACKLOG)
  if (isReady) return fd
  system.close(fd)
  return -1
}
