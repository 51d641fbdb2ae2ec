import { expect, it } from 'vitest'
import { MemoryLogger } from '../telemetry/memory-log.js'
import {
  CATALOGUE_FIXTURE,
  CoordinatorFixture,
  MEMBER_FIXTURE,
  NodeFixture,
  spawnCoordinator,
} from './coordinator.fixture.js'
import { createAdminServer } from './server.js'

interface Rig {
  readonly coordinator: CoordinatorFixture
  /** Path below `/apis/v2`; the body as JSON where it is some. */
  readonly call: (method: string, path: string, more?: RequestInit) => Promise<Got>
}

interface Got {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

async function withAdmin(run: (rig: Rig) => Promise<void>): Promise<void> {
  const coordinator = new CoordinatorFixture()
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
    node: new NodeFixture(),
  })
  await admin.listen()
  const base = `http://127.0.0.1:${admin.address?.port}/apis/v2`
  const call = async (method: string, path: string, more: RequestInit = {}): Promise<Got> => {
    const response = await fetch(base + path, { method, ...more })
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : null,
    }
  }
  try {
    await run({ coordinator, call })
  } finally {
    await admin.close(0)
  }
}

const SERVER = '{"name": "s1", "kind": "HTTPServer", "port": 10080, "labels": {"a": "b"}}'
const PIPELINE = 'name: p1\nkind: HTTPPipeline\ncreatedAt: "2020-01-01T00:00:00Z"\n'
const YAML_PLEASE = { headers: { Accept: 'text/x-yaml' } }

it('takes an object through its life, with the shapes of v2', () =>
  withAdmin(async ({ call, coordinator }) => {
    const created = await call('POST', '/objects', { body: SERVER })
    expect(created).toMatchObject({ status: 201, text: '' })
    expect(created.headers.get('location')).toBe('/apis/v2/objects/s1')
    expect(coordinator.objects.get('s1')).toMatchObject({ dialect: 'v2', text: SERVER })
    const got = await call('GET', '/objects/s1')
    expect(got.status).toBe(200)
    expect(got.headers.get('etag')).toBe('"1"')
    expect(got.json).toEqual({
      name: 's1',
      kind: 'HTTPServer',
      version: 'easegress.megaease.com/v2',
      labels: { a: 'b', 'easegress/owner': 'user-api' },
      createdAt: '2026-01-02T03:04:05Z',
      completedAs: 'v2',
      port: 10080,
    })
    expect((await call('GET', '/objects/s1?namespace=default')).status).toBe(200)
    expect((await call('GET', '/objects/s1?namespace=other')).status).toBe(404)
    expect((await call('PUT', '/objects/s1', { body: SERVER })).status).toBe(200)
    expect((await call('PUT', '/objects/s2', { body: SERVER })).json).toEqual({
      code: 400,
      message: 'inconsistent name in url and spec ',
    })
    expect((await call('POST', '/objects', { body: SERVER })).json).toEqual({
      code: 409,
      message: 'conflict name: s1',
    })
    expect((await call('DELETE', '/objects/s1')).status).toBe(200)
    expect((await call('GET', '/objects/s1')).json).toEqual({ code: 404, message: 'not found' })
  }))

it('lists objects by kind and namespace, in JSON or YAML', () =>
  withAdmin(async ({ call }) => {
    await call('POST', '/objects', { body: SERVER })
    await call('POST', '/objects', { body: PIPELINE })
    const names = async (query: string): Promise<unknown> => {
      const { json } = await call('GET', `/objects${query}`)
      return (json as { name: string }[]).map(({ name }) => name)
    }
    expect(await names('')).toEqual(['p1', 's1'])
    expect(await names('?kind=HTTPServer')).toEqual(['s1'])
    expect(await names('?kind=hs')).toEqual(['s1'])
    expect(await names('?namespace=default')).toEqual(['p1', 's1'])
    expect(await names('?namespace=other')).toEqual([])
    expect((await call('GET', '/objects?all-namespaces=true')).json).toMatchObject({
      default: [{ name: 'p1', createdAt: '2020-01-01T00:00:00Z' }, { name: 's1' }],
    })
    expect((await call('GET', '/objects?all-namespaces=true&namespace=default')).status).toBe(400)
    const unknown = await call('GET', '/objects?kind=HTTPSever')
    expect(unknown.json).toEqual({
      code: 404,
      message: 'kind HTTPSever not found, did you mean HTTPServer?',
    })
    const yaml = await call('GET', '/objects', YAML_PLEASE)
    expect(yaml.headers.get('content-type')).toBe('text/x-yaml')
    expect(yaml.text).toMatch(/^- name: p1\n {2}kind: HTTPPipeline\n/)
  }))

