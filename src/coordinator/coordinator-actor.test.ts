import { expect, it } from 'vitest'
import type { Actor, ActorRef, Reply } from '../actor/actor.js'
import { ActorHarness } from '../actor/harness.js'
import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { PutObject, WriteResult } from '../protocol/coordinator.js'
import type { CoordinatorToRoot } from '../protocol/root.js'
import { type ConfigVersion, NO_CONFIG } from '../protocol/version.js'
import type {
  CoordinatorToWorker,
  FilterStates,
  ListenerState,
  Serving,
  TopPath,
} from '../protocol/worker.js'
import { StatsBlocks } from '../shared/stats-blocks.js'
import { CoordinatorActor, type ToCoordinatorActor } from './coordinator-actor.js'
import { StoreBench } from './store.fixture.js'
import { type ValidateInput, validate } from './validate.js'
import { FakeView } from './view.fixture.js'
import { NOBODY, newId } from './writer.fixture.js'

const PIPELINE = `name: demo
kind: HTTPPipeline
filters:
- name: mock
  kind: Mock
  rules:
  - code: 200
    body: hello
`
const SERVER = `name: server
kind: HTTPServer
port: 10080
rules:
- paths:
  - pathPrefix: /
    backend: demo
  - path: /other
    backend: other
    headers:
    - key: X-Canary
      values: ["1"]
      backend: demo
`

/** A worker that takes what it is told at once, or says what the test wants. */
class FakeWorker implements Actor<CoordinatorToWorker> {
  version: ConfigVersion = NO_CONFIG
  failed: Serving['failed'] = []
  listeners: readonly ListenerState[] = []
  /** Null: it does not answer. */
  topPaths: readonly TopPath[] | null = []
  filterStates: FilterStates | null = null
  isHeld = false
  tell: (message: Serving) => void = () => {}

  receive(m: CoordinatorToWorker, reply: Reply): void {
    if (m.type === 'get-top-paths') {
      if (this.topPaths !== null) reply.ok(this.topPaths)
    } else if (m.type === 'get-filter-states') {
      if (this.topPaths !== null) reply.ok(this.filterStates)
    } else if (m.type === 'delta' || m.type === 'full-end') {
      this.version = m.to
      if (!this.isHeld) this.serve()
    }
  }

  serve(): void {
    const { version, failed, listeners } = this
    this.tell({ type: 'serving', version, failed, listeners })
  }
}

interface BenchOptions {
  readonly workers?: number
  readonly unknownFields?: 'refuse' | 'warn'
  run?(job: string, input: unknown): Promise<unknown>
}

class Bench {
  readonly harness = new ActorHarness()
  readonly bench = new StoreBench(this.harness.time)
  readonly root = this.harness.probe<CoordinatorToRoot>('root')
  readonly workers: FakeWorker[] = []
  readonly ref: ActorRef<ToCoordinatorActor>
  readonly view = new FakeView()
  readonly seen: string[] = []
  /** Timers of the actor that are neither over nor cancelled. */
  readonly timers = new Set<object>()

  constructor({ workers = 1, unknownFields = 'refuse', run }: BenchOptions = {}) {
    const { system, log } = this.harness
    const time = this.#watched(this.harness.time)
    this.view.failed = () => this.bench.store.status().failure
    const jobs = run ?? (async (_job, input) => validate(input as ValidateInput))
    this.ref = system.spawn<ToCoordinatorActor>(
      'coordinator',
      ({ self }) =>
        new CoordinatorActor({
          self,
          root: this.root.ref,
          store: this.bench.store,
          jobs: { run: async <T>(job: string, input: unknown) => (await jobs(job, input)) as T },
          time,
          log,
          member: 'eg-1',
          view: this.view,
          writes: { ...NOBODY, serve: () => {} },
          requestTimeoutMs: 10_000,
          unknownFields,
          ready: () => this.seen.push('ready'),
          failed: (error) => this.seen.push(`failed ${error.message}`),
        }),
    )
    for (let i = 0; i < workers; i++) this.#meet(i)
  }

