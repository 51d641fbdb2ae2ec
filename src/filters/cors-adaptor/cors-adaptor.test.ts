import { expect, it } from 'vitest'
import type { FakeClient, FakeRequest } from '../../http/fake-client.fixture.js'
import { objectKinds } from '../../kinds/registry.js'
import { decodeDocument } from '../../spec/document.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (fields: string, mockHeaders = ''): string => `
flow:
- {filter: cors, jumpIf: {}}
- {filter: mock}
filters:
- name: cors
  kind: CORSAdaptor
  ${fields.replaceAll('\n', '\n  ')}
- name: mock
  kind: Mock
  rules:
  - {path: /429, code: 429}
  - {code: 200, body: mocked, headers: {${mockHeaders}}}
`

const LIST = `allowedOrigins: ["https://a.test", "https://*.b.test"]
allowedMethods: [GET, PUT]
allowedHeaders: [X-One, content-type]`
const A = 'https://a.test'

const request = (fields: Readonly<Record<string, string>>, method = 'GET'): FakeRequest => ({
  method,
  headers: Object.entries(fields),
})

/** A preflight from `origin` for `method` with these headers. */
function preflight(harness: Harness, origin: string, method = 'GET', wanted = ''): FakeClient {
  return harness.start(
    request(
      {
        origin,
        'access-control-request-method': method,
        ...(wanted === '' ? {} : { 'access-control-request-headers': wanted }),
      },
      'OPTIONS',
    ),
  )
}

/** The fields that CORS is about, without their common beginning. */
function cors(client: FakeClient): Record<string, string> {
  const found: Record<string, string> = {}
  for (let i = 0; i < client.headers.length; i += 2) {
    const name = client.headers[i] as string
    const value = client.headers[i + 1] as string
    if (name.startsWith('access-control-')) found[name.slice(15)] = value
  }
  return found
}

it('answers preflights itself, with 200 and no body', () =>
  withPipeline(pipeline(LIST), (harness) => {
    const client = preflight(harness, A, 'PUT', 'content-type,x-one')
    expect([client.status, client.text]).toEqual([200, ''])
    expect(client.headers.filter((_, i) => client.headers[i - 1] === 'vary')).toEqual([
      'Origin',
      'Access-Control-Request-Method',
      'Access-Control-Request-Headers',
    ])
    expect(cors(client)).toEqual({
      'allow-origin': A,
      'allow-methods': 'PUT',
      'allow-headers': 'Content-Type, X-One',
    })
  }))

it('"preflighted" is a result that jumps', () =>
  withPipeline(pipeline(LIST).replace('jumpIf: {}', 'jumpIf: {preflighted: mock}'), (harness) => {
    expect(preflight(harness, A).text).toBe('mocked')
  }))

it.each<[name: string, origin: string, method: string, wanted: string, isAllowed: boolean]>([
  ['an origin of the list', A, 'GET', '', true],
  ['in other letters', 'HTTPS://A.test', 'GET', '', true],
  ['with another scheme', 'http://a.test', 'GET', '', false],
  ['with a port', 'https://a.test:8443', 'GET', '', false],
  ['with something before it', 'https://xa.test', 'GET', '', false],
  ['with something behind it', 'https://a.test.evil.test', 'GET', '', false],
  ['a wildcard', 'https://x.b.test', 'GET', '', true],
  ['a wildcard of several labels', 'https://x.y.b.test', 'GET', '', true],
  ['a wildcard of nothing', 'https://.b.test', 'GET', '', true],
  ['less than a wildcard', 'https://b.test', 'GET', '', false],
  ['a wildcard with something behind it', 'https://x.b.test.evil.test', 'GET', '', false],
  ['null', 'null', 'GET', '', false],
  ['no origin', '', 'GET', '', false],
  ['a method of the list', A, 'PUT', '', true],
  ['another method', A, 'POST', '', false],
  ['a method in other letters, which is another', A, 'put', '', false],
  ['OPTIONS, always', A, 'OPTIONS', '', true],
  ['a header of the list', A, 'GET', 'x-one', true],
  ['in other letters', A, 'GET', 'X-ONE , Content-type', true],
  ['Origin, always', A, 'GET', 'origin', true],
  ['another header', A, 'GET', 'x-one,x-two', false],
  ['empty members', A, 'GET', ',x-one,,', true],
  ['what is no header name', A, 'GET', 'x one', false],
])('preflight: %s', (_name, origin, method, wanted, isAllowed) =>
  withPipeline(pipeline(LIST), (harness) => {
    const client = preflight(harness, origin, method, wanted)
    expect([client.status, client.text]).toEqual([200, ''])
    expect(cors(client)['allow-origin']).toBe(isAllowed ? origin : undefined)
    if (!isAllowed) expect(cors(client)).toEqual({})
  }),
)

it('by default all origins may GET, POST and HEAD, with a few headers', () =>
  withPipeline(pipeline('{}').replace('  {}\n', ''), (harness) => {
    expect(cors(preflight(harness, A, 'POST', 'accept,content-type,x-requested-with'))).toEqual({
      'allow-origin': '*',
      'allow-methods': 'POST',
      'allow-headers': 'Accept, Content-Type, X-Requested-With',
    })
    expect(cors(preflight(harness, A, 'PUT'))).toEqual({})
    expect(cors(preflight(harness, A, 'GET', 'x-other'))).toEqual({})
    expect(cors(preflight(harness, 'null'))).toMatchObject({ 'allow-origin': '*' })
  }))

it('"*" allows all headers, which are named one by one', () =>
  withPipeline(pipeline('allowedHeaders: ["*"]'), (harness) => {
    const allowed = cors(preflight(harness, A, 'GET', 'authorization,x-any'))
    expect(allowed['allow-headers']).toBe('Authorization, X-Any')
  }))

it.each<[name: string, fields: Readonly<Record<string, string>>, method: string]>([
  ['OPTIONS without a method asked for', { origin: A }, 'OPTIONS'],
  ['OPTIONS with an empty one', { origin: A, 'access-control-request-method': '' }, 'OPTIONS'],
  ['another method', { origin: A, 'access-control-request-method': 'GET' }, 'GET'],
])('is no preflight: %s', (_name, fields, method) =>
  withPipeline(pipeline(LIST), (harness) => {
    const client = harness.start(request(fields, method))
    expect([client.text, cors(client)]).toEqual(['mocked', { 'allow-origin': A }])
  }),
)

it('actual answers say who may read them', () =>
  withPipeline(pipeline(`${LIST}\nexposedHeaders: [X-Total, ETag]`), (harness) => {
    const client = harness.start(request({ origin: 'https://x.b.test' }))
    expect(cors(client)).toEqual({
      'allow-origin': 'https://x.b.test',
      'expose-headers': 'X-Total, ETag',
    })
    expect(client.header('vary')).toBe('Origin')
  }))

it('answers to others differ by origin too, so caches are told', () =>
  withPipeline(pipeline(LIST), (harness) => {
    for (const fields of [{}, { origin: 'https://evil.test' }]) {
      const client = harness.start(request(fields))
      expect([client.text, cors(client), client.header('vary')]).toEqual(['mocked', {}, 'Origin'])
    }
  }))

it('for all origins answers are the same, with an origin or without', () =>
  withPipeline(pipeline('allowedOrigins: [https://a.test, "*"]'), (harness) => {
    for (const fields of [{}, { origin: A }]) {
      const client = harness.start(request(fields))
      expect([cors(client), client.header('vary')]).toEqual([{ 'allow-origin': '*' }, null])
    }
  }))

it('refusals of other filters can be read by pages as well', () =>
  withPipeline(pipeline(LIST), (harness) => {
    const client = harness.start({ ...request({ origin: A }), path: '/429' })
    expect([client.status, cors(client)]).toEqual([429, { 'allow-origin': A }])
  }))

it('credentials are allowed to the origins of a list', () =>
  withPipeline(pipeline(`${LIST}\nallowCredentials: true`), (harness) => {
    const allowed = { 'allow-origin': A, 'allow-credentials': 'true' }
    expect(cors(harness.start(request({ origin: A })))).toEqual(allowed)
    expect(cors(preflight(harness, A))).toEqual({ ...allowed, 'allow-methods': 'GET' })
    expect(cors(harness.start(request({ origin: 'https://evil.test' })))).toEqual({})
    expect(cors(preflight(harness, 'https://evil.test'))).toEqual({})
  }))

it.each(['', 'allowedOrigins: ["*"]\n'])('never all origins with credentials (%j)', (origins) =>
  withPipeline(pipeline(`${origins}allowCredentials: true`), (harness) => {
    expect(cors(harness.start(request({ origin: A })))).toEqual({ 'allow-origin': '*' })
    expect(cors(preflight(harness, A))).toEqual({ 'allow-origin': '*', 'allow-methods': 'GET' })
  }),
)

it('replaces what a back end says to an origin that is allowed, and leaves it to others', () =>
  withPipeline(
    pipeline(
      LIST,
      'Access-Control-Allow-Origin: "*", Access-Control-Allow-Credentials: "true", Vary: "accept, origin"',
    ),
    (harness) => {
      const client = harness.start(request({ origin: A }))
      expect(client.headers.filter((name) => name === 'access-control-allow-origin')).toHaveLength(
        1,
      )
      expect(cors(client)).toEqual({ 'allow-origin': A })
      expect(client.headers.filter((name) => name === 'vary')).toHaveLength(1)
      expect(cors(harness.start(request({ origin: 'https://c.test' })))).toEqual({
        'allow-origin': '*',
        'allow-credentials': 'true',
      })
    },
  ))

it('what stands before and behind a wildcard may not overlap', () =>
  withPipeline(pipeline('allowedOrigins: ["https://a*a.test"]'), (harness) => {
    expect(cors(harness.start(request({ origin: A })))).toEqual({})
    expect(cors(harness.start(request({ origin: 'https://aa.test' })))).not.toEqual({})
  }))

it('two origins are none', () =>
  withPipeline(pipeline(LIST), (harness) => {
    const client = harness.start({
      headers: [
        ['origin', A],
        ['origin', A],
      ],
    })
    expect(cors(client)).toEqual({})
  }))

it.each<[fields: string, want: string]>([
  ['allowedOrigins: []', ''],
  ['allowedOrigins: ["https://*.a.test"]', ''],
  ['allowedOrigins: ["https://*.*.test"]', 'with at most one "*"'],
  ['allowedOrigins: https://a.test', 'allowedOrigins: expected a list'],
  ['allowedMethods: [get]', 'allowedMethods/0: expected'],
  ['allowedMethods: [GET, GET]', 'allowedMethods'],
  ['allowedHeaders: ["X One"]', 'allowedHeaders/0: expected the name of a header'],
  ['exposedHeaders: ["a: b"]', 'exposedHeaders/0: expected the name of a header'],
  ['allowCredentials: "true"', 'allowCredentials: expected true or false'],
  ['allowedOrigin: []', 'did you mean "allowedOrigins"'],
])('checks %s', (fields, want) => {
  const problems = problemsOf('CORSAdaptor', fields)
  if (want === '') expect(problems).toBe('')
  else expect(problems).toContain(want)
})

it('warns of credentials for all origins', () => {
  const text = `name: demo\nkind: HTTPPipeline\n${pipeline('allowCredentials: true')}`
  const decoded = decodeDocument(text, objectKinds)
  expect(decoded).toMatchObject({
    ok: true,
    warnings: [{ path: 'filters/0/allowCredentials' }],
  })
})
