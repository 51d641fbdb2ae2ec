import { expect, it } from 'vitest'
import { FakeBody, type FakeRequest } from '../../http/fake-client.fixture.js'
import type { HttpRequest } from '../../http/message.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

/** A pipeline with one builder whose template has these lines. */
const builder = (template: string, node = ''): string => `
flow:
- {filter: it, jumpIf: {buildErr: failed}${node}}
- {filter: END}
- {filter: failed}
filters:
- name: it
  kind: RequestBuilder
  template: |
${template.replace(/^/gm, '    ')}
- {name: failed, kind: Mock, rules: [{code: 299}]}
data: {team: red, limits: {low: 3}}
`

const text = (request: HttpRequest): string => Buffer.from(request.body?.whole ?? []).toString()

const built = async (
  template: string,
  request: FakeRequest,
  check: (request: HttpRequest, status: number) => void,
): Promise<void> =>
  withPipeline(
    builder(template),
    (harness) => {
      const client = harness.start(request)
      check(client.ex.request, client.status)
    },
    'v2',
  )

const ASKED: FakeRequest = {
  method: 'POST',
  path: '/users/a%20b',
  query: 'x=1&y=a+b',
  headers: [
    ['x-id', '7'],
    ['x-id', '8'],
    ['cookie', 'sid=abc; other=1'],
    ['authorization', 'Basic YW5uOnNlY3JldA=='],
    ['user-agent', 'test/1'],
  ],
  body: '{"user":{"name":"Ann","id":12345678901234567890,"tags":["a","b"]}}',
}

it.each<[template: string, want: string]>([
  ['method: put', 'PUT / '],
  ['url: /v1{{.req.URL.Path}}?{{.req.URL.RawQuery}}', 'POST /v1/users/a%20b?x=1&y=a+b '],
  ['url: http://other.test:81/p?q#f', 'GET other.test:81/p?q '],
  ['{{/* nothing */}}', 'GET / '],
  ['METHOD: DELETE\nUrl: /x', 'DELETE /x '],
])('%s', (template, want) => {
  const method = template.includes('url: /v1') ? 'method: post\n' : ''
  return built(method + template, ASKED, (request, status) => {
    expect(status).toBe(503) // no answer was made
    expect(`${request.method} ${request.host}${request.target} ${text(request)}`).toBe(want)
  })
})

it.each<[expression: string, want: string]>([
  ['{{.req.Method}} {{.req.Host}} {{.req.RequestURI}}', 'POST gateway.test /users/a%20b?x=1&y=a+b'],
  [
    '{{.req.URL.Path}} {{.req.URL.RawQuery}} {{.req.URL}}',
    '/users/a b x=1&y=a+b /users/a%20b?x=1&y=a+b',
  ],
  ['{{.req.URL.Query.Get "y"}} {{index .req.URL.Query "x" 0}} {{.req.FormValue "y"}}', 'a b 1 a b'],
  [
    '{{.req.Header.Get "x-id"}} {{index .req.Header "X-Id"}} {{header .req.Header "X-ID"}}',
    '7 [7 8] 7',
  ],
  ['{{(.req.Cookie "sid").Value}} {{len .req.Cookies}} {{.req.UserAgent}}', 'abc 2 test/1'],
  ['{{username .req}} {{.req.Proto}} {{.req.ContentLength}}', 'ann HTTP/1.1 66'],
  ['{{.req.JSONBody.user.name}} {{.req.JSONBody.user.id}}', 'Ann 12345678901234567890'],
  [
    '{{range .req.JSONBody.user.tags}}{{.}};{{end}} {{len .req.Body}} {{len .req.RawBody}}',
    'a;b; 66 66',
  ],
  ['{{.req.YAMLBody.user.name}}', 'Ann'],
  ['{{with .req}}{{.JSONBody.user.name}}{{end}}', 'Ann'],
  ['{{$r := .req}}{{$r.JSONBody.user.name}}', 'Ann'],
  [
    '{{.requests.DEFAULT.Method}} {{.namespace}} {{(index .requests "DEFAULT").Body | len}}',
    'POST DEFAULT 66',
  ],
  [
    '{{.data.PIPELINE.team}} {{.data.PIPELINE.limits.low | add1}} {{.data.none}}',
    'red 4 <no value>',
  ],
  ['{{.requests.other}} {{if .resp}}yes{{else}}no{{end}}', '<no value> no'],
])('templates see the request: %s', (expression, want) =>
  built(`body: '${expression}'`, ASKED, (request) => expect(text(request)).toBe(want)),
)