  #watched(time: Time): Time {
    return {
      monotonicMs: () => time.monotonicMs(),
      wallMs: () => time.wallMs(),
      after: (delayMs, fire) => {
        const timer = time.after(delayMs, () => {
          this.timers.delete(timer)
          fire()
        })
        this.timers.add(timer)
        const cancel = (): void => {
          this.timers.delete(timer)
          timer.cancel()
        }
        return { cancel }
      },
    }
  }

  #meet(worker: number): void {
    const fake = new FakeWorker()
    this.workers.push(fake)
    const ref = this.harness.system.spawn<CoordinatorToWorker>(`worker-${worker}`, () => fake)
    fake.tell = (message) => this.ref.tell({ type: 'from-worker', worker, ref, message })
    this.ref.tell({ type: 'worker-here', worker, ref })
    fake.serve()
  }

  /** Waits, virtually, until `promise` has come to something. */
  async outcome<T>(promise: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    promise.then(over, over)
    for (let turn = 0; turn < 20_000 && !isOver; turn++) {
      await this.harness.settle()
      this.harness.time.advance(1)
    }
    if (!isOver) throw new Error('no answer')
    return promise
  }

  put(text: string, more: Partial<PutObject> = {}): Promise<WriteResult> {
    const rest = {
      name: null,
      dialect: 'v1',
      ifMatch: null,
      dryRun: false,
      requestId: newId(),
    } as const
    const message: PutObject = { type: 'put-object', mode: 'apply', text, ...rest, ...more }
    return this.outcome(this.ref.ask(message, 60_000))
  }

  delete(name: string, more: { ifMatch?: number } = {}): Promise<WriteResult> {
    const message = { type: 'delete-object', name, requestId: newId(), ifMatch: null } as const
    return this.outcome(this.ref.ask({ ...message, ...more }, 60_000))
  }

  async names(): Promise<string[]> {
    const { value } = await this.outcome(this.ref.ask({ type: 'list-objects' }, 1_000))
    return value.map(({ name }) => name)
  }

  async failure(promise: Promise<unknown>): Promise<GatewayError> {
    try {
      await this.outcome(promise)
    } catch (thrown) {
      if (thrown instanceof GatewayError) return thrown
      throw thrown
    }
    throw new Error('it went well')
  }
}

it('is ready once the registry shows what is stored', async () => {
  const bench = new Bench()
  expect(bench.seen).toEqual(['ready'])
  const { value, version, staleSeconds } = await bench.outcome(
    bench.ref.ask({ type: 'get-config-version' }, 1_000),
  )
  expect(value).toBeNull()
  expect(version).toEqual({ epoch: 1_600_000_000, version: 0 })
  expect(staleSeconds).toBeNull()
})

it('creates, reads, updates, lists and deletes', async () => {
  const bench = new Bench()
  const created = await bench.put(PIPELINE, { mode: 'create' })
  expect(created).toEqual({
    name: 'demo',
    kind: 'HTTPPipeline',
    version: { epoch: 1_600_000_000, version: 1 },
    created: true,
    changed: true,
    warnings: [],
    lagging: [],
  })
  const { value, version } = await bench.outcome(
    bench.ref.ask({ type: 'get-object', name: 'demo' }, 1_000),
  )
  expect(version).toEqual(created.version)
  expect(value).toMatchObject({ name: 'demo', kind: 'HTTPPipeline', text: PIPELINE, version: 1 })
  // Decoded, defaults filled in.
  expect(value.spec).toMatchObject({
    flow: [],
    filters: [{ name: 'mock', kind: 'Mock', spec: { rules: [{ code: 200, delay: 0 }] } }],
  })
  const text = `# said again\n${PIPELINE}`
  expect(await bench.put(text, { mode: 'update', name: 'demo', ifMatch: 1 })).toMatchObject({
    created: false,
    changed: true,
    version: { version: 2 },
  })
  expect(await bench.put(text)).toMatchObject({ changed: false, version: { version: 2 } })
  await bench.put(SERVER)
  expect(await bench.names()).toEqual(['demo', 'server'])
  expect(await bench.delete('server', { ifMatch: 3 })).toMatchObject({
    name: 'server',
    kind: '',
    changed: true,
    version: { version: 4 },
  })
  const all = bench.ref.ask({ type: 'delete-all-objects', requestId: newId() }, 60_000)
  expect(await bench.outcome(all)).toMatchObject({ name: '', version: { version: 5 } })
  expect(await bench.names()).toEqual([])
})

