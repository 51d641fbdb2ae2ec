import { randomBytes } from 'node:crypto'

/** Who is at the other end of a connection that something else accepted. */
export interface Peer {
  readonly address: string
  /** In DER, the client's own first. */
  readonly certificates: readonly Uint8Array[]
}

const TOKEN_BYTES = 16
// The PROXY protocol, version 2: signature, "version 2, PROXY", "TCP over IPv6", length of the rest.
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const HEAD = Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x21, 0, 36])])
/** Address of the server and both ports: nobody reads them. */
const REST = Buffer.alloc(20)

/**
 * Tells a listener who is behind the connections that are made to it from within the process: each
 * begins with a head of the PROXY protocol, which has a token in place of the client's address.
 * Tokens cannot be guessed, so that what has none of these came from somewhere else.
 *
 * Behind that head uWebSockets.js has to find a whole request at once (else it answers 505), and what
 * clients send comes in pieces; so a request of ours follows, to a path that nobody else knows. What
 * the client sent comes after the answer to it.
 */
export class PeerBook {
  /** Where a listener answers the request of ours, with a head and nothing else. */
  readonly helloPath = `/${randomBytes(TOKEN_BYTES).toString('hex')}`
  readonly #hello = Buffer.from(`GET ${this.helloPath} HTTP/1.1\r\nHost: inner\r\n\r\n`)
  readonly #peers = new Map<string, Peer>()

  /** What to send before anything else on the connection of `peer`, in one piece. */
  enter(peer: Peer): { readonly hello: Uint8Array; forget(): void } {
    const token = randomBytes(TOKEN_BYTES)
    const key = token.toString('latin1')
    this.#peers.set(key, peer)
    return {
      hello: Buffer.concat([HEAD, token, REST, this.#hello]),
      forget: () => void this.#peers.delete(key),
    }
  }

  /** By the address that the head named; null for a stranger. */
  find(address: ArrayBuffer): Peer | null {
    return this.#peers.get(Buffer.from(address).toString('latin1')) ?? null
  }
}
