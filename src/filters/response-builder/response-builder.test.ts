import { expect, it } from 'vitest'
import { FakeBody, type FakeClient, FakeResponseBody } from '../../http/fake-client.fixture.js'
import type { HttpResponse } from '../../http/message.js'
import { namespaceIndex } from '../../http/namespaces.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

/** Prepares an answer in the namespace `a`. */
const inA =
  (prepare: (response: HttpResponse) => void) =>
  ({ ex }: FakeClient): void => {
    ex.useNamespace(namespaceIndex('a'))
    prepare(ex.response)
    ex.useNamespace(0)
  }

const builder = (template: string): string => `
flow:
- {filter: it, jumpIf: {buildErr: failed}}
- {filter: END}
- {filter: failed}
filters:
- name: it
  kind: ResponseBuilder
  template: |
${template.replace(/^/gm, '    ')}
- {name: failed, kind: Mock, rules: [{code: 299}]}
`

it.each<[template: string, status: number, headers: string[], body: string]>([
  ['body: hello', 200, [], 'hello'],
  [
    'statusCode: 404\nheaders: {X-A: [a, b], content-type: text/plain}',
    404,
    ['x-a', 'a', 'x-a', 'b', 'content-type', 'text/plain'],
    '',
  ],
  ['{{/* nothing */}}', 200, [], ''],
  ['statusCode: 0', 200, [], ''],
  ['STATUSCODE: 201\nBody: 12.5', 201, [], '12.5'],
  ['headers: {Content-Length: ["1"]}\nbody: long', 200, [], 'long'],
  [
    'body: "{{.req.Method}} {{.responses.a.StatusCode}} {{.responses.a.Status}} {{.responses.a.Header.Get "x-old"}} {{.responses.a.Body}}"',
    200,
    [],
    'GET 201 201 Created yes old body',
  ],
  ['body: {{toJson .responses.a.JSONBody | quote}}', 299, [], ''],
])('%s', (template, status, headers, body) =>
  withPipeline(
    builder(template),
    (harness) => {
      const client = harness.start(
        {},
        inA((response) => {
          response.status = 201
          response.headers.add('x-old', 'yes')
          response.source = new FakeResponseBody('old body')
        }),
      )
      expect([client.status, client.headers, client.text]).toEqual([status, headers, body])
      expect(client.text).toBe(body)
    },
    'v2',
  ),
)

it.each<[template: string]>([
  ['statusCode: 199'],
  ['statusCode: 600'],
  ['statusCode: abc'],
  ['statusCode: 200.5'],
  ['headers: {"X A": [b]}'],
  ['- 1'],
  ['{{.resp.Nothing}}'],
])('buildErr: %s', (template) =>
  withPipeline(builder(template), (harness) => void expect(harness.start().status).toBe(299), 'v2'),
)

const TWO = `
flow:
- {filter: one, namespace: a}
- {filter: two, namespace: b}
- {filter: both}
filters:
- {name: one, kind: Mock, rules: [{code: 201, headers: {X-A: one}, body: '{"n":1}'}]}
- {name: two, kind: Mock, rules: [{code: 202, body: '{"n":2}'}]}
- name: both
  kind: ResponseBuilder
  template: |
    statusCode: {{.responses.a.StatusCode}}
    body: '{"sum": {{add .responses.a.JSONBody.n .responses.b.JSONBody.n}}, "ns": "{{range $name, $r := .responses}}{{$name}}{{len $r.Body}}{{end}}"}'
`

it('puts answers of namespaces together', () =>
  withPipeline(
    TWO.replaceAll('kind: Mock, rules', 'kind: Mock, rules')
      .replace(
        '- {filter: one, namespace: a}',
        '- {filter: one, namespace: a, jumpIf: {mocked: two}}',
      )
      .replace(
        '- {filter: two, namespace: b}',
        '- {filter: two, namespace: b, jumpIf: {mocked: both}}',
      ),
    (harness) => {
      const client = harness.start()
      expect([client.status, client.text]).toEqual([201, '{"sum": 3, "ns": "a7b7"}'])
    },
    'v2',
  ))

it('takes over the answer of another namespace', () =>
  withPipeline(
    `
flow:
- {filter: one, namespace: a, jumpIf: {mocked: copy}}
- {filter: copy}
- {filter: same}
filters:
- {name: one, kind: Mock, rules: [{code: 201, headers: {X-A: one}, body: content}]}
- {name: copy, kind: ResponseBuilder, sourceNamespace: a}
- {name: same, kind: ResponseBuilder, sourceNamespace: DEFAULT}
`,
    (harness) => {
      const client = harness.start()
      expect([client.status, client.headers, client.text]).toEqual([201, ['x-a', 'one'], 'content'])
    },
    'v2',
  ))

it('a request body that is still coming does not hold up a template that does not read it', () =>
  withPipeline(
    builder('body: "{{.req.Method}}"'),
    (harness) => void expect(harness.start({ body: new FakeBody() }).text).toBe('GET'),
    'v2',
  ))

it.each<[name: string, source: FakeResponseBody]>([
  ['is too large', new FakeResponseBody(null, 5_000_000)],
  ['breaks off', new FakeResponseBody(null)],
])('an answer that %s is buildErr', (_name, source) =>
  withPipeline(
    builder('body: {{.responses.a.Body}}'),
    (harness) => {
      const client = harness.start(
        {},
        inA((response) => {
          response.status = 200
          response.source = source
        }),
      )
      source.fail('reset')
      expect(client.status).toBe(299)
    },
    'v2',
  ),
)

it('a client that goes while an answer is gathered gives its source back', () =>
  withPipeline(
    builder('body: {{.responses.a.Body}}'),
    (harness) => {
      const source = new FakeResponseBody(null)
      const client = harness.start(
        {},
        inA((response) => {
          response.status = 200
          response.source = source
        }),
      )
      client.abort()
      expect(source.cancels).toBe(1)
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['protocol: http', 'expected template or sourceNamespace'],
  ['template: "{{"', 'line 1, column 3 of the template: unclosed action'],
  ['template: "a\\nb {{ x }}"', 'line 2, column 6 of the template: function "x" not defined'],
  ['sourceNamespace: [a]', 'sourceNamespace: expected a string'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('ResponseBuilder', fields, 'v2')).toContain(problem)
})
