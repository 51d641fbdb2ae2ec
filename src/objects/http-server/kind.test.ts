import { expect, it } from 'vitest'
import { objectKinds } from '../../kinds/registry.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import { httpServer, type Spec } from './kind.js'

const HEAD = 'name: demo\nkind: HTTPServer\n'

function decoded(fields: string): Spec {
  const result = decodeDocument(HEAD + fields, objectKinds)
  if (!result.ok) throw new Error(formatProblems(result.problems))
  return result.object.spec as Spec
}

function problems(fields: string): string {
  const result = decodeDocument(HEAD + fields, objectKinds)
  return result.ok ? '' : formatProblems(result.problems)
}

it('needs only a port', () => {
  expect(decoded('port: 80')).toEqual({
    port: 80,
    keepAlive: true,
    keepAliveTimeout: 60_000,
    maxConnections: 10_240,
    https: false,
    http3: false,
    cacheSize: 0,
    xForwardedFor: false,
    rules: [],
  })
})

it('takes every field', () => {
  const spec = decoded(`
port: 443
keepAlive: false
keepAliveTimeout: 75s
maxConnections: 10
cacheSize: 200
xForwardedFor: true
ipFilter: {blockByDefault: true, allowIPs: [10.0.0.0/8, "::1"], blockIPs: [10.1.1.1]}
rules:
- host: a.test
  hostRegexp: ^b
  ipFilter: {blockIPs: [1.2.3.4]}
  paths:
  - path: /exact
    pathPrefix: /prefix
    pathRegexp: ^/(x)
    rewriteTarget: /$1
    methods: [GET, POST]
    backend: p
    ipFilter: {allowIPs: [1.2.3.4]}
    headers:
    - {key: X-A, values: [b, ""], regexp: c, backend: q}
`)
  expect(spec).toMatchObject({ port: 443, keepAliveTimeout: 75_000, cacheSize: 200 })
  expect(spec.ipFilter).toEqual({
    blockByDefault: true,
    allowIPs: ['10.0.0.0/8', '::1'],
    blockIPs: ['10.1.1.1'],
  })
  expect(spec.rules[0]?.paths[0]).toEqual({
    path: '/exact',
    pathPrefix: '/prefix',
    pathRegexp: '^/(x)',
    rewriteTarget: '/$1',
    methods: ['GET', 'POST'],
    backend: 'p',
    ipFilter: { blockByDefault: false, allowIPs: ['1.2.3.4'], blockIPs: [] },
    headers: [{ key: 'X-A', values: ['b', ''], regexp: 'c', backend: 'q' }],
  })
})

const at = (line: number, column: number, field: string, rest: string): string =>
  `line ${line}, column ${column}: ${field}: ${rest}`

it.each<[fields: string, problem: string]>([
  ['rules: []', at(1, 1, 'port', 'is required: expected a whole number in 1..65535')],
  ['port: 0', at(3, 7, 'port', 'expected a whole number in 1..65535, got 0')],
  ['port: 65536', at(3, 7, 'port', 'expected a whole number in 1..65535, got 65536')],
  ['port: "80"', 'got "80"; write 80 without quotes'],
  ['port: 80.5', 'expected a whole number in 1..65535, got 80.5'],
  ['port: 80\nkeepAlive: "true"', at(4, 12, 'keepAlive', 'expected true or false, got "true"')],
  ['port: 80\nkeepAliveTimeout: 60', at(4, 19, 'keepAliveTimeout', 'expected a duration')],
  ['port: 80\nkeepAliveTimeout: 0s', 'at least 1ms'],
  ['port: 80\nmaxConnections: 0', 'expected a whole number in 1..4294967295, got 0'],
  ['port: 80\nmaxConnections: 4294967296', 'in 1..4294967295, got 4294967296'],
  ['port: 80\ncacheSize: -1', 'expected a whole number in 0..1000000, got -1'],
  ['port: 80\nxForwardedFor: 1', 'expected true or false, got 1'],
  ['port: 80\nrules: {}', 'rules: expected a list, got a mapping'],
  ['port: 80\nrules: [a]', at(4, 9, 'rules/0', 'expected a mapping, got "a"')],
  ['port: 80\nrules: [{host: 7}]', 'rules/0/host: expected a string, got 7'],
  ['port: 80\nrules: [{hostRegexp: "("}]', 'rules/0/hostRegexp: expected a regular expression'],
  ['port: 80\nrules: [{hostRegexp: "(?!a)"}]', 'expected a regular expression (RE2 syntax)'],
  ['port: 80\nrules: [{paths: [{path: /}]}]', 'rules/0/paths/0/backend: is required'],
  ['port: 80\nrules: [{paths: [{backend: ""}]}]', 'backend: expected a string of at least 1'],
  ['port: 80\nrules: [{paths: [{backend: p, path: a}]}]', 'a path that starts with "/", got "a"'],
  ['port: 80\nrules: [{paths: [{backend: p, path: ""}]}]', 'a path that starts with "/", got ""'],
  ['port: 80\nrules: [{paths: [{backend: p, pathPrefix: a}]}]', 'paths/0/pathPrefix: expected'],
  ['port: 80\nrules: [{paths: [{backend: p, pathRegexp: "["}]}]', 'paths/0/pathRegexp: expected'],
  [
    'port: 80\nrules: [{paths: [{backend: p, rewriteTarget: /a}]}]',
    'rules/0/paths/0/rewriteTarget: has no effect without pathRegexp',
  ],
  ['port: 80\nrules: [{paths: [{backend: p, methods: [get]}]}]', 'did you mean "GET"?'],
  ['port: 80\nrules: [{paths: [{backend: p, methods: [GET, GET]}]}]', 'paths/0/methods/1'],
  [
    'port: 80\nrules: [{paths: [{backend: p, headers: [{key: a, backend: q}]}]}]',
    'rules/0/paths/0/headers/0: expected values or regexp; say what the header must be',
  ],
  [
    'port: 80\nrules: [{paths: [{backend: p, headers: [{values: [a], backend: q}]}]}]',
    'headers/0/key: is required',
  ],
  [
    'port: 80\nrules: [{paths: [{backend: p, headers: [{key: a, values: [b]}]}]}]',
    'headers/0/backend: is required',
  ],
  ['port: 80\nipFilter: {allowIPs: [10.0.0.0/33]}', 'ipFilter/allowIPs/0: expected an IP address'],
  ['port: 80\nipFilter: {blockIPs: [a.test]}', 'ipFilter/blockIPs/0: expected an IP address'],
  ['port: 80\nipFilter: {blockIPs: [::1, ::1]}', 'ipFilter/blockIPs/1'],
  ['port: 80\nipFilter: {blockByDefault: maybe}', 'expected true or false, got "maybe"'],
  ['prot: 80', at(3, 1, 'prot', 'there is no such field; did you mean "port"?')],
  ['port: 80\nrules: [{path: []}]', 'rules/0/path: there is no such field; did you mean "paths"?'],
  ['port: 80\ncertBase64: "?"', 'certBase64: expected base64'],
])('refuses %j', (fields, problem) => {
  expect(problems(fields)).toContain(problem)
})

