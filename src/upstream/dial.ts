import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type SecureContext } from 'node:tls'
import type { ServerOrigin, ServerTls } from './contract.js'
import type { SystemResolver } from './resolver.js'

/** First probe of an idle TCP connection that has lost its peer without a word. */
const TCP_KEEP_ALIVE_MS = 60_000

export interface DialOptions {
  readonly origin: ServerOrigin
  readonly tls: ServerTls
  readonly resolver: SystemResolver
  /** Filled by every read; shared by all connections, so used up before `onRead` returns. */
  readonly readBuffer: Uint8Array
  /** Null for http. */
  readonly secureContext: SecureContext | null
  /** TLS session of an earlier connection to the same server, or null. */
  readonly session: Buffer | null
}

/**
 * Begins to connect. `onRead` gets the number of bytes that lie in the read buffer and returns
 * whether to go on reading; the stream's own buffering is not used. All addresses of a name are
 * tried in turn (RFC 8305, by node).
 */
export function dial(dialOptions: DialOptions, onRead: (bytes: number) => boolean): Socket {
  const { origin, tls, resolver, readBuffer, secureContext, session } = dialOptions
  const common = {
    host: origin.host,
    port: origin.port,
    lookup: resolver.lookup,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    onread: { buffer: readBuffer, callback: onRead },
  }
  if (secureContext === null) return connect(common)
  const tlsOptions: ConnectionOptions = {
    ALPNProtocols: ['http/1.1'],
    secureContext,
    rejectUnauthorized: tls.verify,
    servername: tls.serverName !== '' ? tls.serverName : isIP(origin.host) ? '' : origin.host,
  }
  if (session !== null) tlsOptions.session = session
  return connectTls({ ...common, ...tlsOptions })
}
