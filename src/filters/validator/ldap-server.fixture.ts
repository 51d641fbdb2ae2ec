import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import {
  createSecureContext,
  createServer as createTlsServer,
  TLSSocket,
  type TlsOptions,
} from 'node:tls'

/** How a directory speaks TLS. */
export interface DirectoryTls extends TlsOptions {
  /** From the first byte on (ldaps); without, when a client asks for it (StartTLS). */
  readonly fromStart: boolean
}

/** A directory that knows how to be bound to and to speak TLS, and nothing else. */
export class FakeDirectory {
  /** Passwords by distinguished name. */
  readonly users: ReadonlyMap<string, string>
  /** Names that were tried. */
  readonly tried: string[] = []
  /** Requests for TLS, which it refuses when it has no certificate. */
  tlsAsked = 0
  /** Common names of clients' certificates. */
  readonly clients: string[] = []
  /** Agrees to TLS, and then says nothing more. */
  stallsTls = false
  /** Answers nothing any more. */
  isSilent = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  readonly #tls: DirectoryTls | null

  private constructor(users: Readonly<Record<string, string>>, tls: DirectoryTls | null) {
    this.users = new Map(Object.entries(users))
    this.#tls = tls
    this.#server =
      tls?.fromStart === true
        ? createTlsServer(tls, (socket) => this.#secured(socket))
        : createServer((socket) => this.#serve(socket))
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  #serve(socket: Socket): void {
    socket.on('error', () => {})
    socket.on('data', (data: Buffer) => this.#answer(socket, data))
  }

  #secured(socket: TLSSocket): void {
    const { subject } = socket.getPeerCertificate() as { subject?: { CN: string } }
    if (subject !== undefined) this.clients.push(subject.CN)
    this.#serve(socket)
  }

  static async start(
    users: Readonly<Record<string, string>>,
    tls: DirectoryTls | null = null,
  ): Promise<FakeDirectory> {
    const directory = new FakeDirectory(users, tls)
    await new Promise<void>((resolve) => directory.#server.listen(0, '127.0.0.1', resolve))
    return directory
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get open(): number {
    return this.#sockets.size
  }

  stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  /** What follows is TLS (RFC 4511 §4.14). */
  #upgrade(socket: Socket, tls: DirectoryTls): void {
    const { requestCert = false, rejectUnauthorized = false } = tls
    const secureContext = createSecureContext(tls)
    const how = { isServer: true, secureContext, requestCert, rejectUnauthorized }
    const secured = new TLSSocket(socket, how)
    secured.on('error', () => socket.destroy())
    secured.once('secure', () => this.#secured(secured))
  }

  /** One message for each packet: clients wait for answers (RFC 4511 §4.2, §4.12). */
  #answer(socket: Socket, data: Buffer): void {
    if (this.isSilent) return
    const message = element(data, 0)
    const id = element(data, message.start)
    const operation = element(data, id.end)
    if (operation.tag === 0x77) {
      this.tlsAsked += 1
      const isRefused = this.#tls === null && !this.stallsTls
      socket.write(result(data.subarray(id.start, id.end), 0x78, isRefused ? 52 : 0))
      socket.removeAllListeners('data')
      if (this.#tls !== null) this.#upgrade(socket, this.#tls)
    }
    if (operation.tag !== 0x60) return
    const version = element(data, operation.start)
    const name = element(data, version.end)
    const password = element(data, name.end)
    const dn = data.toString('utf8', name.start, name.end)
    this.tried.push(dn)
    const isRight = this.users.get(dn) === data.toString('utf8', password.start, password.end)
    socket.write(result(data.subarray(id.start, id.end), 0x61, isRight ? 0 : 49))
  }
}

interface Element {
  readonly tag: number
  readonly start: number
  readonly end: number
}

/** One element of BER. */
function element(data: Buffer, at: number): Element {
  const first = data[at + 1] as number
  const more = first > 127 ? first - 128 : 0
  const length = more === 0 ? first : data.readUIntBE(at + 2, more)
  const start = at + 2 + more
  return { tag: data[at] as number, start, end: start + length }
}

function result(id: Buffer, tag: number, code: number): Buffer {
  const body = Buffer.from([0x0a, 1, code, 4, 0, 4, 0])
  const operation = Buffer.concat([Buffer.from([tag, body.length]), body])
  const message = Buffer.concat([Buffer.from([2, id.length]), id, operation])
  return Buffer.concat([Buffer.from([0x30, message.length]), message])
}
