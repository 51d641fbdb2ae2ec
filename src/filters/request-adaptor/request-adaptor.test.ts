import { expect, it } from 'vitest'
import { FakeBody } from '../../http/fake-client.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const adaptor = (fields: string): string => `filters: [{name: it, kind: RequestAdaptor, ${fields}}]`

it.each<[fields: string, path: string, target: string]>([
  ['path: {replace: /new}', '/old?x', '/new?x'],
  ['path: {addPrefix: /v1}', '/a/b', '/v1/a/b'],
  ['path: {addPrefix: /v1}', '/', '/v1/'],
  ['path: {trimPrefix: /v1}', '/v1/a', '/a'],
  ['path: {trimPrefix: /v1}', '/v1/v1/a', '/v1/a'],
  ['path: {trimPrefix: /v1}', '/v2/a', '/v2/a'],
  ['path: {trimPrefix: /v1}', '/v1', '/'],
  ['path: {trimPrefix: /v1/}', '/v1/a', '/a'],
  [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to a group
    'path: {regexpReplace: {regexp: "^/u/(\\\\w+)/(\\\\d+)", replace: "/$2/${1}"}}',
    '/u/x/7/y',
    '/7/x/y',
  ],
  ['path: {regexpReplace: {regexp: "a", replace: ""}}', '/banana', '/bnn'],
  ['path: {regexpReplace: {regexp: "z", replace: ""}}', '/%2Fkept', '/%2Fkept'],
  ['path: {regexpReplace: {regexp: "^/é", replace: "/ü ?"}}', '/%C3%A9', '/%C3%BC%20%3F'],
  ['path: {replace: /new, addPrefix: /no, trimPrefix: /no}', '/old', '/new'],
  [
    'path: {addPrefix: /yes, trimPrefix: /no, regexpReplace: {regexp: a, replace: b}}',
    '/a',
    '/yes/a',
  ],
  ['path: {}', '/a', '/a'],
])('%s turns %s into %s', (fields, raw, target) =>
  withPipeline(adaptor(fields), (harness) => {
    const [path = '', query = ''] = raw.split('?')
    expect(harness.start({ path, query }).ex.request.target).toBe(target)
  }),
)

const HEADERS: [string, string][] = [
  ['a', '1'],
  ['b', '2'],
  ['a', '3'],
]

it.each<[fields: string, want: string[]]>([
  ['header: {del: [A]}', ['b', '2']],
  ['header: {del: [c]}', ['a', '1', 'b', '2', 'a', '3']],
  ['header: {set: {A: "9"}}', ['a', '9', 'b', '2']],
  ['header: {set: {X-New: n}}', ['a', '1', 'b', '2', 'a', '3', 'x-new', 'n']],
  ['header: {add: {A: "9"}}', ['a', '1', 'b', '2', 'a', '3', 'a', '9']],
  ['header: {del: [a], set: {a: s}, add: {a: t}}', ['b', '2', 'a', 's', 'a', 't']],
  ['header: {set: {b: grün}}', ['a', '1', 'b', 'gr\xc3\xbcn', 'a', '3']],
  ['header: {set: {b: ""}}', ['a', '1', 'b', '', 'a', '3']],
  // What cannot be sent is left out.
  ['header: {set: {"b b": x}, add: {"c:": y, d: "x\\r\\ny: z"}}', ['a', '1', 'b', '2', 'a', '3']],
])('%s', (fields, want) =>
  withPipeline(adaptor(fields), (harness) => {
    expect(harness.start({ headers: HEADERS }).ex.request.headers.flat).toEqual(want)
  }),
)

it('sets the method', () =>
  withPipeline(adaptor('method: PUT'), (harness) => {
    expect(harness.start({ method: 'POST' }).ex.request.method).toBe('PUT')
  }))

it('leaves alone what it says nothing about', () =>
  withPipeline('filters: [{name: it, kind: RequestAdaptor}]', (harness) => {
    const { request } = harness.start({ method: 'POST', path: '/a%20b', body: 'text' }).ex
    expect([request.method, request.target]).toEqual(['POST', '/a%20b'])
    expect(Buffer.from(request.body?.whole ?? []).toString()).toBe('text')
  }))

