/**
 * What the upstream client offers to filters: a callback protocol without promises. In order:
 *
 * 1. `client.acquire(origin)` when a generation is built, `server.release()` when it is retired.
 * 2. `client.send(server, request, handler)` for each request. No handler method runs before it
 *    returns. The request is read before it returns and not kept, but for `body`.
 * 3. `onHead`, any number of `onBody`, `onEnd`; or `onError` at any point. One of the last two is
 *    the last call ever made, unless the caller ended it with `cancel` or `discard`: then none
 *    comes any more.
 *
 * Handlers must not throw.
 */

/** Why an answer did not come, or not to its end. */
export type UpstreamErrorKind =
  /** Nobody listens there. */
  | 'refused'
  /** No route to the host, or no local address left. */
  | 'unreachable'
  /** The name does not resolve. */
  | 'dns'
  /** TCP (and TLS) were not up within the connect time-out. */
  | 'connect-timeout'
  /** No complete head within the response time-out after the request was sent. */
  | 'response-timeout'
  /** Nothing moved for the idle time-out in the middle of a body. */
  | 'idle-timeout'
  /** The back end reset the connection. */
  | 'reset'
  /** The answer breaks HTTP/1.1, or a bound. */
  | 'malformed'
  /** The back end closed before the end of the answer. */
  | 'closed-early'
  /** The caller broke its promise (body shorter or longer than announced), or we shut down. */
  | 'aborted'
  /** The TLS handshake failed, or the certificate is not trusted. */
  | 'tls'
  /** Too many connections and too many waiting, or waited too long for one. */
  | 'overloaded'

/** Takes what comes back for one request. One object for the whole exchange; no closures. */
export interface UpstreamHandler {
  /**
   * The final answer's head (interim ones are swallowed). `headers` is name, value, … with names
   * in lower case and text as Latin-1, without hop-by-hop fields; nobody may change the array;
   * `content-length` stays in it when the back end sent one, also for HEAD and 304. `bodyLength`
   * in bytes is -1 when only the end will tell and 0 when there is none.
   *
   * May call `pause()`. May call `pause()` and then, before it returns, `resume()`: what has
   * arrived of the body is delivered inside that `resume()`, so head and body can be written under
   * one cork.
   */
  onHead(status: number, headers: readonly string[], bodyLength: number): void
  /** `chunk` is lent until the call returns (it lies in a buffer all connections share). */
  onBody(chunk: Uint8Array): void
  /** The answer is complete; flush. The connection has already been given back. */
  onEnd(): void
  /** `message` is for logs: it names the server, never request data. */
  onError(kind: UpstreamErrorKind, message: string): void
  /** After `writeBody` returned false: there is room again. */
  onDrain(): void
  /**
   * Everything read at one go has been delivered and the answer goes on: flush what was gathered.
   * Not called after the `onEnd` or `onError` of that read, nor after a `pause`.
   */
  onBatchEnd(): void
}

/** One request as it is to be sent. Read at once; may be an object that is used again. */
export interface UpstreamRequest {
  /** A token; case is kept. */
  readonly method: string
  /** Path and query as on the request line: percent-encoded printable ASCII. */
  readonly target: string
  /** Value of the Host field; empty for the server's own. */
  readonly host: string
  /**
   * name, value, … with names in lower case. Hop-by-hop fields, `host`, `content-length` and
   * `expect` in it are left out: the client writes its own. The array must not change any more.
   */
  readonly headers: readonly string[]
  /** Bytes; 0 without a body, -1 when unknown (sent chunked). With `body`, its length. */
  readonly bodyLength: number
  /** The whole body when it is at hand; must not change until the answer's head. Else null. */
  readonly body: Uint8Array | null
}