it('an object of v1 is shown as one of v1', () =>
  withAdmin(async ({ call, coordinator }) => {
    await call('POST', '/objects', { body: SERVER })
    const object = coordinator.objects.get('s1')
    if (object !== undefined) coordinator.objects.set('s1', { ...object, dialect: 'v1' })
    expect((await call('GET', '/objects/s1')).json).toMatchObject({
      version: 'easegress.megaease.com/v1',
      completedAs: 'v1',
    })
  }))

it('deletes all objects when told twice', () =>
  withAdmin(async ({ call, coordinator }) => {
    await call('POST', '/objects', { body: SERVER })
    expect(await call('DELETE', '/objects')).toMatchObject({ status: 400 })
    expect(coordinator.objects.size).toBe(1)
    expect(await call('DELETE', '/objects?all=true')).toMatchObject({ status: 200, text: '' })
    expect(coordinator.objects.size).toBe(0)
  }))

it('shows status by namespace, object and member, statistics beside the state', () =>
  withAdmin(async ({ call, coordinator }) => {
    await call('POST', '/objects', { body: SERVER })
    await call('POST', '/objects', { body: PIPELINE })
    const topN = [{ path: '/a', status: { count: 1 } }]
    const server = { health: '', state: 'running', status: { count: 2 }, topN, timestamp: 7 }
    coordinator.status = {
      s1: { 'eg-1': server },
      p1: { 'eg-1': { health: '', filters: { f: null }, timestamp: 8 } },
    }
    const all = (await call('GET', '/status/objects')).json as Record<string, unknown>
    expect(Object.keys(all)).toEqual(['eg-traffic-default/p1/eg-1', 'eg-traffic-default/s1/eg-1'])
    const one = (await call('GET', '/status/objects/s1')).json
    expect(one).toMatchObject({
      'eg-traffic-default/s1/eg-1': {
        spec: { name: 's1', version: 'easegress.megaease.com/v2' },
        status: {
          name: 's1',
          health: '',
          state: 'running',
          count: 2,
          topN: [{ path: '/a', count: 1 }],
        },
        timestamp: 7,
      },
    })
    expect((await call('GET', '/status/objects/gone')).status).toBe(404)
  }))

it('shows members under the names of v2', () =>
  withAdmin(async ({ call, coordinator }) => {
    coordinator.members = [MEMBER_FIXTURE]
    expect((await call('GET', '/status/members')).json).toEqual([
      {
        options: {
          Name: 'eg-default-name',
          Labels: {},
          ClusterName: 'eg-cluster-default-name',
          ClusterRole: 'primary',
          ClusterRequestTimeout: '10s',
          APIAddr: 'localhost:2381',
          Debug: false,
          HomeDir: './',
          WALDir: '',
          Cluster: { ListenClientURLs: ['http://127.0.0.1:2379'], JoinURLs: [] },
        },
        lastHeartbeatTime: '2021-05-05T15:43:27+08:00',
        etcd: {
          id: 'a30c34bf7ec77546',
          startTime: '2021-05-05T15:42:37+08:00',
          state: 'Leader',
        },
      },
    ])
    expect((await call('DELETE', '/status/members/eg-default-name')).status).toBe(200)
  }))

it.each<[path: string, want: unknown]>([
  ['/object-kinds', ['HTTPPipeline', 'HTTPServer']],
  [
    '/object-api-resources',
    [
      { Category: 'Pipeline', Kind: 'HTTPPipeline', Name: 'httppipeline', Aliases: ['hpl'] },
      {
        Category: 'TrafficGate',
        Kind: 'HTTPServer',
        Name: 'httpserver',
        Aliases: ['httpservers', 'hs'],
      },
    ],
  ],
  ['/metadata/objects/pipeline/filters', ['Proxy', 'Validator']],
  ['/metadata/objects/hs/schema', { title: 'HTTPServer', dialect: 'v2' }],
])('GET %s', async (path, want) => {
  await withAdmin(async ({ call }) => {
    const { status, json } = await call('GET', path)
    expect(status).toBe(200)
    expect(json).toEqual(want)
  })
})

