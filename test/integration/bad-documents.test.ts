/**
 * Documents that are no objects: each is refused with every problem at once and its place, nothing
 * changes, and nobody else waits.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { httpServer, mock, pipeline } from './support/documents.js'
import type { Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const port = await freePort()
let shared: Promise<Gateway> | null = null

/** One gateway for all tests here: none of them may change anything. */
function gateway(): Promise<Gateway> {
  shared ??= (async () => {
    const made = await world.gateway()
    await made.create(pipeline('there', mock(200, 'there')))
    await made.create(httpServer('server', port, 'there'))
    return made
  })()
  return shared
}

const HERE = { objects: ['server', 'there'], version: 2 }

async function expectUnchanged(): Promise<void> {
  const at = await gateway()
  const { text, headers } = await at.admin('GET', '/objects', undefined, {
    accept: 'application/json',
  })
  const objects = (JSON.parse(text) as { name: string }[]).map(({ name }) => name)
  expect({ objects, version: Number(headers['x-config-version']) }).toEqual(HERE)
  expect((await ask({ port })).text).toBe('there')
}

const many = (count: number, item: (i: number) => string, joint = ','): string =>
  Array.from({ length: count }, (_, i) => item(i)).join(joint)

const SERVER = 'kind: HTTPServer\nname: s\nport: 80\n'

