import {
  checked,
  httpCode,
  integer,
  list,
  map,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
  url,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { notYet } from '../fields.js'

const server = object({
  url: url({ doc: 'Where it listens: scheme://host[:port][/prefix].' }),
  tags: list(string({ doc: '' }), { doc: 'Labels to select it by.', unique: true, default: [] }),
  weight: integer({ doc: 'Share of requests, for `weightedRandom`.', min: 0, max: 100, default: 0 }),
})

const loadBalance = checked(
  object(
    {
      policy: oneOf(['roundRobin', 'random', 'weightedRandom', 'ipHash', 'headerHash'], {
        doc: 'How the server of a request is chosen.',
        default: 'roundRobin',
      }),
      headerHashKey: string({ doc: 'Header to hash, for `headerHash`.', default: '' }),
    },
    { doc: 'Distribution of requests over servers.', default: {} },
  ),
  (spec): SpecProblem[] =>
    spec.policy === 'headerHash' && spec.headerHashKey === ''
      ? [{ path: ['headerHashKey'], message: 'expected the name of a header for headerHash' }]
      : [],
)

const later = (doc: string) => map(string({ doc: '' }), { doc, optional: true })

const pool = checked(
  checked(
    object({
      spanName: string({ doc: 'Name of the span in traces.', default: '' }),
      serversTags: list(string({ doc: '' }), {
        doc: 'Keep only servers that have one of these tags.',
        unique: true,
        default: [],
      }),
      servers: list(server, { doc: 'The back ends.', default: [] }),
      loadBalance,
      filter: later('Requests that the pool takes; not for the main pool.'),
      serviceRegistry: string({ doc: 'Registry to look the service up in.', optional: true }),
      serviceName: string({ doc: 'Service to look up.', optional: true }),
      memoryCache: later('Cache of responses.'),
    }),
    (spec) => [
      ...notYet(spec, ['serviceRegistry', 'serviceName'], 'list the servers'),
      ...notYet(spec, ['memoryCache']),
    ],
  ),
  (spec): SpecProblem[] => {
    if (spec.servers.length === 0) {
      return [{ path: ['servers'], message: 'expected at least one server' }]
    }
    if (taggedServers(spec).length === 0) {
      return [{ path: ['serversTags'], message: 'no server has one of these tags' }]
    }
    const weighted = spec.servers.filter((each) => each.weight > 0).length
    if (weighted !== 0 && weighted !== spec.servers.length) {
      return [{ path: ['servers'], message: 'expected a weight above 0 for all servers or for none' }]
    }
    return []
  },
)
export type PoolSpec = SpecOf<typeof pool>

/** The servers of a pool that its tags leave. */
export function taggedServers(
  spec: Pick<PoolSpec, 'servers' | 'serversTags'>,
): PoolSpec['servers'] {
  if (spec.serversTags.length === 0) return spec.servers
  return spec.servers.filter((each) => each.tags.some((tag) => spec.serversTags.includes(tag)))
}

const spec = checked(
  object({
    mainPool: checked(pool, (main): SpecProblem[] =>
      main.filter === undefined
        ? []
        : [{ path: ['filter'], message: 'the main pool takes every request; it has no filter' }],
    ),
    candidatePools: list(later(''), { doc: 'Pools tried before the main one.', optional: true }),
    mirrorPool: later('Pool that gets copies of requests.'),
    fallback: later('Answer in place of failures.'),
    failureCodes: list(httpCode({ doc: '' }), {
      doc: 'Statuses that count as failures, for `fallback`.',
      optional: true,
    }),
    compression: later('Compression of responses.'),
  }),
  (proxy) =>
    notYet(proxy, ['candidatePools', 'mirrorPool', 'fallback', 'failureCodes', 'compression']),
)
export type Spec = SpecOf<typeof spec>

export const MAIN_POOL = 'mainPool'

/** Key of the words that count turns; a pool with other servers starts anew. */
export function turnsKey(pool: string, spec: PoolSpec): string {
  return `${pool}/turns/${taggedServers(spec)
    .map((each) => each.url)
    .join(' ')}`
}

export const proxy = defineFilterKind<Spec>({
  kind: 'Proxy',
  summary: 'Sends the request to a back end and brings back its response.',
  // "interalError" is how Easegress v1 spells it, and what `jumpIf` has to say.
  results: ['fallback', 'interalError', 'clientError', 'serverError'],
  spec,
  shared: ({ mainPool }) => [turnsKey(MAIN_POOL, mainPool)],
  stats: () => [MAIN_POOL],
  status: (_spec, stat) => ({ mainPool: { stat: stat(MAIN_POOL) } }),
  load: () => import('./proxy.js'),
})