it.each<[fields: string, problem: string]>([
  ['https: true', 'https: needs certBase64 and keyBase64'],
  ['http3: true', 'http3: http3 is not supported by this release; leave it out'],
])('says what this release cannot do: %s', (fields, problem) => {
  expect(problems(`port: 80\n${fields}`)).toContain(problem)
})

it('refuses tracing by name, whatever is in it', () => {
  const fields =
    'port: 80\ntracing: {serviceName: a, zipkin: {serverURL: "http://b", sampleRate: 1}}'
  expect(problems(fields)).toBe(
    'line 4, column 10: tracing: tracing is not supported by this release; leave it out',
  )
})

it('tells all problems at once, in the order of the text', () => {
  const text = problems('port: no\nhttps: true\nrules:\n- paths:\n  - {path: a}\nhots: x')
  expect(text.split('\n').map((line) => line.split(': ')[1])).toEqual([
    'port',
    'https',
    'rules/0/paths/0/backend',
    'rules/0/paths/0/path',
    'hots',
  ])
})

it('names the pipelines it needs, where they are named', () => {
  const spec = decoded(`
port: 80
rules:
- paths:
  - {path: /a, backend: a}
  - {path: /b, backend: b, headers: [{key: x, values: [y], backend: c}]}
`)
  const kinds = ['HTTPPipeline', 'Pipeline']
  expect(httpServer.references?.(spec)).toEqual([
    { path: ['rules', 0, 'paths', 0, 'backend'], name: 'a', kinds },
    { path: ['rules', 0, 'paths', 1, 'backend'], name: 'b', kinds },
    { path: ['rules', 0, 'paths', 1, 'headers', 0, 'backend'], name: 'c', kinds },
  ])
})

it('needs memory for its connections, by port, and its statistics, by name', () => {
  expect(httpServer.shared(decoded('port: 80'), 'demo')).toEqual({
    words: [],
    areas: [{ key: 'places/80', bytes: 1024 }],
    caps: ['connections/80'],
    stats: ['server/demo'],
  })
})

it.each<
  [listener: { state: 'running' | 'failed'; error: string } | null, failure: string, want: object]
>([
  [null, '', { health: '', state: 'nil' }],
  [{ state: 'running', error: '' }, '', { health: '', state: 'running' }],
  [{ state: 'failed', error: 'taken' }, '', { health: 'taken', state: 'failed', error: 'taken' }],
  [{ state: 'running', error: '' }, 'bad', { health: 'bad', state: 'running', error: 'bad' }],
])('shows its state: %j, %j', (listener, failure, want) => {
  const httpStat = (key: string): Record<string, unknown> => ({ of: key })
  const view = { httpStat, count: () => 3, listener, topPaths: [], failure }
  const stat = { status: { of: 'server/demo' }, topN: [] }
  expect(httpServer.status(decoded('port: 80'), 'demo', view)).toEqual({ ...want, ...stat })
})
