import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import type { FakeClient, FakeRequest } from '../../http/fake-client.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { SealedState } from './sealed-state.js'

const SECRET = 'a secret of the client'
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const nowS = Math.floor(Date.now() / 1_000)

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function signed(claims: object, key: KeyObject | string = privateKey, kid = 'k1'): string {
  const alg = typeof key === 'string' ? 'HS256' : 'RS256'
  const input = `${encode({ alg, kid })}.${encode(claims)}`
  const signature =
    typeof key === 'string'
      ? createHmac('sha256', key).update(input).digest()
      : sign('sha256', Buffer.from(input), key)
  return `${input}.${signature.toString('base64url')}`
}

/** What the provider does; each test changes what it is about. */
interface Script {
  discovery: () => object | number
  keys: () => object | number
  token: (form: URLSearchParams) => object | number
  userinfo: () => object | number
}

class TestProvider {
  readonly asked: {
    readonly path: string
    readonly head: IncomingMessage
    readonly form: string
  }[] = []
  readonly script: Script
  port = 0

  constructor() {
    this.script = {
      discovery: () => ({
        issuer: this.url(''),
        authorization_endpoint: this.url('/authorize?tenant=1'),
        token_endpoint: this.url('/token'),
        userinfo_endpoint: this.url('/userinfo'),
        jwks_uri: this.url('/keys'),
        scopes_supported: ['openid', 'email'],
      }),
      keys: () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' }] }),
      token: () => ({ access_token: 'the-access-token' }),
      userinfo: () => ({ login: 'ann' }),
    }
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`
  }

  answer(path: string, form: string): object | number {
    if (path === '/discovery') return this.script.discovery()
    if (path === '/keys') return this.script.keys()
    if (path === '/token') return this.script.token(new URLSearchParams(form))
    return path === '/userinfo' ? this.script.userinfo() : 404
  }

  count(path: string): number {
    return this.asked.filter((one) => one.path === path).length
  }
}

async function withProvider(
  test: (harness: Harness, provider: TestProvider) => Promise<void>,
  fields: (provider: TestProvider) => string = (provider) =>
    `discovery: ${provider.url('/discovery')}`,
  redirectURI = 'http://shop.test/callback',
): Promise<void> {
  const provider = new TestProvider()
  const server = createServer(async (head, response) => {
    let form = ''
    for await (const chunk of head) form += String(chunk)
    const path = head.url ?? ''
    provider.asked.push({ path, head, form })
    const answer = provider.answer(path, form)
    response.statusCode = typeof answer === 'number' ? answer : 200
    response.end(typeof answer === 'number' ? '' : JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  provider.port = (server.address() as AddressInfo).port
  const yaml = `
flow:
- {filter: login, jumpIf: {oidcFiltered: END}}
- {filter: passed}
filters:
- name: login
  kind: OIDCAdaptor
  clientId: shop
  clientSecret: ${SECRET}
  redirectURI: ${redirectURI}
  ${fields(provider).replaceAll('\n', '\n  ')}
- {name: passed, kind: Mock, rules: [{code: 299}]}
`
  await withPipeline(yaml, (harness) => test(harness, provider), 'v2')
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

const headerOf = ({ headers }: FakeClient, name: string): string =>
  headers[headers.indexOf(name) + 1] as string

async function login(harness: Harness, request: FakeRequest = {}): Promise<URLSearchParams> {
  const client = await harness.ask({ path: '/cart', query: 'a=b', ...request })
  expect(client.status).toBe(302)
  return new URL(headerOf(client, 'location')).searchParams
}

/** Comes back from the provider, with its id token made of the nonce. */
async function comeBack(
  harness: Harness,
  provider: TestProvider,
  idToken: ((nonce: string) => string) | null,
): Promise<FakeClient> {
  const started = await login(harness)
  const nonce = started.get('nonce') as string
  provider.script.token = () => ({
    access_token: 'the-access-token',
    ...(idToken === null ? {} : { id_token: idToken(nonce) }),
  })
  const query = new URLSearchParams({ code: 'c0de', state: started.get('state') as string })
  return harness.ask({ path: '/callback', query: query.toString() })
}

it('sends users to the provider, and asks for its endpoints once', () =>
  withProvider(async (harness, provider) => {
    const query = await login(harness)
    expect(Object.fromEntries(query)).toMatchObject({
      tenant: '1',
      client_id: 'shop',
      response_type: 'code',
      scope: 'openid email',
      redirect_uri: 'http://shop.test/callback',
    })
    await Promise.all([login(harness), login(harness), login(harness)])
    expect(provider.count('/discovery')).toBe(1)
  }))

it.each<[string, string, FakeRequest, number]>([
  ['a cookie', 'cookieName: session', { headers: [['cookie', 'a=b; session=x']] }, 299],
  ['another cookie', 'cookieName: session', { headers: [['cookie', 'sessions=x']] }, 302],
  [
    'a token in place of the cookie',
    'cookieName: session',
    { headers: [['authorization', 'Bearer x']] },
    302,
  ],
  ['a token', '', { headers: [['authorization', 'Bearer x']] }, 299],
  ['no token', '', { headers: [['authorization', 'Bearer ']] }, 302],
  ['nothing', '', {}, 302],
])('a request with %s', (_name, more, request, status) =>
  withProvider(
    async (harness) => {
      expect((await harness.ask(request)).status).toBe(status)
    },
    (provider) => `discovery: ${provider.url('/discovery')}\n${more}`,
  ),
)

const good = (provider: TestProvider, nonce: string): object => ({
  iss: provider.url(''),
  aud: 'shop',
  sub: 'ann',
  exp: nowS + 600,
  nonce,
})

it('takes users back with their tokens', () =>
  withProvider(async (harness, provider) => {
    const client = await comeBack(harness, provider, (nonce) => signed(good(provider, nonce)))
    expect(client.status).toBe(299)
    const { headers } = client.ex.request
    expect(headers.get('x-access-token')).toBe('the-access-token')
    expect(headers.get('x-origin-request-url')).toMatch(/^http:\/\/.*\/cart\?a=b$/)
    expect(headers.get('x-id-token')).toMatch(/^ey/)
    const info = Buffer.from(headers.get('x-user-info') ?? '', 'base64').toString()
    expect(JSON.parse(info)).toMatchObject({ sub: 'ann' })
    const { head, form } = provider.asked.find(({ path }) => path === '/token') ?? {}
    expect(head?.headers.authorization).toBe(
      `Basic ${Buffer.from(`shop:${SECRET}`).toString('base64')}`,
    )
    expect(Object.fromEntries(new URLSearchParams(form))).toMatchObject({
      grant_type: 'authorization_code',
      code: 'c0de',
      redirect_uri: 'http://shop.test/callback',
    })
  }))

it('a path alone gets scheme and host of the request, for both questions', () =>
  withProvider(
    async (harness, provider) => {
      const headers: [string, string][] = [['x-forwarded-proto', 'https']]
      const there = (await login(harness, { headers })).get('redirect_uri')
      expect(there).toBe('https://gateway.test/callback')
      const client = await comeBack(harness, provider, (nonce) => signed(good(provider, nonce)))
      expect(client.status).toBe(299)
      const { form } = provider.asked.find(({ path }) => path === '/token') ?? {}
      const asked = new URLSearchParams(form).get('redirect_uri')
      expect(asked).toBe('http://gateway.test/callback')
    },
    undefined,
    '/callback',
  ))

it('takes a token signed with the secret of the client', () =>
  withProvider(async (harness, provider) => {
    const client = await comeBack(harness, provider, (nonce) =>
      signed(good(provider, nonce), SECRET),
    )
    expect(client.status).toBe(299)
    expect(provider.count('/keys')).toBe(0)
  }))

it.each<[string, (provider: TestProvider, nonce: string) => string]>([
  ['of another key', (p, nonce) => signed(good(p, nonce), stranger.privateKey)],
  ['for somebody else', (p, nonce) => signed({ ...good(p, nonce), aud: 'bank' })],
  ['of another issuer', (p, nonce) => signed({ ...good(p, nonce), iss: 'http://evil.test' })],
  ['of another login', (p) => signed(good(p, 'other'))],
  ['that is over', (p, nonce) => signed({ ...good(p, nonce), exp: nowS - 120 })],
  ['that never is over', (p, nonce) => signed({ ...good(p, nonce), exp: undefined })],
  ['that is not valid yet', (p, nonce) => signed({ ...good(p, nonce), nbf: nowS + 120 })],
  ['of the future', (p, nonce) => signed({ ...good(p, nonce), iat: nowS + 120 })],
  ['for many', (p, nonce) => signed({ ...good(p, nonce), aud: ['bank', 'post'] })],
  ['for many, asked for by another', (p, nonce) => signed({ ...good(p, nonce), azp: 'bank' })],
  ['for nobody', (p, nonce) => signed({ ...good(p, nonce), aud: undefined })],
  ['of no login', (p, nonce) => signed({ ...good(p, nonce), nonce: undefined })],
  [
    'whose algorithm is another than that of the key',
    (p, nonce) => {
      const [, ...rest] = signed(good(p, nonce)).split('.')
      return [encode({ alg: 'RS512', kid: 'k1' }), ...rest].join('.')
    },
  ],
  ['signed with an empty secret', (p, nonce) => signed(good(p, nonce), '')],
  ['of two', (p, nonce) => `${signed(good(p, nonce))}.${signed(good(p, nonce))}`],
  [
    'signed with the public key as a secret',
    (p, nonce) =>
      signed(good(p, nonce), publicKey.export({ type: 'spki', format: 'pem' }) as string),
  ],
  ['without a signature', (p, nonce) => `${encode({ alg: 'none' })}.${encode(good(p, nonce))}.`],
  ['that is none', () => 'none'],
  ['that is too long', () => `${'a'.repeat(20_000)}.b.c`],
])('refuses an id token %s', (_name, idToken) =>
  withProvider(async (harness, provider) => {
    const client = await comeBack(harness, provider, (nonce) => idToken(provider, nonce))
    expect([client.status, client.text]).toEqual([401, 'the id token is not valid'])
    expect(client.ex.request.headers.has('x-user-info')).toBe(false)
  }),
)

it.each<[string, object]>([
  ['that has just run out', { exp: nowS - 30 }],
  ['that will be valid in a moment', { nbf: nowS + 30, iat: nowS + 30 }],
  ['for many, asked for by us', { aud: ['bank', 'shop'], azp: 'shop' }],
])('clocks may differ, and audiences be many: an id token %s', (_name, claims) =>
  withProvider(async (harness, provider) => {
    const client = await comeBack(harness, provider, (nonce) =>
      signed({ ...good(provider, nonce), ...claims }),
    )
    expect(client.status).toBe(299)
  }),
)

it('fetches the keys anew when a token names one that is not known', () =>
  withProvider(async (harness, provider) => {
    provider.script.keys = () => ({
      keys: [{ ...stranger.publicKey.export({ format: 'jwk' }), kid: 'old' }],
    })
    const refused = await comeBack(harness, provider, (n) =>
      signed(good(provider, n), stranger.privateKey, 'old'),
    )
    expect(refused.status).toBe(299)
    expect(provider.count('/keys')).toBe(1)
    // Not at once again: whoever sends unknown names must not make us ask and ask.
    const early = await comeBack(harness, provider, (n) => signed(good(provider, n)))
    expect([early.status, provider.count('/keys')]).toEqual([401, 1])
  }))

it('asks for the user when there is no id token', () =>
  withProvider(async (harness, provider) => {
    const client = await comeBack(harness, provider, null)
    expect(client.status).toBe(299)
    const info = client.ex.request.headers.get('x-user-info') ?? ''
    expect(Buffer.from(info, 'base64').toString()).toBe('{"login":"ann"}')
    const asked = provider.asked.find(({ path }) => path === '/userinfo')
    expect(asked?.head.headers.authorization).toBe('Bearer the-access-token')
  }))

it.each<[string, (script: Script) => void, string]>([
  ['token', (script) => (script.token = () => 500), 'no token: the provider answered 500'],
  [
    'token',
    (script) => (script.token = () => ({})),
    "no token: the provider's answer cannot be read",
  ],
  [
    'token',
    (script) => (script.token = () => ({ access_token: 'a b' })),
    "no token: the provider's answer cannot be read",
  ],
  [
    'userinfo',
    (script) => (script.userinfo = () => 403),
    'no user information: the provider answered 403',
  ],
])('a provider that fails at %s is a 500', (_name, fail, message) =>
  withProvider(async (harness, provider) => {
    const started = await login(harness)
    fail(provider.script)
    const query = new URLSearchParams({ code: 'c', state: started.get('state') as string })
    const client = await harness.ask({ path: '/callback', query: query.toString() })
    expect([client.status, client.text]).toEqual([500, message])
  }),
)

it.each<[() => object | number, string]>([
  [() => 404, 'discovery: the provider answered 404'],
  [() => ({}), "discovery: the provider's answer cannot be read"],
  [
    () => ({ authorization_endpoint: 'x', token_endpoint: 'y' }),
    "discovery: the provider's answer cannot be read",
  ],
  ...['javascript:alert(1)', 'mailto:a'].flatMap((odd): [() => object, string][] => [
    [
      () => ({ authorization_endpoint: odd, token_endpoint: 'http://a' }),
      "discovery: the provider's answer cannot be read",
    ],
    [
      () => ({ authorization_endpoint: 'http://a', token_endpoint: odd }),
      "discovery: the provider's answer cannot be read",
    ],
  ]),
])(
  'a provider that cannot be discovered is a 500, and not asked at once again',
  (discovery, message) =>
    withProvider(async (harness, provider) => {
      provider.script.discovery = discovery
      for (const _turn of [1, 2]) {
        const client = await harness.ask({})
        expect([client.status, client.text]).toEqual([500, message])
      }
      expect(provider.count('/discovery')).toBe(1)
    }),
)

it('a provider that is down is a 500', () =>
  withProvider(
    async (harness) => {
      const client = await harness.ask({})
      expect(client.status).toBe(500)
      expect(client.text).toContain('discovery: ')
    },
    () => 'discovery: http://127.0.0.1:1/discovery',
  ))

it.each([
  ['', 403],
  ['state=x&code=c', 403],
  ['code=c', 403],
])('a callback with %j gets %i', (query, status) =>
  withProvider(async (harness) => {
    expect((await harness.ask({ path: '/callback', query })).status).toBe(status)
  }),
)

it('a callback without a code, or with an error, is refused', () =>
  withProvider(async (harness) => {
    const state = encodeURIComponent((await login(harness)).get('state') as string)
    const bare = await harness.ask({ path: '/callback', query: `state=${state}` })
    expect([bare.status, bare.text]).toEqual([403, 'the provider sent no code'])
    const denied = await harness.ask({
      path: '/callback',
      query: `state=${state}&error=access_denied`,
    })
    expect(denied.text).toBe('the provider refused the login: access_denied')
  }))

it('a client that goes away while the provider is asked is forgotten', () =>
  withProvider(async (harness) => {
    const client = harness.start({})
    client.abort()
    await login(harness)
  }))

it('a state is good for its time, and for its client', () => {
  const sealed = new SealedState('secret', 'shop', 1_000)
  const state = sealed.seal({ url: 'http://a/b', nonce: 'n' }, 5_000)
  expect(sealed.open(state, 5_999)).toEqual({ url: 'http://a/b', nonce: 'n' })
  expect(sealed.open(state, 6_000)).toBeNull()
  expect(new SealedState('other', 'shop', 1_000).open(state, 5_000)).toBeNull()
  expect(new SealedState('secret', 'bank', 1_000).open(state, 5_000)).toBeNull()
  const bytes = Buffer.from(state, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const forged = Buffer.from(bytes)
    forged[i] = (forged[i] as number) ^ 1
    expect(sealed.open(forged.toString('base64url'), 5_000)).toBeNull()
  }
  for (const text of ['', 'a', '%%', 'a'.repeat(100_000)]) expect(sealed.open(text, 0)).toBeNull()
  const long = sealed.seal({ url: 'u'.repeat(3_000), nonce: 'n' }, 0)
  expect(sealed.open(long, 0)).toEqual({ url: '', nonce: 'n' })
})

const MINIMUM = 'clientId: a\nclientSecret: b\nredirectURI: http://a/b'

it.each([
  ['', 'clientId'],
  [MINIMUM, 'authorizationEndpoint: expected it, or discovery'],
  [`${MINIMUM}\ndiscovery: ftp://a`, 'discovery'],
  [`${MINIMUM}\ndiscovery: http://a\ncookieName: 1`, 'cookieName'],
  ...['nowhere', '//evil.test/a', '"/\\\\evil.test"', 'http://', '/a b', 'ftp://a/b', '""'].map(
    (uri) => [
      `clientId: a\nclientSecret: b\nredirectURI: ${uri}\ndiscovery: http://a`,
      'redirectURI: expected a URL such as',
    ],
  ),
])('refuses %j', (fields, problem) => {
  expect(problemsOf('OIDCAdaptor', fields, 'v2')).toContain(problem)
})

it.each(['mailto:keys', 'javascript:alert(1)', 'data:,{}', 'file:///etc/passwd', 'urn:a'])(
  'a provider that names %s as a place is not believed',
  (place) =>
    withProvider(async (harness, provider) => {
      const { discovery } = provider.script
      provider.script.discovery = () => ({ ...(discovery() as object), jwks_uri: place })
      const client = await comeBack(harness, provider, (nonce) => signed(good(provider, nonce)))
      expect([client.status, client.text]).toEqual([401, 'the provider names no keys'])
    }),
)
