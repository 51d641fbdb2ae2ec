import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { isGzipped, UnaskedCoding } from '../unasked-coding.js'
import { Compression } from './compression.js'
import { FallbackAnswer } from './fallback-answer.js'
import type { Spec } from './kind.js'
import { MemoryCache } from './memory-cache.js'
import { Mirror } from './mirror.js'
import { type AfterHead, Pool } from './pool.js'
import {
  COPIES_MAX,
  candidateName,
  MAIN_POOL,
  MIRROR_POOL,
  type PoolSpec,
  type TrafficFilterSpec,
  taggedServers,
} from './pool-spec.js'
import { createTrafficFilter, type TrafficFilter } from './traffic-filter.js'

const FALLBACK = 1

/**
 * With a main pool and nothing else: what most requests of most gateways pass, so it does no more.
 * It is that pool, and not another object in front of it, which a request would have to read too.
 */
class PlainProxy extends Pool implements Filter, AfterHead {
  readonly #unasked = new UnaskedCoding()

  constructor(spec: Spec, context: FilterContext) {
    super(MAIN_POOL, spec.mainPool, context)
    this.afterHead = this
  }

  answered(ex: Exchange): number {
    if (isGzipped(ex.response)) this.#unasked.apply(ex, -1)
    return OK
  }

  handle(ex: Exchange): number {
    this.send(ex)
    return SUSPENDED
  }

  explain(ex: Exchange): Forecast {
    return { code: OK, detail: { pool: MAIN_POOL, ...this.forecast(ex) } }
  }

  /** Responses that are still streaming hold their connections until they end. */
  retire(): void {
    this.close()
  }
}

/** What becomes of an answer before the flow goes on. */
class AnswerSteps implements AfterHead {
  readonly #fallback: FallbackAnswer | null
  readonly #compression: Compression | null
  readonly #unasked = new UnaskedCoding()
  readonly #cache: MemoryCache | null

  constructor(
    fallback: FallbackAnswer | null,
    compression: Compression | null,
    cache: MemoryCache | null,
  ) {
    this.#fallback = fallback
    this.#compression = compression
    this.#cache = cache
  }

  answered(ex: Exchange, headers: readonly string[]): number {
    if (this.#fallback?.replaces(ex) === true) return FALLBACK
    // The cache first: it holds what came from the back end.
    this.#cache?.keep(ex, headers)
    this.#code(ex)
    return OK
  }

  /** True when the cache has the answer. */
  answersFromCache(ex: Exchange): boolean {
    if (this.#cache?.answers(ex) !== true) return false
    this.#code(ex)
    return true
  }

  #code(ex: Exchange): void {
    if (this.#compression === null) this.#unasked.apply(ex, -1)
    // Who says nothing of codings gets gzip: what is coded can stay as it is.
    else this.#compression.apply(ex)
  }
}

/** A pool, and what holds for it. */
interface Branch {
  readonly name: string
  /** Null takes every request. */
  readonly filter: TrafficFilter | null
  readonly pool: Pool
  readonly steps: AnswerSteps
  readonly hasCache: boolean
}

/** With all that a Proxy may have besides. */
class FullProxy implements Filter {
  /** The main pool last. */
  readonly #branches: readonly Branch[]
  readonly #mirror: FilteredMirror | null
  readonly #caches = new Map<string, MemoryCache>()

  constructor(spec: Spec, context: FilterContext, previous: Filter | null) {
    const { fallback, failureCodes, compression } = spec
    const answer = fallback?.forCodes === true ? new FallbackAnswer(failureCodes, fallback) : null
    const compressor = compression === undefined ? null : new Compression(compression.minLength)
    const before = previous instanceof FullProxy ? previous.#caches : NO_CACHES
    const branch = (name: string, pool: PoolSpec): Branch => {
      const cache = this.#cacheOf(name, pool, context, before)
      const steps = new AnswerSteps(answer, compressor, cache)
      return {
        name,
        filter: pool.filter === undefined ? null : createTrafficFilter(pool.filter, randomBelow),
        pool: new Pool(name, pool, context, steps),
        steps,
        hasCache: cache !== null,
      }
    }
    this.#branches = [
      ...spec.candidatePools.map((pool, index) => branch(candidateName(index), pool)),
      branch(MAIN_POOL, spec.mainPool),
    ]
    this.#mirror =
      spec.mirrorPool === undefined ? null : new FilteredMirror(spec.mirrorPool, context)
  }

  /** What the generation before has kept goes on, unless the policy or the servers are others. */
  #cacheOf(
    name: string,
    pool: PoolSpec,
    context: FilterContext,
    before: ReadonlyMap<string, MemoryCache>,
  ): MemoryCache | null {
    const { memoryCache, filter } = pool
    if (memoryCache === undefined) return null
    const servers = taggedServers(pool).map(({ url }) => url)
    const key = JSON.stringify([name, memoryCache, filter, servers])
    const cache = before.get(key) ?? new MemoryCache(memoryCache, () => context.nodeMs())
    this.#caches.set(key, cache)
    return cache
  }

  handle(ex: Exchange): number {
    const { pool, steps } = this.#branchFor(ex)
    this.#mirror?.copy(ex)
    if (steps.answersFromCache(ex)) return OK
    pool.send(ex)
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
    const { name, pool, steps, hasCache } = this.#branchFor(ex)
    const passedOver = this.#branches.slice(
      0,
      this.#branches.findIndex((branch) => branch.name === name),
    )
    const isMirrored = this.#mirror?.takes(ex) === true
    return {
      code: OK,
      detail: {
        pool: name,
        ...pool.forecast(ex),
        ...(passedOver.length === 0 ? {} : { notMatching: passedOver.map((each) => each.name) }),
        ...(hasCache ? { cached: steps.answersFromCache(ex) } : {}),
        ...(isMirrored ? { mirrored: true } : {}),
      },
    }
  }

  retire(): void {
    for (const { pool } of this.#branches) pool.close()
    this.#mirror?.close()
  }
}

/** A mirror, and which requests are copied to it. */
class FilteredMirror {
  readonly #filter: TrafficFilter
  readonly #mirror: Mirror

  constructor(spec: Exclude<Spec['mirrorPool'], undefined>, context: FilterContext) {
    // Connections of its own, also where its servers are those of another pool: copies must never
    // be in the way of a request.
    const pool = new Pool(MIRROR_POOL, spec, context, null, { connectionsMax: COPIES_MAX })
    this.#filter = createTrafficFilter(spec.filter as TrafficFilterSpec, randomBelow)
    this.#mirror = new Mirror(pool)
  }

  takes(ex: Exchange): boolean {
    return this.#filter.matches(ex)
  }

  copy(ex: Exchange): void {
    if (this.takes(ex)) this.#mirror.copy(ex)
  }

  close(): void {
    this.#mirror.pool.close()
  }
}

const NO_CACHES: ReadonlyMap<string, MemoryCache> = new Map()

const randomBelow = (limit: number): number => Math.floor(Math.random() * limit)

function isPlain(spec: Spec): boolean {
  const { mainPool, candidatePools, mirrorPool, fallback, compression } = spec
  if (candidatePools.length > 0 || mainPool.memoryCache !== undefined) return false
  if (mirrorPool !== undefined) return false
  return fallback?.forCodes !== true && compression === undefined
}

export const create = (spec: Spec, context: FilterContext, previous: Filter | null): Filter =>
  isPlain(spec) ? new PlainProxy(spec, context) : new FullProxy(spec, context, previous)
