import { type Exchange, RESPONDING } from '../../http/exchange.js'
import type { ConnectionGate, TlsIdentity, TrafficHandler } from '../../listener/contract.js'
import type { ExplainedRequest, RequestExplanation } from '../../protocol/worker.js'
import type { NodeWords, StatsRow } from '../../shared/contract.js'
import type { ObjectMeta, RuntimeObject, WorkerEnv } from '../contract.js'
import type { SocketKey } from '../sockets.js'
import { type TlsSpec, tlsIdentityOf } from './certificates-spec.js'
import { connectionsKey, placesKey, statsKey } from './keys.js'
import { type Counted, TopPaths } from './top-paths.js'

interface ServerSpec extends TlsSpec {
  readonly port: number
  readonly keepAlive: boolean
  readonly maxConnections: number
  /** Empty or left out: that of the worker. */
  readonly address?: string
}

/** One generation of an HTTPServer in one worker: what both dialects have. */
export abstract class ServerBase implements RuntimeObject, TrafficHandler {
  readonly keepAlive: boolean
  /** Counters of paths; handed on from generation to generation. */
  readonly topPaths: TopPaths
  protected readonly env: WorkerEnv
  readonly #key: SocketKey
  readonly #meta: ObjectMeta
  readonly #stats: StatsRow
  readonly #gate: ConnectionGate
  readonly #tls: TlsIdentity | null
  readonly #places: NodeWords
  readonly #previous: SocketKey | null

  constructor(spec: ServerSpec, meta: ObjectMeta, previous: ServerBase | null, env: WorkerEnv) {
    this.#meta = meta
    this.env = env
    const { port, address = '' } = spec
    this.#key = { host: address || env.trafficHost, port, transport: 'tcp' }
    this.#previous = previous === null ? null : previous.#key
    this.keepAlive = spec.keepAlive
    this.topPaths = previous === null ? new TopPaths() : previous.topPaths
    this.#stats = env.stats(statsKey(meta.name))
    this.#tls = tlsIdentityOf(spec)
    this.#places = env.area(placesKey(port))
    const cap = env.cap(connectionsKey(port))
    this.#gate = {
      opened: () => cap.acquire(spec.maxConnections),
      closed: () => cap.release(),
    }
  }

  abstract handle(ex: Exchange): void

  abstract explain(request: ExplainedRequest): RequestExplanation

  /** Whether its clients speak TLS. */
  protected get isTls(): boolean {
    return this.#tls !== null
  }

  /** Notes for the statistics what `ex` is counted by; else it is one that found no route. */
  protected count(ex: Exchange, by: Counted): void {
    ex.pattern = by.pattern
    ex.place = this.topPaths.placeOf(by)
  }

  protected answer(ex: Exchange, status: number): void {
    ex.response.status = status
    ex.state = RESPONDING
    ex.responder?.send(ex)
  }

  finished(ex: Exchange): void {
    const { request, response } = ex
    const durationMs = this.env.timers.nowMs - ex.startedMs
    const status = ex.isAborted ? 499 : response.status
    const bytesIn = request.headBytes + ex.bodyBytesIn
    this.#stats.record(status, durationMs, bytesIn, ex.bodyBytesOut)
    this.topPaths.record(ex.place, status, durationMs, bytesIn, ex.bodyBytesOut)
    this.log(ex, status, durationMs)
  }

  /** Writes the access log, if there is one. */
  protected log(ex: Exchange, status: number, durationMs: number): void {
    this.env.accessLog?.(ex, status, durationMs)
  }

  commit(): void {
    const before = this.#previous
    const { host, port } = this.#key
    if (before !== null && (before.port !== port || before.host !== host)) {
      this.env.sockets.release(before, this.#meta.name)
    }
    this.env.topPaths.set(this.#meta.name, this.topPaths)
    this.env.sockets.claim(this.#key, {
      server: this.#meta.name,
      createdVersion: this.#meta.createdVersion,
      handler: this,
      gate: this.#gate,
      tls: this.#tls,
      places: this.#places,
    })
  }

  withdraw(): void {
    this.env.topPaths.delete(this.#meta.name)
    this.env.sockets.release(this.#key, this.#meta.name)
  }

  retire(): void {
    // Exchanges under way hold what they need; there is nothing else to close.
  }
}
