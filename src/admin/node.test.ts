import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { MemoryLogger } from '../telemetry/memory-log.js'
import {
  CATALOGUE_FIXTURE,
  CoordinatorFixture,
  NodeFixture,
  spawnCoordinator,
} from './coordinator.fixture.js'
import { createAdminServer } from './server.js'

interface Rig {
  readonly coordinator: CoordinatorFixture
  readonly node: NodeFixture
  /** A folder that goes with the test. */
  readonly dir: string
  readonly call: (method: string, path: string, body?: string) => Promise<Response>
}

async function withNode(run: (rig: Rig) => Promise<void>): Promise<void> {
  const coordinator = new CoordinatorFixture()
  const node = new NodeFixture()
  const admin = createAdminServer({
    coordinator: spawnCoordinator(coordinator),
    catalogue: CATALOGUE_FIXTURE,
    options: {
      apiAddr: { host: '127.0.0.1', port: 0 },
      allowInsecureAdmin: false,
      basicAuth: {},
      tls: false,
      certFile: '',
      keyFile: '',
      clientCaFile: '',
      clusterRequestTimeoutMs: 5_000,
    },
    log: new MemoryLogger(),
    accessLog: null,
    node,
  })
  await admin.listen()
  const dir = mkdtempSync(join(tmpdir(), 'admin-node-'))
  node.logFile = join(dir, 'stdout.log')
  const base = `http://127.0.0.1:${admin.address?.port}/apis/v2`
  try {
    await run({
      coordinator,
      node,
      dir,
      call: (method, path, body) => fetch(base + path, { method, ...(body && { body }) }),
    })
  } finally {
    await admin.close(0)
    rmSync(dir, { recursive: true })
  }
}

const linesTo = (count: number): string =>
  Array.from({ length: count }, (_, i) => `line ${i} ${'é'.repeat(40)}\n`).join('')

