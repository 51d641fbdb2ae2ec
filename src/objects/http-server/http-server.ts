import type { Exchange } from '../../http/exchange.js'
import type { Pipeline } from '../../pipeline/pipeline.js'
import type { ExplainedRequest, RequestExplanation } from '../../protocol/worker.js'
import { buildRouter, maintainForwardedFor, type Route, type Router } from '../../router/router.js'
import type { ObjectMeta, ObjectModule, WorkerEnv } from '../contract.js'
import type { PipelineSlot } from '../directory.js'
import { exchangeOf, explanationOf } from './explain.js'
import type { SpecV1 } from './kind.js'
import { ServerBase } from './server-base.js'

/** One generation of an HTTPServer of v1 in one worker. */
class HttpServer extends ServerBase {
  readonly #router: Router<PipelineSlot>
  readonly #xForwardedFor: boolean

  constructor(
    spec: SpecV1,
    meta: ObjectMeta,
    router: Router<PipelineSlot>,
    previous: ServerBase | null,
    env: WorkerEnv,
  ) {
    super(spec, meta, previous, env)
    this.#router = router
    this.#xForwardedFor = spec.xForwardedFor
  }

  override handle(ex: Exchange): void {
    ex.startedMs = this.env.timers.nowMs
    // The address can be had only while the connection is: read now what the log will need.
    if (this.env.accessLog !== null) void ex.realIp
    const route = this.#router.route(ex)
    if (typeof route === 'number') {
      this.answer(ex, route)
      return
    }
    this.count(ex, route)
    const pipeline = this.#lead(ex, route)
    if (pipeline === null) this.answer(ex, 503)
    else pipeline.start(ex)
  }

  /** What becomes of the request on its way to the pipeline; null when that is not there. */
  #lead(ex: Exchange, route: Route<PipelineSlot>): Pipeline | null {
    if (this.#xForwardedFor) maintainForwardedFor(ex.request.headers, ex.realIp)
    const request = ex.request
    const path = request.path
    const rewritten = route.rewritePath(path)
    if (rewritten !== path) request.path = rewritten
    return route.target.current
  }

  override explain(request: ExplainedRequest): RequestExplanation {
    const ex = exchangeOf(request, this.isTls)
    return explanationOf(ex, this.#router.explain(ex), (route) => ({
      name: route.target.name,
      pipeline: this.#lead(ex, route) ?? 503,
    }))
  }
}

export const httpServerModule: ObjectModule<SpecV1> = {
  *build(spec, meta, previous, env) {
    const router = yield* buildRouter(spec, (name) => env.pipelines.slot(name))
    return new HttpServer(spec, meta, router, previous instanceof ServerBase ? previous : null, env)
  },
}
