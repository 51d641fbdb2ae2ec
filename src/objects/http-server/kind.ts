import { NO_POLICIES } from '../../filters/policies.js'
import { filterKindsV2 } from '../../filters/registry.js'
import {
  anything,
  base64,
  boolean,
  checked,
  duration,
  httpMethod,
  integer,
  list,
  object,
  regexp,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { defineObjectKind, type ObjectReference, type SharedKeys } from '../contract.js'
import { failuresKey, filterKeys } from '../filter-keys.js'
import { tlsProblems } from './certificates-spec.js'
import { ipFilter, rootedPath } from './ip-filter-spec.js'
import { connectionsKey, placesKey, statsKey } from './keys.js'
import { ownPipelines } from './own-pipelines-spec.js'
import { looksLikeV2, SLIPS, type SpecV2, specV2 } from './server-spec-v2.js'

const header = checked(
  object({
    key: string({ doc: 'Name of the header.', min: 1 }),
    values: list(string({ doc: '' }), {
      doc: 'Values that match.',
      unique: true,
      default: [],
    }),
    regexp: regexp({ doc: 'Or a pattern that its first value matches.', optional: true }),
    backend: string({ doc: 'Pipeline for requests with such a header.', min: 1 }),
  }),
  (spec): SpecProblem[] =>
    spec.values.length > 0 || spec.regexp
      ? []
      : [{ path: [], message: 'expected values or regexp', hint: 'say what the header must be' }],
)

const path = checked(
  object({
    path: string({ doc: 'Exact path.', ...rootedPath, optional: true }),
    pathPrefix: string({
      doc: 'What the path begins with; not bound to segments.',
      ...rootedPath,
      optional: true,
    }),
    pathRegexp: regexp({ doc: 'Pattern found in the path.', optional: true }),
    rewriteTarget: string({
      doc: 'Replaces every match of `pathRegexp` in the path; may use its groups as $1 or by name.',
      optional: true,
    }),
    methods: list(httpMethod({ doc: '' }), {
      doc: 'Methods to take; empty takes all. Another method is answered with 405.',
      unique: true,
      default: [],
    }),
    backend: string({ doc: 'Name of the pipeline that handles the request.', min: 1 }),
    headers: list(header, {
      doc: 'Only requests with one of these headers take this path; each leads to its own pipeline.',
      default: [],
    }),
    ipFilter: ipFilter('Checked before the request is handed on.'),
  }),
  (spec): SpecProblem[] =>
    spec.rewriteTarget && !spec.pathRegexp
      ? [{ path: ['rewriteTarget'], message: 'has no effect without pathRegexp' }]
      : [],
)

const rule = object({
  host: string({ doc: 'Exact host.', optional: true }),
  hostRegexp: regexp({ doc: 'Pattern found in the host.', optional: true }),
  paths: list(path, { doc: 'Tried in order.', default: [] }),
  ipFilter: ipFilter('Checked once the host matches.'),
})

const fields = checked(
  object(
    {
      port: integer({ doc: 'TCP port to listen on.', min: 1, max: 65_535 }),
      keepAlive: boolean({
        doc: 'Whether connections are kept for further requests.',
        default: true,
      }),
      keepAliveTimeout: duration({
        doc: 'Longest time a connection may be idle. Cut off at 10 s (docs/compatibility.md).',
        default: '60s',
        min: '1ms',
      }),
      maxConnections: integer({
        doc: 'Connections at a time, over all workers of a node. Further ones are closed at once.',
        min: 1,
        max: 4_294_967_295,
        default: 10_240,
      }),
      https: boolean({ doc: 'Serve TLS 1.2 and 1.3.', default: false }),
      http3: boolean({ doc: 'Serve HTTP/3. Not supported by this release.', default: false }),
      certBase64: base64({
        doc: 'Certificate, with those that lead to its authority behind it; base64 of PEM.',
        optional: true,
      }),
      keyBase64: base64({ doc: 'Its private key, base64 of PEM.', optional: true }),
      cacheSize: integer({
        doc: 'Routes to remember; 0 for none.',
        min: 0,
        max: 1_000_000,
        default: 0,
      }),
      xForwardedFor: boolean({ doc: 'Maintain the X-Forwarded-For header.', default: false }),
      tracing: anything({ doc: 'Zipkin tracing. Not supported by this release.', optional: true }),
      ipFilter: ipFilter('Checked for every request.'),
      rules: list(rule, { doc: 'Routing rules, tried in order.', default: [] }),
    },
    { ignored: SLIPS },
  ),
  (server): SpecProblem[] =>
    (['http3', 'tracing'] as const)
      .filter((field) => server[field])
      .map((field) => ({
        path: [field],
        message: `${field} is not supported by this release`,
        hint: 'leave it out',
      })),
)
const spec = checked(fields, (server) => tlsProblems(server))

export type SpecV1 = SpecOf<typeof spec>
/** Decoded, of either dialect. */
export type Spec = SpecV1 | SpecV2

/** A spec says by its fields of which dialect it is, so what is stored stays what it was. */
export const isV2 = (server: Spec): server is SpecV2 => 'routerKind' in server

export const httpServer = defineObjectKind<Spec>({
  kind: 'HTTPServer',
  category: 'gate',
  summary: 'Listens for HTTP and routes requests to pipelines.',
  spec,
  specV2,
  looksLikeV2,
  references: (server) => (isV2(server) ? referencesV2(server) : referencesV1(server)),
  shared: (server, name) => {
    const own = {
      words: [],
      areas: [placesKey(server.port)],
      caps: [connectionsKey(server.port)],
      stats: [statsKey(name)],
    }
    return isV2(server) ? withPools(own, server, name) : own
  },
  status: (server, name, view) => {
    const own = isV2(server) ? ownPipelines(server, name) : []
    const counts = own.map((each) => view.count(failuresKey(each.name)))
    const state = view.listener?.state ?? 'nil'
    const error = view.listener?.error || view.failure
    return {
      health: error,
      state,
      ...(error === '' ? {} : { error }),
      ...(own.length === 0 ? {} : { failures: counts.reduce((sum, count) => sum + count) }),
      status: view.httpStat(statsKey(name)),
      topN: view.topPaths,
    }
  },
  load: async (server) =>
    isV2(server)
      ? (await import('./http-server-v2.js')).moduleFor(server)
      : (await import('./http-server.js')).httpServerModule,
})

function referencesV1(server: SpecV1): ObjectReference[] {
  return server.rules.flatMap((each, r) =>
    each.paths.flatMap((entry, p) => {
      const at = ['rules', r, 'paths', p]
      return [
        { path: [...at, 'backend'], name: entry.backend, kinds: PIPELINES },
        ...entry.headers.map((one, h) => ({
          path: [...at, 'headers', h, 'backend'],
          name: one.backend,
          kinds: PIPELINES,
        })),
      ]
    }),
  )
}

function referencesV2({ rules, globalFilter }: SpecV2): ObjectReference[] {
  const backends = rules.flatMap((each, r) =>
    each.paths.flatMap(({ backend }, p) =>
      backend === ''
        ? []
        : [{ path: ['rules', r, 'paths', p, 'backend'], name: backend, kinds: PIPELINES }],
    ),
  )
  if (globalFilter === '') return backends
  return [...backends, { path: ['globalFilter'], name: globalFilter, kinds: ['GlobalFilter'] }]
}

const PIPELINES = ['HTTPPipeline', 'Pipeline']

/** With what the pools that paths have of their own need. */
function withPools(own: SharedKeys, server: SpecV2, name: string): SharedKeys {
  const keys = ownPipelines(server, name).map((each) =>
    filterKeys(filterKindsV2, each.name, each.spec.filters, NO_POLICIES),
  )
  return {
    words: keys.flatMap(({ words }) => words),
    areas: [...(own.areas ?? []), ...keys.flatMap(({ areas }) => areas)],
    caps: own.caps,
    permits: keys.flatMap(({ permits }) => permits),
    stats: [...own.stats, ...keys.flatMap(({ stats }) => stats)],
    data: keys.flatMap(({ data }) => data),
  }
}
