/**
 * Whole exchanges without any system call: everything between uWebSockets.js and the socket to the
 * back end is the real thing; those two are stand-ins that hand over new texts for each request, as
 * the real ones do.
 */
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import type { TrafficHandler } from '../../src/listener/contract.js'
import type { UwsRequest, UwsResponse } from '../../src/listener/uws.js'
import type { UwsExchange } from '../../src/listener/uws-exchange.js'
import type { WorkerEnv } from '../../src/objects/contract.js'
import type { GatewayObject } from './peers/objects.js'
import { bodyOf } from './site.js'

/** Exchanges under way at a time. */
export const BATCH = 8
export const ANSWER_BYTES = 64
export const BACK_END_PORT = 9

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

/** Exchanges that have ended. */
export const answeredCount = (): number => answered

/** The fields are made anew for each request. */
export function fakeRequest(fields: readonly string[]): UwsRequest {
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

const answerWith = (bytes: number): Buffer =>
  Buffer.from(
    'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 22:14:38 GMT\r\n' +
      `Content-Type: text/plain\r\nContent-Length: ${bytes}\r\nConnection: keep-alive\r\n\r\n` +
      bodyOf(bytes),
  )

/** A worker of one server, as the requests of {@link turn} find it. */
export interface PathBench {
  readonly handler: TrafficHandler
  readonly exchanges: UwsExchange[]
  newExchange(): UwsExchange
  /** What the loop does at the end of a turn: requests leave, then answers. */
  endTurn(): void
  readonly readBuffer: Buffer
  readonly answer: Buffer
}

/** A batch of exchanges from beginning to end; `next` gives the request of each. */
export function turn(bench: PathBench, next: () => UwsRequest): void {
  for (let i = 0; i < BATCH; i++) {
    const exchange = bench.exchanges.pop() ?? bench.newExchange()
    exchange.begin(new FakeResponse() as unknown as UwsResponse, next(), bench.handler)
  }
  bench.endTurn()
  const { answer, readBuffer } = bench
  for (let socket = asked.pop(); socket !== undefined; socket = asked.pop()) {
    answer.copy(readBuffer)
    socket.read(answer.length)
  }
  bench.endTurn()
}

/** `objects` in a worker's surroundings; one of them is the HTTPServer. */
export async function build(objects: readonly GatewayObject[]): Promise<PathBench> {
  net.connect = ((options: ConstructorParameters<typeof FakeSocket>[0]) =>
    new FakeSocket(options)) as unknown as typeof net.connect
  // Before anything imports `connect` by name.
  syncBuiltinESMExports()
  const [kinds, spec, wheels, clocks, client, resolver, directory, sockets, stats, rows] =
    await Promise.all([
      import('../../src/kinds/registry.js'),
      import('../../src/spec/decode.js'),
      import('../../src/lib/timer-wheel.js'),
      import('../../src/lib/clock.js'),
      import('../../src/upstream/client.js'),
      import('../../src/upstream/resolver.js'),
      import('../../src/objects/directory.js'),
      import('../../src/objects/sockets.js'),
      import('../../src/shared/stats-blocks.js'),
      import('../../src/shared/rows.js'),
    ])
  const { systemTime } = clocks
  const { MemoryLogger } = await import('../../src/telemetry/memory-log.js')
  const { UwsExchange } = await import('../../src/listener/uws-exchange.js')
  const { DueAnswers } = await import('../../src/listener/due-answers.js')
  const { DEFAULT_LIMITS } = await import('../../src/listener/contract.js')
  const log = new MemoryLogger()
  const timers = new wheels.TimerWheel(systemTime)
  wheels.driveWheel(timers, systemTime)
  const served: { handler: TrafficHandler | null } = { handler: null }
  const listener = {
    port: 10_080,
    activeCount: 0,
    connectionCount: 0,
    leave: () => false,
    setHandler: (handler: TrafficHandler | null) => {
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
  const blocks = new stats.StatsBlocks()
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
    stats: (key) => blocks.open(key),
    data: () => ({ get: () => undefined, entries: () => [], version: 0 }),
  }
  for (const { name, kind: kindName, ...fields } of objects) {
    const kind = kinds.objectKinds.get(kindName)
    if (kind === undefined) throw new Error(`no kind ${kindName}`)
    const decoded = spec.decode(kind.spec, fields)
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.problems))
    const module = await kind.load(decoded.value)
    const building = module.build(decoded.value, { name, version: 1, createdVersion: 1 }, null, env)
    let step = building.next()
    while (step.done !== true) step = building.next()
    step.value.commit()
  }
  await table.reconcile()
  if (served.handler === null) throw new Error('the server did not take its socket')
  const exchanges: UwsExchange[] = []
  const due = new DueAnswers()
  const home = {
    due,
    limits: DEFAULT_LIMITS,
    draining: false,
    isTls: false,
    peers: null,
    release: (exchange: UwsExchange, reusable: boolean) => {
      if (reusable) exchanges.push(exchange)
    },
    watch: () => {},
    unwatch: () => {},
    report: (thrown: unknown) => {
      throw thrown
    },
  }
  return {
    handler: served.handler,
    exchanges,
    newExchange: () => new UwsExchange(home),
    endTurn: () => {
      upstream.requestsDue.flush()
      due.flush()
    },
    readBuffer: upstream.readBuffer,
    answer: answerWith(ANSWER_BYTES),
  }
}
