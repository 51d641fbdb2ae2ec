import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Dialect } from '../../spec/document.js'
import { ScriptedServer } from '../../upstream/scripted-server.fixture.js'
import { type Harness, withPipeline } from '../harness.fixture.js'

/** A pipeline of one Proxy over these servers; `more` are further fields of its pool. */
export function proxyOver(ports: readonly (number | string)[], more = ''): string {
  const servers = ports.map((port) =>
    typeof port === 'number' ? `    - url: http://127.0.0.1:${port}` : `    - ${port}`,
  )
  return `
filters:
- name: proxy
  kind: Proxy
  mainPool:
    servers:
${servers.join('\n')}
${more.replace(/^/gm, '    ')}
`
}

/** The same of v2: a pool of these servers; `proxy` are further fields of the filter. */
export function proxyV2Over(
  servers: readonly (number | string)[],
  { pool = '', proxy = '', pipeline = '', after = '' } = {},
): string {
  const list = servers.map((each) =>
    typeof each === 'number' ? `{url: "http://127.0.0.1:${each}"}` : `{${each}}`,
  )
  return `
${pipeline}
filters:
- name: proxy
  kind: Proxy
${proxy.replace(/^/gm, '  ')}
  pools:
  - servers: [${list.join(', ')}]
${pool.replace(/^/gm, '    ')}
${after}
`
}

/** Runs `test` with back ends that it scripts, byte by byte. */
export async function withScripted(
  test: (harness: Harness, backend: ScriptedServer) => Promise<void>,
  pipeline: (port: number) => string = (port) => proxyOver([port]),
  dialect: Dialect = 'v1',
): Promise<void> {
  const backend = await ScriptedServer.listen()
  try {
    await withPipeline(pipeline(backend.port), (harness) => test(harness, backend), dialect)
  } finally {
    await backend.close()
  }
}

export type Serve = (request: IncomingMessage, response: ServerResponse, server: number) => void

/** The same with real HTTP servers that do what `serve` says. */
export async function withServers(
  count: number,
  serve: Serve,
  pipeline: (ports: number[]) => string,
  test: (harness: Harness) => Promise<void>,
  dialect: Dialect = 'v1',
): Promise<void> {
  const servers = Array.from({ length: count }, (_, at) =>
    createServer((request, response) => serve(request, response, at)),
  )
  await Promise.all(servers.map((server) => once(server.listen(0, '127.0.0.1'), 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  try {
    await withPipeline(pipeline(ports), test, dialect)
  } finally {
    for (const server of servers) {
      server.close()
      server.closeAllConnections()
    }
  }
}
