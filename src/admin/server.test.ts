import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import {
  CATALOGUE_FIXTURE,
  CoordinatorFixture,
  MEMBER_FIXTURE,
  NodeFixture,
  spawnCoordinator,
} from './coordinator.fixture.js'
import { type AdminOptions, type AdminServer, createAdminServer, ListenError } from './server.js'
import { TEST_CERT, TEST_KEY } from './tls.fixture.js'

const SERVER = 'kind: HTTPServer # first\nname: s1\nport: 10080\n'

const OPTIONS: AdminOptions = {
  apiAddr: { host: '127.0.0.1', port: 0 },
  allowInsecureAdmin: false,
  basicAuth: {},
  tls: false,
  certFile: '',
  keyFile: '',
  clientCaFile: '',
  clusterRequestTimeoutMs: 5_000,
}

interface Rig {
  readonly coordinator: CoordinatorFixture
  readonly admin: AdminServer
  readonly log: MemoryLogger
  readonly call: (method: string, path: string, more?: Sent) => Promise<Got>
}

interface Sent {
  body?: string | Buffer
  headers?: Record<string, string>
}

interface Got {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
}

async function withAdmin(
  run: (rig: Rig) => Promise<void>,
  options: Partial<AdminOptions> = {},
): Promise<void> {
  const coordinator = new CoordinatorFixture()
  const log = new MemoryLogger()
  const admin = createAdminServer({
    coordinator: spawnCoordinator(coordinator),
    catalogue: CATALOGUE_FIXTURE,
    options: { ...OPTIONS, ...options },
    log,
    accessLog: log.child('access'),
    node: new NodeFixture(),
  })
  await admin.listen()
  const agent = new http.Agent({ keepAlive: true })
  const port = admin.address?.port as number
  try {
    await run({
      coordinator,
      admin,
      log,
      call: (method, path, sent = {}) => request(port, agent, method, path, sent),
    })
  } finally {
    agent.destroy()
    await admin.close(0)
  }
}