it('a request with the names and values of another one goes to a host of its own, as in Go', () =>
  built(
    'headers: {{toJson .req.Header}}\nbody: "{{.req.Header.Get `Host`}}/{{.req.Host}}"',
    {
      headers: [
        ['host', 'gateway.test'],
        ['x-id', '7'],
      ],
    }, // as they come from a listener
    (request) => {
      expect([request.host, request.headers.get('host'), text(request)]).toEqual([
        '',
        null,
        '/gateway.test',
      ])
      expect(request.headers.get('x-id')).toBe('7')
    },
  ))

it.each<[name: string, template: string]>([
  ['a method that is none', 'method: FETCH'],
  ['a URL with a bad escape', 'url: /%zz'],
  ['a header with a line break', 'headers: {X-A: ["a\\r\\nX-B: c"]}'],
  ['a header without a name', 'headers: {"": [a]}'],
  ['headers that are no mapping', 'headers: [a]'],
  ['a body that is a mapping', 'body: {a: b}'],
  ['form data without a mapping', 'formData: {a: [b]}'],
  ['no mapping at all', '- a'],
  ['text', 'hello'],
  ['YAML that is not', 'a: [b'],
  ['a nil pointer', 'body: {{.resp.StatusCode}}'],
  ['a cookie that is not there', '{{.req.Cookie "none"}}'],
  ['a body that is no JSON', 'body: {{.req.JSONBody.x}}'],
  ['a failure that is wanted', '{{fail "no"}}'],
  ['endless output', '{{range 1000000}}x{{end}}'],
])('buildErr: %s', (_name, template) =>
  withPipeline(
    builder(template),
    (harness) => {
      const client = harness.start({ path: '/kept', body: 'no json' })
      expect([client.status, client.ex.request.target]).toEqual([299, '/kept'])
      expect(harness.log.records.map(({ level }) => level)).toEqual(['warn'])
    },
    'v2',
  ),
)

it('sets headers, many of one name too; a length is ours to say', () =>
  built(
    'headers:\n  X-A: [one, "2"]\n  X-B: single\n  Host: [named.test]\n  Content-Length: ["99"]\n  X-Ü-No: []\nbody: grün',
    {},
    (request) => {
      expect(request.headers.flat).toEqual(['x-a', 'one', 'x-a', '2', 'x-b', 'single'])
      expect([request.host, text(request), request.body?.length]).toEqual(['named.test', 'grün', 5])
    },
  ))

it('writes form data', () =>
  built(
    'method: POST\nurl: /\nformData:\n  field: {value: "a\\nb"}\n  "fi\\"le": {value: content, fileName: "x y.txt"}',
    {},
    (request) => {
      const type = request.headers.get('content-type') ?? ''
      const boundary = /^multipart\/form-data; boundary=([0-9a-f]{48})$/.exec(type)?.[1]
      expect(text(request)).toBe(
        [
          `--${boundary}`,
          'Content-Disposition: form-data; name="field"',
          '',
          'a\nb',
          `--${boundary}`,
          'Content-Disposition: form-data; name="fi%22le"; filename="x y.txt"',
          'Content-Type: application/octet-stream',
          '',
          'content',
          `--${boundary}--`,
          '',
        ].join('\r\n'),
      )
    },
  ))

