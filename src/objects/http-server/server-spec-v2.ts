import { optionalPool } from '../../filters/proxy/pool-spec-v2.js'
import { checkRegexp } from '../../lib/regexp.js'
import { isWildcard } from '../../router/host-index.js'
import { parsePattern, parseTarget } from '../../router/path-pattern.js'
import {
  anything,
  base64,
  boolean,
  checked,
  duration,
  httpMethod,
  integer,
  list,
  map,
  object,
  oneOf,
  regexp,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { checkLogFormat } from './access-format-spec.js'
import { tlsProblems } from './certificates-spec.js'
import { ipFilter, rootedPath } from './ip-filter-spec.js'

/** Keys that Easegress's own examples have for the fields of similar names, of either dialect. */
export const SLIPS = ['maxConnection']

const text = (doc: string) => string({ doc, default: '' })
/** As in Easegress: an empty text means the same as none. */
const optionalPath = (doc: string) =>
  string({ doc, pattern: /^(?:\/.*)?$/s, expected: rootedPath.expected, optional: true })

const valueRule = (what: string, ignored: readonly string[] = []) =>
  checked(
    object(
      {
        key: string({ doc: `Name of the ${what}.` }),
        values: list(string({ doc: '' }), { doc: 'Values that match.', unique: true, default: [] }),
        regexp: regexp({ doc: 'Or a pattern that its first value matches.', optional: true }),
      },
      { ignored },
    ),
    (spec): SpecProblem[] =>
      spec.values.length > 0 || spec.regexp
        ? []
        : [
            {
              path: [],
              message: 'expected values or regexp',
              hint: `say what the ${what} must be`,
            },
          ],
  )

const bodySize = (doc: string) =>
  integer({ doc: `${doc} Negative: no limit, the body streams.`, default: 0 })

const pathFields = object({
  ipFilter: ipFilter('Checked last; who is kept out may still meet another path.'),
  path: optionalPath('Exact path; with RadixTree a pattern.'),
  pathPrefix: optionalPath('What the path begins with. Not with RadixTree.'),
  pathRegexp: regexp({ doc: 'Pattern found in the path. Not with RadixTree.', optional: true }),
  rewriteTarget: string({
    doc: 'The new path: in place of `path` or `pathPrefix`, or of every match of `pathRegexp` (groups as $1); with RadixTree {name} stands for a parameter.',
    optional: true,
  }),
  methods: list(httpMethod({ doc: '' }), {
    doc: 'Methods to take; empty takes all.',
    unique: true,
    default: [],
  }),
  backend: text('Name of the pipeline that handles the request.'),
  backendPool: optionalPool('Servers to send the request to; instead of `backend`.'),
  clientMaxBodySize: bodySize('Largest request body in bytes; 0: that of the server.'),
  // Of v1, where each leads to a pipeline of its own; examples of current releases still have it.
  headers: list(valueRule('header', ['backend']), {
    doc: 'Conditions on headers, of which one must hold.',
    default: [],
  }),
  queries: list(valueRule('query parameter'), {
    doc: 'Conditions on query parameters, of which one must hold.',
    default: [],
  }),
  matchAllHeader: boolean({ doc: 'All of `headers` must hold, in all they say.', default: false }),
  matchAllQuery: boolean({ doc: 'All of `queries` must hold, in all they say.', default: false }),
  setHeaders: map(string({ doc: '' }), {
    doc: 'Headers to set on the request, empty to delete; values may have variables like $host.',
    default: {},
  }),
})

const PATH_CHECKS: readonly ((spec: SpecOf<typeof pathFields>) => SpecProblem[])[] = [
  (spec) =>
    spec.rewriteTarget && !spec.path && !spec.pathPrefix && !spec.pathRegexp
      ? [
          {
            path: ['rewriteTarget'],
            message: 'has no effect without path, pathPrefix or pathRegexp',
          },
        ]
      : [],
  (spec) =>
    spec.backend === '' && spec.backendPool === undefined
      ? [{ path: ['backend'], message: 'is required: expected backend or backendPool' }]
      : [],
]

const host = checked(
  object({
    isRegexp: boolean({ doc: 'Whether `value` is a pattern found in the host.', default: false }),
    value: string({ doc: 'A host, with one "*" at its beginning or end if need be.' }),
  }),
  ({ isRegexp, value }): SpecProblem[] => {
    if (isRegexp || !value.includes('*') || isWildcard(value)) return []
    const message = `"${value}" matches no host: one "*" may stand at the beginning or the end`
    return [{ path: ['value'], message, severity: 'warning' }]
  },
)

const hostPattern = checked(host, ({ isRegexp, value }): SpecProblem[] => {
  const problem = isRegexp ? checkRegexp(value) : null
  return problem === null ? [] : [{ path: ['value'], message: problem }]
})

const rule = object({
  ipFilter: ipFilter('Checked once the host matches; who is kept out may still meet another rule.'),
  host: text('Exact host; one more of `hosts`.'),
  hostRegexp: regexp({ doc: 'Pattern found in the host; one more of `hosts`.', optional: true }),
  hosts: list(hostPattern, { doc: 'Hosts to take, without port; empty takes all.', default: [] }),
  paths: list(
    PATH_CHECKS.reduce((schema, check) => checked(schema, check), pathFields),
    { doc: 'Tried in order; empty takes none.', default: [] },
  ),
})

const fields = object(
  {
    port: integer({ doc: 'TCP port to listen on.', min: 1, max: 65_535 }),
    address: text('Address to listen on; empty for that of the whole gateway.'),
    keepAlive: boolean({
      doc: 'Whether connections are kept for further requests.',
      default: true,
    }),
    keepAliveTimeout: duration({
      doc: 'Longest time a connection may be idle. Cut off at 10 s (docs/compatibility.md).',
      default: '60s',
    }),
    maxConnections: integer({
      doc: 'Connections at a time, over all workers of a node. Further ones are closed at once.',
      min: 1,
      max: 4_294_967_295,
      default: 10_240,
    }),
    clientMaxBodySize: bodySize('Largest request body in bytes; 0: 4 MiB.'),
    xForwardedFor: boolean({ doc: 'Maintain the X-Forwarded-For header.', default: false }),
    cacheSize: integer({
      doc: 'Routes to remember; 0 for none.',
      min: 0,
      max: 1_000_000,
      default: 0,
    }),
    routerKind: oneOf(['Ordered', 'RadixTree'], {
      doc: 'Whether paths are tried in order, or are patterns in a tree.',
      default: 'Ordered',
    }),
    globalFilter: text(
      'Name of a GlobalFilter around all pipelines; one that is not there is left out.',
    ),
    accessLogFormat: text(
      'Line of the access log, with variables like {{Time}}; empty for the usual.',
    ),
    ipFilter: ipFilter('Checked for every request.'),
    rules: list(rule, { doc: 'Routing rules, tried in order.', default: [] }),
    https: boolean({ doc: 'Serve TLS 1.2 and 1.3.', default: false }),
    http3: boolean({ doc: 'Serve HTTP/3. Not supported by this release.', default: false }),
    autoCert: boolean({
      doc: 'Certificates of the AutoCertManager. Not supported by this release.',
      default: false,
    }),
    caCertBase64: base64({
      doc: 'Authorities of client certificates, base64 of PEM: clients have to show one of theirs.',
      optional: true,
    }),
    certBase64: base64({
      doc: 'Certificate, with those that lead to its authority behind it; base64 of PEM.',
      optional: true,
    }),
    keyBase64: base64({ doc: 'Its private key, base64 of PEM.', optional: true }),
    certs: map(string({ doc: '' }), {
      doc: 'Further certificates, PEM or base64 of it; clients get the one for the host they ask for.',
      default: {},
    }),
    keys: map(string({ doc: '' }), { doc: 'Keys of `certs`, under the same names.', default: {} }),
    tracing: anything({ doc: 'Tracing. Not supported by this release.', optional: true }),
  },
  { ignored: SLIPS },
)
type Fields = SpecOf<typeof fields>

const CHECKS: readonly ((spec: Fields) => SpecProblem[])[] = [
  (server) =>
    (['http3', 'autoCert', 'tracing'] as const)
      .filter((field) => server[field])
      .map((field) => ({
        path: [field],
        message: `${field} is not supported by this release`,
        hint: 'leave it out',
      })),
  (server) => tlsProblems(server),
  (server) => {
    const problem = checkLogFormat(server.accessLogFormat)
    return problem === null ? [] : [{ path: ['accessLogFormat'], message: problem }]
  },
  (server) => (server.routerKind === 'RadixTree' ? server.rules.flatMap(patternProblems) : []),
]

function patternProblems(rule: Fields['rules'][number], r: number): SpecProblem[] {
  return rule.paths.flatMap(({ path = '', pathPrefix, pathRegexp, rewriteTarget }, p) => {
    const at = ['rules', r, 'paths', p]
    const problems: SpecProblem[] = []
    const pattern = parsePattern(path)
    if (typeof pattern === 'string') problems.push({ path: [...at, 'path'], message: pattern })
    else if (rewriteTarget) {
      const target = parseTarget(rewriteTarget, pattern.names)
      if (typeof target === 'string') {
        problems.push({ path: [...at, 'rewriteTarget'], message: target })
      }
    }
    for (const [field, value] of Object.entries({ pathPrefix, pathRegexp })) {
      if (!value) continue
      const message = 'has no effect with routerKind RadixTree, which looks at `path` alone'
      problems.push({ path: [...at, field], message, severity: 'warning' })
    }
    return problems
  })
}

export const specV2 = CHECKS.reduce((schema, check) => checked(schema, check), fields)
export type SpecV2 = SpecOf<typeof specV2>

const OF_SERVER = [
  'address',
  'clientMaxBodySize',
  'routerKind',
  'globalFilter',
  'accessLogFormat',
].concat(['autoCert', 'caCertBase64', 'certs', 'keys'])
const OF_RULE = ['hosts']
const OF_PATH = ['backendPool', 'queries', 'matchAllHeader', 'matchAllQuery'].concat([
  'clientMaxBodySize',
  'setHeaders',
])

/** Whether a document that came as v1 has fields that only v2 has. */
export function looksLikeV2(document: Readonly<Record<string, unknown>>): boolean {
  if (hasAny(document, OF_SERVER)) return true
  return listOf(document, 'rules').some(
    (rule) => hasAny(rule, OF_RULE) || listOf(rule, 'paths').some((path) => hasAny(path, OF_PATH)),
  )
}

function hasAny(value: unknown, fields: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return fields.some((field) => Object.hasOwn(value, field))
}

function listOf(value: unknown, field: string): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return []
  const found = (value as Readonly<Record<string, unknown>>)[field]
  return Array.isArray(found) ? found : []
}
