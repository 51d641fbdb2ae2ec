import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_'

/** The body that both programs generate: byte i is ALPHABET[i % 64]. */
export function patternBody(bytes: number): string {
  return ALPHABET.repeat(Math.ceil(bytes / 64)).slice(0, bytes)
}

/** How a connection ended, and every byte that came before. */
export type Exchange = { text: string; end: 'fin' | 'reset' | 'open' }

/**
 * Sends bytes as they are and reads until the other side ends the connection, or until `enough`
 * says that what came is all there will be.
 */
export async function exchange(
  url: string,
  bytes: string,
  enough: (text: string) => boolean = () => false,
): Promise<Exchange> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  return await new Promise((resolve) => {
    const done = (end: Exchange['end']) => {
      socket.destroy()
      resolve({ text, end })
    }
    socket.on('connect', () => socket.write(bytes, 'latin1'))
    socket.on('data', (data) => {
      text += data.toString('latin1')
      if (enough(text)) done('open')
    })
    socket.on('end', () => done('fin'))
    socket.on('error', () => done('reset'))
  })
}

/** A server that answers each connection's first bytes as `answer` says; for hostile answers. */
export class RawServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(answer: (socket: Socket, received: Buffer) => void): Promise<RawServer> {
    const server = createServer()
    const raw = new RawServer(server)
    server.on('connection', (socket) => {
      raw.#sockets.add(socket)
      socket.on('close', () => raw.#sockets.delete(socket))
      socket.on('error', () => socket.destroy())
      socket.on('data', (received) => answer(socket, received))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return raw
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return `http://127.0.0.1:${address.port}/`
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
