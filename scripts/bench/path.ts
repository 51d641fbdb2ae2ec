/**
 * `npm run bench -- path`: what our own code costs an exchange, without any system call. Everything
 * between uWebSockets.js and the socket to the back end is the real thing; those two are stand-ins
 * that hand over new texts for each request, as the real ones do. Steadier than anything that goes
 * through the kernel, so changes of a few hundredths of a microsecond show.
 */
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import type { TrafficHandler, TrafficListener } from '../../src/listener/contract.js'
import type { UwsRequest, UwsResponse } from '../../src/listener/uws.js'
import type { ExchangeHome, UwsExchange } from '../../src/listener/uws-exchange.js'
import type { WorkerEnv } from '../../src/objects/contract.js'
import { sleep } from './children.js'
import { DEFAULT_TARGET } from './loadgen.js'
import { bodyOf } from './site.js'

/** Exchanges under way at a time. */
const BATCH = 8
const ANSWER_BYTES = 64
const ROUNDS = 200
const EXCHANGES_PER_ROUND = 4_000
const BACK_END_PORT = 9

/** Sockets with a request on them. */
const asked: FakeSocket[] = []

/** The side of a `net.Socket` that the upstream client uses. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1'
  readonly writableLength = 0
  readonly read: (bytes: number) => boolean

  constructor(options: { readonly onread: { callback(bytes: number): boolean } }) {
    super()
    this.read = (bytes) => options.onread.callback(bytes)
    queueMicrotask(() => this.emit('connect'))
  }

  write(): boolean {
    asked.push(this)
    return true
  }

  resume(): void {}

  destroy(): void {}
}

class FakeResponse {
  onAborted(): void {}

  onData(): void {}

  cork(write: () => void): void {
    write()
  }

  writeStatus(): this {
    return this
  }

  end(): void {
    answered += 1
  }
}

let answered = 0

/** The fields are made anew for each request. */
function fakeRequest(fields: readonly string[]): UwsRequest {
  const bytes = Buffer.from(fields.join(''), 'latin1')
  const ends: number[] = []
  for (const field of fields) ends.push((ends.at(-1) ?? 0) + field.length)
  const text = (i: number): string => bytes.toString('latin1', ends[i - 1] ?? 0, ends[i])
  return {
    getCaseSensitiveMethod: () => text(0),
    getUrl: () => text(1),
    getQuery: () => '',
    getHeader: () => '',
    forEach: (callback) => {
      for (let i = 2; i < fields.length; i += 2) callback(text(i), text(i + 1))
    },
  }
}

/** What wrk sends. */
const PLAIN = ['GET', DEFAULT_TARGET, 'host', '127.0.0.1:10080']
/** About what a browser sends. */
const BROWSER = [
  ...PLAIN,
  ...['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9'],
  ...['accept-encoding', 'gzip, deflate, br', 'accept-language', 'en-US,en;q=0.5'],
  ...['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/118.0'],
  ...['cookie', 'session=0123456789abcdef; theme=dark', 'referer', 'http://example.com/some/page'],
]

const answerWith = (bytes: number): Buffer =>
  Buffer.from(
    'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 22:14:38 GMT\r\n' +
      `Content-Type: text/plain\r\nContent-Length: ${bytes}\r\nConnection: keep-alive\r\n\r\n` +
      bodyOf(bytes),
  )

export interface PathCost {
  readonly request: string
  /** Of the quietest rounds (first decile), and of the middle one. */
  readonly lowNanos: number
  readonly medianNanos: number
  /** Garbage made. */
  readonly bytes: number
}

/** Costs of the requests of wrk and of a browser; `mocked`: answered without a back end. */
export async function measurePath(mocked: boolean): Promise<PathCost[]> {
  const bench = await build(mocked)
  const costs: PathCost[] = []
  for (const [request, fields] of [
    ['wrk', PLAIN],
    ['browser', BROWSER],
  ] as const) {
    costs.push({ request, ...(await cost(bench, fakeRequest(fields))) })
  }
  return costs
}

interface PathBench {
  readonly handler: TrafficHandler
  readonly exchanges: UwsExchange[]
  newExchange(): UwsExchange
  readonly readBuffer: Buffer
  readonly answer: Buffer
}

function turn(bench: PathBench, request: UwsRequest): void {
  for (let i = 0; i < BATCH; i++) {
    const exchange = bench.exchanges.pop() ?? bench.newExchange()
    exchange.begin(new FakeResponse() as unknown as UwsResponse, request, bench.handler)
  }
  const { answer, readBuffer } = bench
  for (let socket = asked.pop(); socket !== undefined; socket = asked.pop()) {
    answer.copy(readBuffer)
    socket.read(answer.length)
  }
}