it.each<[name: string, text: string, more: Partial<PutObject>, code: string, message: RegExp]>([
  ['no YAML', 'a: b: c', {}, 'SPEC_INVALID', /./],
  ['nothing', '', {}, 'SPEC_INVALID', /./],
  ['an unknown kind', 'name: a\nkind: Nope\n', {}, 'SPEC_INVALID', /Nope/],
  ['an unknown field', `${PIPELINE}nope: 1\n`, {}, 'SPEC_INVALID', /nope/],
  ['a bad name', PIPELINE.replace('demo', 'de mo'), {}, 'SPEC_INVALID', /name/],
  ['too much', `${PIPELINE}#${'x'.repeat(2 * 1024 * 1024)}`, {}, 'DOCUMENT_TOO_LARGE', /./],
  ['another name than the URL', PIPELINE, { name: 'else' }, 'NAME_MISMATCH', /^inconsistent name/],
  ['an existing name', PIPELINE, { mode: 'create' }, 'OBJECT_EXISTS', /^conflict name: demo$/],
  ['a version that is not', PIPELINE, { ifMatch: 7 }, 'VERSION_CONFLICT', /not at 7/],
  [
    'another kind',
    SERVER.replace('server', 'demo'),
    {},
    'KIND_MISMATCH',
    /HTTPPipeline, HTTPServer/,
  ],
  ['an update of nothing', SERVER, { mode: 'update' }, 'OBJECT_NOT_FOUND', /^not found$/],
])('refuses %s, dry or not, and changes nothing', async (_name, text, more, code, message) => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  for (const dryRun of [true, false]) {
    const error = await bench.failure(bench.put(text, { ...more, dryRun }))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  }
  expect(await bench.names()).toEqual(['demo'])
})

it('tells all problems of a document at once', async () => {
  const bench = new Bench()
  const text = SERVER.replace('10080', '0').replace('pathPrefix: /', 'pathPrefix: x')
  const { message } = await bench.failure(bench.put(text))
  expect(message.split('\n').length).toBeGreaterThan(1)
  expect(message).toMatch(/port/)
  expect(message).toMatch(/pathPrefix/)
})

it('takes unknown fields with a warning when told to', async () => {
  const bench = new Bench({ unknownFields: 'warn' })
  const { warnings } = await bench.put(`${PIPELINE}nope: 1\n`)
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toMatch(/nope/)
})

it.each([
  [
    'that are not there',
    [],
    [
      /rules\/0\/paths\/0\/backend: HTTPPipeline or Pipeline "demo" does not exist yet/,
      /"other" does not/,
      /headers\/0\/backend: HTTPPipeline or Pipeline "demo"/,
    ],
  ],
  [
    'but one',
    [PIPELINE],
    [/HTTPPipeline or Pipeline "other" does not exist yet; requests for it get 503/],
  ],
  [
    'of another kind',
    [
      PIPELINE,
      SERVER.replace('server', 'other').replaceAll('other', 'other').replace('10080', '1'),
    ],
    [/HTTPPipeline or Pipeline "other" is a HTTPServer/],
  ],
])('warns of references to objects %s', async (_name, before, expected) => {
  const bench = new Bench()
  for (const text of before) await bench.put(text)
  const { warnings } = await bench.put(SERVER)
  expect(warnings).toHaveLength(expected.length)
  for (const [i, pattern] of expected.entries()) expect(warnings[i]).toMatch(pattern)
})