function request(
  port: number,
  agent: http.Agent,
  method: string,
  path: string,
  { body, headers = {} }: Sent,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port, agent, method, path, headers }, (got) => {
      const chunks: Buffer[] = []
      got.on('data', (chunk: Buffer) => chunks.push(chunk))
      got.on('end', () =>
        resolve({
          status: got.statusCode ?? 0,
          headers: got.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const JSON_PLEASE = { headers: { Accept: 'application/json' } }

it('takes an object through its life, with the codes and headers of v1', () =>
  withAdmin(async ({ call, coordinator }) => {
    const created = await call('POST', '/apis/v1/objects', { body: SERVER })
    expect(created).toMatchObject({ status: 201, body: '' })
    expect(created.headers.location).toBe('/apis/v1/objects/s1')
    expect(created.headers['x-config-version']).toBe('1')

    const again = await call('POST', '/apis/v1/objects', { body: SERVER })
    expect(again).toMatchObject({ status: 409, body: 'code: 409\nmessage: "conflict name: s1"\n' })
    expect(again.headers['x-easegress-error']).toBe('OBJECT_EXISTS')
    expect(again.headers['x-config-version']).toBe('1')

    const got = await call('GET', '/apis/v1/objects/s1/')
    expect(got).toMatchObject({ status: 200, body: SERVER })
    expect(got.headers['content-type']).toBe('text/vnd.yaml')
    expect(got.headers.etag).toBe('"1"')

    const updated = await call('PUT', '/apis/v1/objects/s1', { body: SERVER.replace('80', '81') })
    expect(updated).toMatchObject({ status: 200, body: '' })
    expect(updated.headers.location).toBeUndefined()
    expect(updated.headers['x-config-version']).toBe('2')

    const gone = await call('DELETE', '/apis/v1/objects/s1')
    expect(gone).toMatchObject({ status: 200, body: '' })
    expect(gone.headers['x-config-version']).toBe('3')
    expect(await call('GET', '/apis/v1/objects/s1')).toMatchObject({
      status: 404,
      body: 'code: 404\nmessage: not found\n',
    })
    expect(coordinator.objects.size).toBe(0)
  }))

it('lists objects by name with sorted keys, as they were written', () =>
  withAdmin(async ({ call }) => {
    for (const name of ['b', 'a', 'é']) {
      await call('POST', '/apis/v1/objects', {
        body: `name: ${name}\nkind: K\nz: [{w: 1, v: ""}]\nd: 1s\n`,
      })
    }
    const list = await call('GET', '/apis/v1/objects')
    const item = (name: string): string =>
      `- d: 1s\n  kind: K\n  name: ${name}\n  z:\n  - v: ""\n    w: 1\n`
    expect(list.body).toBe(item('a') + item('b') + item('é'))
    const json = await call('GET', '/apis/v1/objects', JSON_PLEASE)
    expect(json.headers['content-type']).toBe('application/json')
    expect(JSON.parse(json.body)).toMatchObject([{ name: 'a', d: '1s' }, {}, {}])
  }))

it('an empty list is a list', () =>
  withAdmin(async ({ call }) => {
    expect((await call('GET', '/apis/v1/objects')).body).toBe('[]\n')
    expect((await call('GET', '/apis/v1/objects', JSON_PLEASE)).body).toBe('[]\n')
    expect((await call('GET', '/apis/v1/status/members')).body).toBe('[]\n')
    expect((await call('GET', '/apis/v1/status/objects')).body).toBe('{}\n')
    expect((await call('GET', '/apis/v1/status/objects', JSON_PLEASE)).body).toBe('{}\n')
  }))

it('a long list comes whole, and the loop is not held up for it', () =>
  withAdmin(async ({ call, coordinator }) => {
    for (let i = 0; i < 3_000; i++) {
      const name = `o${String(i).padStart(5, '0')}`
      const text = `name: ${name}\nkind: K\nlist: [1, 2, 3, 4, 5]\n`
      coordinator.objects.set(name, {
        name,
        kind: 'K',
        text,
        spec: {},
        version: 1,
        createdVersion: 1,
        dialect: 'v1',
        createdMs: 0,
      })
    }
    const both = await Promise.all([
      call('GET', '/apis/v1/objects', JSON_PLEASE),
      call('GET', '/apis/v1/object-kinds').then(() => performance.now()),
      call('GET', '/apis/v1/objects').then((list) => ({ list, atMs: performance.now() })),
    ])
    expect(JSON.parse(both[0].body)).toHaveLength(3_000)
    expect(both[2].list.body.match(/^- kind: K$/gm)).toHaveLength(3_000)
    expect(both[1]).toBeLessThan(both[2].atMs)
  }))

it('shows members in the shape of the seed', () =>
  withAdmin(async ({ call, coordinator }) => {
    const other = { ...MEMBER_FIXTURE, options: { name: 'a' }, etcd: null }
    coordinator.members = [MEMBER_FIXTURE, other]
    const { body } = await call('GET', '/apis/v1/status/members')
    expect(body).toBe(`- options:
    name: a
  lastHeartbeatTime: "2021-05-05T15:43:27+08:00"
  etcd: null
- options:
    name: eg-default-name
    labels: {}
    cluster-name: eg-cluster-default-name
    cluster-role: writer
    cluster-request-timeout: 10s
    cluster-listen-client-urls:
    - http://127.0.0.1:2379
    cluster-join-urls: []
    api-addr: localhost:2381
    debug: false
    home-dir: ./
    wal-dir: ""
  lastHeartbeatTime: "2021-05-05T15:43:27+08:00"
  etcd:
    id: a30c34bf7ec77546
    startTime: "2021-05-05T15:42:37+08:00"
    state: Leader
`)
    expect((await call('DELETE', '/apis/v1/status/members/a')).status).toBe(200)
    expect((await call('DELETE', '/apis/v1/status/members/a')).status).toBe(404)
  }))

it('shows the status of objects in both shapes of v1', () =>
  withAdmin(async ({ call, coordinator }) => {
    await call('POST', '/apis/v1/objects', { body: SERVER })
    coordinator.status = { s1: { 'eg-1': { health: '', state: 'running' } } }
    expect((await call('GET', '/apis/v1/status/objects')).body).toBe(
      's1:\n  eg-1:\n    health: ""\n    state: running\n',
    )
    expect((await call('GET', '/apis/v1/status/objects/s1')).body).toBe(
      'eg-1: |\n  health: ""\n  state: running\n',
    )
    coordinator.status = { ...coordinator.status, 'a "b': {} }
    const all = await call('GET', '/apis/v1/status/objects', JSON_PLEASE)
    expect(JSON.parse(all.body)).toEqual(coordinator.status)
    const json = await call('GET', '/apis/v1/status/objects/s1', JSON_PLEASE)
    expect(JSON.parse(json.body)).toEqual({ 'eg-1': { health: '', state: 'running' } })
    expect((await call('GET', '/apis/v1/status/objects/s2')).status).toBe(404)
  }))

it('tells about kinds and itself', () =>
  withAdmin(async ({ call }) => {
    const filters = '/apis/v1/metadata/objects/httppipeline/filters'
    const bodies: [path: string, body: string | RegExp][] = [
      ['/apis/v1/object-kinds', '- HTTPPipeline\n- HTTPServer\n'],
      [filters, '- Proxy\n- Validator\n'],
      [`${filters}/Proxy/description`, 'Proxy sets the proxy of proxy servers.\n'],
      [`${filters}/Proxy/schema`, /^type: object\nproperties:\n/],
      [`${filters}/Proxy/results`, '- internalError\n- clientError\n- serverError\n'],
      ['/apis/v1/healthz', ''],
      ['/apis/v1/about', /^Easegress.*\n.*etcd.*\n$/],
      ['/apis/v1', /^- path: \/apis\/v1\n {2}method: GET\n- path: \/apis\/v1\/healthz\n/],
    ]
    for (const [path, body] of bodies) {
      const got = await call('GET', path)
      expect(got.status, path).toBe(200)
      expect(got.headers['x-config-version'], path).toBe('0')
      if (typeof body === 'string') expect(got.body, path).toBe(body)
      else expect(got.body, path).toMatch(body)
    }
    const missing = await call('GET', `${filters}/Prxy/schema`)
    expect(missing).toMatchObject({ status: 404 })
    expect(missing.body).toContain('did you mean Proxy?')
  }))

it('passes on what a write is to heed and tells what came of it', () =>
  withAdmin(async ({ call, coordinator }) => {
    coordinator.warnings = ['pipeline pipeline-démo\nis not there', 'port 1 is taken']
    coordinator.lagging = ['worker-1', 'worker-2']
    const created = await call('POST', '/apis/v1/objects', {
      body: SERVER,
      headers: { 'X-Request-Id': 'r-1' },
    })
    expect(created.status).toBe(201)
    expect(created.headers['x-config-applied']).toBe('partial')
    expect(created.headers['x-config-lagging']).toBe('worker-1, worker-2')
    const warning = Buffer.from(String(created.headers['x-easegress-warning']), 'latin1')
    expect(warning.toString()).toBe('pipeline pipeline-démo is not there, port 1 is taken')
    expect(coordinator.received.at(-1)).toMatchObject({ requestId: 'r-1', ifMatch: null })

    const conflict = await call('PUT', '/apis/v1/objects/s1', {
      body: SERVER,
      headers: { 'If-Match': '"7"' },
    })
    expect(conflict.status).toBe(412)
    const matched = { body: SERVER, headers: { 'If-Match': '1' } }
    expect((await call('PUT', '/apis/v1/objects/s1', matched)).status).toBe(200)
    const stale = { headers: { 'If-Match': '1' } }
    expect((await call('DELETE', '/apis/v1/objects/s1', stale)).status).toBe(412)
    const any = { headers: { 'If-Match': '*' } }
    expect((await call('DELETE', '/apis/v1/objects/s1', any)).status).toBe(200)
  }))

it('dry-run and apply are asked for in the query', () =>
  withAdmin(async ({ call, coordinator }) => {
    const tried = await call('POST', '/apis/v1/objects?dry-run', { body: SERVER })
    expect(tried).toMatchObject({ status: 200, body: '' })
    expect(tried.headers.location).toBeUndefined()
    expect(coordinator.objects.size).toBe(0)
    const applied = await call('PUT', '/apis/v1/objects/s1?apply=true', { body: SERVER })
    expect(applied.status).toBe(201)
    expect((await call('PUT', '/apis/v1/objects/s1?apply', { body: SERVER })).status).toBe(200)
  }))

it('marks what may be old', () =>
  withAdmin(async ({ call, coordinator }) => {
    coordinator.staleSeconds = 2.5
    const got = await call('GET', '/apis/v1/objects')
    expect(got).toMatchObject({ status: 200, headers: { 'x-easegress-stale': '3' } })
  }))

it.each<[name: string, method: string, path: string, sent: Sent, status: number, text: RegExp]>([
  ['no such path', 'GET', '/', {}, 404, /no such path/],
  ['no such path below', 'GET', '/apis/v1/objects/a/b', {}, 404, /no such path/],
  ['another method', 'PATCH', '/apis/v1/objects/a', {}, 405, /DELETE, GET, HEAD, PUT/],
  ['bad escapes', 'GET', '/apis/v1/objects/%zz', {}, 400, /malformed path/],
  ['a slash in a name', 'GET', '/apis/v1/objects/a%2Fb', {}, 404, /not found/],
  ['an unknown parameter', 'GET', '/apis/v1/objects?dryrun', {}, 400, /unknown query parameter/],
  ['a near parameter', 'POST', '/apis/v1/objects?dryrun', {}, 400, /did you mean dry-run\?/],
  ['a bad parameter', 'POST', '/apis/v1/objects?dry-run=yes', {}, 400, /expected true or false/],
  ['a parameter twice', 'POST', '/apis/v1/objects?dry-run&dry-run', {}, 400, /twice/],
  ['not YAML', 'POST', '/apis/v1/objects', { body: 'a: [' }, 400, /line 1, column \d/],
  ['not UTF-8', 'POST', '/apis/v1/objects', { body: Buffer.from([0xff]) }, 400, /UTF-8/],
  ['no body', 'POST', '/apis/v1/objects', {}, 400, /kind: expected text/],
  ['another name', 'PUT', '/apis/v1/objects/b', { body: SERVER }, 400, /inconsistent name/],
  ['nothing to update', 'PUT', '/apis/v1/objects/s1', { body: SERVER }, 404, /not found/],
  [
    'a bad version',
    'DELETE',
    '/apis/v1/objects/a',
    { headers: { 'If-Match': 'W/"1"' } },
    400,
    /If-Match/,
  ],
  [
    'If-Match on create',
    'POST',
    '/apis/v1/objects',
    { headers: { 'If-Match': '1' } },
    400,
    /If-Match/,
  ],
  [
    'a long request id',
    'DELETE',
    '/apis/v1/objects/a',
    { headers: { 'X-Request-Id': 'x'.repeat(129) } },
    400,
    /X-Request-Id/,
  ],
  [
    'compressed',
    'POST',
    '/apis/v1/objects',
    { body: 'x', headers: { 'Content-Encoding': 'gzip' } },
    400,
    /Content-Encoding/,
  ],
  ['another Host', 'GET', '/apis/v1/objects', { headers: { Host: 'evil.example' } }, 400, /Host/],
  [
    'another origin',
    'GET',
    '/apis/v1/objects',
    { headers: { Origin: 'http://evil.example' } },
    400,
    /Origin/,
  ],
  ['an opaque origin', 'GET', '/apis/v1/objects', { headers: { Origin: 'null' } }, 400, /Origin/],
])('refuses: %s', async (_name, method, path, sent, status, text) => {
  await withAdmin(async ({ call, coordinator }) => {
    const got = await call(method, path, sent)
    expect(got.status).toBe(status)
    expect(got.body).toMatch(new RegExp(`^code: ${status}\nmessage: `))
    expect(got.body).toMatch(text)
    expect(coordinator.version).toBe(0)
    // The connection is good for the next request.
    expect((await call('GET', '/apis/v1/healthz')).status).toBe(200)
  })
})

it.each(['localhost:1', 'a.localhost', '[::1]:80', '10.0.0.1', 'LOCALHOST'])(
  'takes the Host %s on loopback',
  async (host) => {
    await withAdmin(async ({ call }) => {
      const headers = { Host: host, Origin: `http://${host.toLowerCase()}` }
      expect((await call('GET', '/apis/v1/healthz', { headers })).status).toBe(200)
    })
  },
)

it('gives errors as JSON to those who ask for it', () =>
  withAdmin(async ({ call }) => {
    const got = await call('GET', '/apis/v1/objects/a', JSON_PLEASE)
    expect(JSON.parse(got.body)).toEqual({ code: 404, message: 'not found' })
  }))

it('HEAD is GET without a body', () =>
  withAdmin(async ({ call }) => {
    const got = await call('HEAD', '/apis/v1/object-kinds')
    expect(got).toMatchObject({ status: 200, body: '' })
  }))

it.each([
  ['announced', { 'Content-Length': String(5 * 1024 * 1024) }],
  ['chunked', { 'Transfer-Encoding': 'chunked' }],
])('an %s body beyond the limit is refused without being read', async (_name, headers) => {
  await withAdmin(async ({ call, coordinator }) => {
    const body = Buffer.alloc(5 * 1024 * 1024, 'a')
    const got = await call('POST', '/apis/v1/objects', { body, headers })
    expect(got.status).toBe(413)
    expect(got.headers.connection).toBe('close')
    expect(coordinator.received.some(({ type }) => type === 'put-object')).toBe(false)
  })
})

it('a client that waits for 100 Continue need not send what is refused', () =>
  withAdmin(async ({ admin }) => {
    const answer = await raw(
      admin,
      `POST /apis/v1/objects HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  }))

it('a client that waits for 100 Continue gets it', () =>
  withAdmin(async ({ call }) => {
    const got = await call('POST', '/apis/v1/objects', {
      body: SERVER,
      headers: { Expect: '100-continue' },
    })
    expect(got.status).toBe(201)
  }))

it.each<[name: string, text: string, want: RegExp]>([
  ['nonsense', 'nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
  [
    'a header section too large',
    `GET / HTTP/1.1\r\nHost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
  [
    'two lengths',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    /^HTTP\/1\.1 400 /,
  ],
])('closes on %s', async (_name, text, want) => {
  await withAdmin(async ({ admin }) => {
    expect(await raw(admin, text)).toMatch(want)
  })
})

/** Sends `text`, gives all that comes until the server closes. */
function raw(admin: AdminServer, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(admin.address?.port as number, '127.0.0.1')
    let got = ''
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(got))
    socket.on('error', reject)
    socket.write(text)
  })
}

it('demands a user when there are users', () =>
  withAdmin(
    async ({ call }) => {
      const basic = (credentials: string): Sent => ({
        headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      })
      const path = '/apis/v1/objects'
      for (const sent of [
        {},
        basic('admin:wrong'),
        basic('other:sécret'),
        basic('admin'),
        basic(''),
      ]) {
        const got = await call('GET', path, sent)
        expect(got).toMatchObject({ status: 401, body: 'code: 401\nmessage: basic auth failed\n' })
        expect(got.headers['www-authenticate']).toContain('realm="easegress-basic-auth"')
      }
      expect((await call('GET', path, basic('admin:sécret'))).status).toBe(200)
      expect((await call('GET', path, basic('b:c:d'))).status).toBe(200)
    },
    { basicAuth: { admin: 'sécret', b: 'c:d' } },
  ))

it.each<[code: ConstructorParameters<typeof GatewayError>[0], unknown: boolean, taken?: boolean]>([
  ['STORE_UNAVAILABLE', true],
  ['STORE_UNAVAILABLE', false, false],
  ['NOT_LEADER', false],
  ['TIMEOUT', true],
])(
  'a coordinator that fails with %s gives 503 and says what is known',
  async (code, unknown, taken) => {
    await withAdmin(async ({ call, coordinator }) => {
      const detail = taken === undefined ? {} : { taken }
      coordinator.failure = new GatewayError(code, 'the coordinator is starting again', detail)
      const read = await call('GET', '/apis/v1/objects')
      expect(read).toMatchObject({
        status: 503,
        body: 'code: 503\nmessage: the coordinator is starting again\n',
      })
      expect(read.headers['retry-after']).toBe('1')
      const write = await call('POST', '/apis/v1/objects', { body: SERVER })
      expect(write.status).toBe(503)
      expect(write.body.includes('it is unknown whether the change was made')).toBe(unknown)
      expect((await call('GET', '/apis/v1/healthz')).status).toBe(503)
      expect((await call('GET', '/apis/v1/object-kinds')).status).toBe(200)
    })
  },
)

it('a coordinator that does not answer gives 503 after the time-out', () =>
  withAdmin(
    async ({ call, coordinator }) => {
      coordinator.isSilent = true
      const got = await call('GET', '/apis/v1/objects')
      expect(got.status).toBe(503)
      expect(got.headers['x-easegress-error']).toBe('TIMEOUT')
    },
    { clusterRequestTimeoutMs: 50 },
  ))

it('turns requests away beyond 32 at a time', () =>
  withAdmin(
    async ({ call, coordinator }) => {
      coordinator.isSilent = true
      const all = await Promise.all(
        Array.from({ length: 40 }, () => call('GET', '/apis/v1/objects')),
      )
      const codes = all.map(({ headers }) => headers['x-easegress-error'])
      expect(codes.filter((code) => code === 'OVERLOADED')).toHaveLength(8)
      expect(codes.filter((code) => code === 'TIMEOUT')).toHaveLength(32)
    },
    { clusterRequestTimeoutMs: 300 },
  ))

it('close lets a request finish, and then nobody listens', () =>
  withAdmin(
    async ({ call, coordinator, admin }) => {
      coordinator.isSilent = true
      const open = call('GET', '/apis/v1/objects')
      while (!coordinator.received.some(({ type }) => type === 'list-objects')) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      const closed = admin.close()
      expect((await open).status).toBe(503)
      expect((await open).headers.connection).toBe('close')
      await closed
      expect(admin.address).toBeNull()
      await expect(call('GET', '/apis/v1/healthz')).rejects.toThrow()
    },
    { clusterRequestTimeoutMs: 100 },
  ))

it('logs each call once, without its body or credentials', () =>
  withAdmin(async ({ call, log }) => {
    await call('POST', '/apis/v1/objects?dry-run', { body: SERVER })
    const lines = log.records.filter(({ component }) => component === 'access')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.fields).toMatchObject({
      method: 'POST',
      path: '/apis/v1/objects?dry-run',
      status: 200,
      from: '127.0.0.1',
    })
  }))

it.each<[name: string, options: Partial<AdminOptions>, want: RegExp]>([
  ['all addresses', { apiAddr: { host: '', port: 0 } }, /without authentication/],
  ['any IPv4 address', { apiAddr: { host: '0.0.0.0', port: 0 } }, /without authentication/],
  ['TLS alone', { apiAddr: { host: '0.0.0.0', port: 0 }, tls: true }, /without authentication/],
  ['an unknown host', { apiAddr: { host: 'no.such.host.invalid', port: 0 } }, /cannot resolve/],
  [
    'an address of others',
    { apiAddr: { host: '203.0.113.1', port: 0 }, basicAuth: { a: 'b' } },
    /does not have/,
  ],
  ['TLS without files', { tls: true, certFile: '/no/such/file' }, /^cert-file: cannot read/],
])('refuses to listen: %s', async (_name, options, want) => {
  const outcome = withAdmin(async () => {}, options)
  await expect(outcome).rejects.toThrow(ListenError)
  await expect(outcome).rejects.toThrow(want)
})

it('refuses a port that is taken, and says so', () =>
  withAdmin(async ({ admin }) => {
    const { port } = admin.address as { port: number }
    const outcome = withAdmin(async () => {}, { apiAddr: { host: '127.0.0.1', port } })
    await expect(outcome).rejects.toThrow(/127\.0\.0\.1:\d+: the port is taken/)
  }))

it('listens beyond this machine when it is told to, and warns', () =>
  withAdmin(
    async ({ call, log }) => {
      const headers = { Host: 'gateway.example' }
      expect((await call('GET', '/apis/v1/healthz', { headers })).status).toBe(200)
      expect(log.records.some(({ level }) => level === 'warn')).toBe(true)
    },
    { apiAddr: { host: '0.0.0.0', port: 0 }, allowInsecureAdmin: true },
  ))

it('speaks TLS, and takes client certificates for authentication', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'admin-tls-'))
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  writeFileSync(certFile, TEST_CERT)
  writeFileSync(keyFile, TEST_KEY)
  const get = (port: number, more: https.RequestOptions): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/apis/v1/healthz', ca: TEST_CERT, ...more }
      https
        .get({ ...options, agent: false }, (got) => resolve(got.resume().statusCode))
        .on('error', reject)
    })
  try {
    await withAdmin(
      async ({ admin }) => {
        const port = admin.address?.port as number
        expect(await get(port, { cert: TEST_CERT, key: TEST_KEY })).toBe(200)
        await expect(get(port, {})).rejects.toThrow()
      },
      // Open to other machines: the certificates are the authentication.
      {
        apiAddr: { host: '0.0.0.0', port: 0 },
        tls: true,
        certFile,
        keyFile,
        clientCaFile: certFile,
      },
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it('localhost is listened on in both families where there are two', () =>
  withAdmin(
    async ({ call, admin }) => {
      expect(admin.address?.host).toBe('localhost')
      expect((await call('GET', '/apis/v1/healthz')).status).toBe(200)
    },
    { apiAddr: { host: 'localhost', port: 0 } },
  ))

it('knows the version of the configuration before anyone asks for objects', async () => {
  const coordinator = new CoordinatorFixture()
  coordinator.version = 41
  const admin = createAdminServer({
    coordinator: spawnCoordinator(coordinator),
    catalogue: CATALOGUE_FIXTURE,
    options: OPTIONS,
    log: new MemoryLogger(),
    accessLog: null,
    node: new NodeFixture(),
  })
  await admin.listen()
  const { port } = admin.address as { port: number }
  const got = await request(port, new http.Agent(), 'GET', '/apis/v1/nothing', {})
  expect(got).toMatchObject({ status: 404, headers: { 'x-config-version': '41' } })
  await admin.close(0)
})
