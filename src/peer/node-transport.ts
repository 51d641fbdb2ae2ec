/**
 * Peer connections over real sockets, in clear text or with mutual TLS. All there is of `node:net`
 * and `node:tls` in this folder; whatever can be decided without a socket is decided elsewhere.
 */
import { createServer, type Server, Socket } from 'node:net'
import {
  connect as connectTls,
  createServer as createTlsServer,
  type PeerCertificate,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls'
import { isLoopbackAddress } from '../lib/loopback.js'
import { FrameDecoder, type FrameFault } from './frame.js'
import type { Remote } from './handshake.js'
import { strangerAnswer } from './stranger.js'
import type { CloseCause, Connection, ConnectionHandler, Transport } from './transport.js'

/** PEM. The certificate is used on both sides, so it must be good for server and client. */
export interface PeerTls {
  readonly cert: string
  readonly key: string
  /** Who signs the members of this cluster, and nobody else. */
  readonly ca: string
}

export interface ListenOptions {
  /** An address of this machine. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Called for each connection that comes in, before it is known to be a peer's. */
  readonly accept: (connection: Connection) => ConnectionHandler
  /** A connection that never became one: clear text on a TLS port. */
  readonly onStranger: (address: string, reason: string) => void
  readonly onListening: (port: number) => void
  /** Instead of `onListening`, or later: the port is lost. */
  readonly onFailed: (error: NodeJS.ErrnoException) => void
}

export interface PeerListener {
  /** Frees the port; connections that stand are left alone. */
  close(done: () => void): void
}

/** Bytes that may wait in a socket's own queue before `send` says that it is enough. */
const HIGH_WATER_BYTES = 128 * 1024
/** What was sent last may take so long to leave a connection that is being closed. */
const LINGER_MS = 1000

/**
 * What stands against listening there, or null: with neither TLS nor secret, whoever reaches the
 * port is a member of the cluster.
 */
export function bindProblem(
  host: string,
  guard: { readonly tls: boolean; readonly secret: boolean; readonly allowInsecure: boolean },
): string | null {
  if (guard.tls || guard.secret || guard.allowInsecure) return null
  if (host === 'localhost' || isLoopbackAddress(host)) return null
  return `peers are not authenticated, so ${host} cannot be bound: set cluster-secret, use https:// peer URLs with certificates, or bind 127.0.0.1 (allow-insecure-peers: true binds it all the same)`
}

export class NodeTransport implements Transport {
  #tls: PeerTls | null
  readonly #gates = new Set<TlsGate>()

  constructor(options: { readonly tls: PeerTls | null }) {
    this.#tls = options.tls
  }

  /** New connections use these certificates; throws what `node:tls` says of bad ones. */
  reload(tls: PeerTls): void {
    for (const gate of this.#gates) gate.reload(tls)
    this.#tls = tls
  }

  connect(address: string, handler: ConnectionHandler): Connection {
    const target = parsePeerUrl(address)
    if (target === null) return new Failed(`"${address}" is no peer URL`, handler)
    const { host, port, isTls } = target
    if (!isTls) {
      const socket = new Socket()
      const connection = new SocketConnection(socket, handler)
      socket.once('connect', () => connection.opened(remoteOf(socket, null)))
      socket.connect({ host, port })
      return connection
    }
    if (this.#tls === null) {
      return new Failed(`${address} needs TLS, and this node has no peer certificate`, handler)
    }
    // Whose certificate it is, is a matter of member names: the handshake compares them.
    const socket = connectTls({
      ...contextOf(this.#tls),
      host,
      port,
      rejectUnauthorized: true,
      checkServerIdentity: () => undefined,
    })
    const connection = new SocketConnection(socket, handler)
    socket.once('secureConnect', () => connection.opened(remoteOf(socket, namesOf(socket))))
    return connection
  }

  listen(options: ListenOptions): PeerListener {
    const gate = this.#tls === null ? null : new TlsGate(this.#tls, options.onStranger)
    if (gate !== null) this.#gates.add(gate)
    const server = createServer({ noDelay: true, pauseOnConnect: gate !== null }, (socket) => {
      const connection = new SocketConnection(socket, null)
      connection.handler = options.accept(connection)
      if (gate === null) connection.opened(remoteOf(socket, null))
      else gate.admit(socket, connection)
    })
    server.once('listening', () => options.onListening(portOf(server)))
    server.on('error', options.onFailed)
    server.listen(options.port, options.host)
    return {
      close: (done) => {
        if (gate !== null) this.#gates.delete(gate)
        server.removeListener('error', options.onFailed)
        server.on('error', () => {})
        // Not its callback: that would wait for every connection.
        if (server.listening) server.close()
        setImmediate(done)
      },
    }
  }
}

function contextOf(tls: PeerTls) {
  return { cert: tls.cert, key: tls.key, ca: tls.ca, minVersion: 'TLSv1.3' } as const
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** `http://host:port` or `https://host:port`; null when it is neither. */
export function parsePeerUrl(
  url: string,
): { readonly host: string; readonly port: number; readonly isTls: boolean } | null {
  const parsed = /^(https?):\/\/(?:\[([0-9a-fA-F:.%]+)\]|([^\s/:[\]@?#]+)):(\d{1,5})\/?$/.exec(url)
  const port = Number(parsed?.[4])
  if (parsed === null || port < 1 || port > 65_535) return null
  return { host: (parsed[2] ?? parsed[3]) as string, port, isTls: parsed[1] === 'https' }
}

function remoteOf(socket: Socket, certificateNames: readonly string[] | null): Remote {
  const { remoteAddress = '', remotePort = 0 } = socket
  const host = remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress
  const isLoopback = isLoopbackAddress(remoteAddress)
  return { address: `${host}:${remotePort}`, isLoopback, certificateNames }
}

function namesOf(socket: TLSSocket): string[] {
  return certificateNames(socket.getPeerCertificate())
}

/** Names of type DNS in subjectAltName; the common name of a certificate that has none. */
export function certificateNames(
  certificate: Pick<PeerCertificate, 'subjectaltname'> & {
    readonly subject?: { readonly CN?: string | readonly string[] } | undefined
  },
): string[] {
  // Node quotes an entry whose text could be taken for several; no name of a member needs that.
  const names = (certificate.subjectaltname ?? '').match(/"(?:[^"\\]|\\.)*"|[^",]+/g) ?? []
  const dns = (certificate.subjectaltname ?? '').includes('"')
    ? []
    : names.map((name) => name.trim()).filter((name) => name.startsWith('DNS:'))
  if (dns.length > 0) return dns.map((name) => name.slice('DNS:'.length))
  const common = certificate.subject?.CN
  const hasNames = certificate.subjectaltname !== undefined
  return !hasNames && typeof common === 'string' ? [common] : []
}

class SocketConnection implements Connection {
  handler: ConnectionHandler | null
  #socket: Socket
  #failure: Error | null = null
  #corked = false
  #blocked = false
  #closed = false

  constructor(socket: Socket, handler: ConnectionHandler | null) {
    this.#socket = socket
    this.handler = handler
    this.watch(socket)
  }

  /** The socket failed or closed before it was opened. */
  watch(socket: Socket): void {
    this.#socket = socket
    socket.on('error', (error) => {
      this.#failure ??= error
    })
    socket.once('close', () => this.#onClose(socket))
  }

  opened(remote: Remote): void {
    const socket = this.#socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Uint8Array) => this.handler?.onData(bytes))
    socket.on('drain', () => {
      if (!this.#blocked) return
      this.#blocked = false
      this.handler?.onDrained()
    })
    this.handler?.onOpen(remote)
  }

  failed(error: Error): void {
    this.#failure ??= error
    this.#socket.destroy()
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket
    if (this.#closed || socket.destroyed) return true
    if (!this.#corked) {
      // All frames of one turn go out in one write.
      this.#corked = true
      socket.cork()
      process.nextTick(this.#uncork)
    }
    socket.write(bytes)
    this.#blocked ||= socket.writableLength > HIGH_WATER_BYTES
    return !this.#blocked
  }

  flush(): void {
    this.#uncork()
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return
    this.#corked = false
    this.#socket.uncork()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.handler = null
    const socket = this.#socket
    if (socket.connecting || socket.destroyed) {
      socket.destroy()
      return
    }
    socket.end()
    // The peer's end is not waited for, and what it still sends is not read.
    socket.removeAllListeners('data')
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }

  #onClose(socket: Socket): void {
    if (socket !== this.#socket) return
    const handler = this.handler
    this.handler = null
    const error = this.#failure as NodeJS.ErrnoException | null
    handler?.onClosed(reasonOf(error), causeOf(error))
  }
}

/** Happy eyeballs give one error for several addresses. */
function causeOf(error: NodeJS.ErrnoException | null): CloseCause {
  const all = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error]
  return all.length > 0 && all.every((each) => each?.code === 'ECONNREFUSED') ? 'refused' : 'other'
}

function reasonOf(error: NodeJS.ErrnoException | null): string {
  if (error === null) return 'closed by the peer'
  const code = error.code ?? ''
  if (causeOf(error) === 'refused') return 'connection refused'
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the peer does not speak TLS: use https:// peer URLs on every member'
  }
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || /CERT|ISSUER|SIGN/.test(code)) {
    return `TLS: ${error.message}`
  }
  return error.message === '' ? code : error.message
}

/** An address that cannot be dialed at all. */
class Failed implements Connection {
  #closed = false

  constructor(reason: string, handler: ConnectionHandler) {
    setImmediate(() => {
      if (!this.#closed) handler.onClosed(reason, 'other')
    })
  }

  send(): boolean {
    return true
  }

  close(): void {
    this.#closed = true
  }
}

/**
 * Stands before a TLS port: lets TLS through, tells a client of HTTP in clear text where to go, and
 * sends a peer without TLS away with a reason in the log.
 */
class TlsGate {
  /** Never listens itself: it is handed sockets whose first byte was TLS's. */
  readonly #server: TlsServer
  readonly #onStranger: ListenOptions['onStranger']
  /** Connections whose TLS handshake is under way, by the peer's address and port. */
  readonly #pending = new Map<string, SocketConnection>()

  constructor(tls: PeerTls, onStranger: ListenOptions['onStranger']) {
    this.#onStranger = onStranger
    this.#server = createTlsServer({
      ...contextOf(tls),
      requestCert: true,
      rejectUnauthorized: true,
    })
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#onError(error, socket))
  }

  reload(tls: PeerTls): void {
    this.#server.setSecureContext(contextOf(tls))
  }

  admit(socket: Socket, connection: SocketConnection): void {
    const key = keyOf(socket)
    socket.once('readable', () => {
      const chunk = socket.read() as Uint8Array | null
      if (chunk === null) return // It ended; 'close' follows.
      if (chunk[0] !== 0x16) {
        this.#turnAway(socket, chunk)
        return
      }
      this.#pending.set(key, connection)
      socket.once('close', () => this.#pending.delete(key))
      socket.unshift(chunk)
      this.#server.emit('connection', socket)
    })
  }

  #onSecure(socket: TLSSocket): void {
    const key = keyOf(socket)
    const connection = this.#pending.get(key)
    this.#pending.delete(key)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    connection.watch(socket)
    connection.opened(remoteOf(socket, namesOf(socket)))
  }

  #onError(error: Error, socket: TLSSocket): void {
    const key = keyOf(socket)
    // One that is gone already has no address any more.
    this.#onStranger(socket.remoteAddress === undefined ? 'gone' : key, reasonOf(error))
    this.#pending.get(key)?.failed(error)
    socket.destroy()
  }

  #turnAway(socket: Socket, chunk: Uint8Array): void {
    let fault: FrameFault = {
      code: 'magic',
      message: 'this port speaks TLS, the peer does not: use https:// peer URLs on every member',
    }
    const decoder = new FrameDecoder({
      admit: () => fault.message,
      onFrame: () => {},
      onFault: (found) => {
        if (strangerAnswer(found.code) !== null) fault = found
      },
    })
    decoder.push(chunk)
    this.#onStranger(keyOf(socket), fault.message)
    const answer = strangerAnswer(fault.code)
    if (answer === null) socket.destroy()
    else socket.end(answer, () => socket.destroySoon())
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}
