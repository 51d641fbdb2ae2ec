import { type Exchange, RESPONDING } from '../../http/exchange.js'
import type { ConnectionGate, TrafficHandler } from '../../listener/contract.js'
import { buildRouter, maintainForwardedFor, type Router } from '../../router/router.js'
import type { StatsRow } from '../../shared/contract.js'
import type { ObjectMeta, ObjectModule, RuntimeObject, WorkerEnv } from '../contract.js'
import type { PipelineSlot } from '../directory.js'
import type { SocketKey } from '../sockets.js'
import { connectionsKey, statsKey } from './keys.js'
import type { Spec } from './kind.js'
import { TopPaths } from './top-paths.js'

const NO_ROUTE = ''

/** One generation of an HTTPServer in one worker. */
class HttpServer implements RuntimeObject, TrafficHandler {
  readonly keepAlive: boolean
  /** Counters of paths; handed on from generation to generation. */
  readonly topPaths: TopPaths
  readonly #key: SocketKey
  readonly #meta: ObjectMeta
  readonly #env: WorkerEnv
  readonly #router: Router<PipelineSlot>
  readonly #xForwardedFor: boolean
  readonly #stats: StatsRow
  readonly #gate: ConnectionGate
  readonly #previous: SocketKey | null

  constructor(
    spec: Spec,
    meta: ObjectMeta,
    router: Router<PipelineSlot>,
    previous: HttpServer | null,
    env: WorkerEnv,
  ) {
    this.#meta = meta
    this.#env = env
    this.#key = { host: env.trafficHost, port: spec.port, transport: 'tcp' }
    this.#previous = previous === null ? null : previous.#key
    this.keepAlive = spec.keepAlive
    this.topPaths = previous === null ? new TopPaths() : previous.topPaths
    this.#router = router
    this.#xForwardedFor = spec.xForwardedFor
    this.#stats = env.stats(statsKey(meta.name))
    const cap = env.cap(connectionsKey(spec.port))
    this.#gate = {
      opened: () => cap.acquire(spec.maxConnections),
      closed: () => cap.release(),
    }
  }

  handle(ex: Exchange): void {
    ex.startedMs = this.#env.timers.nowMs
    // The address can be had only while the connection is: read now what the log will need.
    if (this.#env.accessLog !== null) void ex.realIp
    const route = this.#router.route(ex)
    if (typeof route === 'number') {
      ex.pattern = NO_ROUTE
      this.#answer(ex, route)
      return
    }
    ex.pattern = route.pattern
    if (this.#xForwardedFor) maintainForwardedFor(ex.request.headers, ex.realIp)
    const request = ex.request
    const path = request.path
    const rewritten = route.rewritePath(path)
    if (rewritten !== path) request.path = rewritten
    const pipeline = route.target.current
    if (pipeline === null) this.#answer(ex, 503)
    else pipeline.start(ex)
  }

  #answer(ex: Exchange, status: number): void {
    ex.response.status = status
    ex.state = RESPONDING
    ex.responder?.send(ex)
  }

  finished(ex: Exchange): void {
    const { request, response } = ex
    const durationMs = this.#env.timers.nowMs - ex.startedMs
    const status = ex.isAborted ? 499 : response.status
    const bytesIn = request.headBytes + ex.bodyBytesIn
    this.#stats.record(status, durationMs, bytesIn, ex.bodyBytesOut)
    this.topPaths.record(ex.pattern, status, durationMs, bytesIn, ex.bodyBytesOut)
    this.#env.accessLog?.(ex, status, durationMs)
  }

  commit(): void {
    const before = this.#previous
    if (before !== null && before.port !== this.#key.port) {
      this.#env.sockets.release(before, this.#meta.name)
    }
    this.#env.topPaths.set(this.#meta.name, this.topPaths)
    this.#env.sockets.claim(this.#key, {
      server: this.#meta.name,
      createdVersion: this.#meta.createdVersion,
      handler: this,
      gate: this.#gate,
    })
  }

  withdraw(): void {
    this.#env.topPaths.delete(this.#meta.name)
    this.#env.sockets.release(this.#key, this.#meta.name)
  }

  retire(): void {
    // Exchanges under way hold what they need; there is nothing else to close.
  }
}

export const httpServerModule: ObjectModule<Spec> = {
  *build(spec, meta, previous, env) {
    const router = yield* buildRouter(spec, (name) => env.pipelines.slot(name))
    return new HttpServer(spec, meta, router, previous instanceof HttpServer ? previous : null, env)
  },
}
