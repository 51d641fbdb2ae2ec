import { createPrivateKey, X509Certificate } from 'node:crypto'
import { checkRegexp as regexpProblem } from '../../lib/regexp.js'
import {
  base64,
  boolean,
  checked,
  duration,
  httpCode,
  httpMethod,
  integer,
  list,
  map,
  object,
  oneOf,
  type Schema,
  type SpecOf,
  type SpecProblem,
  string,
  url,
} from '../../spec/schema.js'
import type { PolicyUse } from '../policies.js'
import { urlRuleFieldsV2, valueMatch } from '../value-match.js'
import { memoryCache, serverUrlProblems } from './pool-spec.js'

/** Pools of a v2 Proxy (compat/traffic-v2.md §7.1). */

const server = checked(
  object({
    url: url({ doc: 'Where it listens: scheme://host[:port][/prefix].' }),
    tags: list(string({ doc: '' }), {
      doc: 'Labels; without effect on servers that are listed.',
      unique: true,
      default: [],
    }),
    weight: integer({
      doc: 'Share of requests, for `weightedRandom`.',
      min: 0,
      max: 100,
      default: 0,
    }),
    keepHost: boolean({ doc: 'Send the Host of the request.', default: false }),
  }),
  serverUrlProblems,
)

// -- which requests ------------------------------------------------------------------------------

const matcherFields = {
  policy: oneOf(['general', 'ipHash', 'headerHash', 'random', ''], {
    doc: 'What decides: headers and paths, or a share by address, by a header or by chance.',
    default: 'general',
  }),
  headers: map(valueMatch('Value of the header.'), {
    doc: 'Conditions on headers, for `general`.',
    default: {},
  }),
  matchAllHeaders: boolean({ doc: 'All of `headers` must match, not one.', default: false }),
  urls: list(
    object({ ...urlRuleFieldsV2, policyRef: string({ doc: 'Without effect.', default: '' }) }),
    { doc: 'Methods and paths of which one must match too, for `general`.', default: [] },
  ),
  permil: integer({ doc: 'Share of the requests, of a thousand.', min: 0, max: 1000, default: 0 }),
  headerHashKey: string({ doc: 'Header to hash, for `headerHash`.', default: '' }),
}

const requestMatcher = checked(
  object(matcherFields, {
    doc: 'Requests that the pool takes; not for the main one.',
    optional: true,
  }),
  (spec): SpecProblem[] => {
    if (spec.policy === 'general' || spec.policy === '') {
      return Object.keys(spec.headers).length > 0
        ? []
        : [{ path: ['headers'], message: 'expected at least one header' }]
    }
    const problems: SpecProblem[] = []
    if (spec.permil === 0) {
      problems.push({ path: ['permil'], message: `expected 1..1000 for ${spec.policy}` })
    }
    if (spec.policy === 'headerHash' && spec.headerHashKey === '') {
      const message = 'expected the name of a header for headerHash'
      problems.push({ path: ['headerHashKey'], message })
    }
    return problems
  },
)
export type RequestMatcherSpec = Exclude<SpecOf<typeof requestMatcher>, undefined>

// -- health --------------------------------------------------------------------------------------

