import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

const PIPELINE = 'filters:\n- {name: p, kind: SimpleHTTPProxy}'

/** Runs `test` with a server of its own; `fields` are further ones of the filter. */
async function withServer(
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  test: (harness: Harness, port: number) => Promise<void>,
  fields = '',
): Promise<void> {
  const server = createServer(serve)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const pipeline = `filters:\n- {name: p, kind: SimpleHTTPProxy${fields}}`
    await withPipeline(pipeline, (harness) => test(harness, port), 'v2')
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

async function ask(harness: Harness, host: string, request: Parameters<Harness['start']>[0] = {}) {
  const client = harness.start(request, ({ ex }) => {
    ex.request.host = host
  })
  while (client.ending === 'open') await new Promise((resolve) => setImmediate(resolve))
  return client
}

it('sends the request to the host that it names', () =>
  withServer(
    (request, response) =>
      response.end(
        `${request.method} ${request.url} ${request.headers.host} ${request.headers.via}`,
      ),
    async (harness, port) => {
      const client = await ask(harness, `127.0.0.1:${port}`, { path: '/a', query: 'b' })
      expect(client.status).toBe(200)
      expect(client.text).toMatch(
        new RegExp(`^GET /a\\?b 127\\.0\\.0\\.1:${port} 1\\.1 easegress-[0-9a-f]{12}$`),
      )
      expect(harness.statuses('p/all')).toEqual([200])
    },
  ))

it('unpacks gzip for a client that said nothing of codings, and for no other', () =>
  withServer(
    (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' })
      response.end(gzipSync('packed'))
    },
    async (harness, port) => {
      expect((await ask(harness, `127.0.0.1:${port}`)).text).toBe('packed')
      const fields = { headers: [['accept-encoding', 'gzip, br']] } as const
      const packed = await ask(harness, `127.0.0.1:${port}`, fields)
      expect(Buffer.concat(packed.chunks)).toEqual(gzipSync('packed'))
    },
  ))

it('knows a request that comes back to it', () =>
  withServer(
    (request, response) => response.end(request.headers.via),
    async (harness, port) => {
      const { text } = await ask(harness, `127.0.0.1:${port}`)
      const again = await ask(harness, `127.0.0.1:${port}`, {
        headers: [['via', `1.0 a, ${text}`]],
      })
      expect(again.status).toBe(508)
    },
  ))

it('an error of the server is its answer', () =>
  withServer(
    (_request, response) => {
      response.statusCode = 500
      response.end('sorry')
    },
    async (harness, port) => {
      const client = await ask(harness, `127.0.0.1:${port}`)
      expect([client.status, client.text]).toEqual([500, 'sorry'])
    },
  ))

it('follows redirections, and bounds answers', () =>
  withServer(
    (request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/there' })
      response.end('12345')
    },
    async (harness, port) => {
      expect((await ask(harness, `127.0.0.1:${port}`)).status).toBe(500)
      expect((await ask(harness, `127.0.0.1:${port}`, { method: 'HEAD' })).status).toBe(200)
    },
    ', serverMaxBodySize: 4',
  ))

it.each(['', 'a b', 'user@a', 'a/b', 'a:99999', '['])('there is nobody at %j', (host) =>
  withPipeline(
    PIPELINE,
    async (harness) => {
      expect((await ask(harness, host)).status).toBe(503)
    },
    'v2',
  ),
)

it('answers 503 when nobody listens', () =>
  withServer(
    () => {},
    async (harness) => {
      expect((await ask(harness, '127.0.0.1:1')).status).toBe(503)
    },
  ))

it.each([
  ['retryPolicy: x', 'no Retry "x" in resilience'],
  ['maxIdleConns: -1', 'maxIdleConns'],
  ['timeout: 5', 'add a unit'],
])('refuses %s', (fields, problem) => {
  expect(problemsOf('SimpleHTTPProxy', fields, 'v2')).toContain(problem)
})
