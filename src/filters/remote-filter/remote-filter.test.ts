import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { FakeBody, type FakeRequest } from '../../http/fake-client.fixture.js'
import { ScriptedServer, turns, until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

interface Entity {
  request: Record<string, unknown> & { header: Record<string, string[]>; body: string | null }
  response: { statusCode: number; header: Record<string, string[]>; body: string | null } | null
}

type Act = (entity: Entity, response: ServerResponse, request: IncomingMessage) => void

const calling = (port: number, more = ''): string =>
  `- {name: remote, kind: RemoteFilter, url: "http://127.0.0.1:${port}/filter?a=b"${more}}\n`

/** A service in another process, as far as the gateway can tell; sends back what `act` leaves. */
async function withService(
  act: Act,
  pipeline: (port: number) => string,
  test: (harness: Harness, port: number) => Promise<void>,
): Promise<void> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const entity = JSON.parse(Buffer.concat(chunks).toString()) as Entity
    act(entity, response, request)
    if (!response.writableEnded) response.end(JSON.stringify(entity))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  try {
    await withPipeline(pipeline(port), (harness) => test(harness, port))
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

const FLOW = 'filters:\n'
/** Shows what the request has become. */
const SHOW = `- {name: now, kind: RequestAdaptor}
- name: show
  kind: ResponseAdaptor
  header: {set: {X-Now: "[[filter.now.req.method]] [[filter.now.req.path]] [[filter.now.req.header.x-id]] [[filter.now.req.body]]"}}
`

it('asks by POST, and goes on with the request as it came back', () =>
  withService(
    ({ request }, _response, { method, url, headers }) => {
      expect([method, url, headers['content-type']]).toEqual(['POST', '/filter?a=b', undefined])
      request['method'] = 'DELETE'
      request['path'] = '/new'
      request.header = { 'X-Id': ['7'] }
      request.body = Buffer.from('new body').toString('base64')
    },
    (port) => FLOW + calling(port) + SHOW,
    async (harness) => {
      const headers: FakeRequest['headers'] = [['x-id', '1']]
      const client = await harness.ask({ method: 'POST', path: '/old', headers, body: 'old' })
      expect(client.header('x-now')).toBe('DELETE /new 7 new body')
      expect([client.status, client.text]).toEqual([200, ''])
    },
  ))

it('the answer is replaced by what came back', () =>
  withService(
    ({ response }) => {
      if (response === null) throw new Error('no response')
      expect(response).toMatchObject({ statusCode: 200, header: { 'X-Before': ['1'] } })
      response.statusCode = 418
      response.header = { 'X-Remote-Name': ['G.O.O.D'] }
      response.body = Buffer.from('tea').toString('base64')
    },
    (port) =>
      `${FLOW}- {name: b, kind: ResponseAdaptor, header: {set: {X-Before: "1"}}}\n${calling(port)}`,
    async (harness) => {
      const client = await harness.ask()
      expect([client.status, client.headers, client.text]).toEqual([
        418,
        ['x-remote-name', 'G.O.O.D'],
        'tea',
      ])
    },
  ))

it('no response leaves the answer alone', () =>
  withService(
    (entity) => {
      entity.response = null
    },
    (port) =>
      `${FLOW}- {name: b, kind: ResponseAdaptor, header: {set: {X-Before: "1"}}, body: made}\n${calling(port)}`,
    async (harness) => {
      const client = await harness.ask()
      expect([client.status, client.header('x-before'), client.text]).toEqual([200, '1', 'made'])
    },
  ))

it('behind a Proxy it sees the body of the answer, and may replace it', async () => {
  const backend = await ScriptedServer.listen()
  await withService(
    ({ response }) => {
      if (response === null) throw new Error('no response')
      const body = Buffer.from(response.body ?? '', 'base64').toString()
      response.body = Buffer.from(body.toUpperCase()).toString('base64')
    },
    (port) =>
      `${FLOW}- {name: p, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${backend.port}"}]}}\n${calling(port)}`,
    async (harness) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello')
      await until('the answer', () => client.ending === 'complete')
      expect([client.text, client.header('content-length')]).toEqual(['HELLO', null])
    },
  )
  await backend.close()
})

it.each([
  [205, 299],
  [201, 200],
])('with status %s of the service the client gets %s', (status, want) =>
  withService(
    (_entity, response) => {
      response.statusCode = status
    },
    (port) => `
flow:
- {filter: remote, jumpIf: {responseAlready: m}}
- {filter: show, jumpIf: {}}
- {filter: end}
- {filter: m}
filters:
${calling(port)}
- {name: show, kind: RequestAdaptor}
- {name: end, kind: Mock, rules: [{code: 200}]}
- {name: m, kind: Mock, rules: [{code: 299}]}
`,
    async (harness) => {
      expect((await harness.ask()).status).toBe(want)
    },
  ),
)

it.each<[what: string, act: Act]>([
  ['300', (_entity, response) => response.writeHead(300).end('{"request":{}}')],
  [
    'a redirection',
    (_entity, response) => response.writeHead(302, { location: '/other' }).end('{"request":{}}'),
  ],
  ['400', (_entity, response) => response.writeHead(400).end('{"request":{}}')],
  ['500', (_entity, response) => response.writeHead(500).end('{"request":{}}')],
  ['204', (_entity, response) => response.writeHead(204).end()],
  ['an empty body', (_entity, response) => response.end()],
  ['no JSON', (_entity, response) => response.end('no JSON')],
  ['no request', (_entity, response) => response.end('{}')],
  ['a bad status', (_entity, response) => response.end('{"request":{},"response":{}}')],
  [
    'more than 192 KiB',
    (_entity, response) => response.end(`{"request":{},"pad":"${'x'.repeat(3 * 65_536)}"}`),
  ],
  ['half of it', (_entity, response) => response.destroy()],
])('%s is a failure: 503, and nothing is changed', (_what, act) =>
  withService(
    act,
    (port) => `
flow: [{filter: remote, jumpIf: {failed: now}}, {filter: now}, {filter: show}]
filters:
${calling(port)}${SHOW}`,
    async (harness) => {
      const client = await harness.ask({ path: '/p', headers: [['x-id', '1']] })
      expect([client.status, client.header('x-now')]).toEqual([503, 'GET /p 1 '])
    },
  ),
)

it('a service that cannot be reached is a failure', async () => {
  const gone = await ScriptedServer.listen()
  const { port } = gone
  await gone.close()
  await withPipeline(FLOW + calling(port), async (harness) => {
    expect((await harness.ask()).status).toBe(503)
  })
})

it('so is one that takes too long', async () => {
  const service = await ScriptedServer.listen()
  await withPipeline(FLOW + calling(service.port, ', timeout: 1s'), async (harness) => {
    const client = harness.start()
    const peer = await service.peer(0)
    await peer.head()
    harness.pass(900)
    expect(client.ending).toBe('open')
    harness.pass(200)
    expect([client.status, client.ending]).toEqual([503, 'complete'])
    await peer.gone()
  })
  await service.close()
})

it('a client that goes ends the call', async () => {
  const service = await ScriptedServer.listen()
  await withPipeline(FLOW + calling(service.port), async (harness) => {
    const client = harness.start()
    const peer = await service.peer(0)
    await peer.head()
    client.abort()
    await peer.gone()
    await turns()
    expect(client.sends).toBe(0)
  })
  await service.close()
})

it('a body of 64 KiB goes along, a larger one is 413', () =>
  withService(
    ({ request }) => {
      expect(Buffer.from(request.body ?? '', 'base64').byteLength).toBe(65_536)
    },
    (port) => FLOW + calling(port),
    async (harness) => {
      const body = 'x'.repeat(65_536)
      expect((await harness.ask({ method: 'POST', body })).status).toBe(200)
      const large = new FakeBody(65_537)
      expect((await harness.ask({ method: 'POST', body: large })).status).toBe(413)
    },
  ))

it('an answer of more than 64 KiB before it is 502', async () => {
  const backend = await ScriptedServer.listen()
  await withPipeline(
    `${FLOW}- {name: p, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${backend.port}"}]}}\n${calling(9)}`,
    async (harness) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n')
      await until('the answer', () => client.ending === 'complete')
      expect(client.status).toBe(502)
    },
  )
  await backend.close()
})

