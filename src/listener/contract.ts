import type { Exchange, Finisher } from '../http/exchange.js'

/** What answers the requests of one listen socket: a server. Never throws. */
export interface TrafficHandler extends Finisher {
  /** False: every answer ends its connection. */
  readonly keepAlive: boolean
  handle(ex: Exchange): void
}

/** Counts the connections of one listen socket over all workers of the node. */
export interface ConnectionGate {
  /** False when the node holds as many as it may: the connection is closed. */
  opened(): boolean
  closed(): void
}

export interface ListenAddress {
  /** Address as configured; empty for all of them. */
  readonly host: string
  readonly port: number
}

/** A certificate with its key, in PEM. */
export interface CertificatePair {
  /** The server's own first, then those that lead to its authority. */
  readonly cert: string
  readonly key: string
  /** DNS names that it is for, in lower case; the first label may be `*`. */
  readonly names: readonly string[]
}

/** What a server shows who it is with, and what it asks of clients. */
export interface TlsIdentity {
  /** At least one; the first is for clients that name no host, or one that none is for. */
  readonly pairs: readonly CertificatePair[]
  /** Authorities in PEM: clients have to show a certificate of theirs. Empty: none is asked for. */
  readonly clientCa: string
  /** Equal for equal identities. */
  readonly fingerprint: string
}

/** One listen socket of one worker. */
export interface TrafficListener {
  /** The port in fact, which differs from the one asked for when that was 0. */
  readonly port: number
  /** Null: requests on connections that are still there get 503 and `Connection: close`. */
  setHandler(handler: TrafficHandler | null): void
  /**
   * Before `stopAccepting`, where other sockets of the port stay: leads new connections to those.
   * True when it did, and this one should go on for some milliseconds until its queue is empty.
   */
  leave(): boolean
  /** Stops accepting; connections stay until they end or `close`. */
  stopAccepting(): void
  /** From now on every answer ends its connection. */
  drain(): void
  /** Ends everything at once. */
  close(): void
  /** Exchanges between their head and their end. */
  readonly activeCount: number
  readonly connectionCount: number
}

/** Bounds on clients that uWebSockets.js leaves to us. */
export interface ListenerLimits {
  /** Longest time without progress while a body is read or written, in milliseconds. */
  readonly stallMs: number
  /** Of a request body, unread when its answer is complete, that is still read away. */
  readonly leftoverBytesMax: number
}

export const DEFAULT_LIMITS: ListenerLimits = { stallMs: 60_000, leftoverBytesMax: 65_536 }

/** Memory that the workers of a node share for each port: see `PortGroup`. */
export const PLACES_BYTES = 1024