it.each<[name: string, text: string, created: boolean, changed: boolean]>([
  ['a new object', SERVER, true, true],
  ['a change', `#\n${PIPELINE}`, false, true],
  ['no change', PIPELINE, false, false],
])('a dry run of %s says what it would do, and does not', async (_name, text, created, changed) => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  const revision = bench.bench.store.status().revision
  const result = await bench.put(text, { dryRun: true })
  expect(result).toMatchObject({ created, changed, version: { version: 1 }, lagging: [] })
  expect(bench.bench.store.status().revision).toBe(revision)
  // The request id was not spent.
  expect(await bench.put(text)).toMatchObject({ created, changed })
})

it('a check that fails is the answer to that write alone', async () => {
  let isFailing = true
  const bench = new Bench({
    run: async (_job, input) => {
      if (isFailing) throw new GatewayError('TIMEOUT', 'gave up')
      return validate(input as ValidateInput)
    },
  })
  expect((await bench.failure(bench.put(PIPELINE))).code).toBe('TIMEOUT')
  isFailing = false
  expect((await bench.put(PIPELINE)).created).toBe(true)
})

it('what is not there cannot be read or deleted', async () => {
  const bench = new Bench()
  for (const ask of [
    () => bench.ref.ask({ type: 'get-object', name: 'x' }, 1_000),
    () => bench.ref.ask({ type: 'get-object-status', name: 'x' }, 1_000),
    () => bench.delete('x'),
  ]) {
    const error = await bench.failure(ask())
    expect(error).toMatchObject({ code: 'OBJECT_NOT_FOUND', message: 'not found' })
  }
})

it('without a worker a write is answered at once', async () => {
  const bench = new Bench({ workers: 0 })
  expect((await bench.put(PIPELINE)).lagging).toEqual([])
})

it('names the workers that lag, and says what they report of the object', async () => {
  const bench = new Bench({ workers: 3 })
  await bench.put(PIPELINE)
  const [first, , third] = bench.workers as [FakeWorker, FakeWorker, FakeWorker]
  third.isHeld = true
  first.failed = [{ name: 'server', error: 'no such thing' }]
  first.listeners = [{ server: 'server', state: 'failed', error: 'port 10080 is taken' }]
  const startMs = bench.harness.time.monotonicMs()
  const { lagging, warnings } = await bench.put(SERVER)
  expect(bench.harness.time.monotonicMs() - startMs).toBeGreaterThanOrEqual(5_000)
  expect(lagging).toEqual(['eg-1/worker-2'])
  expect(warnings.slice(1)).toEqual([
    'not running: no such thing; the version before goes on',
    'not listening: port 10080 is taken; retrying',
  ])
})

const running: ListenerState = { server: 'server', state: 'running', error: '' }

async function statusOf(bench: Bench, name: string): Promise<Record<string, unknown>> {
  const asked = bench.ref.ask({ type: 'get-object-status', name }, 5_000)
  const { value } = await bench.outcome(asked)
  expect(Object.keys(value)).toEqual(['eg-1'])
  return value['eg-1'] as Record<string, unknown>
}

