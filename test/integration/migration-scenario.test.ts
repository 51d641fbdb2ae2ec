/** Documents as people bring them from Easegress, slips of its examples included; one gateway for all. */
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const dir = world.dir()
const gateway = await world.gateway({ workers: 1 })
const backEnd = await world.backEnd((request, response) => {
  response.end(JSON.stringify({ url: request.url, method: request.method, ...request.headers }))
})
const SERVERS = `servers: [{url: "${backEnd.url}", tags: [v2]}]`

/** Applies with egctl, and gives back what it had to say about it. */
async function apply(command: readonly string[], yaml: string): Promise<string> {
  const file = join(dir, 'objects.yaml')
  writeFileSync(file, yaml)
  const ran = await gateway.egctl([...command, '-f', file])
  expect(ran.code, ran.stderr).toBe(0)
  return ran.stderr
}

/** The port of a server that listens, with one path for everything. */
async function serve(backend: string, more = ''): Promise<number> {
  const port = await freePort()
  const rules = `rules: [{paths: [{backend: ${backend}}]}]`
  const document = `kind: HTTPServer\nname: to-${backend}\nport: ${port}\nhttps: false\n${more}${rules}\n`
  await apply(['object', 'create'], document)
  await until('the server', 5_000, async () => (await ask({ port }).catch(() => null)) !== null)
  return port
}

const asked = async (port: number, headers: Readonly<Record<string, string>> = {}) =>
  JSON.parse((await ask({ port, path: '/pipeline/a', headers })).text) as Record<string, unknown>

it('objects of v1 with fields that Easegress passes over, and texts that say nothing', async () => {
  const said = await apply(
    ['object', 'create'],
    `
name: legacy
kind: HTTPPipeline
flow:
- {filter: request}
- {filter: proxy, jumpIf: {fallback: END}}
filters:
- name: request
  kind: RequestAdaptor
  method: ""
  path: null
  header: {del: [], set: {X-Adapted: "[[filter.request.req.method]]"}, add: {}}
- name: proxy
  kind: Proxy
  failureCodes: [500]
  fallback: {forCodes: true, forCircuitBreaker: false, mockCode: 200, mockHeader: {X-F: yes}}
  candidatePool: {servers: [{url: "http://127.0.0.1:1"}], memoryCache: null}
  mainPool:
    serversTags: [v2]
    ${SERVERS}
    loadBalance: {policy: roundRobin, headerHashKey: X-User-Id}
`,
  )
  for (const slip of ['forCircuitBreaker', 'mockHeader', 'candidatePool']) {
    expect(said).toMatch(new RegExp(`/${slip}: there is no such field`))
  }
  const port = await serve('legacy', 'keepAlive: true\nmaxConnection: 10240\ncacheSize: 0\n')
  expect(await asked(port)).toMatchObject({ method: 'GET', 'x-adapted': 'GET' })
})

it('the same of v2', async () => {
  const said = await apply(
    ['apply'],
    `
name: current
kind: Pipeline
filters:
- name: proxy
  kind: Proxy
  pools:
  - serversTags: [v2]
    ${SERVERS}
    compression: {minLength: 10}
    timeout: ""
    healthCheck: {method: "", pass: 1, interval: 1h}
`,
  )
  for (const slip of ['serversTags', 'compression', 'pass']) {
    expect(said).toMatch(new RegExp(`/${slip}: there is no such field`))
  }
  expect(await asked(await serve('current'))).toMatchObject({ url: '/pipeline/a' })
})

it('fields of traces go through as they are', async () => {
  const trace = {
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    tracestate: 'a=b',
    b3: '4bf92f3577b34da6-00f067aa0ba902b7-1',
    'uber-trace-id': '1:2:3:4',
    'cf-ray': '7d1',
  }
  await apply(
    ['apply'],
    `name: traced\nkind: Pipeline\nfilters: [{name: p, kind: Proxy, pools: [{${SERVERS}}]}]`,
  )
  expect(await asked(await serve('traced'), trace)).toMatchObject(trace)
})

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

it('users log in at a provider, and come back', async () => {
  let nonce = ''
  const provider = await world.backEnd(({ url = '' }, response) => {
    const issuer = provider.url
    if (url === '/token') {
      const claims = { iss: issuer, aud: 'shop', sub: 'ann', exp: Date.now() / 1000 + 60, nonce }
      const text = `${encode({ alg: 'HS256' })}.${encode(claims)}`
      const mac = createHmac('sha256', 'secret').update(text).digest('base64url')
      response.end(JSON.stringify({ access_token: 'token', id_token: `${text}.${mac}` }))
    } else {
      response.end(
        JSON.stringify({
          issuer,
          authorization_endpoint: `${issuer}/login`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/user`,
          jwks_uri: `${issuer}/keys`,
        }),
      )
    }
  })
  await apply(
    ['apply'],
    `
name: login
kind: Pipeline
flow:
- {filter: oidc, jumpIf: {oidcFiltered: END}}
- {filter: proxy}
filters:
- name: oidc
  kind: OIDCAdaptor
  cookieName: session
  clientId: shop
  clientSecret: secret
  discovery: ${provider.url}/.well-known/openid-configuration
  redirectURI: /oidc/callback
- {name: proxy, kind: Proxy, pools: [{${SERVERS}}]}
`,
  )
  const port = await serve('login')
  const headers = { host: 'shop.example' }
  const sent = await ask({ port, path: '/cart?a=b', headers })
  expect(sent.status).toBe(302)
  const login = new URL(String(sent.headers['location']))
  expect(`${login.origin}${login.pathname}`).toBe(`${provider.url}/login`)
  expect(login.searchParams.get('redirect_uri')).toBe('http://shop.example/oidc/callback')
  nonce = login.searchParams.get('nonce') ?? ''
  const query = new URLSearchParams({ code: 'c', state: login.searchParams.get('state') ?? '' })
  const back = await ask({ port, path: `/oidc/callback?${query}`, headers })
  const fields = JSON.parse(back.text) as Record<string, string>
  expect(fields).toMatchObject({
    'x-access-token': 'token',
    'x-origin-request-url': 'http://shop.example/cart?a=b',
  })
  const user = Buffer.from(fields['x-user-info'] ?? '', 'base64').toString()
  expect(JSON.parse(user)).toMatchObject({ sub: 'ann' })
  const again = await ask({ port, path: `/oidc/callback?code=c&state=forged`, headers })
  expect(again.status).toBe(403)
  const cookie = { ...headers, cookie: 'session=1' }
  expect((await ask({ port, path: '/cart', headers: cookie })).status).toBe(200)
})
