import type { Remote } from './handshake.js'

/**
 * What links stand on: streams of bytes, as TCP and TLS give them. `node-transport.ts` is the real
 * one, `testing/sim-network.ts` one in virtual time. No handler is called before the call that
 * takes it returns.
 */
export interface Transport {
  /** `address`: a peer URL of the configuration. Failure is an `onClosed` without an `onOpen`. */
  connect(address: string, handler: ConnectionHandler): Connection
}

export interface Connection {
  /**
   * False: more than the high-water mark waits to be sent; hold back until `onDrained`. The bytes
   * belong to the connection from now on.
   */
  send(bytes: Uint8Array): boolean
  /** What was sent leaves now, not with the rest of this turn. Without it, nothing is held back. */
  flush?(): void
  /** Sends what waits, for a moment, then closes. No handler is called after this. Idempotent. */
  close(): void
}

export interface ConnectionHandler {
  /** Once, before any data; the certificate, if there is one, is checked. */
  onOpen(remote: Remote): void
  onData(bytes: Uint8Array): void
  onDrained(): void
  /** Once, the last call; `reason` is for a person. */
  onClosed(reason: string, cause: CloseCause): void
}

/** `refused`: the machine answered that nobody listens there. */
export type CloseCause = 'refused' | 'other'