/** Everything that is refused, with the lines of the message in full or by their beginning. */
const REFUSED: readonly (readonly [what: string, document: string | Buffer, lines: string[]])[] = [
  [
    'every kind of wrong field, at once',
    `kind: HTTPServer
name: s
prot: 10080
port: 99999
keepAliveTimeout: 5 bananas
rules:
- hostRegexp: '[a'
  paths:
  - pathPrefx: /a
    path: a
    backend: 7
    methods: [GETT]
`,
    [
      'line 3, column 1: prot: there is no such field; did you mean "port"?',
      'line 4, column 7: port: expected a whole number in 1..65535, got 99999',
      'line 5, column 19: keepAliveTimeout: expected a duration of at least 1ms',
      'line 7, column 15: rules/0/hostRegexp: expected a regular expression (RE2 syntax), got "[a"',
      'line 9, column 5: rules/0/paths/0/pathPrefx: there is no such field; did you mean "pathPrefix"?',
      'line 10, column 11: rules/0/paths/0/path: expected a path that starts with "/", got "a"',
      'line 11, column 14: rules/0/paths/0/backend: expected a string of at least 1 characters, got 7',
      'line 12, column 15: rules/0/paths/0/methods/0: expected one of GET, HEAD,',
    ],
  ],
  [
    'a flow that does not fit its filters',
    `kind: HTTPPipeline
name: p
flow:
- filter: a
  jumpIf: {invalid: nowhere}
- filter: missing
filters:
- name: a
  kind: Validator
  headers: {X: {regexp: '('}}
- name: a
  kind: Mock
  rules: [{code: 9}]
- name: x
  kind: Mokc
`,
    [
      'line 5, column 21: flow/0/jumpIf/invalid: ',
      'line 5, column 21: flow/0/jumpIf/invalid: "nowhere" does not come after "a" in flow',
      'line 6, column 11: flow/1/filter: no filter "missing" in filters',
      'line 10, column 25: filters/0/headers/X/regexp: expected a regular expression',
      'line 11, column 9: filters/1/name: "a" is the name of another filter above',
      'line 13, column 18: filters/1/rules/0/code: expected a status code in 100..599, got 9',
      'line 15, column 9: filters/2/kind: expected one of ',
    ],
  ],
  [
    'a jump backwards, and END as a name',
    `kind: HTTPPipeline
name: p
flow: [{filter: a}, {filter: b, jumpIf: {mocked: a}}]
filters: [{name: a, kind: Mock, rules: [{code: 200}]}, {name: b, kind: Mock, rules: [{code: 200, delay: 1y}]}]
`,
    [
      'line 3, column 50: flow/1/jumpIf/mocked: "a" does not come after "b" in flow',
      'line 4, column 105: filters/1/rules/0/delay: expected a duration',
    ],
  ],
  [
    'back ends that are none',
    `kind: HTTPPipeline
name: p
filters:
- name: proxy
  kind: Proxy
  mainPool:
    servers: [{url: 'ftp://x'}, {url: '127.0.0.1:90'}, {url: 'http://a', weight: -1}]
    loadBalance: {policy: roundrobin}
`,
    [
      'line 7, column 21: filters/0/mainPool/servers/0/url: expected a URL',
      'line 7, column 39: filters/0/mainPool/servers/1/url: expected a URL',
      'line 7, column 82: filters/0/mainPool/servers/2/weight: expected a whole number in 0..100, got -1',
      'line 8, column 27: filters/0/mainPool/loadBalance/policy: expected one of roundRobin,',
    ],
  ],
  [
    'a template that reads a filter which is not there',
    `kind: HTTPPipeline
name: p
filters:
- {name: t, kind: RequestAdaptor, header: {set: {X: '[[filter.zzz.req.path]]'}}}
`,
    ['line 4, column 3: filters/0: a template reads filter "zzz", which does not run before "t"'],
  ],
  [
    'wrong addresses',
    `${SERVER}ipFilter: {allowIPs: [1.2.3.4/33, x]}\n`,
    [
      'line 4, column 23: ipFilter/allowIPs/0: expected an IP address or a network',
      'line 4, column 35: ipFilter/allowIPs/1: expected an IP address or a network',
    ],
  ],
  [
    'what this release does not have',
    `${SERVER}https: true\nhttp3: true\ntracing: {serviceName: x}\n`,
    [
      'line 4, column 8: https: needs certBase64 and keyBase64',
      'line 5, column 8: http3: http3 is not supported',
      'line 6, column 10: tracing: tracing is not supported',
    ],
  ],
  [
    'a number in quotes',
    'kind: HTTPServer\nname: s\nport: "80"\n',
    ['line 3, column 7: port: expected a whole number'],
  ],
  ['no port', 'kind: HTTPServer\nname: s\n', ['line 1, column 1: port: is required']],
  ['no kind', 'name: a\n', ['line 1, column 1: kind: is required']],
  ['no name', 'kind: HTTPServer\nport: 80\n', ['line 1, column 1: name: is required']],
  [
    'an unknown kind',
    'kind: HTTPSever\nname: a\n',
    ['line 1, column 7: kind: there is no kind "HTTPSever"'],
  ],
  [
    'a name with a slash',
    'kind: HTTPServer\nname: "a/b"\nport: 80\n',
    ['line 2, column 7: name: expected a name of'],
  ],
  [
    'a name too long',
    `kind: HTTPServer\nname: ${'a'.repeat(254)}\nport: 80\n`,
    ['line 2, column 7: name: expected a name of'],
  ],
  ['nothing', '', ['line 1, column 1: the document is empty']],
  ['only a comment', '# nothing\n', ['line 1, column 1: the document is empty']],
  ['a word', 'hello', ['line 1, column 1: expected a mapping']],
  ['a list', '- a\n', ['line 1, column 1: expected a mapping']],
  ['two documents', `${SERVER}---\n${SERVER}`, ['line 5, column 1: expected one document, got 2']],
  [
    'a bracket that never closes',
    `${SERVER}rules: [{host: a}\nkeepAlive: true\n`,
    ['line 5, column '],
  ],
  [
    'a tab in the indentation',
    'kind: HTTPServer\n\tname: a\n',
    ['line 2, column 1: not valid YAML: a tab'],
  ],
  [
    'a key twice',
    `${SERVER}port: 81\n`,
    ['line 4, column 1: not valid YAML: the key "port" is there twice'],
  ],
  [
    'a tag',
    'kind: HTTPServer\nname: s\nport: !!js/function "x"\n',
    ['line 3, column 7: not valid YAML: unknown scalar tag'],
  ],
  ['an alias to nothing', `${SERVER}rules: *nothing\n`, ['line 4, column ']],
  ['a key named __proto__', `${SERVER}__proto__: {x: 1}\n`, ['line 4, column 12: __proto__: ']],
  ['a NUL', 'kind: HTTPServer\nname: s\u0000\nport: 80\n', ['line 2, column 8: not valid YAML']],
  [
    'bytes that are no UTF-8',
    Buffer.from('kind: HTTPServer\nname: s\xff\nport: 80\n', 'latin1'),
    ['the body is not UTF-8'],
  ],
  [
    'flow lists nested deeply',
    `${SERVER}rules: ${'['.repeat(5_000)}${']'.repeat(5_000)}\n`,
    ['line 4, column 107: not valid YAML: nested more than 100 levels deep'],
  ],
  [
    'block lists nested deeply',
    `${SERVER}rules:\n${'- '.repeat(5_000)}a\n`,
    ['line 5, column 199: not valid YAML: nested more than 100 levels deep'],
  ],
  [
    'maps nested deeply',
    `${SERVER}rules: ${'{a: '.repeat(5_000)}${'}'.repeat(5_000)}\n`,
    ['line 4, column '],
  ],
  [
    'an alias bomb',
    `a0: &a0 [${many(10, () => 'x')}]\n${many(11, (i) => `a${i + 1}: &a${i + 1} [${many(10, () => `*a${i}`)}]`, '\n')}\n${SERVER}`,
    ['line 12, column 13: not valid YAML: more than 100 aliases'],
  ],
]

