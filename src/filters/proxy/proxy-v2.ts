import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Headers } from '../../http/headers.js'
import { breakerBytes, CircuitBreaker } from '../../resilience/circuit-breaker.js'
import type { ServerOptions } from '../../upstream/contract.js'
import { OriginCache } from '../../upstream/origin-cache.js'
import type { Redirects } from '../../upstream/redirect.js'
import { FAILURE_CODE, INTERNAL_ERROR, SHORT_CIRCUITED } from '../call-results.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { idleLimits } from '../idle-limits.js'
import { breakerNamed, retryNamed } from '../policies.js'
import { UnaskedCoding } from '../unasked-coding.js'
import { type CallRules, UpstreamExchange } from '../upstream-call.js'
import { Compression } from './compression.js'
import { MemoryCache } from './memory-cache.js'
import { Mirror } from './mirror.js'
import { COPIES_MAX } from './pool-spec.js'
import { MIRROR, type PoolSpecV2, type RequestMatcherSpec } from './pool-spec-v2.js'
import { type PoolServerV2, PoolV2, tlsOf } from './pool-v2.js'
import { breakerKey, type NamedPool, type SpecV2, trafficPools } from './proxy-spec-v2.js'
import { createRequestMatcher } from './request-matcher.js'
import type { TrafficFilter } from './traffic-filter.js'

const BODY_BYTES_MAX = 4 * 1024 * 1024
/** To one server, in each worker. */
const CONNECTIONS_MAX = 1024
/** Of those, kept while unused where nothing is said: `DefaultMaxIdleConnsPerHost` of Go. */
const KEPT_DEFAULT = 2

function connectionsOf(proxy: SpecV2, { pipeline, name }: FilterContext): Partial<ServerOptions> {
  const limits = idleLimits(`${pipeline}/${name}`, proxy, KEPT_DEFAULT)
  // Who keeps more may open more.
  return { ...limits, connectionsMax: Math.max(CONNECTIONS_MAX, limits.keptMax) }
}

/** A pool, and what holds for it. */
class Branch implements CallRules<PoolServerV2> {
  readonly name: string
  /** Null takes every request. */
  readonly filter: TrafficFilter | null
  readonly cache: MemoryCache | null
  readonly pool: PoolV2
  readonly retry: CallRules['retry']
  readonly breaker: CircuitBreaker | null
  readonly timeoutMs: number
  readonly failureCodes: ReadonlySet<number> | null
  readonly bodyBytesMax: number
  readonly redirects: Redirects | null
  readonly #compression: Compression | null
  readonly #unasked = new UnaskedCoding()
  readonly #context: FilterContext

  constructor(
    { name, pool: spec }: NamedPool,
    proxy: SpecV2,
    cache: MemoryCache | null,
    compression: Compression | null,
    redirects: Redirects | null,
    context: FilterContext,
  ) {
    this.name = name
    this.filter = spec.filter === undefined ? null : createRequestMatcher(spec.filter, randomBelow)
    this.cache = cache
    this.#compression = compression
    this.#context = context
    this.pool = new PoolV2(name, spec, tlsOf(proxy.mtls), context, connectionsOf(proxy, context))
    this.redirects = redirects
    this.retry = retryNamed(context.policies, spec.retryPolicy)
    this.breaker = breakerOf(name, spec, context)
    this.timeoutMs = spec.timeout ?? 0
    this.failureCodes = spec.failureCodes.length === 0 ? null : new Set(spec.failureCodes)
    this.bodyBytesMax = spec.serverMaxBodySize || proxy.serverMaxBodySize || BODY_BYTES_MAX
  }

  nodeMs(): number {
    return this.#context.nodeMs()
  }

  /** The result of a call that would be made now, in so far as it is known before. */
  forecast(servers: readonly string[]): number {
    if (this.breaker?.admits(this.nodeMs()) === false) return SHORT_CIRCUITED
    return servers.length === 0 ? INTERNAL_ERROR : OK
  }

  answered(ex: Exchange, headers: readonly string[], { url }: PoolServerV2): void {
    this.pool.sticky?.answered(ex, url, headers)
    // The cache first: it holds what came from the back end.
    this.cache?.keep(ex, headers)
    this.#code(ex)
  }

  #code(ex: Exchange): void {
    if (this.#compression === null) this.#unasked.apply(ex, this.bodyBytesMax)
    // Who says nothing of codings gets gzip: what is coded can stay as it is.
    else this.#compression.apply(ex)
  }

  /** The result, when the cache has the answer; else -1. */
  fromCache(ex: Exchange): number {
    const { cache } = this
    if (cache === null) return -1
    const { response } = ex
    const before = response.headers.flat.length
    const hasCors = response.headers.has('access-control-allow-origin')
    if (!cache.answers(ex)) return -1
    // Whoever has answered for this origin already knows better than an answer to another one.
    if (hasCors) dropCors(response.headers, before)
    this.#code(ex)
    const { status } = response
    const isFailure = this.failureCodes === null ? status >= 500 : this.failureCodes.has(status)
    return isFailure ? FAILURE_CODE : OK
  }
}

function dropCors(headers: Headers, from: number): void {
  const { flat } = headers
  const isOurs = (at: number): boolean =>
    at < from || !(flat[at - (at % 2)] as string).startsWith('access-control-')
  headers.share(flat.filter((_, at) => isOurs(at)))
}

