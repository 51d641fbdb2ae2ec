/**
 * The admin API over HTTP. It turns requests into messages to the coordinator and holds no state of
 * the cluster itself. Duties of the caller: `listen` once, then `close` before the coordinator
 * goes. A coordinator that is away or restarting gives 503 with the reason.
 */
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import type { Server, Socket } from 'node:net'
import type { ActorRef } from '../actor/actor.js'
import { GatewayError } from '../lib/errors.js'
import type { ToCoordinator } from '../protocol/coordinator.js'
import { type ConfigVersion, isNewer, NO_CONFIG } from '../protocol/version.js'
import type { Logger } from '../telemetry/log.js'
import { type Answer, type Call, type Format, Query, type Surroundings } from './call.js'
import type { Catalogue } from './catalogue.js'
import { basicAuthGuard, browserGuard, type Guard } from './guard.js'
import { areLoopback, type HostPort, ListenError, listenOnAll, resolveHost } from './listen.js'
import type { NodeControls } from './node-controls.js'
import { readBody } from './read-body.js'
import { failureAnswer, respond } from './respond.js'
import { type Api, apiListOf, findRoute, formatOf } from './routes.js'
import { V1 } from './routes-v1.js'
import { V2 } from './routes-v2.js'

export { ListenError } from './listen.js'

/** The start-up options that concern the admin API, under their names there. */
export interface AdminOptions {
  readonly apiAddr: HostPort
  readonly allowInsecureAdmin: boolean
  /** User name to password; empty for no authentication. */
  readonly basicAuth: Readonly<Record<string, string>>
  readonly tls: boolean
  /** Paths of PEM files, relative to the working directory; empty for none. */
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile: string
  /** Longest wait for the coordinator. */
  readonly clusterRequestTimeoutMs: number
}

export interface AdminServerParts {
  readonly coordinator: ActorRef<ToCoordinator>
  readonly catalogue: Catalogue
  readonly options: AdminOptions
  readonly log: Logger
  /** One line for each call; null for none. */
  readonly accessLog: Logger | null
  readonly node: NodeControls
}

export interface AdminServer {
  /** Resolves when requests are taken; rejects with {@link ListenError}, nothing left open. */
  listen(): Promise<void>
  /**
   * Takes no new requests, lets those under way finish for at most `graceMs` (default 30 s), then
   * cuts them. May be called more than once.
   */
  close(graceMs?: number): Promise<void>
  /** Host as configured and the port that is listened on; null when not listening. */
  readonly address: HostPort | null
}

/** Requests handled at a time; each may hold a body of 4 MiB. */
const REQUESTS_MAX = 32
const CONNECTIONS_MAX = 512
const HEADER_BYTES_MAX = 16_384
const HEADERS_MAX = 64
/** For the whole head of a request, and for the whole request: slow senders are cut off. */
const HEAD_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** Without a byte in either direction, for clients that do not read. */
const SILENCE_TIMEOUT_MS = 60_000
const KEEP_ALIVE_MS = 10_000
const CLOSE_GRACE_MS = 30_000

const APIS: readonly Api[] = [V1, V2]
const API_LIST = APIS.flatMap(apiListOf)

export function createAdminServer(parts: AdminServerParts): AdminServer {
  return new HttpAdminServer(parts)
}

class HttpAdminServer implements AdminServer {
  readonly #parts: AdminServerParts
  readonly #around: Surroundings
  readonly #authGuard: Guard
  #browserGuard: Guard
  #servers: readonly Server[] = []
  #address: HostPort | null = null
  #running = 0
  /** The newest configuration heard of, for answers that do not ask. */
  #version: ConfigVersion = NO_CONFIG
  #closing: Promise<void> | null = null

