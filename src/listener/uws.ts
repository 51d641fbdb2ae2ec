import uws from 'uWebSockets.js'

/**
 * The one door to uWebSockets.js: the calls this house uses, typed. Traps and their proofs are in
 * docs/request-path.md; the rules that follow from them are kept in this folder alone.
 */
export interface UwsResponse {
  pause(): void
  resume(): void
  writeStatus(statusAndHead: string | Uint8Array): UwsResponse
  write(chunk: Uint8Array | string): boolean
  end(body?: Uint8Array | string, closeConnection?: boolean): UwsResponse
  /** Never with a length: uWS then leaves the response open and kills the next request. */
  endWithoutBody(): UwsResponse
  tryEnd(chunk: Uint8Array, totalBytes: number): [ok: boolean, done: boolean]
  close(): UwsResponse
  getWriteOffset(): number
  onWritable(handler: (offset: number) => boolean): UwsResponse
  onAborted(handler: () => void): UwsResponse
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse
  getRemoteAddress(): ArrayBuffer
  /** What a head of the PROXY protocol named; empty without one. */
  getProxiedRemoteAddress(): ArrayBuffer
  cork(callback: () => void): UwsResponse
}

/** Valid only until the request handler returns. */
export interface UwsRequest {
  getUrl(): string
  getQuery(): string | undefined
  getCaseSensitiveMethod(): string
  getHeader(lowerCaseName: string): string
  forEach(callback: (name: string, value: string) => void): void
}

export type UwsListenSocket = object

export interface UwsApp {
  /** Before `any`, wherever it stands. */
  get(pattern: string, handler: (res: UwsResponse, req: UwsRequest) => void): UwsApp
  any(pattern: string, handler: (res: UwsResponse, req: UwsRequest) => void): UwsApp
  /** `count` is above 0 when a connection opened, below when one closed. */
  filter(handler: (res: UwsResponse, count: number) => void): UwsApp
  listen(host: string, port: number, done: (socket: UwsListenSocket | false) => void): UwsApp
  /** On all addresses of whatever families there are. */
  listen(port: number, done: (socket: UwsListenSocket | false) => void): UwsApp
  /** On a Unix socket. */
  listen_unix(done: (socket: UwsListenSocket | false) => void, path: string): UwsApp
  /** Closes listen sockets and connections at once. */
  close(): UwsApp
}

/** Names of files in PEM, read before the call returns. */
export interface UwsTlsOptions {
  readonly cert_file_name: string
  readonly key_file_name: string
  readonly ssl_ciphers: string
}

interface Uws {
  App(options?: object): UwsApp
  /** Throws when certificate and key cannot be used. */
  SSLApp(options: UwsTlsOptions): UwsApp
  us_listen_socket_close(socket: UwsListenSocket): void
  us_socket_local_port(socket: UwsListenSocket): number
  _cfg(key: string): void
}

const lib = uws as unknown as Uws

// Per loop: without it every answer carries a banner field.
lib._cfg('999999990007')

export const createApp = (): UwsApp => lib.App({})
/** TLS 1.2 and 1.3, without ALPN. */
export const createTlsApp = (options: UwsTlsOptions): UwsApp => lib.SSLApp(options)
export const closeListenSocket = (socket: UwsListenSocket): void =>
  lib.us_listen_socket_close(socket)
export const localPort = (socket: UwsListenSocket): number => lib.us_socket_local_port(socket)
