import {
  checked,
  duration,
  integer,
  list,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
  url,
} from '../../spec/schema.js'
import { parseServerUrl } from '../../upstream/server-url.js'
import { later, notYet } from '../fields.js'

const server = checked(
  object({
    url: url({ doc: 'Where it listens: scheme://host[:port][/prefix].' }),
    tags: list(string({ doc: '' }), { doc: 'Labels to select it by.', unique: true, default: [] }),
    weight: integer({
      doc: 'Share of requests, for `weightedRandom`.',
      min: 0,
      max: 100,
      default: 0,
    }),
  }),
  (spec): SpecProblem[] =>
    parseServerUrl(spec.url) === null
      ? [
          {
            path: ['url'],
            message: 'expected no user, query or fragment in the URL of a back end, and no port 0',
          },
        ]
      : [],
)

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

const fields = object(
  {
    spanName: string({ doc: 'Name of the span in traces.', default: '' }),
    serversTags: list(string({ doc: '' }), {
      doc: 'Keep only servers that have one of these tags.',
      unique: true,
      default: [],
    }),
    servers: list(server, { doc: 'The back ends.', default: [] }),
    loadBalance,
    responseTimeout: duration({
      doc: 'Longest wait for the head of a response, then 504; `0s` for none. Not in Easegress.',
      default: '60s',
    }),
    filter: later('Requests that the pool takes; not for the main pool.'),
    serviceRegistry: later('Registry to look the service up in.'),
    serviceName: later('Service to look up.'),
    memoryCache: later('Cache of responses.'),
  },
  { doc: 'Servers, and how requests are spread over them.' },
)
type Fields = SpecOf<typeof fields>

const CHECKS: readonly ((spec: Fields) => SpecProblem[])[] = [
  (spec) => notYet(spec, ['serviceRegistry', 'serviceName'], 'list the servers'),
  (spec) => notYet(spec, ['memoryCache']),
  ({ servers, serviceName }) =>
    servers.length === 0 && serviceName === undefined
      ? [{ path: ['servers'], message: 'expected at least one server' }]
      : [],
  (spec) =>
    spec.servers.length > 0 && taggedServers(spec).length === 0
      ? [{ path: ['serversTags'], message: 'no server has one of these tags' }]
      : [],
  ({ servers }) => {
    const weighted = servers.filter((each) => each.weight > 0).length
    return weighted === 0 || weighted === servers.length
      ? []
      : [{ path: ['servers'], message: 'expected a weight above 0 for all servers or for none' }]
  },
]

export const pool = CHECKS.reduce((schema, check) => checked(schema, check), fields)
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
