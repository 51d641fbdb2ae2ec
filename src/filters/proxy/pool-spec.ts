import {
  byteSize,
  checked,
  duration,
  httpCode,
  httpMethod,
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
import { parseServerUrl } from '../../upstream/server-url.js'
import { stringMatch, urlRuleFields } from '../fields.js'

/** What a back end's URL must not have, whatever is valid in others. */
export function serverUrlProblems(spec: { readonly url: string }): SpecProblem[] {
  if (parseServerUrl(spec.url) !== null) return []
  const message = 'expected no user, query or fragment in the URL of a back end, and no port 0'
  return [{ path: ['url'], message }]
}

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
  serverUrlProblems,
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

const probability = checked(
  object(
    {
      perMill: integer({ doc: 'Share of the requests, of a thousand.', min: 1, max: 1000 }),
      policy: oneOf(['ipHash', 'headerHash', 'random'], {
        doc: 'What decides: the client address, a header, or chance.',
      }),
      headerHashKey: string({ doc: 'Header to hash, for `headerHash`.', default: '' }),
    },
    { doc: 'Takes a share of the requests.', optional: true },
  ),
  (spec): SpecProblem[] =>
    spec.policy === 'headerHash' && spec.headerHashKey === ''
      ? [{ path: ['headerHashKey'], message: 'expected the name of a header for headerHash' }]
      : [],
)

const filterFields = object(
  {
    headers: map(stringMatch('Value of the header.'), {
      doc: 'Headers of which any one must have a value that matches.',
      default: {},
    }),
    urls: list(object(urlRuleFields), {
      doc: 'Methods and paths of which one must match too; not looked at with `probability`.',
      default: [],
    }),
    probability,
  },
  { doc: 'Requests that the pool takes; not for the main pool.', optional: true },
)
/** Which requests a pool takes. */
export type TrafficFilterSpec = Exclude<SpecOf<typeof filterFields>, undefined>

const filter = checked(filterFields, (spec): SpecProblem[] => {
  const hasHeaders = Object.keys(spec.headers).length > 0
  if (hasHeaders !== (spec.probability !== undefined)) return []
  return [{ path: [], message: 'expected either headers or probability' }]
})

export const memoryCache = object(
  {
    expiration: duration({ doc: 'How long an answer is kept.', min: '1ms' }),
    maxEntryBytes: integer({ doc: 'Largest body that is kept.', min: 1, max: 4_294_967_295 }),
    maxBytes: byteSize({
      doc: 'What all answers together may take in each worker; the oldest go. Not in Easegress.',
      min: 1024,
      max: 4_294_967_295,
      default: '64MiB',
    }),
    codes: list(httpCode({ doc: '' }), {
      doc: 'Statuses of answers that are kept.',
      min: 1,
      unique: true,
    }),
    methods: list(httpMethod({ doc: '' }), {
      doc: 'Methods of requests that are answered from the cache.',
      min: 1,
      unique: true,
    }),
  },
  { doc: 'Cache of answers.', optional: true },
)
export type MemoryCacheSpec = Exclude<SpecOf<typeof memoryCache>, undefined>

const poolFields = {
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
  filter,
  serviceRegistry: string({ doc: 'Registry to look the service up in.', optional: true }),
  serviceName: string({
    doc: 'Service whose instances are the servers. Not looked up by this release, which uses `servers`.',
    optional: true,
  }),
  memoryCache,
} as const

/** What Easegress's own pages say in place of `serversTags`. */
const ignored = ['serverTags']

const fields = object(poolFields, {
  doc: 'Servers, and how requests are spread over them.',
  ignored,
})
type Fields = SpecOf<typeof fields>

const NO_REGISTRIES = 'services are not looked up by this release'

const CHECKS: readonly ((spec: Fields) => SpecProblem[])[] = [
  ({ servers, serviceName }) => {
    if (servers.length > 0) return []
    const problem = { path: ['servers'], message: 'expected at least one server' }
    return [serviceName === undefined ? problem : { ...problem, hint: NO_REGISTRIES }]
  },
  // As in Easegress when a registry does not answer: the listed servers do.
  ({ servers, serviceName = '' }) => {
    if (servers.length === 0 || serviceName === '') return []
    const message = `${NO_REGISTRIES}: the servers that are listed are used`
    return [{ path: ['serviceName'], message, severity: 'warning' }]
  },
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

const pool = CHECKS.reduce((schema, check) => checked(schema, check), fields)
export type PoolSpec = SpecOf<typeof pool>

export const mainPool = checked(pool, (spec): SpecProblem[] =>
  spec.filter === undefined
    ? []
    : [{ path: ['filter'], message: 'the main pool takes every request; it has no filter' }],
)

/** Any other pool says which requests it is for. */
const hasFilter = (spec: Fields): SpecProblem[] =>
  spec.filter === undefined
    ? [{ path: ['filter'], message: 'is required: expected either headers or probability' }]
    : []

export const candidatePool = checked(pool, hasFilter)

const keepsNoAnswers = (spec: Fields): SpecProblem[] =>
  spec.memoryCache === undefined
    ? []
    : [{ path: ['memoryCache'], message: 'answers to copies are dropped, none can be kept' }]

export const mirrorPool = [...CHECKS, hasFilter, keepsNoAnswers].reduce(
  (schema, check) => checked(schema, check),
  object(poolFields, {
    doc: 'Servers that get copies of the requests that its `filter` matches; answers are dropped.',
    optional: true,
    ignored,
  }),
)

/** Copies under way from one Proxy of a worker; with so many, further requests get none. */
export const COPIES_MAX = 256

/** The servers of a pool that its tags leave. */
export function taggedServers(
  spec: Pick<PoolSpec, 'servers' | 'serversTags'>,
): PoolSpec['servers'] {
  if (spec.serversTags.length === 0) return spec.servers
  return spec.servers.filter((each) => each.tags.some((tag) => spec.serversTags.includes(tag)))
}

/** What pools are called in statistics and messages. */
export const MAIN_POOL = 'mainPool'
export const MIRROR_POOL = 'mirrorPool'
export const candidateName = (index: number): string => `candidatePools/${index}`

/** Key of the words that count turns; a pool with other servers starts anew. */
export function turnsKey(pool: string, spec: PoolSpec): string {
  return `${pool}/turns/${taggedServers(spec)
    .map((each) => each.url)
    .join(' ')}`
}
