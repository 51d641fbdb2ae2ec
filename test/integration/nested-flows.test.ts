/** A pipeline inside a pipeline, copies of requests: over real sockets, with clients that go. */
import { expect, it } from 'vitest'
import { httpServer, pipeline, proxy } from './support/documents.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()

const BODY = Buffer.alloc(3_000_000, 'x')

it('a Bridge: clients that go, long bodies, a mirror that is silent, a destination that goes', async () => {
  const gateway = await world.gateway({ workers: 1 })
  const port = await freePort()
  const silent = await world.rawBackEnd()
  const echo = await world.backEnd((request, response) => {
    request.pipe(response)
  })
  const mirrorPool = {
    servers: [{ url: silent.url }],
    filter: { headers: { 'X-Mirror': { exact: 'yes' } } },
  }
  await gateway.create(pipeline('quiet', proxy(silent.url)))
  await gateway.create(pipeline('echo', { ...proxy(echo.url), mirrorPool }))
  await gateway.create(
    pipeline(
      'outer',
      {
        name: 'limit',
        kind: 'TimeLimiter',
        defaultTimeoutDuration: '60s',
        urls: [{ url: { prefix: '/' } }],
      },
      { name: 'bridge', kind: 'Bridge', destinations: ['quiet', 'echo'] },
      { name: 'after', kind: 'ResponseAdaptor', header: { set: { 'X-After': '1' } } },
    ),
  )
  await gateway.create(httpServer('server', port, 'outer'))
  for (let round = 0; round < 10; round++) {
    const client = await world.client(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until('a request at the back end', 5_000, () => silent.openCount === 1)
    client.destroy()
    await until('the end of it', 5_000, () => silent.openCount === 0)
  }
  const headers = { 'X-Easegress-Bridge-Dest': 'echo', 'X-Mirror': 'yes' }
  for (let round = 0; round < 5; round++) {
    const answer = await ask({ port, method: 'POST', body: BODY, headers })
    expect([answer.status, answer.body.byteLength, answer.headers['x-after']]).toEqual([
      200,
      BODY.byteLength,
      '1',
    ])
  }
  await gateway.remove('quiet')
  expect((await ask({ port })).status).toBe(503)
  expect(gateway.program.output()).not.toContain('ERROR')
})
