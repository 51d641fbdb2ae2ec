/** IP filters on their three levels, by the address of the connection and by what proxies say. */
import { expect, it } from 'vitest'
import { mock, pipeline } from './support/documents.js'
import { freePort } from './support/ports.js'
import { openWorld } from './support/world.js'

const world = openWorld()

interface Row {
  readonly path: string
  readonly host?: string
  /** Address the client connects from. */
  readonly from: string
  readonly fields?: string
  readonly status: number
}

const FILTERED = {
  ipFilter: { blockIPs: ['127.0.0.9', '203.0.113.0/24'] },
  rules: [
    {
      host: 'inner',
      ipFilter: { blockByDefault: true, allowIPs: ['127.0.0.2', '127.0.0.3'] },
      paths: [
        { path: '/two', backend: 'p', ipFilter: { blockIPs: ['127.0.0.3'] } },
        { path: '/both', backend: 'p' },
      ],
    },
    { paths: [{ pathPrefix: '/', backend: 'p' }] },
  ],
}

const TABLE: readonly Row[] = [
  { path: '/', from: '127.0.0.1', status: 200 },
  { path: '/', from: '127.0.0.9', status: 403 },
  { path: '/both', host: 'inner', from: '127.0.0.9', status: 403 },
  { path: '/both', host: 'inner', from: '127.0.0.1', status: 403 },
  { path: '/both', host: 'inner', from: '127.0.0.2', status: 200 },
  { path: '/both', host: 'inner', from: '127.0.0.3', status: 200 },
  { path: '/two', host: 'inner', from: '127.0.0.2', status: 200 },
  { path: '/two', host: 'inner', from: '127.0.0.3', status: 403 },
  // No path of the rule: the next rule takes it, unless the filter of this one has denied it.
  { path: '/nothing', host: 'inner', from: '127.0.0.2', status: 200 },
  { path: '/nothing', host: 'inner', from: '127.0.0.1', status: 403 },
  // What proxies say of the client counts more than who connects.
  { path: '/', from: '127.0.0.1', fields: 'X-Forwarded-For: 203.0.113.7\r\n', status: 403 },
  { path: '/', from: '127.0.0.9', fields: 'X-Forwarded-For: 198.51.100.7\r\n', status: 200 },
  { path: '/', from: '127.0.0.1', fields: 'X-Real-Ip: 203.0.113.7\r\n', status: 403 },
  { path: '/', from: '127.0.0.9', fields: 'X-Forwarded-For: 10.0.0.1\r\n', status: 403 },
]

it.each([0, 10])(
  'IP filters of server, rule and path, with a cache of %s routes',
  async (cacheSize) => {
    const gateway = await world.gateway()
    const port = await freePort()
    await gateway.create(pipeline('p', mock(200, 'in')))
    await gateway.create({ kind: 'HTTPServer', name: 's', port, cacheSize, ...FILTERED })
    // Twice, and from the permitted first: what one client may see is not another's.
    for (let round = 1; round <= 2; round++) {
      for (const row of TABLE) {
        const { path, host = 'a', from, fields = '', status } = row
        const client = await world.client(port, from)
        client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`)
        expect({ ...row, status: (await client.answer()).status }, `round ${round}`).toEqual({
          ...row,
          status,
        })
        client.destroy()
      }
    }
    // A change of a filter holds for connections that are open already.
    const kept = await world.client(port)
    kept.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await kept.answer()).status).toBe(200)
    await gateway.update({
      kind: 'HTTPServer',
      name: 's',
      port,
      cacheSize,
      ipFilter: { blockByDefault: true },
      rules: FILTERED.rules,
    })
    kept.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await kept.answer()).status).toBe(403)
    await gateway.dispose()
  },
)