it('waits for a body that the template reads, and for none that it does not', () =>
  withPipeline(
    builder('body: "{{.req.Body}}!"'),
    (harness) => {
      const body = new FakeBody()
      const client = harness.start({ body })
      body.push('half ')
      expect(client.sends).toBe(0)
      body.push('whole')
      body.end()
      expect(text(client.ex.request)).toBe('half whole!')
    },
    'v2',
  ).then(() =>
    withPipeline(
      builder('url: /x'),
      (harness) => {
        const body = new FakeBody()
        const client = harness.start({ body })
        expect([client.sends, body.isOpen, body.isCancelled]).toEqual([1, false, true])
      },
      'v2',
    ),
  ))

it('a body beyond its bound is 413', () =>
  withPipeline(
    builder('body: "{{.req.Body}}"').replace(', jumpIf: {buildErr: failed}', ''),
    (harness) => {
      const client = harness.start({ body: new FakeBody(5_000_000) })
      expect(client.status).toBe(413)
    },
    'v2',
  ))

it('a client that goes while its body is gathered leaves nothing', () =>
  withPipeline(
    builder('body: "{{.req.Body}}"'),
    (harness) => {
      const client = harness.start({ body: new FakeBody() })
      client.abort()
      expect(client.ending).toBe('gone')
    },
    'v2',
  ))

const NAMESPACES = `
flow:
- {filter: first, namespace: side}
- {filter: copy}
- {filter: show}
filters:
- {name: first, kind: RequestBuilder, template: "{method: put, url: '/side?q=1', headers: {X-A: [b]}, body: from side}"}
- {name: copy, kind: RequestBuilder, sourceNamespace: side}
- {name: show, kind: ResponseBuilder, template: 'body: "{{.req.Method}} {{.req.URL}} {{.req.Body}} {{.requests.side.Method}}"'}
`

it('makes a request in a namespace of its own, and takes one over', () =>
  withPipeline(
    NAMESPACES,
    (harness) => {
      expect(harness.start({ method: 'POST', body: 'old' }).text).toBe(
        'PUT /side?q=1 from side PUT',
      )
    },
    'v2',
  ))

it('taking over the request keeps the body of both', () =>
  withPipeline(
    `
flow:
- {filter: copy, namespace: a}
- {filter: copy, namespace: b}
- {filter: none}
- {filter: show}
filters:
- {name: copy, kind: RequestBuilder, sourceNamespace: DEFAULT}
- {name: none, kind: RequestBuilder, sourceNamespace: nowhere}
- {name: show, kind: ResponseBuilder, template: 'body: "{{.req.Body}}{{.requests.a.Body}}{{.requests.b.Body}}{{.requests.b.URL}}"'}
`,
    (harness) => {
      const body = new FakeBody()
      const client = harness.start({ method: 'POST', path: '/x%2Fy', body })
      body.push('b')
      body.end()
      expect(client.text).toBe('bbb/x%2Fy')
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['leftDelim: "["', 'template: expected template or sourceNamespace'],
  ['template: a\nsourceNamespace: b', 'expected either template or sourceNamespace, not both'],
  [
    'template: "{{ .req | uper }}"',
    'line 1, column 11 of the template: function "uper" not defined (did you mean upper?)',
  ],
  ['template: "{{ $x }}"', 'line 1, column 4 of the template: undefined variable "$x"'],
  ['template: "{{ if }}"', 'missing value for if'],
  ['template: "{{ genCA }}"', 'not supported: it takes so long'],
  ['template: "<% $x %>"\nleftDelim: "<%"\nrightDelim: "%>"', 'undefined variable "$x"'],
  ['template: a\nprotocol: mqtt', 'filters/0/protocol: expected one of http'],
  ['template: 1', 'put it in quotes: "1"'],
  ['template: a\nsource: b', 'filters/0/source'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('RequestBuilder', fields, 'v2')).toContain(problem)
})

it('the protocol may be written in any case', () => {
  expect(problemsOf('RequestBuilder', 'template: a\nprotocol: HTTP', 'v2')).toBe('')
})