const healthFields = {
  interval: duration({ doc: 'Time between checks.', default: '60s' }),
  timeout: duration({ doc: 'Longest wait for an answer.', default: '3s' }),
  fails: integer({ doc: 'Failures in a row that take a server out; 0 for 1.', min: 0, default: 1 }),
  passes: integer({ doc: 'Successes in a row that bring it back; 0 for 1.', min: 0, default: 1 }),
  port: integer({ doc: "Port to ask; 0 for the server's.", min: 0, max: 65_535, default: 0 }),
  uri: string({ doc: 'Path and query to ask for; without, the path of the server.', default: '' }),
  path: string({ doc: 'Old name of `uri`.', default: '' }),
  method: httpMethod({ doc: 'Method of the request.', optional: true }),
  headers: map(string({ doc: '' }), { doc: 'Headers of the request.', default: {} }),
  body: string({ doc: 'Body of the request.', default: '' }),
  username: string({ doc: 'For basic authentication, with `password`.', default: '' }),
  password: string({ doc: 'For basic authentication, with `username`.', default: '' }),
  match: object(
    {
      statusCodes: list(list(httpCode({ doc: '' }), { min: 2, max: 2 }), {
        doc: 'Ranges of statuses that pass; without, 200 to 399.',
        default: [],
      }),
      headers: list(
        object({
          name: string({ doc: 'Of the header.' }),
          value: string({ doc: 'What it must be.' }),
          type: oneOf(['exact', 'regexp', ''], { doc: 'How it is compared.', default: 'exact' }),
        }),
        { doc: 'Headers that the answer must have, all of them.', default: [] },
      ),
      body: object(
        {
          value: string({ doc: 'What it must contain.' }),
          type: oneOf(['contains', 'regexp', ''], {
            doc: 'How it is compared.',
            default: 'contains',
          }),
        },
        { doc: 'What the body of the answer must be.', optional: true },
      ),
    },
    { doc: 'Which answers pass.', optional: true },
  ),
}

const healthCheck = (doc: string) =>
  checked(
    object(healthFields, { doc, optional: true, ignored: ['pass'] }),
    (spec): SpecProblem[] => {
      const problems: SpecProblem[] = []
      if ((spec.username === '') !== (spec.password === '')) {
        problems.push({ path: ['username'], message: 'expected both username and password' })
      }
      for (const [index, [low = 0, high = 0]] of (spec.match?.statusCodes ?? []).entries()) {
        if (low <= high) continue
        const message = `expected the lower status first, got ${low}, ${high}`
        problems.push({ path: ['match', 'statusCodes', index], message })
      }
      for (const [index, { type, value }] of (spec.match?.headers ?? []).entries()) {
        const problem = type === 'regexp' ? regexpProblem(value) : null
        if (problem !== null) {
          problems.push({ path: ['match', 'headers', index, 'value'], message: problem })
        }
      }
      const body = spec.match?.body
      const problem = body?.type === 'regexp' ? regexpProblem(body.value) : null
      if (problem !== null) problems.push({ path: ['match', 'body', 'value'], message: problem })
      return problems
    },
  )
export type HealthCheckSpec = Exclude<SpecOf<ReturnType<typeof healthCheck>>, undefined>

// -- load balancing ------------------------------------------------------------------------------

const stickySession = object(
  {
    mode: oneOf(['CookieConsistentHash', 'DurationBased', 'ApplicationBased'], {
      doc: 'Whether a cookie of the application is hashed, or a cookie of ours names the server: always, or when the application sets its own.',
    }),
    appCookieName: string({ doc: "The application's cookie.", default: '' }),
    lbCookieName: string({ doc: 'Our cookie; empty for EG_SESSION.', default: 'EG_SESSION' }),
    lbCookieExpire: duration({ doc: 'How long our cookie lasts; 0 for 2h.', default: '2h' }),
  },
  { doc: 'Requests of a session go to one server.', optional: true },
)
export type StickySpec = Exclude<SpecOf<typeof stickySession>, undefined>

export const POLICIES_V2 = [
  'roundRobin',
  'random',
  'weightedRandom',
  'ipHash',
  'headerHash',
  'cookieHash',
] as const

const loadBalance = checked(
  object(
    {
      policy: string({
        doc: `How the server of a request is chosen: one of ${POLICIES_V2.join(', ')}.`,
        default: 'roundRobin',
      }),
      headerHashKey: string({ doc: 'Header to hash, for `headerHash`.', default: '' }),
      forwardKey: string({ doc: 'Of GRPCProxy; without effect here.', default: '' }),
      stickySession,
      healthCheck: healthCheck('Old place of `healthCheck` of the pool.'),
    },
    { doc: 'Distribution of requests over servers.', default: {} },
  ),
  ({ policy }): SpecProblem[] => {
    if (policy === '' || (POLICIES_V2 as readonly string[]).includes(policy)) return []
    const message = `"${policy}" is none of ${POLICIES_V2.join(', ')}: roundRobin is used`
    return [{ path: ['policy'], message, severity: 'warning' }]
  },
)

