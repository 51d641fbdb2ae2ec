import fc from 'fast-check'
import { expect, it } from 'vitest'
import { objectKinds } from '../../kinds/registry.js'
import { type DocumentOptions, decodeDocument, formatProblems } from '../../spec/document.js'
import { httpServer, isV2, type Spec } from './kind.js'
import type { SpecV2 } from './server-spec-v2.js'

const V2: DocumentOptions = { dialect: 'v2' }

function decode(fields: string, options = V2) {
  return decodeDocument(`name: demo\nkind: HTTPServer\nport: 80\n${fields}`, objectKinds, options)
}

function decoded(fields: string, options = V2): Spec {
  const result = decode(fields, options)
  if (!result.ok) throw new Error(formatProblems(result.problems))
  return result.object.spec as Spec
}

function problems(fields: string, options = V2): string {
  const result = decode(fields, options)
  return formatProblems(result.ok ? result.warnings : result.problems)
}

it('has defaults as Easegress has them', () => {
  expect(decoded('rules: [{paths: [{backend: a}]}]')).toEqual({
    port: 80,
    address: '',
    keepAlive: true,
    keepAliveTimeout: 60_000,
    maxConnections: 10_240,
    clientMaxBodySize: 0,
    xForwardedFor: false,
    cacheSize: 0,
    routerKind: 'Ordered',
    globalFilter: '',
    accessLogFormat: '',
    https: false,
    http3: false,
    autoCert: false,
    certs: {},
    keys: {},
    rules: [
      {
        host: '',
        hosts: [],
        paths: [
          {
            methods: [],
            backend: 'a',
            clientMaxBodySize: 0,
            headers: [],
            queries: [],
            matchAllHeader: false,
            matchAllQuery: false,
            setHeaders: {},
          },
        ],
      },
    ],
  })
})

it.each<[name: string, fields: string, v2: boolean]>([
  ['nothing special', 'rules: [{host: a, paths: [{path: /a, backend: a}]}]', false],
  ['a version', 'version: easegress.megaease.com/v2', true],
  ['a field of the server', 'routerKind: Ordered', true],
  ['the bound of bodies', 'clientMaxBodySize: 1', true],
  ['a list of hosts', 'rules: [{hosts: [{value: a}]}]', true],
  ['a pool', 'rules: [{paths: [{backendPool: {servers: [{url: "http://a"}]}}]}]', true],
  ['queries', 'rules: [{paths: [{backend: a, queries: [{key: a, values: [b]}]}]}]', true],
  ['headers to set', 'rules: [{paths: [{backend: a, setHeaders: {a: b}}]}]', true],
])('by the route of v1, %s is v2: %s', (_name, fields, v2) => {
  expect(isV2(decoded(fields, {}))).toBe(v2)
})

it.each<[name: string, fields: string, problem: string]>([
  ['https', 'https: true', 'https: needs certBase64 and keyBase64; or a pair in certs and keys'],
  ['http3', 'http3: true', 'http3 is not supported'],
  ['autoCert', 'autoCert: true', 'autoCert is not supported'],
  ['tracing', 'tracing: {serviceName: a}', 'tracing is not supported'],
  ['another router', 'routerKind: Order', 'one of Ordered, RadixTree'],
  ['a path without a slash', 'rules: [{paths: [{path: a, backend: a}]}]', 'starts with "/"'],
  ['neither backend nor pool', 'rules: [{paths: [{path: /a}]}]', 'expected backend or backendPool'],
  ['a pool without servers', 'rules: [{paths: [{backendPool: {}}]}]', 'backendPool/servers'],
  [
    'a target without a path',
    'rules: [{paths: [{backend: a, rewriteTarget: /b}]}]',
    'no effect without path',
  ],
  [
    'a header without values',
    'rules: [{paths: [{backend: a, headers: [{key: a}]}]}]',
    'values or regexp',
  ],
  ['a method twice', 'rules: [{paths: [{backend: a, methods: [GET, GET]}]}]', 'already item 0'],
  ['a pattern of hosts', 'rules: [{hosts: [{isRegexp: true, value: "("}]}]', 'hosts/0/value'],
  ['a variable of the log', 'accessLogFormat: "{{Tme}}"', 'no variable {{Tme}}; there are Time,'],
  [
    'a pattern of the tree',
    'routerKind: RadixTree\nrules: [{paths: [{path: "/{a", backend: a}]}]',
    'rules/0/paths/0/path: "{" without "}"',
  ],
  [
    'a target of the tree',
    'routerKind: RadixTree\nrules: [{paths: [{path: "/{a}", rewriteTarget: "/{b}", backend: a}]}]',
    'rules/0/paths/0/rewriteTarget: no parameter "b" in the path (there are a)',
  ],
])('refuses %s', (_name, fields, problem) => {
  expect(problems(fields)).toContain(problem)
})

it.each<[name: string, fields: string, warning: string]>([
  ['a host that is none', 'rules: [{hosts: [{value: "*"}]}]', '"*" matches no host'],
  [
    'a prefix in a tree',
    'routerKind: RadixTree\nrules: [{paths: [{path: /a, pathPrefix: /b, backend: a}]}]',
    'pathPrefix: has no effect with routerKind RadixTree',
  ],
])('warns of %s', (_name, fields, warning) => {
  expect(problems(fields)).toContain(warning)
})

it('names the pipelines and the global filter it needs', () => {
  const spec = decoded(
    'globalFilter: g\nrules: [{paths: [{backend: a}, {backendPool: {servers: [{url: "http://a"}]}}]}]',
  )
  expect(httpServer.references?.(spec)).toEqual([
    { path: ['rules', 0, 'paths', 0, 'backend'], name: 'a', kinds: ['HTTPPipeline', 'Pipeline'] },
    { path: ['globalFilter'], name: 'g', kinds: ['GlobalFilter'] },
  ])
})

it('needs the memory of its own pools', () => {
  const spec = decoded(
    'rules: [{paths: [{backend: a}, {backendPool: {servers: [{url: "http://a"}]}}]}]',
  ) as SpecV2
  expect(httpServer.shared(spec, 'edge')).toMatchObject({
    words: ['pipeline/GENERATED-edge-0-1/proxy/mainPool/turns/http://a'],
    caps: ['connections/80'],
    stats: [
      'server/edge',
      'pipeline/GENERATED-edge-0-1/proxy/mainPool',
      'pipeline/GENERATED-edge-0-1/failures',
    ],
  })
})

it('no document makes it throw, whichever dialect it is taken for', () => {
  const parts = fc.constantFrom('rules', 'paths', 'hosts', 'headers', 'queries', 'backendPool')
  const documents = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(parts, tie('value'), { maxKeys: 3 }),
    ),
  })).value
  fc.assert(
    fc.property(documents, fc.constantFrom('v1', 'v2'), (rules, dialect) => {
      const text = JSON.stringify({ name: 'a', kind: 'HTTPServer', port: 80, rules })
      const { ok } = decodeDocument(text, objectKinds, { dialect })
      expect(typeof ok).toBe('boolean')
    }),
    { numRuns: 60 },
  )
})