function breakerOf(name: string, spec: PoolSpecV2, context: FilterContext): CircuitBreaker | null {
  const policy = breakerNamed(context.policies, spec.circuitBreakerPolicy)
  if (policy === null) return null
  const key = breakerKey(name, spec, context.policies)
  const fields = { pipeline: context.pipeline, filter: context.name, pool: name }
  const area = context.area({ key, bytes: breakerBytes(policy) })
  return new CircuitBreaker(policy, area, context.permits(key), (state) => {
    if (state === 'open') context.log.warn('circuit opened', fields)
    else context.log.info('circuit changed', { ...fields, state })
  })
}

class ProxyV2 implements Filter {
  /** The main pool last. */
  readonly #branches: readonly Branch[]
  readonly #mirror: { readonly filter: TrafficFilter; readonly mirror: Mirror } | null
  readonly #caches = new Map<string, MemoryCache>()
  readonly #retries: boolean
  /** Where redirections lead; null when they are handed on. */
  readonly #origins: OriginCache | null

  constructor(spec: SpecV2, context: FilterContext, previous: Filter | null) {
    const { compression, mirrorPool } = spec
    const before = previous instanceof ProxyV2 ? previous.#caches : NO_CACHES
    const compressor = compression === undefined ? null : new Compression(compression.minLength)
    this.#origins =
      spec.maxRedirection > 0
        ? new OriginCache(context.upstream, {
            tls: tlsOf(spec.mtls),
            ...connectionsOf(spec, context),
          })
        : null
    const redirects =
      this.#origins === null ? null : { max: spec.maxRedirection, origins: this.#origins }
    this.#branches = trafficPools(spec).map((named) => {
      const cache = this.#cacheOf(named, context, before)
      return new Branch(named, spec, cache, compressor, redirects, context)
    })
    this.#retries = this.#branches.some(({ retry }) => retry !== null)
    if (mirrorPool === undefined) this.#mirror = null
    else {
      // Connections of its own, also where its servers are those of another pool: copies must never
      // be in the way of a request.
      const pool = new PoolV2(MIRROR, mirrorPool, tlsOf(spec.mtls), context, {
        connectionsMax: COPIES_MAX,
      })
      const filter = createRequestMatcher(mirrorPool.filter as RequestMatcherSpec, randomBelow)
      this.#mirror = { filter, mirror: new Mirror(pool) }
    }
  }

  /** What the generation before has kept goes on, unless the policy or the servers are others. */
  #cacheOf(
    { name, pool }: NamedPool,
    context: FilterContext,
    before: ReadonlyMap<string, MemoryCache>,
  ): MemoryCache | null {
    const { memoryCache, filter, servers } = pool
    if (memoryCache === undefined) return null
    const key = JSON.stringify([name, memoryCache, filter, servers.map(({ url }) => url)])
    const cache = before.get(key) ?? new MemoryCache(memoryCache, () => context.nodeMs())
    this.#caches.set(key, cache)
    return cache
  }

  /** Only what may have to be sent again; a server that lets bodies stream wants them streamed. */
  needsRequestBody(ex: Exchange): boolean {
    return this.#retries && ex.requestBodyMax > 0
  }

  handle(ex: Exchange): number {
    if (!ex.request.isPresent) {
      // Nobody has made a request in this namespace.
      ex.response.status = 500
      return INTERNAL_ERROR
    }
    const branch = this.#branchFor(ex)
    if (this.#mirror?.filter.matches(ex) === true) this.#mirror.mirror.copy(ex)
    const cached = branch.fromCache(ex)
    if (cached >= 0) return cached
    new UpstreamExchange(branch, ex).start()
    return SUSPENDED
  }

  #branchFor(ex: Exchange): Branch {
    const last = this.#branches.length - 1
    for (let i = 0; i < last; i++) {
      const branch = this.#branches[i] as Branch
      if (branch.filter?.matches(ex) !== false) return branch
    }
    return this.#branches[last] as Branch
  }

  explain(ex: Exchange): Forecast {
    if (!ex.request.isPresent) return { code: INTERNAL_ERROR, detail: {} }
    const branch = this.#branchFor(ex)
    const passedOver = this.#branches.slice(0, this.#branches.indexOf(branch))
    const where = branch.pool.forecast(ex)
    const cached = branch.fromCache(ex)
    const code = cached >= 0 ? cached : branch.forecast(where['servers'] as readonly string[])
    // What follows is to find an answer, as it would if all goes well.
    if (cached < 0) ex.response.status = code === OK ? 200 : 503
    const { breaker } = branch
    return {
      code,
      detail: {
        pool: branch.name,
        ...where,
        ...(passedOver.length === 0 ? {} : { notMatching: passedOver.map(({ name }) => name) }),
        ...(branch.cache === null ? {} : { cached: cached >= 0 }),
        ...(breaker === null ? {} : { circuit: breaker.state }),
        ...(this.#mirror?.filter.matches(ex) === true ? { mirrored: true } : {}),
      },
    }
  }

  /** Responses that are still streaming hold their connections until they end. */
  retire(): void {
    for (const { pool } of this.#branches) pool.close()
    this.#origins?.close()
    this.#mirror?.mirror.pool.close()
  }
}

const NO_CACHES: ReadonlyMap<string, MemoryCache> = new Map()

const randomBelow = (limit: number): number => Math.floor(Math.random() * limit)

export const create = (spec: SpecV2, context: FilterContext, previous: Filter | null): Filter =>
  new ProxyV2(spec, context, previous)
