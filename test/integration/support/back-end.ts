import http from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** One connection that the gateway opened, with every byte that came over it. */
export interface Incoming {
  readonly socket: Socket
  received: Buffer
  isEnded: boolean
}

/**
 * A back end below HTTP: it keeps all bytes it got, and answers as a script says. The script runs
 * for each piece that arrives.
 */
export class RawBackEnd {
  readonly connections: Incoming[] = []
  readonly #server: Server
  #script: (incoming: Incoming, piece: Buffer) => void = () => {}

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      const incoming: Incoming = { socket, received: Buffer.alloc(0), isEnded: false }
      this.connections.push(incoming)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('end', () => {
        incoming.isEnded = true
        socket.end()
      })
      socket.on('close', () => {
        incoming.isEnded = true
      })
      socket.on('data', (piece) => {
        incoming.received = Buffer.concat([incoming.received, piece])
        this.#script(incoming, piece)
      })
    })
  }

  static async start(
    script: (incoming: Incoming, piece: Buffer) => void = () => {},
  ): Promise<RawBackEnd> {
    const server = createServer({ allowHalfOpen: true })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const backEnd = new RawBackEnd(server)
    backEnd.script(script)
    return backEnd
  }

  script(script: (incoming: Incoming, piece: Buffer) => void): void {
    this.#script = script
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Everything that ever arrived, over all connections. */
  get received(): Buffer {
    return Buffer.concat(this.connections.map((each) => each.received))
  }

  get openCount(): number {
    return this.connections.filter((each) => !each.isEnded).length
  }

  forget(): void {
    this.connections.length = 0
  }

  close(): void {
    this.#server.close()
    for (const { socket } of this.connections) socket.destroy()
  }
}

/** A back end of `node:http`, for what is not about bytes. */
export class BackEnd {
  readonly server: http.Server
  requests = 0

  private constructor(server: http.Server) {
    this.server = server
  }

  static async start(handler: http.RequestListener): Promise<BackEnd> {
    const server = http.createServer({ keepAliveTimeout: 60_000 })
    const backEnd = new BackEnd(server)
    server.on('request', (request, response) => {
      backEnd.requests += 1
      handler(request, response)
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    return backEnd
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }
}