it.each<[query: string, want: (all: string[]) => string[]]>([
  ['', (all) => all.slice(-500)],
  ['?tail=-1', (all) => all],
  ['?tail=3', (all) => all.slice(-3)],
  ['?tail=0', () => []],
  ['?tail=100000', (all) => all],
])('GET /logs%s', async (query, want) => {
  await withNode(async ({ call, node }) => {
    const text = linesTo(4_000)
    writeFileSync(node.logFile, text)
    const got = await call('GET', `/logs${query}`)
    expect(got.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect((await got.text()).split(/(?<=\n)/).filter((line) => line !== '')).toEqual(
      want(text.split(/(?<=\n)/)),
    )
  })
})

it.each(['?tail=x', '?tail=-2', '?tail=1.5', '?follow=maybe', '?lines=3'])(
  'GET /logs%s is refused',
  async (query) => {
    await withNode(async ({ call, node }) => {
      writeFileSync(node.logFile, 'a\n')
      expect((await call('GET', `/logs${query}`)).status).toBe(400)
    })
  },
)

it('follows the log, also into a new file', () =>
  withNode(async ({ call, node }) => {
    writeFileSync(node.logFile, 'one\n')
    const { body } = await call('GET', '/logs?tail=1&follow')
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    let text = ''
    const until = async (line: string): Promise<void> => {
      while (!text.includes(line)) {
        const { value, done } = await reader.read()
        if (done) throw new Error(`ended before ${line}: ${text}`)
        text += new TextDecoder().decode(value)
      }
    }
    await until('one\n')
    appendFileSync(node.logFile, 'two\n')
    await until('two\n')
    renameSync(node.logFile, `${node.logFile}.1`)
    writeFileSync(node.logFile, 'three\n')
    await until('three\n')
    expect(text).toBe('one\ntwo\nthree\n')
    await reader.cancel()
  }))

it('shows and changes the level of the log', () =>
  withNode(async ({ call, node }) => {
    expect(await (await call('GET', '/logs/level')).text()).toBe('info\n')
    expect((await call('PUT', '/logs/level/debug')).status).toBe(200)
    expect(node.level).toBe('debug')
    expect((await call('PUT', '/logs/level/loud')).status).toBe(400)
    expect(node.level).toBe('debug')
  }))

it('begins and ends profiles', () =>
  withNode(async ({ call, node, dir }) => {
    const path = join(dir, 'cpu')
    expect((await call('POST', '/profile/start/cpu', JSON.stringify({ path }))).status).toBe(200)
    expect((await call('POST', '/profile/start/memory', `path: ${dir}/heap`)).status).toBe(200)
    expect(await (await call('GET', '/profile')).json()).toEqual({
      cpuPath: path,
      memoryPath: join(dir, 'heap'),
    })
    expect((await call('POST', '/profile/start/cpu', 'path: here')).status).toBe(200)
    expect(node.wanted.cpuFile).toBe('/tmp/here')
    for (const body of ['', '{}', '{"path": ""}', '{"path": 1}', '{"path": "/gone/away/x"}', '{']) {
      expect((await call('POST', '/profile/start/cpu', body)).status, body).toBe(400)
    }
    expect((await call('POST', '/profile/stop')).status).toBe(200)
    expect(node.wanted).toEqual({ cpuFile: null, heapFile: null })
  }))

it('tells Prometheus what servers and pools do here', () =>
  withNode(async ({ call, coordinator }) => {
    const body = 'name: s"1\nkind: HTTPServer\n'
    coordinator.objects.set('s', {
      name: 's"1',
      kind: 'HTTPServer',
      text: body,
      spec: {},
      version: 1,
      createdVersion: 1,
      dialect: 'v1',
      createdMs: 0,
    })
    await call('POST', '/objects', 'name: p\nkind: HTTPPipeline\n')
    const block = { count: 7, errCount: 1, m1ErrPercent: 0.5, codes: { 200: 6, 500: 1 } }
    const here = { state: 'running', status: block }
    coordinator.status = {
      's"1': { 'eg-1': here, 'eg-2': { state: 'failed', status: block } },
      p: {
        'eg-1': {
          failures: 4,
          filters: {
            proxy: { mainPool: { stat: { count: 3 } }, candidatePools: [{ stat: block }] },
            v: null,
          },
        },
      },
    }
    await call('POST', '/objects', 'name: g\nkind: GlobalFilter\n')
    coordinator.status['g'] = { 'eg-1': { afterPipeline: { failures: 5, filters: {} } } }
    coordinator.nodeMetrics = [
      { name: 'disk_syncs', type: 'counter', labels: {}, value: 9 },
      { name: 'member_clock_offset_ms', type: 'gauge', labels: { member: 'eg-2' }, value: -3 },
    ]
    const got = await call('GET', '/metrics')
    expect(got.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = await got.text()
    const own = 'clusterName="demo",clusterRole="writer",instanceName="eg-1"'
    const server = `{${own},httpServerName="s\\"1",kind="HTTPServer"`
    expect(text).toContain(`# TYPE httpserver_health gauge\nhttpserver_health${server}} 1\n`)
    expect(text).toContain(`httpserver_total_requests${server}} 7\n`)
    expect(text).toContain(`httpserver_m1_err_percent${server}} 0.5\n`)
    expect(text).toContain(`httpserver_status_codes${server},code="500"} 1\n`)
    const main = `{${own},proxyName="proxy#proxy#main",kind="HTTPPipeline",pipeline="p"}`
    expect(text).toContain(`proxy_total_connections${main} 3\n`)
    expect(text).toContain('proxyName="proxy#proxy#candidate#0"')
    expect(text).toContain(
      `# TYPE pipeline_total_failures counter\npipeline_total_failures{${own},pipeline="p",kind="HTTPPipeline"} 4\n`,
    )
    expect(text).toContain(`{${own},pipeline="g/afterPipeline",kind="GlobalFilter"} 5\n`)
    expect(text).toContain(`# TYPE disk_syncs counter\ndisk_syncs{${own}} 9\n`)
    expect(text).toContain(`member_clock_offset_ms{${own},member="eg-2"} -3\n`)
    expect(text.match(/eg-2/g)).toHaveLength(1)
  }))