it.each<[fields: string, problem: string]>([
  ['', 'filters/0/url: is required'],
  ['url: 127.0.0.1:80', 'begin with the scheme'],
  ['url: "ftp://a/"', 'url: expected a URL'],
  ['url: 1', 'url: expected a URL'],
  ['url: "http://u:p@a/"', 'url: expected no user and no fragment in it, and no port 0'],
  ['url: "http://a/#b"', 'url: expected no user and no fragment in it, and no port 0'],
  ['url: "http://a:0/"', 'url: expected no user and no fragment in it, and no port 0'],
  ['url: "http://a/"\ntimeout: 0s', 'timeout: expected a duration of at least 1ms'],
  ['url: "http://a/"\ntimeout: 10', 'add a unit: "10ms", "10s"'],
  ['URL: "http://a/"', 'did you mean "url"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('RemoteFilter', fields)).toContain(problem)
})

it('what throws when the answer is applied costs the request, not the worker', () =>
  withService(
    ({ request }) => {
      request['method'] = 'PUT'
    },
    (port) => FLOW + calling(port),
    async (harness) => {
      const client = harness.start({}, ({ ex }) => {
        Object.defineProperty(ex.request, 'method', {
          get: () => 'GET',
          set: () => {
            throw new Error('boom')
          },
        })
      })
      await until('the end', () => client.ending !== 'open')
      expect(client.status).toBe(500)
      expect(harness.log.records.splice(0)).toMatchObject([{ fields: { filter: 'remote' } }])
    },
  ))
