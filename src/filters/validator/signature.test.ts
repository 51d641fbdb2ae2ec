import { createHash, createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { FakeBody, FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { decode } from '../../spec/decode.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'
import { AWS, AWS_VECTORS, type AwsVector } from './aws-vectors.fixture.js'
import { SignatureCheck } from './signature.js'
import { SIGNED_BODY_BYTES_MAX, signature } from './signature-spec.js'

const AWS_LITERAL = {
  scopeSuffix: 'aws4_request',
  algorithmName: 'X-Amz-Algorithm',
  algorithmValue: 'AWS4-HMAC-SHA256',
  signedHeaders: 'X-Amz-SignedHeaders',
  signature: 'X-Amz-Signature',
  date: 'X-Amz-Date',
  expires: 'X-Amz-Expires',
  credential: 'X-Amz-Credential',
  contentSha256: 'X-Amz-Content-Sha256',
  signingKeyPrefix: 'AWS4',
}
const SIGNED_MS = Date.UTC(2015, 7, 30, 12, 36)

function checkOf(fields: object): SignatureCheck {
  const decoded = decode(signature, { accessKeys: { [AWS.accessKeyId]: AWS.secret }, ...fields })
  if (!decoded.ok) throw new Error(JSON.stringify(decoded))
  if (decoded.value === undefined) throw new Error('nothing to check')
  return new SignatureCheck(decoded.value)
}

interface Sent extends FakeRequest {
  readonly host: string
}

function requestOf(vector: AwsVector): Sent {
  const { method, path, body, signedHeaders } = vector
  const headers: [string, string][] = vector.headers.map(([name, value]) => [name, value])
  let query = vector.query
  if (vector.mode === 'header') {
    const value = `AWS4-HMAC-SHA256 Credential=${AWS.credential}, SignedHeaders=${signedHeaders}, Signature=${vector.signature}`
    headers.push(['x-amz-date', AWS.timestamp], ['authorization', value])
  } else {
    query = [
      'X-Amz-Algorithm=AWS4-HMAC-SHA256',
      `X-Amz-Credential=${encodeURIComponent(AWS.credential)}`,
      `X-Amz-Date=${AWS.timestamp}`,
      `X-Amz-SignedHeaders=${encodeURIComponent(signedHeaders)}`,
      `X-Amz-Expires=${AWS.expires}`,
      ...(query === '' ? [] : [query]),
      `X-Amz-Signature=${vector.signature}`,
    ].join('&')
  }
  return { host: AWS.host, method, path, query, headers, ...(body === '' ? {} : { body }) }
}

function clientOf({ host, ...request }: Sent): FakeClient {
  const client = new FakeClient(request)
  client.ex.request.host = host
  return client
}

const allows = (check: SignatureCheck, sent: Sent, nowMs = SIGNED_MS): boolean =>
  check.allows(clientOf(sent).ex, nowMs)

it('has the vectors that it is proven on', () => {
  expect(AWS_VECTORS.length).toBeGreaterThanOrEqual(55)
})

it.each(AWS_VECTORS)('AWS: $name, $mode', (vector) => {
  const check = checkOf({ literal: AWS_LITERAL })
  const sent = requestOf(vector)
  expect(allows(check, sent)).toBe(true)
  expect(allows(check, sent), 'with the key that is kept').toBe(true)
  const excluding = checkOf({ literal: AWS_LITERAL, excludeBody: true })
  for (const [what, changed] of Object.entries({
    method: { ...sent, method: 'PUT' },
    path: { ...sent, path: `${sent.path}x` },
    query: { ...sent, query: `${sent.query}&x=y` },
    'empty parameter': { ...sent, query: `${sent.query}&x` },
    host: { ...sent, host: `${sent.host}.other` },
    body: { ...sent, body: 'other' },
  })) {
    expect(allows(check, changed), what).toBe(false)
  }
  expect(allows(excluding, sent), 'another body hash').toBe(false)
  expect(allows(checkOf({}), sent), 'other words').toBe(false)
  const others = { accessKeys: { [AWS.accessKeyId]: `${AWS.secret}x` }, literal: AWS_LITERAL }
  expect(allows(checkOf(others), sent), 'another secret').toBe(false)
})

// -- signing, written apart from the code that checks ----------------------------------------------

interface Signing {
  readonly id?: string
  readonly secret?: string
  readonly method?: string
  readonly path?: string
  readonly canonicalPath?: string
  readonly query?: string
  readonly canonicalQuery?: string
  /** Signed headers beside host. */
  readonly headers?: readonly [string, string][]
  readonly signedHeaders?: string
  readonly host?: string
  readonly canonicalHost?: string
  readonly timestamp?: string
  readonly date?: string
  readonly body?: string
  readonly bodyHash?: string
  readonly suffix?: string
}

/** In header mode, with the default words. */
function signed(signing: Signing = {}): Sent {
  const { method = 'GET', path = '/', query = '', host = AWS.host, body = '' } = signing
  const { timestamp = AWS.timestamp, date = timestamp.slice(0, 8), headers = [] } = signing
  const { id = AWS.accessKeyId, secret = AWS.secret, suffix = 'megaease_request' } = signing
  const names = signing.signedHeaders ?? ['host', ...headers.map(([name]) => name)].join(';')
  const hash = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex')
  const canonical = [
    method,
    signing.canonicalPath ?? path,
    signing.canonicalQuery ?? query,
    ...names.split(';').map((name) => {
      const own = headers.find(([each]) => each === name.toLowerCase())
      return `${name}:${name === 'host' ? (signing.canonicalHost ?? host) : (own?.[1] ?? '')}`
    }),
    '',
    names,
    signing.bodyHash ?? hash(body),
  ].join('\n')
  const scope = `${date}/eu/api/megaease_request`
  const toSign = ['ME-HMAC-SHA256', timestamp, scope, hash(canonical)].join('\n')
  const key = [...scope.split('/'), toSign].reduce<string | Buffer>(
    (chain, part) => createHmac('sha256', chain).update(part, 'latin1').digest(),
    `ME${secret}`,
  )
  const authorization = `ME-HMAC-SHA256 Credential=${id}/${date}/eu/api/${suffix}, SignedHeaders=${names}, Signature=${(key as Buffer).toString('hex')}`
  return {
    host,
    method,
    path,
    query,
    headers: [...headers, ['x-me-date', timestamp], ['authorization', authorization]],
    ...(body === '' ? {} : { body }),
  }
}

/** The same request with another Authorization field. */
function rewritten(change: (value: string) => string, from = signed()): Sent {
  const headers = (from.headers ?? []).map(([name, value]): [string, string] => [
    name,
    name === 'authorization' ? change(value) : value,
  ])
  return { ...from, headers }
}

const withHeader = (sent: Sent, name: string, value: string): Sent => ({
  ...sent,
  headers: [...(sent.headers ?? []), [name, value]],
})

it.each<[name: string, sent: Sent]>([
  ['plain', signed()],
  [
    'a path that is escaped',
    signed({ path: '/a%20b/%C3%BC', canonicalPath: '/a%2520b/%25C3%25BC' }),
  ],
  [
    'marks in a path',
    signed({
      path: "/a!b'(c)*,;=:@&$+",
      canonicalPath: '/a%21b%27%28c%29%2A%2C%3B%3D%3A%40%26%24%2B',
    }),
  ],
  [
    'a query in another order',
    signed({ query: 'b=2&a=2&a=1&a', canonicalQuery: 'a=&a=1&a=2&b=2' }),
  ],
  ['a blank as Easegress writes it', signed({ query: 'a=x%20y&b=+', canonicalQuery: 'a=x+y&b=+' })],
  ['a blank as AWS writes it', signed({ query: 'a=x+y&b=%2B', canonicalQuery: 'a=x%20y&b=%2B' })],
  ['lower-case escapes', signed({ query: 'a=%c3%bc', canonicalQuery: 'a=%C3%BC' })],
  ['a semicolon in a query', signed({ query: 'a=1;b=2', canonicalQuery: 'a=1%3Bb%3D2' })],
  ['empty parts of a query', signed({ query: '&&a=1&', canonicalQuery: 'a=1' })],
  ['a host with a port', signed({ host: 'a.test:8080' })],
  ['a host with an empty port', signed({ host: 'a.test:', canonicalHost: 'a.test' })],
  [
    'headers in any order',
    signed({
      headers: [
        ['b', '1'],
        ['a', '2'],
      ],
      signedHeaders: 'b;host;a',
    }),
  ],
  ['a header beyond ASCII', signed({ headers: [['a', '\xc3\xbc']] })],
  ['an empty header', signed({ headers: [['a', '']] })],
  ['names as written', signed({ headers: [['a', '2']], signedHeaders: 'host;A' })],
  ['a body', signed({ method: 'POST', body: 'text' })],
  ['a suffix that is not looked at', signed({ suffix: 'whatever' })],
  ['no blanks between items', rewritten((value) => value.replaceAll(', ', ','))],
  ['more headers than are signed', withHeader(signed(), 'x', 'y')],
  [
    'a hash of the body that is a lie, but not signed',
    withHeader(signed(), 'x-me-content-sha256', 'UNSIGNED-PAYLOAD'),
  ],
])('passes: %s', (_name, sent) => {
  expect(allows(checkOf({}), sent)).toBe(true)
})

const at = (timestamp: string, date?: string): Sent =>
  signed({ timestamp, ...(date === undefined ? {} : { date }) })
const HOSTLESS = signed({ headers: [['a', 'b']], signedHeaders: 'a' })

it.each<[name: string, sent: Sent]>([
  ['no signature at all', { host: AWS.host }],
  ['an empty field', rewritten(() => '')],
  ['another scheme', rewritten(() => 'Bearer abc')],
  ['the scheme alone', rewritten(() => 'ME-HMAC-SHA256')],
  ['scheme in another case', rewritten((value) => value.replace('ME-', 'me-'))],
  ['words of AWS', rewritten((value) => value.replace('ME-HMAC', 'AWS4-HMAC'))],
  ['the field twice', withHeader(signed(), 'authorization', signed().headers?.[1]?.[1] ?? '')],
  ['the field twice, once as a token', withHeader(signed(), 'authorization', 'Bearer a')],
  ['an empty second field', withHeader(signed(), 'authorization', '')],
  ['the date twice', withHeader(signed(), 'x-me-date', AWS.timestamp)],
  ['no date', { ...signed(), headers: (signed().headers ?? []).slice(1) }],
  ['a fourth item', rewritten((value) => `${value}, Other=1`)],
  ['two items', rewritten((value) => value.replace(/, Signature.*/, ''))],
  [
    'items in another order',
    rewritten((value) => value.replace(/^(\S+) (.*), (.*), (.*)$/, '$1 $4, $3, $2')),
  ],
  ['an item in another case', rewritten((value) => value.replace('Credential', 'credential'))],
  [
    'a signature in capitals',
    rewritten((value) => value.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase())),
  ],
  ['a signature that is short', rewritten((value) => value.slice(0, -1))],
  ['a signature that is long', rewritten((value) => `${value}0`)],
  ['an empty signature', rewritten((value) => value.replace(/=[0-9a-f]{64}$/, '='))],
  ['a signature of zeros', rewritten((value) => value.replace(/[0-9a-f]{64}$/, '0'.repeat(64)))],
  ['no hex', rewritten((value) => value.replace(/[0-9a-f]{64}$/, 'z'.repeat(64)))],
  ['an unknown key', signed({ id: 'OTHER' })],
  ['a key that every object has', signed({ id: 'constructor', secret: '' })],
  ['an empty key id', signed({ id: '' })],
  ['another secret', signed({ secret: 'other' })],
  ['an empty secret', signed({ secret: '' })],
  [
    'a credential of two parts',
    rewritten((value) =>
      value.replace(/Credential=[^,]*/, `Credential=${AWS.accessKeyId}/20150830`),
    ),
  ],
  ['another scope', rewritten((value) => value.replace('/eu/', '/us/'))],
  ['a date of another day', at(AWS.timestamp, '20150831')],
  ['a date that is short', at(AWS.timestamp, '201508')],
  ['a time without zone', at('20150830T123600')],
  ['a time of RFC 3339', at('2015-08-30T12:36:00Z', '2015-08-')],
  ['the 31st of February', at('20150231T123600Z')],
  ['the 25th hour', at('20150830T253600Z')],
  ['host not signed', HOSTLESS],
  ['no signed headers', signed({ signedHeaders: '' })],
  ['a header signed twice', signed({ headers: [['a', 'b']], signedHeaders: 'host;a;a' })],
  ['host signed twice', signed({ signedHeaders: 'host;Host' })],
  ['a signed header that is not there', signed({ signedHeaders: 'host;missing' })],
  [
    'hundreds of signed headers',
    signed({
      signedHeaders: ['host', ...Array.from({ length: 200 }, (_, i) => `h${i}`)].join(';'),
    }),
  ],
  ['a signed header with one more value', withHeader(signed({ headers: [['a', 'b']] }), 'a', 'c')],
  ['an escape that is none', signed({ query: 'a=%zz', canonicalQuery: '' })],
  ['an escape cut short', signed({ query: 'a=%4', canonicalQuery: '' })],
  ['unsigned words of the scheme', signed({ query: 'X-Me-Credential=a', canonicalQuery: '' })],
  ['both signatures', signed({ query: 'X-Me-Signature=a', canonicalQuery: '' })],
  ['a blank for a plus', { ...signed({ query: 'a=%2B' }), query: 'a=+' }],
  [
    'a hash of the body that is claimed',
    withHeader(
      { ...signed({ bodyHash: 'UNSIGNED-PAYLOAD' }), body: 'x' },
      'x-me-content-sha256',
      'UNSIGNED-PAYLOAD',
    ),
  ],
  ['gigantic', rewritten((value) => value + ','.repeat(100_000))],
  ['gigantic names', rewritten((value) => value.replace('host', `host${';a'.repeat(50_000)}`))],
])('refused: %s', (_name, sent) => {
  const check = checkOf({})
  expect(allows(check, sent)).toBe(false)
  expect(allows(check, signed()), 'a good one after it').toBe(true)
  expect(allows(check, sent), 'again').toBe(false)
})

const PRESIGNED = requestOf(
  AWS_VECTORS.find(({ name, mode }) => name === 'get-vanilla' && mode === 'query') as AwsVector,
)
const reQuery = (change: (query: string) => string): Sent => ({
  ...PRESIGNED,
  query: change(PRESIGNED.query ?? ''),
})

it.each<[name: string, sent: Sent]>([
  ['a parameter missing', reQuery((query) => query.replace(/&X-Amz-Date=[^&]*/, ''))],
  ['a signature missing', reQuery((query) => query.replace(/&X-Amz-Signature=.*/, ''))],
  ['another algorithm', reQuery((query) => query.replace('SHA256', 'SHA1'))],
  ['longer expiry', reQuery((query) => query.replace('=3600', '=36000'))],
  ['a second expiry', reQuery((query) => `${query}&X-Amz-Expires=99999`)],
  ['a second expiry in front', reQuery((query) => `X-Amz-Expires=99999&${query}`)],
  ['a second signature', reQuery((query) => `${query}&X-Amz-Signature=${'0'.repeat(64)}`)],
  ['negative expiry', reQuery((query) => query.replace('=3600', '=-1'))],
  ['expiry that is no number', reQuery((query) => query.replace('=3600', '=1e9'))],
  ['endless expiry', reQuery((query) => query.replace('=3600', `=${'9'.repeat(400)}`))],
  ['a name in another case', reQuery((query) => query.replace('X-Amz-Date', 'x-amz-date'))],
  ['another header mode beside it', { ...PRESIGNED, headers: [['authorization', 'Bearer a']] }],
])('refused in a query: %s', (_name, sent) => {
  const check = checkOf({ literal: AWS_LITERAL })
  expect(allows(check, PRESIGNED)).toBe(true)
  expect(allows(check, sent)).toBe(false)
})

it.each<[name: string, sent: Sent, fields: object, ageS: number, isAllowed: boolean]>([
  ['any age without ttl', signed(), {}, 1e9, true],
  ['any time ahead without ttl', signed(), {}, -1e9, true],
  ['at the ttl', signed(), { ttl: '5m' }, 300, true],
  ['older', signed(), { ttl: '5m' }, 301, false],
  ['ahead by the ttl', signed(), { ttl: '5m' }, -300, true],
  ['further ahead', signed(), { ttl: '5m' }, -301, false],
  ['until it expires', PRESIGNED, { literal: AWS_LITERAL }, 3_600, true],
  ['once it has expired', PRESIGNED, { literal: AWS_LITERAL }, 3_601, false],
  ['beyond the ttl before it expires', PRESIGNED, { literal: AWS_LITERAL, ttl: '1m' }, 61, false],
])('time: %s', (_name, sent, fields, ageS, isAllowed) => {
  expect(allows(checkOf(fields), sent, SIGNED_MS + ageS * 1_000)).toBe(isAllowed)
})

it('words that are left out keep their defaults', () => {
  const check = checkOf({ literal: { scopeSuffix: 'megaease_request' } })
  expect(allows(check, signed())).toBe(true)
})

it('keys of many scopes are all taken, and kept within bounds', () => {
  const check = checkOf({})
  for (let day = 0; day < 300; day++) {
    const iso = new Date(SIGNED_MS + day * 86_400_000).toISOString().slice(0, 10)
    const sent = at(`${iso.replaceAll('-', '')}T000000Z`)
    expect(allows(check, sent)).toBe(true)
  }
})

it('blanks are collapsed in linear time', () => {
  const value = `${'a '.repeat(20_000)}${' '.repeat(100_000)}b`
  const sent = signed({ headers: [['a', value]] })
  const startedMs = performance.now()
  expect(allows(checkOf({}), sent)).toBe(false)
  expect(performance.now() - startedMs).toBeLessThan(500)
})

// -- in a pipeline -----------------------------------------------------------------------------------

const PIPELINE = `
flow:
- {filter: validator, jumpIf: {invalid: END}}
- {filter: echo}
filters:
- name: validator
  kind: Validator
  signature: {accessKeys: {${AWS.accessKeyId}: ${AWS.secret}}}
- {name: echo, kind: Mock, rules: [{code: 299}]}
`

it('a body that streams is held, checked, and still there for what follows', () =>
  withPipeline(PIPELINE, (harness) => {
    const sent = signed({ method: 'POST', body: 'a text' })
    for (const [pieces, status] of [
      [['a ', 'text'], 299],
      [['a ', 'test'], 403],
      [[], 403],
    ] as const) {
      const body = new FakeBody()
      const client = harness.start({ ...sent, body }, ({ ex }) => {
        ex.request.host = sent.host
      })
      expect(body.isOpen).toBe(true)
      for (const piece of pieces) body.push(piece)
      body.end()
      expect(client.status).toBe(status)
      expect(client.ex.request.body?.whole).toEqual(new Uint8Array(Buffer.from(pieces.join(''))))
    }
  }))

it.each<[name: string, sent: Sent]>([
  ['no signature', { host: AWS.host }],
  ['an unknown key', signed({ id: 'OTHER' })],
  ['the field twice', withHeader(signed(), 'authorization', 'Bearer a')],
])('no body is held for a request that is refused anyway: %s', (_name, sent) =>
  withPipeline(PIPELINE, (harness) => {
    const body = new FakeBody()
    const client = harness.start({ ...sent, body })
    expect([client.status, body.isOpen]).toEqual([403, false])
  }),
)

it('a body beyond the bound gets 413', () =>
  withPipeline(PIPELINE, (harness) => {
    const body = new FakeBody(SIGNED_BODY_BYTES_MAX + 1)
    expect(harness.start({ ...signed(), body }).status).toBe(413)
  }))

it('a body that is not signed streams', () =>
  withPipeline(PIPELINE.replace('{accessKeys', '{excludeBody: true, accessKeys'), (harness) => {
    const sent = signed({ bodyHash: 'UNSIGNED-PAYLOAD' })
    const body = new FakeBody()
    const client = harness.start({ ...sent, body }, ({ ex }) => {
      ex.request.host = sent.host
    })
    expect([client.status, body.isOpen]).toEqual([299, false])
  }))

it.each<[name: string, fields: string, problem: string]>([
  ['no keys', '{ttl: 1m}', 'filters/0/signature/accessKeys'],
  ['empty keys', '{accessKeys: {}}', 'filters/0/signature/accessKeys: expected a mapping of at'],
  ['an empty secret', '{accessKeys: {a: ""}}', 'filters/0/signature/accessKeys/a: expected'],
  ['a secret that is a number', '{accessKeys: {a: 1}}', 'put it in quotes: "1"'],
  ['an id with a slash', '{accessKeys: {a/b: c}}', 'accessKeys/a'],
  ['a ttl without unit', '{ttl: 60, accessKeys: {a: b}}', 'filters/0/signature/ttl: expected'],
  ['a negative ttl', '{ttl: -1m, accessKeys: {a: b}}', 'filters/0/signature/ttl: expected'],
  ['a word that is empty', '{literal: {date: ""}, accessKeys: {a: b}}', 'signature/literal/date'],
  ['a word with a blank', '{literal: {date: "a b"}, accessKeys: {a: b}}', 'signature/literal/date'],
  ['a word that is not known', '{literal: {dates: a}, accessKeys: {a: b}}', '"date"'],
  ['excludeBody as text', '{excludeBody: "true", accessKeys: {a: b}}', 'without quotes'],
  ['a header ignored twice', '{ignoredHeaders: [a, a], accessKeys: {a: b}}', 'ignoredHeaders/1'],
  ['hoisting as a list', '{headerHoisting: [a], accessKeys: {a: b}}', 'signature/headerHoisting'],
])('a signature spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Validator', `signature: ${fields}`)).toContain(problem)
})

it('what is only for signing is taken and changes nothing', () => {
  const fields = `signature:
  accessKeyId: a
  accessKeySecret: b
  ignoredHeaders: [Authorization]
  headerHoisting: {allowedPrefix: [X-Me-], disallowedPrefix: [X-], disallowed: [Host]}
  accessKeys: {a: b}`
  expect(problemsOf('Validator', fields)).toBe('')
})