async function cost(bench: PathBench, request: UwsRequest): Promise<Omit<PathCost, 'request'>> {
  // Until the sockets are connected and the code is optimised.
  for (let i = 0; i < 100; i++) {
    for (let k = 0; k < 50; k++) turn(bench, request)
    await sleep(i < 5 ? 5 : 0)
  }
  const nanos: number[] = []
  const bytes: number[] = []
  answered = 0
  for (let round = 0; round < ROUNDS; round++) {
    const heapBefore = process.memoryUsage().heapUsed
    const startedMs = performance.now()
    for (let k = 0; k < EXCHANGES_PER_ROUND / BATCH; k++) turn(bench, request)
    nanos.push(((performance.now() - startedMs) * 1e6) / EXCHANGES_PER_ROUND)
    bytes.push((process.memoryUsage().heapUsed - heapBefore) / EXCHANGES_PER_ROUND)
    if (round % 10 === 0) await sleep(1)
  }
  if (answered !== ROUNDS * EXCHANGES_PER_ROUND) throw new Error(`${answered} exchanges ended`)
  nanos.sort((a, b) => a - b)
  // Rounds with a collection in them show less, or nothing.
  const clean = bytes.filter((each) => each > 0).sort((a, b) => a - b)
  return {
    lowNanos: nanos[ROUNDS / 10] as number,
    medianNanos: nanos[ROUNDS / 2] as number,
    bytes: clean[clean.length >> 1] ?? 0,
  }
}

/** The two objects of the seed, in a worker's surroundings. */
async function build(mocked: boolean): Promise<PathBench> {
  net.connect = ((options: ConstructorParameters<typeof FakeSocket>[0]) =>
    new FakeSocket(options)) as unknown as typeof net.connect
  // Before anything imports `connect` by name.
  syncBuiltinESMExports()
  const [kinds, spec, wheels, clocks, client, resolver, directory, sockets, stats, layout, rows] =
    await Promise.all([
      import('../../src/kinds/registry.js'),
      import('../../src/spec/decode.js'),
      import('../../src/lib/timer-wheel.js'),
      import('../../src/lib/clock.js'),
      import('../../src/upstream/client.js'),
      import('../../src/upstream/resolver.js'),
      import('../../src/objects/directory.js'),
      import('../../src/objects/sockets.js'),
      import('../../src/shared/stats.js'),
      import('../../src/shared/stats-layout.js'),
      import('../../src/shared/rows.js'),
    ])
  const { systemTime } = clocks
  const { MemoryLogger } = await import('../../src/telemetry/memory-log.js')
  const { UwsExchange } = await import('../../src/listener/uws-exchange.js')
  const { DEFAULT_LIMITS } = await import('../../src/listener/contract.js')
  const log = new MemoryLogger()
  const timers = new wheels.TimerWheel(systemTime)
  wheels.driveWheel(timers, systemTime)
  const served: { handler: TrafficHandler | null } = { handler: null }
  const listener: TrafficListener = {
    port: 10_080,
    activeCount: 0,
    setHandler: (handler) => {
      served.handler = handler
    },
    stopAccepting: () => {},
    drain: () => {},
    close: () => {},
  }
  const ports = {
    claim: () => Promise.resolve({ granted: true, reason: '' }),
    release: () => {},
    open: () => listener,
  }
  const upstream = new client.HttpUpstreamClient({
    timers,
    resolver: new resolver.SystemResolver(systemTime),
  })
  const table = new sockets.SocketTable(ports, log)
  const memory = new SharedArrayBuffer(65_536)
  const env: WorkerEnv = {
    timers,
    nodeMs: () => performance.now(),
    log,
    upstream,
    pipelines: new directory.PipelineDirectory(),
    sockets: table,
    trafficHost: '127.0.0.1',
    topPaths: new Map(),
    accessLog: null,
    accessLine: null,
    words: () => ({ words: new Int32Array(memory), base: 0 }),
    area: () => ({ words: new Int32Array(memory), base: 0 }),
    cap: () => new rows.NodeCap({ memory, index: 0 }, 0),
    permits: () => {
      throw new Error('no permits here')
    },
    stats: () => new stats.StatsCells(new Float64Array(layout.CELLS_PER_ROW)),
    data: () => ({ get: () => undefined, version: 0 }),
  }
  const put = async (kindName: string, name: string, fields: unknown): Promise<void> => {
    const kind = kinds.objectKinds.get(kindName)
    if (kind === undefined) throw new Error(`no kind ${kindName}`)
    const decoded = spec.decode(kind.spec, fields)
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.problems))
    const module = await kind.load(decoded.value)
    const building = module.build(decoded.value, { name, version: 1, createdVersion: 1 }, null, env)
    for (let step = building.next(); ; step = building.next()) {
      if (!step.done) continue
      step.value.commit()
      return
    }
  }
  const filter = mocked
    ? { kind: 'Mock', rules: [{ code: 200, body: bodyOf(ANSWER_BYTES) }] }
    : { kind: 'Proxy', mainPool: { servers: [{ url: `http://127.0.0.1:${BACK_END_PORT}` }] } }
  await put('HTTPPipeline', 'pipeline-demo', { filters: [{ name: 'the-filter', ...filter }] })
  const paths = [{ pathPrefix: DEFAULT_TARGET, backend: 'pipeline-demo' }]
  await put('HTTPServer', 'server-demo', { port: 10_080, rules: [{ paths }] })
  await table.reconcile()
  if (served.handler === null) throw new Error('the server did not take its socket')
  const exchanges: UwsExchange[] = []
  const home: ExchangeHome = {
    limits: DEFAULT_LIMITS,
    draining: false,
    release: (exchange, reusable) => {
      if (reusable) exchanges.push(exchange)
    },
    watch: () => {},
    unwatch: () => {},
    report: (thrown) => {
      throw thrown
    },
  }
  return {
    handler: served.handler,
    exchanges,
    newExchange: () => new UwsExchange(home),
    readBuffer: upstream.readBuffer,
    answer: answerWith(ANSWER_BYTES),
  }
}