it('the status of a server has its statistics, paths and socket (§7.3)', async () => {
  const bench = new Bench({ workers: 2 })
  const [first, second] = bench.workers as [FakeWorker, FakeWorker]
  await bench.put(PIPELINE)
  first.listeners = [running]
  second.listeners = [running]
  await bench.put(SERVER)
  for (const [worker, count] of [
    [0, 3],
    [1, 4],
  ] as const) {
    const blocks = new StatsBlocks()
    const row = blocks.open('server/server')
    for (let i = 0; i < count; i++) row.record(i === 0 ? 503 : 200, 2, 10, 20)
    const news = blocks.takeNews() ?? expect.fail('no news')
    bench.ref.tell({ type: 'worker-stats', worker, news: { type: 'stats-news', ...news } })
  }
  const one: TopPath = {
    path: '/',
    count: 3,
    errors: 1,
    totalMs: 6,
    minMs: 2,
    maxMs: 2,
    bytesIn: 30,
    bytesOut: 60,
  }
  first.topPaths = [one]
  second.topPaths = [{ ...one, count: 4 }]
  bench.harness.advance(5_000) // one tick of the rates
  const status = await statusOf(bench, 'server')
  expect(Object.keys(status)).toEqual(['health', 'state', 'status', 'timestamp', 'topN'])
  expect(status).toMatchObject({
    health: '',
    state: 'running',
    status: { count: 7, errCount: 2, m1: 1.4, m1Err: 0.4, codes: { 200: 5, 503: 2 }, reqSize: 70 },
    topN: [{ path: '/', status: { count: 7, errCount: 2 } }],
  })
  expect(Object.keys(status['status'] as object).sort()).toEqual(
    (
      'codes count errCount m1 m1Err m1ErrPercent m5 m5Err m5ErrPercent m15 m15Err m15ErrPercent ' +
      'max mean min p25 p50 p75 p95 p98 p99 p999 reqSize respSize'
    )
      .split(' ')
      .sort(),
  )
  expect(status['timestamp']).toBe(Math.floor(bench.harness.time.wallMs() / 1_000))
  bench.harness.advance(5_000)
  const later = (await statusOf(bench, 'server'))['status'] as { readonly m1: number }
  expect(later.m1).toBeLessThan(1.4)
})

it.each<[name: string, states: ListenerState[], failure: string, expected: object]>([
  ['has no socket yet', [], '', { health: '', state: 'nil' }],
  [
    'fails to listen on one worker of two',
    [running, { ...running, state: 'failed', error: 'port taken' }],
    '',
    { health: 'port taken', error: 'port taken', state: 'failed' },
  ],
  [
    'fails to listen on the other one',
    [{ ...running, state: 'failed', error: 'port taken' }, running],
    '',
    { health: 'port taken', error: 'port taken', state: 'failed' },
  ],
  ['cannot be built', [running], 'broken', { health: 'broken', error: 'broken', state: 'running' }],
])('the status of a server that %s', async (_name, states, failure, expected) => {
  const bench = new Bench({ workers: 2 })
  bench.workers.forEach((worker, i) => {
    const state = states[i]
    worker.listeners = state === undefined ? [] : [state]
    worker.failed = failure === '' ? [] : [{ name: 'server', error: failure }]
  })
  await bench.put(SERVER)
  const status = await statusOf(bench, 'server')
  expect(status).toMatchObject(expected)
  if (!('error' in expected)) expect(status).not.toHaveProperty('error')
})

it('the status of a pipeline says what goes on in its filters, by the first worker that answers', async () => {
  const bench = new Bench({ workers: 3 })
  await bench.put('name: p\nkind: HTTPPipeline\nfilters:\n- {name: v, kind: Validator}\n')
  const [silent, none, says] = bench.workers as FakeWorker[]
  ;(silent as FakeWorker).topPaths = null
  ;(none as FakeWorker).filterStates = null
  ;(says as FakeWorker).filterStates = { v: { urls: [{ state: 'open' }] } }
  expect(await statusOf(bench, 'p')).toMatchObject({
    filters: { v: { urls: [{ state: 'open' }] } },
  })
  ;(says as FakeWorker).filterStates = null
  expect(await statusOf(bench, 'p')).toMatchObject({ filters: { v: null } })
})

it('a worker that does not answer is left out of the status', async () => {
  const bench = new Bench({ workers: 2 })
  await bench.put(SERVER)
  ;(bench.workers[0] as FakeWorker).topPaths = null
  const startMs = bench.harness.time.monotonicMs()
  expect(await statusOf(bench, 'server')).toMatchObject({ topN: [] })
  expect(bench.harness.time.monotonicMs() - startMs).toBeLessThan(1_100)
})