it('lists itself by groups', () =>
  withAdmin(async ({ call }) => {
    const { json } = await call('GET', '')
    expect(json).toEqual([{ Group: 'admin', Entries: expect.any(Array) }])
    expect((json as { Entries: unknown[] }[])[0]?.Entries).toContainEqual({
      path: '/apis/v2/objects/{name}',
      method: 'GET',
    })
    expect((await call('GET', '/healthz')).status).toBe(200)
    expect((await call('GET', '/objects-yaml/hs/x')).text).toBe(
      'name: x\nkind: HTTPServer\nversion: easegress.megaease.com/v2\ncompletedAs: v2\n',
    )
    expect((await call('GET', '/nowhere')).json).toMatchObject({ code: 404 })
  }))

const RULES = [
  {
    host: 'a.com',
    paths: [
      { pathPrefix: '/a', methods: ['PUT', 'POST'], backend: 'p' },
      { path: '/b', headers: [{ key: 'X', values: ['1', '2'], regexp: 'y' }], backend: 'q' },
      { queries: [{ key: 'q', values: [], regexp: '^a' }], backend: '' },
    ],
  },
]

it('explains in words what a worker says in numbers', () =>
  withAdmin(async ({ call, coordinator }) => {
    await call('POST', '/objects', { body: SERVER })
    const object = coordinator.objects.get('s1')
    if (object !== undefined) {
      coordinator.objects.set('s1', { ...object, spec: { rules: RULES } })
    }
    const verdicts = ['method', 'header', 'query']
    coordinator.explanation = {
      servers: [{ name: 's1', port: 10080, state: 'running' }],
      server: 's1',
      explanation: {
        refusal: 400,
        isServerDenied: false,
        paths: verdicts.map((verdict, path) => ({ rule: 0, path, verdict })),
        pipeline: '',
        method: 'GET',
        target: '/a',
        steps: [],
        status: 400,
      },
    }
    const body = JSON.stringify({
      url: 'http://a.com:10080/a%20b?q=é',
      headers: [{ name: 'X-User', value: 'é' }],
      from: '10.0.0.1',
    })
    const { status, json } = await call('POST', '/explain', { body })
    expect(status).toBe(200)
    expect(json).toMatchObject({
      request: { method: 'GET', port: 10080, from: '10.0.0.1' },
      server: 's1',
      refusal: 400,
      rules: [
        { host: 'a.com', condition: 'pathPrefix /a', why: 'the method is none of PUT, POST' },
        { condition: 'path /b', why: 'no header fits: X is "1" or "2" or like y' },
        {
          condition: 'any path',
          backend: 'a pool of its own',
          why: 'the query does not fit: q is like ^a',
        },
      ],
    })
    expect(coordinator.received).toContainEqual(
      expect.objectContaining({
        type: 'explain-traffic',
        port: 10080,
        server: null,
        request: {
          method: 'GET',
          path: '/a%20b',
          query: 'q=%C3%A9',
          host: 'a.com:10080',
          headers: [['x-user', 'Ã©']],
          clientAddress: '10.0.0.1',
          body: null,
        },
      }),
    )
  }))

it.each<[name: string, body: unknown, message: RegExp]>([
  ['no URL', {}, /url: is required/],
  ['a path alone', { url: '/a' }, /url: expected http:\/\/host:port\/path/],
  ['another scheme', { url: 'ftp://a' }, /url: expected http/],
  ['a method with blanks', { url: 'http://a', method: 'A B' }, /method: /],
  ['a header with a line', { url: 'http://a', headers: [{ name: 'a', value: 'b\nc' }] }, /value: /],
  ['an unknown field', { url: 'http://a', hdrs: [] }, /hdrs: there is no such field/],
  ['a port as text', { url: 'http://a', port: '1' }, /port: expected a whole number/],
])('refuses to explain %s', async (_name, body, message) => {
  await withAdmin(async ({ call }) => {
    const { status, json } = await call('POST', '/explain', { body: JSON.stringify(body) })
    expect(status).toBe(400)
    expect((json as { message: string }).message).toMatch(message)
  })
})
