import { checked, integer, list, object, type SpecOf, type SpecProblem } from '../../spec/schema.js'
import { breakerNamed, type Policies } from '../policies.js'
import {
  candidate,
  MAIN,
  MIRROR,
  mtlsFields,
  optionalPool,
  type PoolSpecV2,
  pool,
} from './pool-spec-v2.js'

const fields = object({
  pools: list(pool, {
    doc: 'One without `filter`, for all requests, and any number with, tried in order before it.',
  }),
  mirrorPool: optionalPool('Servers that get copies of the requests that its `filter` matches.'),
  compression: object(
    {
      minLength: integer({
        doc: 'Bodies known to have fewer bytes are sent as they are.',
        min: 0,
        max: 4_294_967_295,
        default: 0,
      }),
    },
    { doc: 'Compression of answers by gzip or brotli, as the client likes.', optional: true },
  ),
  mtls: mtlsFields,
  maxIdleConns: integer({
    doc: 'Connections kept while unused, over all servers, in each worker. 0: no limit but the next; negative: none are kept.',
    default: 10_240,
  }),
  maxIdleConnsPerHost: integer({
    doc: 'The same for each server. 0: 2, as in Go; negative: none.',
    default: 1024,
  }),
  maxRedirection: integer({
    doc: 'Redirections to follow in a row; one more is a failure. 0: none, they are handed on.',
    default: 0,
  }),
  serverMaxBodySize: integer({
    doc: 'Largest response body in bytes; 0: 4 MiB. Negative: no limit.',
    default: 0,
  }),
})

const CHECKS: readonly ((spec: SpecOf<typeof fields>) => SpecProblem[])[] = [
  ({ pools }) => {
    const mains = pools.flatMap(({ filter }, index) => (filter === undefined ? [index] : []))
    if (mains.length === 1) return []
    if (mains.length === 0) {
      return [{ path: ['pools'], message: 'expected one pool without filter, for all requests' }]
    }
    return mains.slice(1).map((index) => ({
      path: ['pools', index, 'filter'],
      message: `is required: pool ${mains[0]} already takes all requests`,
    }))
  },
  ({ mirrorPool }) => {
    if (mirrorPool === undefined) return []
    const problems: SpecProblem[] = []
    if (mirrorPool.filter === undefined) {
      problems.push({ path: ['mirrorPool', 'filter'], message: 'is required' })
    }
    if (mirrorPool.memoryCache !== undefined) {
      const message = 'answers to copies are dropped, none can be kept'
      problems.push({ path: ['mirrorPool', 'memoryCache'], message })
    }
    return problems
  },
]

export const spec = CHECKS.reduce((schema, check) => checked(schema, check), fields)
export type SpecV2 = SpecOf<typeof spec>

export interface NamedPool {
  readonly name: string
  readonly pool: PoolSpecV2
}

/** The main pool last, candidates before it in their order. */
export function trafficPools({ pools }: SpecV2): NamedPool[] {
  const candidates = pools.filter(({ filter }) => filter !== undefined)
  const main = pools.find(({ filter }) => filter === undefined) as PoolSpecV2
  return [
    ...candidates.map((each, index) => ({ name: candidate(index), pool: each })),
    { name: MAIN, pool: main },
  ]
}

export function allPools(proxy: SpecV2): NamedPool[] {
  const { mirrorPool } = proxy
  const mirror = mirrorPool === undefined ? [] : [{ name: MIRROR, pool: mirrorPool }]
  return [...trafficPools(proxy), ...mirror]
}

/** Key of a pool's breaker; a changed policy starts anew. */
export function breakerKey(
  name: string,
  { circuitBreakerPolicy }: PoolSpecV2,
  policies: Policies,
): string {
  const policy = breakerNamed(policies, circuitBreakerPolicy)
  return `${name}/breaker/${JSON.stringify(policy)}`
}
