import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { RequestBody } from '../../http/body.js'
import { FakeBody, type FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { HttpRequest } from '../../http/message.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'
import type { SignSpec } from './kind-v2.js'
import { Signer } from './signer.js'

/** The adaptor, and a filter behind it that says what has become of the request. */
const adaptor = (fields: string): string => `
flow:
- filter: it
  jumpIf: {decompressFailed: r1, compressFailed: r2, signFailed: r3, buildErr: r4}
- {filter: show}
- {filter: END}
- {filter: r1, jumpIf: {mocked: END}}
- {filter: r2, jumpIf: {mocked: END}}
- {filter: r3, jumpIf: {mocked: END}}
- {filter: r4}
filters:
- name: it
  kind: RequestAdaptor
${fields.replace(/^/gm, '  ')}
- {name: show, kind: ResponseBuilder, template: 'body: {{.req.Body | b64enc}}'}
- {name: r1, kind: Mock, rules: [{code: 291}]}
- {name: r2, kind: Mock, rules: [{code: 292}]}
- {name: r3, kind: Mock, rules: [{code: 293}]}
- {name: r4, kind: Mock, rules: [{code: 294}]}
`

const bodyOf = (client: FakeClient): Buffer => Buffer.from(client.text, 'base64')

async function adapted(
  fields: string,
  request: FakeRequest,
  check: (client: FakeClient) => void,
  prepare: (client: FakeClient) => void = () => {},
): Promise<void> {
  await withPipeline(
    adaptor(fields),
    async (harness) => {
      const client = harness.start(request, prepare)
      await until('an end', () => client.ending !== 'open')
      check(client)
    },
    'v2',
  )
}

const whole = (bytes: Uint8Array) => (client: FakeClient) => {
  client.ex.request.body = RequestBody.of(bytes)
}

it.each<[fields: string, want: string]>([
  ['method: PUT', 'PUT gateway.test/a/b?q=1 x-a=1,x-a=2'],
  ['host: other.test:8080', 'GET other.test:8080/a/b?q=1 x-a=1,x-a=2'],
  ['path: {addPrefix: /v1}', 'GET gateway.test/v1/a/b?q=1 x-a=1,x-a=2'],
  [
    'header: {del: [X-A], set: {X-B: b}, add: {X-C: "[[filter.x]]"}}',
    'GET gateway.test/a/b?q=1 x-b=b,x-c=[[filter.x]]',
  ],
  [
    'template: "host: {{.req.Header.Get `X-A`}}.test\\nmethod: POST"',
    'POST 1.test/a/b?q=1 x-a=1,x-a=2',
  ],
  [
    'template: "path: {replace: /{{.req.Method}}}"\npath: {replace: /static}',
    'GET gateway.test/GET?q=1 x-a=1,x-a=2',
  ],
  [
    'template: "path: {regexpReplace: {regexp: a, replace: x}}"',
    'GET gateway.test/x/b?q=1 x-a=1,x-a=2',
  ],
  ['template: "path: {trimPrefix: /a}"', 'GET gateway.test/b?q=1 x-a=1,x-a=2'],
  [
    'template: "header: {del: [x-a], set: {X-N: {{len .req.Header}}}}"\nheader: {set: {X-No: no}}',
    'GET gateway.test/a/b?q=1 x-n=1',
  ],
  ['template: "header: {add: {X-A: 3}}"', 'GET gateway.test/a/b?q=1 x-a=1,x-a=2,x-a=3'],
  ['template: "{{/* nothing */}}"\nmethod: PUT', 'PUT gateway.test/a/b?q=1 x-a=1,x-a=2'],
])('%s', (fields, want) =>
  adapted(
    fields,
    {
      path: '/a/b',
      query: 'q=1',
      headers: [
        ['x-a', '1'],
        ['x-a', '2'],
      ],
    },
    ({ ex: { request } }) => {
      const { flat } = request.headers
      const fieldList = flat.flatMap((name, i) => (i % 2 === 0 ? [`${name}=${flat[i + 1]}`] : []))
      expect(`${request.method} ${request.host}${request.target} ${fieldList}`).toBe(want)
    },
  ),
)

it.each<[fields: string, want: string]>([
  ['body: new', 'new'],
  ['template: "body: {{.req.Body | upper}}"\nbody: static', 'OLD'],
  ['template: "{{/* none */}}"\nbody: static', 'static'],
])('%s replaces the body and its coding', (fields, want) =>
  adapted(
    fields,
    {
      method: 'POST',
      body: 'old',
      headers: [
        ['content-encoding', 'br'],
        ['content-length', '3'],
      ],
    },
    (client) => {
      expect(bodyOf(client).toString()).toBe(want)
      expect(client.ex.request.headers.flat).toEqual(['content-length', String(want.length)])
    },
  ),
)

it.each<[name: string, bytes: number]>([
  ['a short body', 100],
  ['a long body', 1_000_000],
])('compresses %s', (_name, bytes) =>
  adapted(
    'compress: gzip',
    { method: 'POST', body: 'x'.repeat(bytes), headers: [['content-length', String(bytes)]] },
    (client) => {
      const { headers } = client.ex.request
      expect(headers.get('content-encoding')).toBe('gzip')
      expect(headers.get('content-length')).toBe(String(bodyOf(client).byteLength))
      expect(gunzipSync(bodyOf(client)).toString()).toBe('x'.repeat(bytes))
    },
  ),
)

it('compresses a stream on its way', () =>
  withPipeline(
    adaptor('compress: gzip'),
    async (harness) => {
      const body = new FakeBody()
      const client = harness.start({ method: 'POST', body })
      for (let i = 0; i < 100; i++) body.push('y'.repeat(1_000))
      body.end()
      await until('an end', () => client.ending !== 'open')
      expect(gunzipSync(bodyOf(client)).toString()).toBe('y'.repeat(100_000))
      expect(client.ex.request.headers.get('content-length')).toBeNull()
    },
    'v2',
  ))

it('a client that goes while its stream is compressed leaves nothing', () =>
  withPipeline(
    adaptor('compress: gzip'),
    async (harness) => {
      const body = new FakeBody()
      const client = harness.start({ method: 'POST', body })
      body.push('y'.repeat(1_000))
      client.abort()
      await until('an end', () => client.ending === 'gone')
    },
    'v2',
  ))

it.each<[name: string, fields: string, coding: string]>([
  ['compress: something is coded already', 'compress: gzip', 'br'],
  ['decompress: another coding', 'decompress: gzip', 'br'],
  ['decompress: several codings', 'decompress: gzip', 'br, gzip'],
])('leaves the body alone: %s', (_name, fields, coding) =>
  adapted(
    fields,
    { method: 'POST', body: 'plain', headers: [['content-encoding', coding]] },
    (client) => {
      expect(bodyOf(client).toString()).toBe('plain')
      expect(client.ex.request.headers.get('content-encoding')).toBe(coding)
    },
  ),
)

it('no body stays none', () =>
  adapted('compress: gzip', {}, ({ ex: { request } }) => {
    expect([request.body, request.headers.flat.length]).toEqual([null, 0])
  }))

it('decompresses', () =>
  adapted(
    'decompress: gzip',
    {
      method: 'POST',
      headers: [
        ['content-encoding', 'gzip'],
        ['content-length', '9'],
      ],
    },
    (client) => {
      expect(bodyOf(client).toString()).toBe('z'.repeat(50_000))
      expect(client.ex.request.headers.flat).toEqual(['content-length', '50000'])
    },
    whole(gzipSync('z'.repeat(50_000))),
  ))

it.each<[name: string, bytes: Uint8Array]>([
  ['no gzip at all', Buffer.from('plain')],
  ['cut off', gzipSync('text').subarray(0, 15)],
  ['nothing', new Uint8Array(0)],
  ['a bomb', gzipSync(Buffer.alloc(20 * 1024 * 1024))],
])('decompressFailed: %s', (_name, bytes) =>
  adapted(
    'decompress: gzip',
    { method: 'POST', headers: [['content-encoding', 'gzip']] },
    (client) => {
      expect(client.status).toBe(291)
      expect(client.ex.request.headers.get('content-encoding')).toBe('gzip')
    },
    whole(bytes),
  ),
)

it.each<[template: string]>([
  ['method: get'],
  ['host: a b'],
  ['path: [a]'],
  ['path: {regexpReplace: {regexp: "("}}'],
  ['header: {set: [a]}'],
  ['header: {set: {"a b": c}}'],
  ['header: {set: {a: "b\\r\\nc: d"}}'],
  ['header: {del: a}'],
  ['body: {a: b}'],
  ['- a'],
  ['a: ['],
  ['{{.resp.StatusCode}}'],
  ['{{.req.JSONBody.x}}'],
])('buildErr, and nothing is changed: %s', (template) =>
  adapted(
    `method: PUT\ntemplate: ${JSON.stringify(template)}`,
    { path: '/x', body: 'no json' },
    (client) => {
      expect([client.status, client.ex.request.method]).toEqual([294, 'GET'])
    },
  ),
)

const AWS: SignSpec = {
  apiProvider: 'aws4',
  accessKeyId: 'AKIDEXAMPLE',
  accessKeySecret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  scopes: ['us-east-1', 'service'],
  excludeBody: false,
  ignoredHeaders: [],
  literal: {} as SignSpec['literal'],
  ttl: 0,
  accessKeys: {},
}

function awsRequest(
  method: string,
  query = '',
  fields: readonly [string, string][] = [],
): HttpRequest {
  const request = new HttpRequest()
  request.method = method
  request.rawPath = '/'
  request.query = query
  request.host = 'example.amazonaws.com'
  for (const [name, value] of fields) request.headers.add(name, value)
  return request
}

/** Of the Signature Version 4 test suite that AWS publishes. */
it.each<[name: string, request: HttpRequest, signature: string]>([
  [
    'get-vanilla',
    awsRequest('GET'),
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  ],
  [
    'post-vanilla',
    awsRequest('POST'),
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  ],
  [
    'get-vanilla-query-order-key-case',
    awsRequest('GET', 'Param2=value2&Param1=value1'),
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'post-header-key-sort',
    awsRequest('POST', '', [['my-header1', 'value1']]),
    'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  ],
])('signs as AWS: %s', (_name, request, signature) => {
  const signer = new Signer(AWS)
  const at = Date.UTC(2015, 7, 30, 12, 36, 0)
  for (const _again of [1, 2]) {
    expect(signer.sign(request, at)).toBe(true)
    expect(request.headers.get('authorization')).toMatch(
      new RegExp(
        `^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;.*x-amz-date, Signature=${signature}$`,
      ),
    )
    expect(request.headers.get('x-amz-date')).toBe('20150830T123600Z')
  }
})

it('says that the body is not signed, or takes the hash that is there', () => {
  const unsigned = awsRequest('POST')
  new Signer({ ...AWS, excludeBody: true }).sign(unsigned, 0)
  expect(unsigned.headers.get('x-amz-content-sha256')).toBe('UNSIGNED-PAYLOAD')
  const hashed = awsRequest('POST', '', [['x-amz-content-sha256', 'ab12']])
  const other = awsRequest('POST', '', [['x-amz-content-sha256', 'cd34']])
  for (const request of [hashed, other]) new Signer(AWS).sign(request, 0)
  expect(hashed.headers.get('authorization')).not.toBe(other.headers.get('authorization'))
})

const SIGNED = `
sign:
  accessKeyId: me
  accessKeySecret: secret
  scopes: [here]
`
const CHECKED = `
filters:
- name: it
  kind: RequestAdaptor
  compress: gzip
${SIGNED.replace(/^(?=.)/gm, '  ')}
- name: check
  kind: Validator
  signature:
    accessKeys: {me: secret}
    ttl: 1m
    literal: {scopeSuffix: request, algorithmName: X-Algorithm, algorithmValue: HMAC-SHA256, signedHeaders: X-SignedHeaders, signature: X-Signature, date: X-Date, expires: X-Expires, credential: X-Credential, contentSha256: X-Content-Sha256, signingKeyPrefix: ''}
- {name: ok, kind: Mock, rules: [{code: 211}]}
`

it.each<[name: string, request: FakeRequest]>([
  ['plain', {}],
  ['a path and a query to be escaped', { path: '/a%20b/%C3%A9', query: 'b=2&a=1%20x&a=+' }],
  [
    'a body',
    {
      method: 'POST',
      body: 'some text',
      headers: [
        ['x-b', ' a  b '],
        ['accept', '*/*'],
        ['user-agent', 'u'],
      ],
    },
  ],
  ['a forged signature', { headers: [['authorization', 'HMAC-SHA256 Credential=me/1']] }],
])('a Validator takes what it has signed: %s', (_name, request) =>
  withPipeline(
    CHECKED,
    async (harness) => void expect((await harness.ask(request)).status).toBe(211),
    'v2',
  ),
)

it('the body that is signed is waited for', () =>
  withPipeline(
    CHECKED,
    async (harness) => {
      const body = new FakeBody()
      const client = harness.start({ method: 'POST', body })
      body.push('in ')
      body.push('pieces')
      body.end()
      await until('an end', () => client.ending !== 'open')
      expect(client.status).toBe(211)
    },
    'v2',
  ))

it('signFailed: a query that has no one meaning', () =>
  adapted(SIGNED, { query: 'a=%zz' }, (client) => void expect(client.status).toBe(293)))

it('hashes what it sends', () => {
  const request = awsRequest('POST')
  request.body = RequestBody.of(Buffer.from('x'))
  const plain = awsRequest('POST', '', [
    ['x-amz-content-sha256', createHash('sha256').update('x').digest('hex')],
  ])
  new Signer({ ...AWS, ignoredHeaders: ['X-Amz-Content-Sha256'] }).sign(request, 0)
  new Signer({ ...AWS, ignoredHeaders: ['X-Amz-Content-Sha256'] }).sign(plain, 0)
  expect(request.headers.get('authorization')).toBe(plain.headers.get('authorization'))
})

it.each<[fields: string, problem: string]>([
  ['compress: br', 'filters/0/compress: expected one of gzip'],
  ['decompress: gzip\nbody: a', 'decompress: excludes body'],
  ['decompress: gzip\ncompress: gzip', 'decompress: excludes compress'],
  ['host: "a b"', 'filters/0/host: expected a host'],
  ['host: "a\\r\\nX: y"', 'filters/0/host: expected a host'],
  ['template: "{{.x"', 'line 1, column 3 of the template: unclosed action'],
  ['sign: {accessKeyId: a}', 'sign/accessKeySecret: is required'],
  ['sign: {accessKeyId: "a/b", accessKeySecret: c}', 'expected an id without'],
  ['sign: {accessKeyId: a, accessKeySecret: c, apiProvider: azure}', 'sign/apiProvider'],
  ['method: get', 'did you mean "GET"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('RequestAdaptor', fields, 'v2')).toContain(problem)
})