it.each(REFUSED)('refused with every problem and its place: %s', async (_what, document, lines) => {
  const answer = await (await gateway()).admin('POST', '/objects', document, {
    accept: 'application/json',
  })
  expect(answer.status, answer.text.slice(0, 300)).toBe(400)
  const { code, message } = JSON.parse(answer.text) as { code: number; message: string }
  expect(code).toBe(400)
  const said = message.split('\n')
  expect(said).toHaveLength(lines.length)
  said.forEach((line, i) => {
    expect(line.slice(0, lines[i]?.length)).toBe(lines[i])
  })
  await expectUnchanged()
})

it('of very many problems the first hundred are told', async () => {
  const document = `${SERVER}rules: [${many(20_000, (i) => `{hots: a${i}}`)}]\n`
  const answer = await (await gateway()).admin('POST', '/objects', document, {
    accept: 'application/json',
  })
  expect(answer.status).toBe(400)
  const said = (JSON.parse(answer.text) as { message: string }).message.split('\n')
  expect(said).toHaveLength(101)
  expect(said[0]).toBe(
    'line 4, column 10: rules/0/hots: there is no such field; did you mean "host"?',
  )
  expect(said[99]).toContain('rules/99/hots: ')
  expect(said[100]).toBe('line 1, column 1: and 19900 more problems of this sort')
  await expectUnchanged()
})

it.each([
  ['10 MB in one value', `${SERVER}rules: ${'x'.repeat(10_000_000)}`],
  ['10 MB of rules', `${SERVER}rules: [${many(800_000, (i) => `{host: a${i}}`)}]`],
  [
    '3 MB of rules, below the limit of the body',
    `${SERVER}rules: [${many(200_000, (i) => `{host: a${i}}`)}]`,
  ],
])('413: %s', async (_what, document) => {
  const answer = await (await gateway()).admin('POST', '/objects', document)
  expect(answer.status).toBe(413)
  expect(answer.text).toContain('is larger than')
  await expectUnchanged()
})

it.each<
  [what: string, method: string, path: string, document: string, status: number, words: string]
>([
  [
    'another kind on update',
    'PUT',
    '/objects/there',
    `kind: HTTPServer\nname: there\nport: ${port}\n`,
    400,
    'different kinds: HTTPPipeline, HTTPServer',
  ],
  [
    'a name that is not that of the URL',
    'PUT',
    '/objects/there',
    JSON.stringify(pipeline('other', mock(200, ''))),
    400,
    'inconsistent name in url and spec',
  ],
  [
    'an update of nothing',
    'PUT',
    '/objects/nothing',
    JSON.stringify(pipeline('nothing', mock(200, ''))),
    404,
    'not found',
  ],
  [
    'a second object of a name',
    'POST',
    '/objects',
    JSON.stringify(pipeline('there', mock(200, ''))),
    409,
    'conflict name: there',
  ],
  [
    'a name taken by another kind',
    'POST',
    '/objects',
    'kind: HTTPServer\nname: there\nport: 80\n',
    409,
    'conflict name: there',
  ],
  ['the deletion of nothing', 'DELETE', '/objects/nothing', '', 404, 'not found'],
  ['an unknown query parameter of a name', 'GET', '/objects/%2e%2e', '', 404, ''],
  ['a method that is not there', 'PATCH', '/objects/there', '', 405, ''],
])('refused as Easegress refuses it: %s', async (_what, method, path, document, status, words) => {
  const answer = await (await gateway()).admin(method, path, document)
  expect(answer.status, answer.text).toBe(status)
  expect(answer.text).toContain(words)
  await expectUnchanged()
})