it.each<[name: string, body: string | FakeBody | undefined]>([
  ['none', undefined],
  ['whole', 'old'],
  ['a stream', new FakeBody(1_000_000)],
])('replaces the body: %s before', (_name, body) =>
  withPipeline(adaptor('body: grün'), (harness) => {
    const { request } = harness.start(body === undefined ? {} : { body }).ex
    expect(Buffer.from(request.body?.whole ?? []).toString()).toBe('grün')
    expect(request.body?.length).toBe(5)
    if (body instanceof FakeBody) expect([body.isOpen, body.isCancelled]).toEqual([false, true])
  }),
)

const TEMPLATES = `
filters:
- {name: first, kind: Mock, rules: [{path: /mocked, code: 201, body: '{"id":7}'}]}
- name: it
  kind: RequestAdaptor
  header:
    del: ['x-[[filter.first.req.header.X-Del]]']
    set: {'X-[[filter.first.req.method]]': '[[filter.first.req.path]] at [[filter.first.req.host]]'}
  body: '{"user":"[[filter.first.req.body.user.name]]","was":[[filter.first.rsp.statuscode]]}'
`

it('renders variables in names, values and body', () =>
  withPipeline(TEMPLATES, (harness) => {
    const { request } = harness.start({
      method: 'PUT',
      path: '/a',
      headers: [
        ['x-del', 'gone'],
        ['x-gone', 'x'],
      ],
      body: '{"user":{"name":"Ann"}}',
    }).ex
    expect(request.headers.flat).toEqual(['x-del', 'gone', 'x-put', '/a at gateway.test'])
    expect(Buffer.from(request.body?.whole ?? []).toString()).toBe('{"user":"Ann","was":200}')
  }))

it('a value from a client cannot begin a header of its own', () =>
  withPipeline(
    `
filters:
- {name: first, kind: Mock, rules: [{path: /never, code: 200}]}
- {name: it, kind: RequestAdaptor, header: {set: {X-Path: '[[filter.first.req.path]]'}}}
`,
    (harness) => {
      const { request } = harness.start({ path: '/a%0D%0Ax-evil:%20yes' }).ex
      expect(request.headers.flat).toEqual([])
    },
  ))

it('a body that a variable reads is collected, up to its bound', () =>
  withPipeline(TEMPLATES, (harness) => {
    const body = new FakeBody()
    const client = harness.start({ method: 'PUT', body })
    body.push('{"user":{"na')
    expect(client.sends).toBe(0)
    body.push('me":"Bob"}}')
    body.end()
    expect(Buffer.from(client.ex.request.body?.whole ?? []).toString()).toContain('"Bob"')
    const large = harness.start({ method: 'PUT', body: new FakeBody(10_241) })
    expect(large.status).toBe(413)
  }))

it.each<[name: string, fields: string, problem: string]>([
  ['a method', 'method: FETCH', 'filters/0/method: expected one of GET, HEAD'],
  ['a method in lower case', 'method: get', 'did you mean "GET"?'],
  [
    'a prefix',
    'path: {addPrefix: v1}',
    'filters/0/path/addPrefix: expected a path that starts with "/"',
  ],
  ['an empty prefix', 'path: {trimPrefix: ""}', 'a path that starts with "/", got ""'],
  [
    'a pattern',
    'path: {regexpReplace: {regexp: "(", replace: a}}',
    'expected a regular expression',
  ],
  [
    'no replacement',
    'path: {regexpReplace: {regexp: "a"}}',
    'regexpReplace/replace: is required: expected a string',
  ],
  [
    'the name in the documents',
    'path: {regexReplace: {regexp: "a"}}',
    'did you mean "regexpReplace"?',
  ],
  ['names twice', 'header: {del: [a, a]}', 'filters/0/header/del/1'],
  ['a number', 'header: {set: {a: 1}}', 'put it in quotes: "1"'],
  ['a variable', 'body: "[[request.path]]"', 'filters/0: [[request.path]]: expected filter.NAME'],
  ['its own answer', 'body: "[[filter.it.rsp.body]]"', 'which does not run before "it"'],
])('a spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('RequestAdaptor', fields)).toContain(problem)
})
