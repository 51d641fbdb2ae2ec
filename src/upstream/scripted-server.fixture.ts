import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

/** Longest wait for anything in these tests; reaching it is a failure. */
const PATIENCE_MS = 4_000

/** Resolves when `holds` does; looked at after every turn of the loop. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`waited too long: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Lets what is on its way between sockets of this process arrive. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** One connection as the back end has it: raw bytes, nothing is interpreted. */
export class Peer {
  readonly socket: Socket
  /** All that came, as Latin-1. */
  received = ''
  /** The same, one entry for each read. */
  readonly reads: string[] = []
  hasEnded = false
  isClosed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1')
      this.reads.push(bytes.toString('latin1'))
    })
    socket.on('end', () => {
      this.hasEnded = true
    })
    socket.on('close', () => {
      this.isClosed = true
    })
    socket.on('error', () => {})
  }

  /** Waits until `text` has come. */
  async expects(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} in ${JSON.stringify(this.received)}`, () =>
      this.received.includes(text),
    )
  }

  /** Waits for a whole head, and forgets what came. */
  async head(): Promise<string> {
    await this.expects('\r\n\r\n')
    const head = this.received
    this.received = ''
    return head
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Waits until the client has closed. */
  async gone(): Promise<void> {
    await until('the connection to close', () => this.hasEnded || this.isClosed)
  }
}

/** A back end that does nothing by itself: tests play its part, connection by connection. */
export class ScriptedServer {
  readonly peers: Peer[] = []
  readonly #server: Server

  private constructor(server: Server, event: string) {
    this.#server = server
    server.on(event, (socket: Socket) => this.peers.push(new Peer(socket)))
    server.on('tlsClientError', () => {})
  }

  static async listen(): Promise<ScriptedServer> {
    const server = createServer({ allowHalfOpen: true })
    const scripted = new ScriptedServer(server, 'connection')
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return scripted
  }

  static async listenTls(): Promise<ScriptedServer> {
    const server = createTlsServer({ cert: TEST_CERT, key: TEST_KEY })
    const scripted = new ScriptedServer(server, 'secureConnection')
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return scripted
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The connection of that number, the first being 0, once it is there. */
  async peer(index: number): Promise<Peer> {
    await until(`connection ${index}`, () => this.peers.length > index)
    return this.peers[index] as Peer
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const peer of this.peers) peer.socket.destroy()
    await closed
  }
}

/** For localhost and 127.0.0.1, signed by itself, made for these tests. */
export const TEST_CERT = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUFE++FrDO2Hs4tEENIKuGKJVtfWAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjIxMzg0NVoYDzIxMjYxMDI5
MjEzODQ1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARZLqgKw6Dw1okfZfCHJtc3TFST2xhu7rWsFYBsqFtPfLgvqAWmycLn
jRmPDrAbRDCgaBn110O0HYbMNERjSj2So28wbTAdBgNVHQ4EFgQUED2ye69wQ+rF
nac1cHqmyflVEzswHwYDVR0jBBgwFoAUED2ye69wQ+rFnac1cHqmyflVEzswDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAMg5i+10aGs/2Et/Lncglj8glHLbus1xWnadRGCqr9hvAiBt
PhAvqg3DnIdhhFj7c70C/kZKW/TrnQa38rd6nQXhtA==
-----END CERTIFICATE-----
`
export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRz1o7s3THhq1R7N1
cZRuCGERzg29OMwYpJKADUFRIcShRANCAARZLqgKw6Dw1okfZfCHJtc3TFST2xhu
7rWsFYBsqFtPfLgvqAWmycLnjRmPDrAbRDCgaBn110O0HYbMNERjSj2S
-----END PRIVATE KEY-----
`