// -- the pool ------------------------------------------------------------------------------------

const poolFields = {
  filter: requestMatcher,
  spanName: string({ doc: 'Name of the span in traces.', default: '' }),
  serverTags: list(string({ doc: '' }), {
    doc: 'Tags that discovered servers must have one of.',
    unique: true,
    default: [],
  }),
  servers: list(server, { doc: 'The back ends.', default: [] }),
  setUpstreamHost: boolean({
    doc: "Always send the server's Host, but where `keepHost` says otherwise.",
    default: false,
  }),
  serviceRegistry: string({ doc: 'Registry to look the service up in.', default: '' }),
  serviceName: string({
    doc: 'Service whose instances are the servers. Not looked up by this release, which uses `servers`.',
    default: '',
  }),
  loadBalance,
  timeout: duration({
    doc: 'Longest wait for the head of an answer, each attempt; then 408.',
    optional: true,
  }),
  retryPolicy: string({ doc: 'Retry of `resilience` by name.', default: '' }),
  circuitBreakerPolicy: string({ doc: 'CircuitBreaker of `resilience` by name.', default: '' }),
  serverMaxBodySize: integer({
    doc: 'Largest response body in bytes; 0: that of the Proxy. Negative: no limit.',
    default: 0,
  }),
  memoryCache,
  failureCodes: list(httpCode({ doc: '' }), {
    doc: 'Statuses of back ends that are failures; without, 500 to 599.',
    unique: true,
    default: [],
  }),
  healthCheck: healthCheck('Asks servers on its own and leaves out those that fail.'),
} as const

/** Slips of Easegress's own examples: a name of v1, and a field of the Proxy. */
const ignored = ['serversTags', 'compression']

const bare = object(poolFields, {
  doc: 'Servers, and how requests are spread over them.',
  ignored,
})
type Fields = SpecOf<typeof bare>
export type PoolSpecV2 = Fields

const NO_REGISTRIES = 'services are not looked up by this release'

const CHECKS: readonly ((spec: Fields) => SpecProblem[])[] = [
  ({ servers, serviceName }) => {
    if (servers.length > 0) return []
    const problem = { path: ['servers'], message: 'expected at least one server' }
    return [serviceName === '' ? problem : { ...problem, hint: NO_REGISTRIES }]
  },
  ({ servers, serviceName }) => {
    if (servers.length === 0 || serviceName === '') return []
    const message = `${NO_REGISTRIES}: the servers that are listed are used`
    return [{ path: ['serviceName'], message, severity: 'warning' }]
  },
  ({ servers }) => {
    const weighted = servers.filter((each) => each.weight > 0).length
    return weighted === 0 || weighted === servers.length
      ? []
      : [{ path: ['servers'], message: 'expected a weight above 0 for all servers or for none' }]
  },
  (spec) => withoutEffect(spec).map((problem) => ({ ...problem, severity: 'warning' })),
]

/** Fields that are taken, as by Easegress, and change nothing, as there. */
function withoutEffect({ serverTags, loadBalance, filter }: Fields): SpecProblem[] {
  const message = 'has no effect'
  return [
    ...(serverTags.length === 0
      ? []
      : [{ path: ['serverTags'], message: `${message}: servers that are listed are all used` }]),
    ...(loadBalance.forwardKey === ''
      ? []
      : [{ path: ['loadBalance', 'forwardKey'], message: `${message} outside GRPCProxy` }]),
    ...(filter?.urls ?? []).flatMap(({ policyRef }, index) =>
      policyRef === '' ? [] : [{ path: ['filter', 'urls', index, 'policyRef'], message }],
    ),
  ]
}