it('egctl names file, line and column, changes nothing, and exits with 1', async () => {
  const at = await gateway()
  const file = join(world.dir(), 'all.yaml')
  writeFileSync(
    file,
    `# Two objects, of which one is right.
kind: HTTPPipeline
name: good
filters: [{name: a, kind: Mock, rules: [{code: 200}]}]
---
kind: HTTPServer
name: s
prot: 80
port: 8x
`,
  )
  const create = await at.egctl(['object', 'create', '-f', file])
  expect(create).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'Error: 1 of 2 objects refused, nothing was changed\n' +
      `${file}:8:1: prot: there is no such field; did you mean "port"?\n` +
      `${file}:9:7: port: expected a whole number in 1..65535, got "8x"\n`,
  })
  const syntax = await at.egctl(['object', 'update'], 'kind: HTTPServer\nport: [1, 2\n')
  expect(syntax.code).toBe(1)
  expect(syntax.stderr).toMatch(/^Error: .*\nstdin:\d+:\d+: not valid YAML: .*\n$/)
  const large = await at.egctl(['object', 'create'], `${SERVER}rules: ${'x'.repeat(10_000_000)}`)
  expect(large.code).toBe(1)
  expect(large.stderr).toMatch(/larger than \d+ bytes\n$/)
  const kind = await at.egctl(
    ['object', 'update'],
    `kind: HTTPServer\nname: there\nport: ${port}\n`,
  )
  expect(kind).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Error: 400: different kinds: HTTPPipeline, HTTPServer\n',
  })
  const missing = await at.egctl(['object', 'create', '-f', `${file}.missing`])
  expect(missing.code).toBe(1)
  expect(missing.stderr.split('\n')).toHaveLength(2)
  await expectUnchanged()
})

it('with unknown-fields: warn an unknown field is a warning, anything else still an error', async () => {
  const lenient = await world.gateway({ flags: ['--unknown-fields', 'warn'] })
  const text = JSON.stringify({ ...pipeline('p', mock(200, 'p')), flwo: [] })
  const created = await lenient.egctl(['object', 'create'], text)
  expect(created.code).toBe(0)
  expect(created.stderr).toMatch(/^Warning: .*flwo: there is no such field; did you mean "flow"\?/)
  const refused = await lenient.egctl(
    ['object', 'update'],
    'kind: HTTPPipeline\nname: p\nfiltres: []\n',
  )
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('filters: is required')
  expect(await lenient.configVersion()).toBe(1)
  await lenient.dispose()
})

it('hostile documents keep nobody else waiting', async () => {
  const at = await gateway()
  const hostile = [
    `${SERVER}rules: [${many(60_000, (i) => `{host: a${i}}`)}`,
    `${SERVER}rules: [${many(60_000, (i) => `{hots: a${i}}`)}]`,
    `${SERVER}rules: ${'['.repeat(100_000)}`,
    `${SERVER}rules:\n${'- '.repeat(100_000)}a\n`,
    `${SERVER}rules: [${many(300, (i) => `{hostRegexp: '(a${i}|b)*c{1,500}'}`)}]`,
    `${SERVER}rules: ${'x'.repeat(4_500_000)}`,
    `${SERVER}rules: "${'\\u0041'.repeat(200_000)}"`,
  ]
  let isOver = false
  const latencies = new Map<string, number[]>()
  const probe = async (name: string, look: () => Promise<number>): Promise<void> => {
    const taken: number[] = []
    latencies.set(name, taken)
    while (!isOver) {
      const beganMs = performance.now()
      expect(await look()).toBe(200)
      taken.push(performance.now() - beganMs)
    }
  }
  const probes = [
    probe('healthz', async () => (await at.admin('GET', '/healthz')).status),
    // Answered by the coordinator itself.
    probe('object', async () => (await at.admin('GET', '/objects/there')).status),
    probe('traffic', async () => (await ask({ port })).status),
  ]
  try {
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(
        hostile.map((text) => at.admin('POST', '/objects?dry-run', text)),
      )
      expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 200, 413, 400])
    }
  } finally {
    isOver = true
    await Promise.all(probes)
  }
  for (const [name, taken] of latencies) {
    taken.sort((a, b) => a - b)
    const at90 = taken[Math.floor(taken.length * 0.9)] ?? 0
    expect(at90, `${name}: 90th percentile of ${taken.length}`).toBeLessThan(100)
    expect(taken.at(-1), `${name}: slowest of ${taken.length}`).toBeLessThan(1_000)
  }
  await expectUnchanged()
})