/** One request under way. All methods are no-ops once the call is over. */
export interface UpstreamCall {
  /** True after `onEnd`, `onError`, `cancel` or `discard`. */
  readonly isDone: boolean
  /**
   * Sends a piece of the request body; `chunk` is lent until the call returns. False: wait for
   * `onDrain` (what was given is taken all the same). Only when the request had no `body` and its
   * `bodyLength` is not 0.
   */
  writeBody(chunk: Uint8Array): boolean
  /** The request body is complete. */
  endBody(): void
  /** No `onBody` and no `onEnd` until `resume`. What was read meanwhile is kept, then the socket. */
  pause(): void
  /**
   * Bytes at hand are delivered before this returns, also from inside `onHead`; from inside
   * `onBody` they come after that has returned.
   */
  resume(): void
  /** The answer is no longer wanted: closes the connection. */
  cancel(): void
  /**
   * The rest of the answer is not wanted: it is read away, and the connection kept, when the
   * request is sent and at most 64 KiB are known to remain; else as `cancel`.
   */
  discard(): void
}

/** Where a back end listens. `host` is a name or an address, IPv6 without brackets. */
export interface ServerOrigin {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
}

/** Bounds of one server; equal options of equal origins share one pool. */
export interface ServerOptions {
  /** Connections open or being opened at the same time, per worker. Default 512. */
  readonly connectionsMax: number
  /** Connections kept while unused, per worker; what is more is closed. Default: as many as there are. */
  readonly keptMax: number
  /** The same over all servers with this limit; null (the default) for none. */
  readonly keptTogether: IdleLimit | null
  /** Requests that may wait for a connection when all are in use. Default 1024. */
  readonly queueMax: number
  /** Longest such wait in ms. Default 10 000. */
  readonly queueTimeoutMs: number
  /** TCP and TLS together, in ms. Default 30 000. */
  readonly connectTimeoutMs: number
  /** From the end of the request to the answer's head, in ms. 0 (default): no limit. */
  readonly responseTimeoutMs: number
  /** Longest silence inside a body, either direction, in ms; not while paused. Default 60 000. */
  readonly idleTimeoutMs: number
  /**
   * How long an unused connection is kept, in ms; less when the back end's Keep-Alive field says
   * that it closes sooner. Default 60 000.
   */
  readonly keepAliveMs: number
  /** For https. */
  readonly tls: ServerTls
}

/** A number of unused connections that servers have together, in each worker. */
export interface IdleLimit {
  /** Limits of one name and number are one. */
  readonly name: string
  readonly max: number
}

export interface ServerTls {
  /** Whether the certificate must be valid for the host. Default true. */
  readonly verify: boolean
  /** PEM of the authorities to trust instead of the system's; empty for the system's. */
  readonly ca: string
  /** PEM of our own certificate and key; empty for none. */
  readonly cert: string
  readonly key: string
  /** Name for SNI and verification; empty for the origin's host. */
  readonly serverName: string
}

/** The connections to one server, shared by everybody in the worker who acquired it. */
export interface UpstreamServer {
  readonly origin: ServerOrigin
  /** What the Host field says when the request does not: host, and port unless the default. */
  readonly hostField: string
  readonly counts: ServerCounts
  /** Once for each `acquire`. After the last, idle connections close, others when they are done. */
  release(): void
}

/** Numbers of now. `open` = `connecting` + `busy` + `idle`. */
export interface ServerCounts {
  readonly open: number
  readonly connecting: number
  readonly busy: number
  readonly idle: number
  readonly queued: number
}

/** Numbers of now, and since the start, over all servers. */
export interface UpstreamStats extends ServerCounts {
  readonly connectionsOpened: number
  /** Requests sent on a connection that had served one before. */
  readonly reused: number
  /** Requests sent a second time because a reused connection turned out closed. */
  readonly retried: number
  /** Idle connections the back end closed, or sent bytes on. */
  readonly idleDropped: number
  /** Requests refused because the queue was full, or who waited in it too long. */
  readonly refused: number
}

/** One per worker. Its class is `HttpUpstreamClient` in `client.ts`. */
export interface UpstreamClient {
  readonly stats: UpstreamStats
  /** The pool of `origin`, made when nobody holds it yet. Every `acquire` needs a `release`. */
  acquire(origin: ServerOrigin, options?: Partial<ServerOptions>): UpstreamServer
  /** Sends one request. `server` must be held. */
  send(server: UpstreamServer, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall
  /**
   * Idle connections close now, busy ones when their answer is complete or after `drainMs`, and
   * new requests fail. Resolves when no connection is open.
   */
  close(drainMs: number): Promise<void>
}
