import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import type { FakeClient } from '../../http/fake-client.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

interface Entity {
  request: Record<string, unknown>
  response: { statusCode: number; header: Record<string, string[]>; body: string | null }
}

async function asked(
  flow: string,
  act: (entity: Entity, response: ServerResponse) => void,
  check: (client: FakeClient, entity: Entity) => void,
): Promise<void> {
  const seen: Entity[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const entity = JSON.parse(Buffer.concat(chunks).toString()) as Entity
    seen.push(structuredClone(entity))
    act(entity, response)
    response.end(JSON.stringify(entity))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const yaml = `
flow: ${flow}
filters:
- {name: answer, kind: Mock, rules: [{code: 201, headers: {X-A: '1'}, body: old}]}
- {name: remote, kind: RemoteFilter, url: 'http://127.0.0.1:${port}'}
- {name: after, kind: Mock, rules: [{code: 299}]}
`
  try {
    await withPipeline(
      yaml,
      async (harness) => check(await harness.ask({ path: '/p' }), seen[0] as Entity),
      'v2',
    )
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

const AFTER_ANSWER =
  '[{filter: answer, jumpIf: {mocked: remote}}, {filter: remote, jumpIf: {failed: after}}, {filter: END}, {filter: after}]'

it('headers of the service are added, and what comes back as it went is there once', () =>
  asked(
    AFTER_ANSWER,
    ({ response }) => {
      response.statusCode = 202
      response.header['X-A'] = ['1', '2']
      response.header['X-B'] = ['b']
      response.body = Buffer.from('new').toString('base64')
    },
    (client) => {
      expect([client.status, client.headers, client.text]).toEqual([
        202,
        ['x-a', '1', 'x-a', '2', 'x-b', 'b'],
        'new',
      ])
    },
  ))

it('where there is no answer, one is made first', () =>
  asked(
    '[{filter: remote}]',
    () => {},
    (client, entity) => {
      expect([entity.response.statusCode, client.status]).toEqual([200, 200])
    },
  ))

it('failed', () =>
  asked(
    AFTER_ANSWER,
    (_entity, response) => void response.writeHead(300),
    (client) => void expect(client.status).toBe(299),
  ))

it('a spec is refused', () => {
  expect(problemsOf('RemoteFilter', 'url: ftp://a', 'v2')).toContain('url')
})