  constructor(parts: AdminServerParts) {
    this.#parts = parts
    this.#around = {
      coordinator: parts.coordinator,
      catalogue: parts.catalogue,
      node: parts.node,
      requestTimeoutMs: parts.options.clusterRequestTimeoutMs,
    }
    this.#authGuard = basicAuthGuard(parts.options.basicAuth)
    this.#browserGuard = browserGuard(parts.options.apiAddr.host, false)
  }

  get address(): HostPort | null {
    return this.#address
  }

  async listen(): Promise<void> {
    const { options, log } = this.#parts
    const addresses = await resolveHost(options.apiAddr.host)
    const isLocal = areLoopback(addresses)
    const isAuthenticated =
      Object.keys(options.basicAuth).length > 0 || (options.tls && options.clientCaFile !== '')
    if (!isLocal && !isAuthenticated) {
      const where = addresses.map((address) => address ?? 'all addresses').join(', ')
      if (!options.allowInsecureAdmin) {
        throw new ListenError(
          `api-addr: refusing to listen on ${where} without authentication: set basic-auth or client-ca-file, or say allow-insecure-admin`,
        )
      }
      log.warn('admin API without authentication can be reached from other machines', { where })
    }
    this.#browserGuard = browserGuard(options.apiAddr.host, !isLocal)
    const tls = options.tls ? readTlsFiles(options) : null
    const { servers, port } = await listenOnAll(addresses, options.apiAddr, () =>
      this.#createServer(tls),
    )
    this.#servers = servers
    this.#address = { host: options.apiAddr.host, port }
    log.info('admin API is listening', { host: options.apiAddr.host, port, tls: options.tls })
    await this.#learnVersion()
  }

  close(graceMs: number = CLOSE_GRACE_MS): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const server of this.#servers) (server as http.Server).closeAllConnections()
    }, graceMs)
    await Promise.all(this.#servers.map(closeServer))
    clearTimeout(cut)
    this.#address = null
  }

  #createServer(tls: https.ServerOptions | null): Server {
    const limits: http.ServerOptions = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
    }
    const server =
      tls === null ? http.createServer(limits) : https.createServer({ ...limits, ...tls })
    server.maxHeadersCount = HEADERS_MAX
    server.maxConnections = CONNECTIONS_MAX
    // No silence while the coordinator is still allowed to think.
    server.timeout = SILENCE_TIMEOUT_MS + this.#parts.options.clusterRequestTimeoutMs
    server.on('request', (request, response) => {
      void this.#serve(request, response, () => {})
    })
    server.on('checkContinue', (request, response) => {
      void this.#serve(request, response, () => response.writeContinue())
    })
    server.on('clientError', refuseRaw)
    return server
  }

  /** Never rejects. */
  async #serve(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    start: () => void,
  ): Promise<void> {
    const startMs = performance.now()
    const format = formatOf(APIS, request.url ?? '/', request.headers)
    response.on('error', () => {}) // the client is gone; nobody is left to tell
    this.#running += 1
    let answer: Answer
    try {
      answer = await this.#answer(request, format, start)
    } catch (thrown) {
      answer = failureAnswer(this.#failureOf(thrown))
    } finally {
      this.#running -= 1
    }
    if (answer.version !== null) this.#heardOf(answer.version)
    // What was not read cannot be told from the next request.
    if (!request.complete) response.setHeader('Connection', 'close')
    if (this.#closing !== null) response.setHeader('Connection', 'close')
    try {
      const { version } = answer.version ?? this.#version
      await respond(response, answer, version, format)
    } catch (thrown) {
      this.#parts.log.error('admin answer could not be written', { reason: String(thrown) })
      response.destroy()
    }
    this.#logCall(request, response, startMs)
  }

  async #answer(request: http.IncomingMessage, format: Format, start: () => void): Promise<Answer> {
    if (this.#running > REQUESTS_MAX) {
      throw new GatewayError('OVERLOADED', `more than ${REQUESTS_MAX} admin requests at a time`)
    }
    this.#browserGuard(request.headers)
    this.#authGuard(request.headers)
    const url = request.url ?? '/'
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const found = findRoute(APIS, request.method ?? 'GET', path)
    if (found.type === 'malformed') throw new GatewayError('REQUEST_INVALID', 'malformed path')
    if (found.type === 'nothing') {
      throw new GatewayError(
        'ROUTE_NOT_FOUND',
        `no such path; ${APIS.map(({ prefix }) => prefix).join(' and ')} list all`,
      )
    }
    if (found.type === 'wrong-method') {
      const allow = found.allowed.join(', ')
      throw new GatewayError('METHOD_NOT_ALLOWED', `this path takes ${allow}`, { allow })
    }
    const call: Call = {
      around: this.#around,
      params: found.params,
      query: new Query(mark < 0 ? '' : url.slice(mark + 1), everywhere(request.method)),
      request,
      prefix: found.api.prefix,
      dialect: found.api.dialect,
      apiList: API_LIST.filter(({ path }) => path.startsWith(found.api.prefix)),
      format,
      readText: () => readBody(request, start),
    }
    return await found.route.handle(call)
  }

  #failureOf(thrown: unknown): GatewayError {
    if (thrown instanceof GatewayError) return thrown
    this.#parts.log.error('admin request failed', {
      reason: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
    })
    return new GatewayError('INTERNAL', 'internal error; the server log says more')
  }

  #heardOf(version: ConfigVersion): void {
    if (isNewer(version, this.#version)) this.#version = version
  }

  async #learnVersion(): Promise<void> {
    try {
      const { version } = await this.#around.coordinator.ask(
        { type: 'get-config-version' },
        this.#around.requestTimeoutMs,
      )
      this.#heardOf(version)
    } catch (thrown) {
      this.#parts.log.warn('configuration version is not known yet', { reason: String(thrown) })
    }
  }

  #logCall(request: http.IncomingMessage, response: http.ServerResponse, startMs: number): void {
    const { accessLog } = this.#parts
    if (accessLog === null) return
    accessLog.info('admin call', {
      method: request.method,
      from: request.socket.remoteAddress,
      path: request.url,
      status: response.statusCode,
      durationMs: Math.round((performance.now() - startMs) * 1000) / 1000,
    })
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    ;(server as http.Server).closeIdleConnections()
  })
}

/** For what is no HTTP request: a status where the parser left off, and an end. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function readTlsFiles(options: AdminOptions): https.ServerOptions {
  const { clientCaFile } = options
  return {
    minVersion: 'TLSv1.2',
    cert: readPem('cert-file', options.certFile),
    key: readPem('key-file', options.keyFile),
    ...(clientCaFile === ''
      ? {}
      : {
          ca: readPem('client-ca-file', clientCaFile),
          requestCert: true,
          rejectUnauthorized: true,
        }),
  }
}

function readPem(option: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new ListenError(`${option}: cannot read it: ${reason}`, { cause: thrown })
  }
}

/** How new a read must be, and how far a write must have come; see `asking.ts`. */
const everywhere = (method: string | undefined): readonly string[] =>
  method === 'GET' || method === 'HEAD' ? ['consistency'] : ['wait']
