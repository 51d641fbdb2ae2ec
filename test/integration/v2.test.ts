/** Objects of v2 end to end: server, pipelines, a global filter, policies, sessions, health. */
import { expect, it } from 'vitest'
import type { BackEnd } from './support/back-end.js'
import type { Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()

async function post(gateway: Gateway, yaml: string): Promise<readonly [number, string]> {
  const { status, text } = await ask({
    port: gateway.apiPort,
    method: 'POST',
    path: '/apis/v2/objects',
    headers: { 'content-length': Buffer.byteLength(yaml) },
    body: yaml,
  })
  return [status, text]
}

async function create(gateway: Gateway, yaml: string): Promise<void> {
  const [status, text] = await post(gateway, yaml)
  expect([status, text]).toEqual([201, text])
}

/** A back end that says who it is and what it was asked for; `/fail` fails, `/flaky` every other time. */
function backEnd(name: string): Promise<BackEnd> {
  let asked = 0
  return world.backEnd((request, response) => {
    asked += 1
    const path = request.url ?? ''
    const isBad = path.startsWith('/fail') || (path.startsWith('/flaky') && asked % 2 === 1)
    response.statusCode = isBad ? 500 : 200
    request.resume()
    request.on('end', () =>
      response.end(`${name} ${path} ${request.headers['x-tenant'] ?? '-'} ${request.headers.host}`),
    )
  })
}

async function started() {
  const gateway = await world.gateway()
  const [a, b, port] = [await backEnd('a'), await backEnd('b'), await freePort()]
  const servers = `[{url: "http://127.0.0.1:${a.port}"}, {url: "http://127.0.0.1:${b.port}"}]`
  await create(
    gateway,
    `
name: guard
kind: GlobalFilter
beforePipeline:
  filters:
  - name: closed
    kind: Validator
    headers: {X-Tenant: {regexp: "^[a-z]+$"}}
`,
  )
  await create(
    gateway,
    `
name: orders
kind: Pipeline
flow:
- filter: proxy
  jumpIf: {failureCode: sorry, shortCircuited: sorry, "": END}
- filter: sorry
resilience:
- {name: again, kind: Retry, maxAttempts: 2, waitDuration: 10ms}
filters:
- name: proxy
  kind: Proxy
  pools:
  - servers: ${servers}
    retryPolicy: again
    timeout: 5s
  - servers: [{url: "http://127.0.0.1:${b.port}"}]
    filter: {headers: {X-Canary: {exact: "yes"}}}
- name: sorry
  kind: Fallback
  mockCode: 503
  mockBody: come back later
`,
  )
  // Of v1, beside those of v2: its Retryer encloses its Proxy, and the global filter both.
  await gateway.create({
    kind: 'HTTPPipeline',
    name: 'legacy',
    flow: [{ filter: 'again' }, { filter: 'proxy' }],
    filters: [
      {
        name: 'again',
        kind: 'Retryer',
        policies: [{ name: 'p', waitDuration: '10ms', failureStatusCodes: [500] }],
        defaultPolicyRef: 'p',
        urls: [{ methods: ['GET'], url: { prefix: '/' } }],
      },
      { name: 'proxy', kind: 'Proxy', mainPool: { servers: [{ url: a.url }] } },
    ],
  })
  await create(
    gateway,
    `
name: edge
kind: HTTPServer
port: ${port}
globalFilter: guard
clientMaxBodySize: 100
routerKind: RadixTree
rules:
- hosts: [{value: "*.example"}]
  paths:
  - path: /tenants/{tenant}/*
    rewriteTarget: /{EG_WILDCARD}
    setHeaders: {X-Tenant: $tenant}
    backend: orders
  - path: /own
    setHeaders: {X-Tenant: own}
    backendPool:
      servers: ${servers}
      loadBalance: {stickySession: {mode: DurationBased}}
  - path: /legacy/*
    rewriteTarget: /{EG_WILDCARD}
    setHeaders: {X-Tenant: legacy}
    backend: legacy
  - path: /put
    methods: [PUT]
    queries: [{key: v, values: ["2"]}]
    backend: orders
`,
  )
  const get = (path: string, more: Partial<Parameters<typeof ask>[0]> = {}) =>
    ask({ port, path, host: 'shop.example', ...more })
  await until('the server to listen', 10_000, async () => {
    const answer = await get('/').catch(() => null)
    return answer !== null && answer.status === 404
  })
  return { gateway, a, b, get }
}

it('serves objects of v2', async () => {
  const { gateway, a, b, get } = await started()

  // Routing, rewriting, headers with variables, both servers in turn.
  const names = new Set<string>()
  for (let i = 0; i < 4; i++) {
    const { status, text } = await get('/tenants/acme/items/7?x=1')
    const [name = '', path, tenant, host] = text.split(' ')
    expect([status, path, tenant, host]).toEqual([200, '/items/7?x=1', 'acme', 'shop.example'])
    names.add(name)
  }
  expect([...names].sort()).toEqual(['a', 'b'])
  const statuses = await Promise.all([
    get('/nothing').then(({ status }) => status),
    get('/tenants/acme/x', { host: 'other.org' }).then(({ status }) => status),
    get('/put?v=2').then(({ status }) => status),
    get('/put?v=1', { method: 'PUT' }).then(({ status }) => status),
  ])
  expect(statuses).toEqual([404, 404, 405, 400])

  // The global filter: only tenants of letters.
  expect((await get('/tenants/42/x')).status).toBe(400)

  // Candidate pool, retry, failure code with a jump.
  for (let i = 0; i < 3; i++) {
    const { text } = await get('/tenants/acme/x', { headers: { 'x-canary': 'yes' } })
    expect(text).toMatch(/^b /)
  }
  expect((await get('/tenants/acme/flaky')).status).toBe(200)
  const failed = await get('/tenants/acme/fail')
  expect([failed.status, failed.text]).toEqual([503, 'come back later'])

  // A pipeline of v1 behind a server of v2.
  const legacy = await get('/legacy/flaky')
  expect([legacy.status, legacy.text.split(' ')[1]]).toEqual([200, '/flaky'])

  // Bodies: bounded, announced or not.
  const put = (body: string) => get('/tenants/acme/x', { method: 'POST', body })
  expect((await put('x'.repeat(100))).status).toBe(200)
  expect((await put('x'.repeat(101))).status).toBe(413)

  // A session of a pool that the server has of its own.
  const first = await get('/own')
  const cookie = (first.headers['set-cookie'] ?? [''])[0]?.split(';')[0] as string
  for (let i = 0; i < 4; i++) {
    const { text } = await get('/own', { headers: { cookie } })
    expect(text.split(' ')[0]).toBe(first.text.split(' ')[0])
  }

  // What is not supported, or wrong, is refused with its place.
  const https = await post(gateway, 'name: s\nkind: HTTPServer\nport: 1\nhttps: true')
  expect(https[0]).toBe(400)
  expect(https[1]).toContain('line 4, column 8: https')
  const misspelt = 'name: p\nkind: Pipeline\nfilters:\n- {name: a, kind: Prox}'
  expect((await post(gateway, misspelt))[1]).toContain('line 4, column 19: filters/0/kind')

  // What changes is served at once; what is gone, no more.
  await gateway.remove('guard')
  await until('the filter to be gone', 5_000, async () => {
    return (await get('/tenants/42/x')).status === 200
  })
  await a.close()
  await b.close()
  const { status, text } = await get('/tenants/acme/x')
  expect([status, text]).toEqual([503, ''])
  await gateway.dispose()
})
