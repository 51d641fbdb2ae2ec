import { filterKindsV2 } from '../../filters/registry.js'
import { RequestBody } from '../../http/body.js'
import { BoundedBody } from '../../http/bounded-body.js'
import type { Exchange } from '../../http/exchange.js'
import type { CompiledPipeline } from '../../pipeline/compile.js'
import { compilePipelineV2 } from '../../pipeline/compile-v2.js'
import type { Pipeline } from '../../pipeline/pipeline.js'
import { type Surroundings, surround } from '../../pipeline/stages.js'
import type { ExplainedRequest, RequestExplanation } from '../../protocol/worker.js'
import { maintainForwardedFor } from '../../router/router.js'
import { buildRouterV2, type RouterV2, type RouteV2 } from '../../router/router-v2.js'
import { HeaderSetter } from '../../router/set-headers.js'
import type { ObjectMeta, ObjectModule, WorkerEnv } from '../contract.js'
import { type GlobalFilterSlot, PipelineSlot } from '../directory.js'
import { contextsOf, FilterEngines, failureCounter } from '../filter-engines.js'
import { AccessFormat } from './access-format.js'
import { exchangeOf, explanationOf } from './explain.js'
import { ownName, ownPipelines } from './own-pipelines-spec.js'
import { ServerBase } from './server-base.js'
import type { SpecV2 } from './server-spec-v2.js'

const BODY_BYTES_MAX = 4 * 1024 * 1024

type RuleSpec = SpecV2['rules'][number]

const engines = new FilterEngines(filterKindsV2)

/** What a path of the rules leads to. */
interface Target {
  readonly slot: PipelineSlot
  readonly setHeaders: HeaderSetter | null
  /** Bytes; negative: no limit. */
  readonly bodyBytesMax: number
}

/** A pipeline with a GlobalFilter around it, for as long as neither changes. */
interface Surrounded {
  readonly main: Pipeline
  readonly around: Surroundings
  readonly pipeline: Pipeline
}

/** One generation of an HTTPServer of v2 in one worker. */
class HttpServerV2 extends ServerBase {
  readonly own: ReadonlyMap<string, CompiledPipeline>
  readonly #router: RouterV2<Target>
  readonly #xForwardedFor: boolean
  readonly #globalFilter: GlobalFilterSlot | null
  readonly #surrounded = new Map<PipelineSlot, Surrounded>()
  readonly #format: AccessFormat

  constructor(
    spec: SpecV2,
    meta: ObjectMeta,
    router: RouterV2<Target>,
    own: ReadonlyMap<string, CompiledPipeline>,
    previous: ServerBase | null,
    env: WorkerEnv,
  ) {
    super(spec, meta, previous, env)
    this.own = own
    this.#router = router
    this.#xForwardedFor = spec.xForwardedFor
    this.#globalFilter =
      spec.globalFilter === '' ? null : env.pipelines.globalFilter(spec.globalFilter)
    this.#format = new AccessFormat(spec.accessLogFormat)
  }

  /** In the order of compat/traffic-v2.md §3.3. */
  override handle(ex: Exchange): void {
    ex.startedMs = this.env.timers.nowMs
    // The address can be had only while the connection is: read now what the log will need.
    if (this.env.accessLine !== null) void ex.realIp
    const route = this.#router.route(ex)
    if (typeof route === 'number') {
      this.answer(ex, route)
      return
    }
    this.count(ex, route)
    const pipeline = this.#lead(ex, route)
    if (typeof pipeline === 'number') this.answer(ex, pipeline)
    else pipeline.start(ex)
  }

  /** What becomes of the request on its way to the pipeline; a status when it does not get there. */
  #lead(ex: Exchange, route: RouteV2<Target>): Pipeline | number {
    const { slot, setHeaders, bodyBytesMax } = route.target
    const main = slot.current
    if (main === null) return 503
    ex.pathPrefix = route.pathPrefix
    const { values } = this.#router
    if (setHeaders !== null) setHeaders.apply(ex, { names: route.names, values })
    const request = ex.request
    const path = request.path
    const rewritten = route.rewritePath(path, values)
    if (rewritten !== path) request.path = rewritten
    if (this.#xForwardedFor) maintainForwardedFor(request.headers, ex.realIp)
    if (bodyBytesMax >= 0 && !boundBody(ex, bodyBytesMax)) return 413
    return this.#globalFilter === null ? main : this.#surround(slot, main)
  }