const withChecks = <T extends Fields | undefined>(schema: Schema<T>): Schema<T> =>
  CHECKS.reduce((each, check) => checked(each, (spec) => check(spec as Fields)), schema)

export const pool: Schema<PoolSpecV2> = withChecks(bare)

/** A pool as an optional field. */
export const optionalPool = (doc: string): Schema<PoolSpecV2 | undefined> =>
  withChecks(object(poolFields, { doc, optional: true, ignored }))

/** What pools are called in statistics and messages. */
export const MAIN = 'mainPool'
export const MIRROR = 'mirrorPool'
export const candidate = (index: number): string => `candidatePools/${index}`

/** Policies that a pool names; `path` of the pool. */
export function policyUses(
  { retryPolicy, circuitBreakerPolicy }: PoolSpecV2,
  path: readonly (string | number)[],
): PolicyUse[] {
  const uses: PolicyUse[] = []
  if (retryPolicy !== '') {
    uses.push({ path: [...path, 'retryPolicy'], name: retryPolicy, kind: 'Retry' })
  }
  if (circuitBreakerPolicy !== '') {
    const name = circuitBreakerPolicy
    uses.push({ path: [...path, 'circuitBreakerPolicy'], name, kind: 'CircuitBreaker' })
  }
  return uses
}

const urlsOf = ({ servers }: PoolSpecV2): string => servers.map(({ url }) => url).join(' ')

/** Key of the words that count turns; a pool with other servers starts anew. */
export const turnsKeyV2 = (name: string, spec: PoolSpecV2): string =>
  `${name}/turns/${urlsOf(spec)}`

export const healthOf = (spec: PoolSpecV2): HealthCheckSpec | null =>
  spec.healthCheck ?? spec.loadBalance.healthCheck ?? null

/** Key of what checks have found; other checks or servers start anew. */
export const healthKey = (name: string, spec: PoolSpecV2): string =>
  `${name}/health/${urlsOf(spec)}/${JSON.stringify(healthOf(spec))}`

const mtls = object(
  {
    certBase64: base64({ doc: 'Our certificate, base64 of PEM.', optional: true }),
    keyBase64: base64({ doc: 'Its key, base64 of PEM.', optional: true }),
    rootCertBase64: base64({
      doc: "Authorities of the back ends, base64 of PEM; the system's without.",
      optional: true,
    }),
    insecureSkipVerify: boolean({ doc: 'Do not verify the back ends.', default: false }),
  },
  { doc: 'TLS with back ends; without it their certificates are not verified.', optional: true },
)

/** Base64 of PEM as text; empty for none. */
export const pemOf = (base64: string | undefined): string =>
  base64 === undefined || base64 === '' ? '' : Buffer.from(base64, 'base64').toString('latin1')

/** With what can be known of certificates and key before anybody is called. */
export const mtlsFields = checked(mtls, (spec): SpecProblem[] => {
  const { certBase64, keyBase64, rootCertBase64 } = spec
  const [cert, key, root] = [certBase64, keyBase64, rootCertBase64].map(pemOf)
  const problems = [
    ...problemIn('certBase64', cert, (pem) => new X509Certificate(pem), 'a certificate'),
    ...problemIn('keyBase64', key, createPrivateKey, 'a private key without a passphrase'),
    ...problemIn('rootCertBase64', root, (pem) => new X509Certificate(pem), 'certificates'),
  ]
  if (problems.length > 0) return problems
  if (!cert !== !key) {
    return [{ path: [cert ? 'keyBase64' : 'certBase64'], message: 'expected both or neither' }]
  }
  if (cert && key && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    return [{ path: ['keyBase64'], message: 'this is not the key of the certificate' }]
  }
  return []
})

function problemIn(
  field: string,
  pem: string | undefined,
  read: (pem: string) => unknown,
  what: string,
): SpecProblem[] {
  if (!pem) return []
  try {
    read(pem)
    return []
  } catch {
    return [{ path: [field], message: `expected base64 of PEM with ${what}` }]
  }
}
