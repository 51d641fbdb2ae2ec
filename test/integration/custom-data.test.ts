/** Custom data from the admin API to the filters of every worker, over a restart too. */
import { expect, it } from 'vitest'
import type { Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()

async function api(
  gateway: Gateway,
  method: string,
  path: string,
  value?: unknown,
): Promise<readonly [number, string]> {
  const body = value === undefined ? '' : JSON.stringify(value)
  const headers = { 'content-length': Buffer.byteLength(body) }
  const port = gateway.apiPort
  const { status, text } = await ask({ port, method, path: `/apis/v2${path}`, headers, body })
  return [status, text]
}

it('filters look up what was stored, and see it change', async () => {
  const gateway = await world.gateway({ workers: 2 })
  const backEnd = await world.backEnd((request, response) => {
    response.end(String(request.headers['x-plan'] ?? 'none'))
  })
  const port = await freePort()
  const put = (item: object): Promise<readonly [number, string]> =>
    api(gateway, 'PUT', '/customdata/customers', item)
  const schema = { type: 'object', properties: { plan: { enum: ['gold', 'tin', 'free'] } } }
  const kind = { name: 'customers', jsonSchema: schema }
  expect(await api(gateway, 'POST', '/customdatakinds', kind)).toEqual([201, ''])
  const ann = { name: 'ann', plan: 'gold' }
  expect(await api(gateway, 'POST', '/customdata/customers', ann)).toEqual([201, ''])
  expect((await api(gateway, 'POST', '/customdata/customers', ann))[0]).toBe(409)
  expect((await put({ name: 'ann', plan: 'lead' }))[0]).toBe(400)
  expect((await put({ name: 'bob', plan: 'tin' }))[0]).toBe(404)
  const pipeline = {
    name: 'plans',
    kind: 'Pipeline',
    filters: [
      {
        name: 'plan',
        kind: 'HeaderLookup',
        headerKey: 'X-User',
        etcdPrefix: 'customers/',
        headerSetters: [{ etcdKey: 'plan', headerKey: 'X-Plan' }],
      },
      { name: 'proxy', kind: 'Proxy', pools: [{ servers: [{ url: backEnd.url }] }] },
    ],
  }
  const server = {
    name: 'edge',
    kind: 'HTTPServer',
    port,
    rules: [{ paths: [{ pathPrefix: '/', backend: 'plans' }] }],
  }
  expect(await api(gateway, 'POST', '/objects', pipeline)).toEqual([201, ''])
  expect(await api(gateway, 'POST', '/objects', server)).toEqual([201, ''])
  // New connections each: both workers are asked.
  const plans = async (user: string): Promise<string> => {
    const headers = { 'x-user': user }
    const answers = Array.from({ length: 16 }, () => ask({ port, path: '/', headers, body: '' }))
    return [...new Set((await Promise.all(answers)).map(({ text }) => text))].join()
  }
  expect(await plans('ann')).toBe('gold')
  expect(await plans('bob')).toBe('none')
  const change = {
    list: [
      { name: 'bob', plan: 'tin' },
      { name: 'ann', plan: 'free' },
    ],
  }
  expect(await api(gateway, 'POST', '/customdata/customers/items', change)).toEqual([200, ''])
  await until('the change', 5_000, async () => (await plans('bob')) === 'tin')
  expect(await plans('ann')).toBe('free')
  await gateway.stop()
  await gateway.restart()
  await until('traffic', 5_000, async () => (await plans('ann').catch(() => '')) === 'free')
  expect(await api(gateway, 'DELETE', '/customdatakinds/customers')).toEqual([200, ''])
  await until('nothing', 5_000, async () => (await plans('ann')) === 'none')
})