  override explain(request: ExplainedRequest): RequestExplanation {
    const ex = exchangeOf(request, this.isTls)
    return explanationOf(ex, this.#router.explain(ex), (route) => ({
      name: route.target.slot.name,
      pipeline: this.#lead(ex, route),
    }))
  }

  #surround(slot: PipelineSlot, main: Pipeline): Pipeline {
    const around = (this.#globalFilter as GlobalFilterSlot).current
    if (around === null) return main
    const known = this.#surrounded.get(slot)
    if (known !== undefined && known.main === main && known.around === around) {
      return known.pipeline
    }
    const pipeline = surround(main, around, this.env.log)
    this.#surrounded.set(slot, { main, around, pipeline })
    return pipeline
  }

  protected override log(ex: Exchange, status: number, durationMs: number): void {
    this.env.accessLine?.(this.#format.line(ex, status, durationMs))
  }

  override retire(): void {
    for (const { pipeline } of this.own.values()) pipeline.retire()
  }
}

/** False when the body is known to be too large. */
function boundBody(ex: Exchange, bytesMax: number): boolean {
  ex.requestBodyMax = bytesMax
  const { body } = ex.request
  if (body === null) return true
  const { length } = body
  if (length >= 0) return length <= bytesMax
  const source = body.take()
  if (source !== null) {
    ex.request.body = new RequestBody(new BoundedBody(source, bytesMax, ex, tooLarge), null)
  }
  return true
}

const tooLarge = (ex: Exchange): void => ex.engine?.endWith(ex, 413, '')

/** The module, with the engines of the pools that `spec` has of its own. */
export async function moduleFor(spec: SpecV2): Promise<ObjectModule<SpecV2>> {
  for (const each of ownPipelines(spec, '')) await engines.load(each.spec.filters)
  return module
}

const module: ObjectModule<SpecV2> = {
  *build(spec, meta, previous, env) {
    const before = previous instanceof HttpServerV2 ? previous.own : null
    const own = new Map<string, CompiledPipeline>()
    try {
      for (const each of ownPipelines(spec, meta.name)) {
        const contexts = contextsOf(each.name, env)
        const inherited = before?.get(each.name) ?? null
        own.set(
          each.name,
          compilePipelineV2(
            each.name,
            each.spec,
            engines.loaded,
            contexts,
            inherited,
            env.log,
            failureCounter(each.name, env),
          ),
        )
        yield
      }
      // Of thousands of paths most lead to the same few targets, which are then in the caches.
      const targets = new Map<string, Target>()
      const router = yield* buildRouterV2<Target>(spec, (_path, rule, index) => {
        const path = (spec.rules[rule] as RuleSpec).paths[index] as RuleSpec['paths'][number]
        const { backend, setHeaders, clientMaxBodySize } = path
        const name = ownName(meta.name, rule, index)
        let slot: PipelineSlot
        if (backend !== '') slot = env.pipelines.slot(backend)
        else {
          slot = new PipelineSlot(name)
          slot.current = own.get(name)?.pipeline ?? null
        }
        const bodyBytesMax = clientMaxBodySize || spec.clientMaxBodySize || BODY_BYTES_MAX
        const set = Object.keys(setHeaders).length === 0 ? null : new HeaderSetter(setHeaders)
        if (backend === '' || set !== null) return { slot, setHeaders: set, bodyBytesMax }
        const key = `${bodyBytesMax}\n${backend}`
        const target = targets.get(key) ?? { slot, setHeaders: null, bodyBytesMax }
        targets.set(key, target)
        return target
      })
      const base = previous instanceof ServerBase ? previous : null
      return new HttpServerV2(spec, meta, router, own, base, env)
    } catch (thrown) {
      for (const { pipeline } of own.values()) pipeline.retire()
      throw thrown
    }
  },
}