it('an object that is deleted while its status is asked for is not found', async () => {
  const bench = new Bench({ workers: 1 })
  await bench.put(SERVER)
  const worker = bench.workers[0] as FakeWorker
  worker.topPaths = null
  const asked = bench.ref.ask({ type: 'get-object-status', name: 'server' }, 5_000)
  await bench.harness.settle()
  await bench.delete('server')
  expect((await bench.failure(asked)).code).toBe('OBJECT_NOT_FOUND')
})

it('the status of a pipeline has one entry for each filter (§7.4)', async () => {
  const bench = new Bench()
  await bench.put(`${PIPELINE}- name: proxy
  kind: Proxy
  mainPool:
    servers:
    - url: http://127.0.0.1:1
    loadBalance:
      policy: roundRobin
`)
  const status = await statusOf(bench, 'demo')
  expect(Object.keys(status)).toEqual(['failures', 'filters', 'health', 'timestamp'])
  expect(status).toMatchObject({
    health: '',
    filters: { mock: null, proxy: { mainPool: { stat: { count: 0, codes: {} } } } },
  })
})

it('lists the status of all objects by name and member', async () => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  await bench.put(SERVER)
  const asked = bench.ref.ask({ type: 'list-object-status' }, 1_000)
  const { value, version } = await bench.outcome(asked)
  expect(version.version).toBe(2)
  expect(value).toMatchObject({
    demo: { 'eg-1': { health: '', filters: { mock: null } } },
    server: { 'eg-1': { health: '', state: 'nil', topN: [] } },
  })
})

it('tells the root which closed rows it has read', async () => {
  const bench = new Bench()
  const blocks = new StatsBlocks()
  blocks.open('a')
  blocks.close('a')
  const news = blocks.takeNews() ?? expect.fail('no news')
  bench.ref.tell({ type: 'worker-stats', worker: 0, news: { type: 'stats-news', ...news } })
  await bench.harness.settle()
  expect(bench.root.probe.messages).toEqual([{ type: 'stats-read', worker: 0, rows: [0] }])
})

it('a failed store fails writes with 503; reads go on', async () => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  bench.bench.disk.failWhen = (call) => call === 'fdatasync'
  const error = await bench.failure(bench.put(SERVER))
  expect(error.code).toBe('STORE_UNAVAILABLE')
  expect(await bench.names()).toEqual(['demo'])
})

it('leaves no timer behind when it stops', async () => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  ;(bench.workers[0] as FakeWorker).isHeld = true
  const open = bench.ref.ask(
    { type: 'delete-object', name: 'demo', ifMatch: null, requestId: newId() },
    60_000,
  )
  open.catch(() => {})
  await bench.harness.settle()
  bench.harness.time.advance(5)
  await bench.harness.settle()
  expect(bench.timers.size).toBe(2) // of the rates, and of the write that waits
  bench.harness.system.stopAll()
  expect(bench.timers.size).toBe(0)
  expect((await bench.failure(open)).code).toBe('STORE_UNAVAILABLE')
  expect(bench.harness.escalations).toEqual([])
})

it('a write that waits for the cluster is answered once every live member runs it', async () => {
  const bench = new Bench()
  const { view } = bench
  view.isAlone = false
  let looks = 0
  view.others = () => [
    { member: 'eg-2', serving: { version: { epoch: 1_600_000_000, version: 1 }, failed: [] } },
    {
      member: 'eg-3',
      serving: { version: { epoch: 1_600_000_000, version: ++looks > 3 ? 1 : 0 }, failed: [] },
    },
  ]
  const { version, lagging } = await bench.put(PIPELINE, { wait: 'cluster' })
  expect({ version: version.version, lagging }).toEqual({ version: 1, lagging: [] })
  expect(looks).toBe(4)
  expect(view.serving).toMatchObject({ version: { version: 1 }, failed: [] })
  // Without that wish nobody is asked.
  await bench.put(SERVER)
  expect(looks).toBe(4)
})

