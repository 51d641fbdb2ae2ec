/** One server with every family of routing rules, end to end: what reaches which pipeline. */
import { expect, it } from 'vitest'
import { httpServer, mock, pipeline, proxy } from './support/documents.js'
import { type Answer, ask, keptAlive } from './support/http.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const PIPELINES = ['exact', 'prefix', 'regexp', 'host', 'hosts', 'header', 'method', 'rest']

const RULES = [
  { host: 'one.example', paths: [{ backend: 'host' }] },
  { hostRegexp: '^[a-z]+\\.many\\.example$', paths: [{ backend: 'hosts' }] },
  {
    paths: [
      { path: '/exact', backend: 'exact' },
      { pathPrefix: '/prefix/', backend: 'prefix' },
      { pathRegexp: '^/id/([0-9]+)$', rewriteTarget: '/item/$1', backend: 'regexp' },
      { path: '/method', methods: ['PUT', 'DELETE'], backend: 'method' },
      {
        pathPrefix: '/header',
        backend: 'rest',
        headers: [{ key: 'X-Kind', values: ['a'], regexp: '^b+$', backend: 'header' }],
      },
      {
        path: '/closed',
        backend: 'rest',
        ipFilter: { blockByDefault: true, allowIPs: ['10.0.0.0/8'] },
      },
    ],
  },
]

async function started(more: Readonly<Record<string, unknown>>) {
  const gateway = await world.gateway()
  const port = await freePort()
  for (const name of PIPELINES) await gateway.create(pipeline(name, mock(200, name)))
  await gateway.create(httpServer('server', port, 'rest', { rules: RULES, ...more }))
  return { gateway, port }
}

it.each([0, 100])('routes by every rule, with a cache of %s routes', async (cacheSize) => {
  const { gateway, port } = await started({ cacheSize })
  const table: [string, Parameters<typeof ask>[0], number, string][] = [
    ['exact path', { port, path: '/exact' }, 200, 'exact'],
    ['exact path, query', { port, path: '/exact?a=b' }, 200, 'exact'],
    ['not the exact path', { port, path: '/exact/' }, 404, ''],
    ['prefix', { port, path: '/prefix/a/b' }, 200, 'prefix'],
    ['regexp', { port, path: '/id/17' }, 200, 'regexp'],
    ['not the regexp', { port, path: '/id/x' }, 404, ''],
    ['host', { port, host: 'one.example' }, 200, 'host'],
    ['host with port', { port, host: `one.example:${port}` }, 200, 'host'],
    ['host by regexp', { port, host: 'a.many.example' }, 200, 'hosts'],
    ['other host', { port, host: 'b.example', path: '/exact' }, 200, 'exact'],
    ['method', { port, path: '/method', method: 'PUT' }, 200, 'method'],
    ['other method', { port, path: '/method', method: 'GET' }, 405, ''],
    ['header value', { port, path: '/header', headers: { 'X-Kind': 'a' } }, 200, 'header'],
    ['header regexp', { port, path: '/header', headers: { 'X-Kind': 'bbb' } }, 200, 'header'],
    ['no such header', { port, path: '/header' }, 404, ''],
    ['IP not allowed', { port, path: '/closed' }, 403, ''],
    ['IP allowed', { port, path: '/closed', headers: { 'X-Real-Ip': '10.1.2.3' } }, 200, 'rest'],
  ]
  // Twice: the second time a cache would answer.
  for (const round of [1, 2]) {
    for (const [name, request, status, text] of table) {
      const answer = await ask(request)
      expect([round, name, answer.status, answer.text]).toEqual([round, name, status, text])
    }
  }
  await gateway.dispose()
})

it('rewrites the target, keeps the query, and maintains X-Forwarded-For', async () => {
  const seen: string[] = []
  const backEnd = await world.backEnd((request, response) => {
    seen.push(`${request.url} ${String(request.headers['x-forwarded-for'])}`)
    response.end('ok')
  })
  const { gateway, port } = await started({ xForwardedFor: true })
  await gateway.update(pipeline('regexp', proxy(backEnd.url)))
  await ask({ port, path: '/id/7?q=%2F' })
  await ask({ port, path: '/id/8', headers: { 'X-Forwarded-For': '203.0.113.9' } })
  await ask({
    port,
    path: '/id/9',
    headers: { 'X-Forwarded-For': '10.0.0.1', 'X-Real-Ip': '1.2.3.4' },
  })
  expect(seen).toEqual([
    '/item/7?q=%2F 127.0.0.1',
    '/item/8 203.0.113.9',
    '/item/9 10.0.0.1,1.2.3.4',
  ])
  await gateway.dispose()
})

it('maxConnections holds exactly for the node, over two workers', async () => {
  const { gateway, port } = await started({ maxConnections: 20 })
  const agents = Array.from({ length: 60 }, () => keptAlive())
  world.atEnd(() => {
    for (const agent of agents) agent.destroy()
  })
  const results = await Promise.allSettled(
    agents.map((agent) => ask({ port, path: '/exact', agent })),
  )
  const served = results.filter((each) => each.status === 'fulfilled')
  expect(served).toHaveLength(20)
  // Those that are open go on, and a place that becomes free is used again, exactly once.
  const open = agents.filter((_agent, index) => results[index]?.status === 'fulfilled')
  const [first, ...others] = open
  for (const agent of others) expect((await ask({ port, path: '/exact', agent })).status).toBe(200)
  first?.destroy()
  const tryOnce = (): Promise<Answer | null> =>
    ask({ port, path: '/exact', agent: keptAlive() }).catch(() => null)
  await until('a place to become free', 5_000, async () => (await tryOnce()) !== null)
  expect(await tryOnce()).toBeNull()
  await gateway.dispose()
})

it('keepAlive: false ends every connection with its answer', async () => {
  const { gateway, port } = await started({ keepAlive: false })
  const answer = await ask({ port, path: '/exact', agent: keptAlive() })
  expect(answer.headers.connection).toBe('close')
  await gateway.dispose()
})
