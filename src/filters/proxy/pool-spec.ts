import {
  checked,
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
import { notYet } from '../fields.js'

const server = object({
  url: url({ doc: 'Where it listens: scheme://host[:port][/prefix].' }),
  tags: list(string({ doc: '' }), { doc: 'Labels to select it by.', unique: true, default: [] }),
  weight: integer({
    doc: 'Share of requests, for `weightedRandom`.',
    min: 0,
    max: 100,
    default: 0,
  }),
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

export const later = (doc: string) => map(string({ doc: '' }), { doc, optional: true })

export const pool = checked(
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
      return [
        { path: ['servers'], message: 'expected a weight above 0 for all servers or for none' },
      ]
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

export const MAIN_POOL = 'mainPool'

/** Key of the words that count turns; a pool with other servers starts anew. */
export function turnsKey(pool: string, spec: PoolSpec): string {
  return `${pool}/turns/${taggedServers(spec)
    .map((each) => each.url)
    .join(' ')}`
}