it('members that lag for five seconds are named, and what they report', async () => {
  const bench = new Bench()
  bench.view.isAlone = false
  bench.view.others = () => [
    { member: 'eg-3', serving: null },
    {
      member: 'eg-2',
      serving: {
        version: { epoch: 1_600_000_000, version: 9 },
        failed: [
          ['demo', 'no memory'],
          ['other', 'x'],
        ],
      },
    },
  ]
  const { lagging, warnings } = await bench.put(PIPELINE, { wait: 'cluster' })
  expect(lagging).toEqual(['eg-3'])
  expect(warnings).toEqual(['not running on eg-2: no memory; the version before goes on'])
})

it('the status of objects is that of every member', async () => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  const there = { 'eg-2': { health: 'ill', timestamp: 1 } }
  bench.view.othersStatus = new Map([
    ['demo', there],
    ['gone', there],
  ])
  const one = { type: 'get-object-status', name: 'demo' } as const
  expect(Object.keys((await bench.outcome(bench.ref.ask(one, 5_000))).value)).toEqual(['eg-1'])
  bench.view.isAlone = false
  const { value } = await bench.outcome(bench.ref.ask(one, 5_000))
  expect(value).toMatchObject({ 'eg-1': { health: '' }, 'eg-2': { health: 'ill' } })
  const all = await bench.outcome(bench.ref.ask({ type: 'list-object-status' }, 5_000))
  expect(Object.keys(all.value)).toEqual(['demo'])
  expect(Object.keys(all.value['demo'] ?? {}).sort()).toEqual(['eg-1', 'eg-2'])
})

it('tells other members the status of its objects, and no longer of those that are gone', async () => {
  const bench = new Bench()
  bench.view.isAlone = false
  await bench.put(PIPELINE)
  await bench.put(SERVER)
  const tick = async (): Promise<void> => {
    bench.harness.time.advance(5_000)
    await bench.harness.settle()
    bench.harness.time.advance(10)
    await bench.harness.settle()
  }
  await tick()
  expect([...bench.view.statuses.keys()].sort()).toEqual(['demo', 'server'])
  expect(bench.view.statuses.get('demo')).not.toHaveProperty('timestamp')
  await bench.delete('server')
  await tick()
  expect([...bench.view.statuses.keys()]).toEqual(['demo'])
})

it('without quorum writes fail with the reason, and reads say how old they are', async () => {
  const bench = new Bench()
  await bench.put(PIPELINE)
  bench.view.hasQuorum = false
  bench.view.staleMs = 4_200
  bench.ref.tell({ type: 'quorum-changed' })
  await bench.harness.settle()
  bench.harness.time.advance(3_000)
  const error = await bench.failure(bench.put(SERVER))
  expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', detail: { outcome: 'none' } })
  expect(error.message).toMatch(/^no quorum: 1 of 3/)
  const purge = await bench.failure(bench.ref.ask({ type: 'purge-member', name: 'eg-2' }, 1_000))
  expect(purge.message).toBe(error.message)
  const asked = { type: 'get-object', name: 'demo' } as const
  expect((await bench.outcome(bench.ref.ask(asked, 5_000))).staleSeconds).toBe(4.2)
  const local = { ...asked, consistency: 'local' } as const
  expect((await bench.outcome(bench.ref.ask(local, 5_000))).staleSeconds).toBe(4.2)
  bench.view.hasQuorum = true
  bench.ref.tell({ type: 'quorum-changed' })
  await bench.put(SERVER)
  expect((await bench.outcome(bench.ref.ask(asked, 5_000))).staleSeconds).toBeNull()
})

it('lists and purges members as the cluster has them', async () => {
  const bench = new Bench()
  const member = { options: { name: 'eg-2' }, lastHeartbeatTime: 'then', etcd: null }
  bench.view.members = [member]
  const { value } = await bench.outcome(bench.ref.ask({ type: 'list-members' }, 1_000))
  expect(value).toEqual([member])
  await bench.outcome(bench.ref.ask({ type: 'purge-member', name: 'eg-2' }, 1_000))
  expect(bench.view.purged).toEqual(['eg-2'])
})
