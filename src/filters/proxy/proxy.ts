import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Filter, FilterContext } from '../contract.js'
import { Compression } from './compression.js'
import { FallbackAnswer } from './fallback-answer.js'
import type { Spec } from './kind.js'
import { type AfterHead, Pool } from './pool.js'
import { candidateName, MAIN_POOL, type TrafficFilterSpec } from './pool-spec.js'
import { createTrafficFilter, type TrafficFilter } from './traffic-filter.js'

const FALLBACK = 1

/** With a main pool and nothing else: what most requests of most gateways pass, so it does no more. */
class PlainProxy implements Filter {
  readonly #main: Pool

  constructor(spec: Spec, context: FilterContext) {
    this.#main = new Pool(MAIN_POOL, spec.mainPool, context)
  }

  handle(ex: Exchange): number {
    this.#main.send(ex)
    return SUSPENDED
  }

  cancel(ex: Exchange): void {
    this.#main.cancel(ex)
  }

  /** Responses that are still streaming hold their connections until they end. */
  retire(): void {
    this.#main.close()
  }
}

interface Candidate {
  readonly filter: TrafficFilter
  readonly pool: Pool
}

/** What becomes of an answer before the flow goes on. */
class AnswerSteps implements AfterHead {
  readonly #fallback: FallbackAnswer | null
  readonly #compression: Compression | null

  constructor(fallback: FallbackAnswer | null, compression: Compression | null) {
    this.#fallback = fallback
    this.#compression = compression
  }

  answered(ex: Exchange): number {
    if (this.#fallback?.replaces(ex) === true) return FALLBACK
    this.#compression?.apply(ex)
    return OK
  }
}

function answerSteps(spec: Spec): AnswerSteps | null {
  const { fallback, failureCodes, compression } = spec
  const hasFallback = fallback?.forCodes === true
  if (!hasFallback && compression === undefined) return null
  return new AnswerSteps(
    hasFallback ? new FallbackAnswer(failureCodes, fallback) : null,
    compression === undefined ? null : new Compression(compression.minLength),
  )
}

/** With all that a Proxy may have besides. */
class FullProxy implements Filter {
  readonly #main: Pool
  readonly #candidates: readonly Candidate[]

  constructor(spec: Spec, context: FilterContext) {
    const steps = answerSteps(spec)
    this.#main = new Pool(MAIN_POOL, spec.mainPool, context, steps)
    this.#candidates = spec.candidatePools.map((pool, index) => ({
      filter: createTrafficFilter(pool.filter as TrafficFilterSpec, randomBelow),
      pool: new Pool(candidateName(index), pool, context, steps),
    }))
  }

  handle(ex: Exchange): number {
    this.#poolFor(ex).send(ex)
    return SUSPENDED
  }

  #poolFor(ex: Exchange): Pool {
    for (const { filter, pool } of this.#candidates) if (filter.matches(ex)) return pool
    return this.#main
  }

  cancel(ex: Exchange): void {
    this.#main.cancel(ex)
    for (const { pool } of this.#candidates) pool.cancel(ex)
  }

  retire(): void {
    this.#main.close()
    for (const { pool } of this.#candidates) pool.close()
  }
}

const randomBelow = (limit: number): number => Math.floor(Math.random() * limit)

function isPlain(spec: Spec): boolean {
  return spec.candidatePools.length === 0 && answerSteps(spec) === null
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  isPlain(spec) ? new PlainProxy(spec, context) : new FullProxy(spec, context)
