import { expect, it } from 'vitest'
import { FakeBody, FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { objectKinds } from '../../kinds/registry.js'
import { VirtualTime } from '../../lib/clock.js'
import { TimerWheel } from '../../lib/timer-wheel.js'
import type { TrafficHandler } from '../../listener/contract.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import { MemoryLogger } from '../../telemetry/memory-log.js'
import { HttpUpstreamClient } from '../../upstream/client.js'
import { SystemResolver } from '../../upstream/resolver.js'
import type { RuntimeObject, WorkerEnv } from '../contract.js'
import { PipelineDirectory } from '../directory.js'
import type { Claimant, SocketKey } from '../sockets.js'

/** Objects at work in one worker without sockets: who holds which, and requests to who does. */
class Worker {
  readonly lines: string[] = []
  /** How often each statistics row was written to. */
  readonly counts = new Map<string, number>()
  readonly sockets = new Map<string, Claimant>()
  readonly upstream: HttpUpstreamClient
  readonly #live = new Map<string, RuntimeObject>()
  readonly #env: WorkerEnv

  constructor() {
    const time = new VirtualTime()
    const timers = new TimerWheel(time)
    const keyOf = ({ host, port }: SocketKey): string => `${host} ${port}`
    this.upstream = new HttpUpstreamClient({ timers, resolver: new SystemResolver(time) })
    this.#env = {
      timers,
      nodeMs: () => 0,
      log: new MemoryLogger(),
      upstream: this.upstream,
      pipelines: new PipelineDirectory(),
      sockets: {
        claim: (key: SocketKey, claimant: Claimant) => this.sockets.set(keyOf(key), claimant),
        release: (key: SocketKey) => this.sockets.delete(keyOf(key)),
      } as unknown as WorkerEnv['sockets'],
      trafficHost: '0.0.0.0',
      topPaths: new Map(),
      accessLine: (line) => this.lines.push(line),
      accessLog: () => this.lines.push('of v1'),
      words: () => ({ words: new Int32Array(16), base: 0 }),
      area: ({ bytes }) => ({ words: new Int32Array(bytes / 4), base: 0 }),
      cap: () => ({ acquire: () => true, release: () => {} }) as never,
      permits: () => ({}) as never,
      stats: (key) => ({
        record: () => void this.counts.set(key, (this.counts.get(key) ?? 0) + 1),
      }),
      data: () => ({ get: () => undefined, version: 0 }) as never,
    }
  }

  async put(yaml: string): Promise<void> {
    const decoded = decodeDocument(yaml, objectKinds, { dialect: 'v2' })
    if (!decoded.ok) throw new Error(formatProblems(decoded.problems))
    const { kind: kindName, name, spec } = decoded.object
    const kind = objectKinds.get(kindName)
    if (kind === undefined) throw new Error(`no kind ${kindName}`)
    const module = await kind.load(spec)
    const before = this.#live.get(name) ?? null
    const building = module.build(spec, { name, version: 1, createdVersion: 1 }, before, this.#env)
    for (let step = building.next(); ; step = building.next()) {
      if (step.done !== true) continue
      step.value.commit()
      before?.retire()
      this.#live.set(name, step.value)
      return
    }
  }

  remove(name: string): void {
    const object = this.#live.get(name)
    object?.withdraw()
    object?.retire()
    this.#live.delete(name)
  }

  /** A request to whoever holds the only socket. */
  ask(request: FakeRequest = {}): FakeClient {
    const [claimant] = this.sockets.values()
    const handler = claimant?.handler as TrafficHandler & FakeClient['ex']['owner']
    const client = new FakeClient(request)
    client.ex.owner = handler
    handler.handle(client.ex)
    return client
  }
}

const server = (fields: string): string => `name: edge\nkind: HTTPServer\nport: 80\n${fields}`
const mock = (name: string, code: number): string =>
  `name: ${name}\nkind: Pipeline\nfilters:\n- {name: ${name}, kind: Mock, rules: [{code: ${code}, body: ${name}}]}`
const RULES = 'rules: [{paths: [{pathPrefix: /, backend: main}]}]'

it('answers by its rules, and 503 while the pipeline is not there', async () => {
  const worker = new Worker()
  await worker.put(server('rules: [{paths: [{path: /a, backend: main}]}]'))
  expect([worker.ask({ path: '/b' }).status, worker.ask({ path: '/a' }).status]).toEqual([404, 503])
  await worker.put(mock('main', 201))
  const client = worker.ask({ path: '/a' })
  expect([client.status, client.text]).toEqual([201, 'main'])
})

it('listens where it is told, and moves', async () => {
  const worker = new Worker()
  const held = async (fields: string): Promise<string[]> => {
    await worker.put(`name: edge\nkind: HTTPServer\n${fields}`)
    return [...worker.sockets.keys()]
  }
  expect(await held('port: 80\nrouterKind: Ordered')).toEqual(['0.0.0.0 80'])
  expect(await held('port: 80\naddress: 127.0.0.1')).toEqual(['127.0.0.1 80'])
  expect(await held('port: 81\naddress: 127.0.0.1')).toEqual(['127.0.0.1 81'])
  worker.remove('edge')
  expect(worker.sockets.size).toBe(0)
})

it('writes its own line of the access log', async () => {
  const worker = new Worker()
  await worker.put(mock('main', 200))
  await worker.put(
    server(`${RULES}\naccessLogFormat: "{{Method}} {{URI}} {{StatusCode}} {{RemoteAddr}}"`),
  )
  worker.ask({ method: 'PUT', path: '/x', query: 'y', address: '192.0.2.9' })
  expect(worker.lines).toEqual(['PUT /x?y 200 192.0.2.9'])
})

it('has its global filter around every pipeline for as long as that is there', async () => {
  const worker = new Worker()
  await worker.put(mock('main', 200))
  await worker.put(server(`${RULES}\nglobalFilter: guard`))
  expect(worker.ask().text).toBe('main')
  const guard = (code: number): string =>
    `name: guard\nkind: GlobalFilter\nbeforePipeline: {flow: [{filter: m, jumpIf: {mocked: END}}], filters: [{name: m, kind: Mock, rules: [{match: {path: /no}, code: ${code}}]}]}`
  await worker.put(guard(401))
  expect([worker.ask().text, worker.ask({ path: '/no' }).status]).toEqual(['main', 401])
  await worker.put(guard(402))
  expect(worker.ask({ path: '/no' }).status).toBe(402)
  await worker.put(mock('main', 202))
  expect([worker.ask().status, worker.ask({ path: '/no' }).status]).toEqual([202, 402])
  worker.remove('guard')
  expect(worker.ask({ path: '/no' }).status).toBe(202)
})

it.each<[name: string, limits: string, body: FakeRequest['body'], status: number]>([
  ['as long as allowed', '\nclientMaxBodySize: 4', 'abcd', 200],
  ['too long', '\nclientMaxBodySize: 4', 'abcde', 413],
  ['announced as too long', '\nclientMaxBodySize: 4', new FakeBody(5), 413],
  ['too long by default', '', new FakeBody(4 * 1024 * 1024 + 1), 413],
  ['long, without a bound', '\nclientMaxBodySize: -1', new FakeBody(2 ** 40), 200],
])('a body %s', async (_name, limits, body, status) => {
  const worker = new Worker()
  await worker.put(mock('main', 200))
  await worker.put(server(RULES + limits))
  expect(worker.ask({ method: 'POST', ...(body === undefined ? {} : { body }) }).status).toBe(
    status,
  )
})

it('the bound of a path comes before that of the server', async () => {
  const worker = new Worker()
  await worker.put(mock('main', 200))
  await worker.put(
    server(
      'clientMaxBodySize: 1\nrules: [{paths: [{pathPrefix: /, clientMaxBodySize: 3, backend: main}]}]',
    ),
  )
  const statuses = ['abc', 'abcd'].map((body) => worker.ask({ method: 'POST', body }).status)
  expect(statuses).toEqual([200, 413])
})

it('sets headers, rewrites the path and maintains X-Forwarded-For before the pipeline runs', async () => {
  const worker = new Worker()
  await worker.put(mock('main', 200))
  await worker.put(
    server(
      'xForwardedFor: true\nrouterKind: RadixTree\nrules: [{paths: [{path: "/u/{id}", rewriteTarget: "/users/{id}", setHeaders: {X-Id: $id, X-Uri: $uri}, backend: main}]}]',
    ),
  )
  const { ex } = worker.ask({ path: '/u/7', address: '192.0.2.9' })
  const { headers } = ex.request
  expect(ex.request.path).toBe('/users/7')
  expect(['x-id', 'x-uri', 'x-forwarded-for'].map((name) => headers.get(name))).toEqual([
    '7',
    '/u/7',
    '192.0.2.9',
  ])
})

it('pools of its own live and go with it', async () => {
  const worker = new Worker()
  const pool = (port: number): string =>
    `rules: [{paths: [{path: /own, backendPool: {servers: [{url: "http://127.0.0.1:${port}"}]}}]}]`
  await worker.put(server(pool(1)))
  const client = worker.ask({ path: '/own' })
  expect(client.ex.engine?.name).toBe('GENERATED-edge-0-0')
  client.abort()
  await worker.put(server(pool(2)))
  worker.remove('edge')
  expect(worker.upstream.stats.queued).toBe(0)
})

it.each<[kind: string, fields: string, backend: string, objects: string[], key: string]>([
  ['HTTPPipeline', '', 'backend: main', ['kind: HTTPPipeline'], 'main'],
  ['Pipeline', '', 'backend: main', ['kind: Pipeline'], 'main'],
  [
    'a part of a GlobalFilter',
    'globalFilter: guard\n',
    'backend: main',
    ['kind: Pipeline'],
    'guard/beforePipeline',
  ],
  [
    'the pool of a path',
    '',
    'backendPool: {servers: [{url: "http://127.0.0.1:1"}]}',
    [],
    'GENERATED-edge-0-0',
  ],
])('counts what a filter throws, by pipeline: %s', async (_name, fields, backend, objects, key) => {
  const worker = new Worker()
  const filters = 'filters: [{name: slow, kind: Mock, rules: [{code: 200, delay: 1s}]}]'
  for (const kind of objects) await worker.put(`name: main\n${kind}\n${filters}`)
  await worker.put(`name: guard\nkind: GlobalFilter\nbeforePipeline: {${filters}}`)
  await worker.put(server(`${fields}rules: [{paths: [{pathPrefix: /, ${backend}}]}]`))
  const client = worker.ask()
  expect(client.ending).toBe('open')
  client.ex.enter(() => {
    throw new Error('boom')
  }, null)
  expect(client.status).toBe(500)
  const failures = [...worker.counts].filter(([row]) => row.endsWith('/failures'))
  expect(failures).toEqual([[`pipeline/${key}/failures`, 1]])
})
