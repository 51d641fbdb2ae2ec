import type { Actor, ActorRef, Message, Reply } from '../actor/actor.js'
import { ActorHarness } from '../actor/harness.js'
import { CoordinatorActor, type ToCoordinatorActor } from '../coordinator/coordinator-actor.js'
import { encodeSpec } from '../coordinator/record.js'
import { StoreBench } from '../coordinator/store.fixture.js'
import type { ValidateInput, Validity } from '../coordinator/validate.js'
import { FakeView } from '../coordinator/view.fixture.js'
import { NOBODY, newId } from '../coordinator/writer.fixture.js'
import { PLACES_BYTES, type TrafficHandler } from '../listener/contract.js'
import type {
  AnyObjectKind,
  ObjectCategory,
  RuntimeObject,
  SharedKeys,
  WorkerEnv,
} from '../objects/contract.js'
import { type SocketKey, SocketTable } from '../objects/sockets.js'
import type { PutMode, WriteResult } from '../protocol/coordinator.js'
import type { CoordinatorToRoot } from '../protocol/root.js'
import type {
  CoordinatorToWorker,
  Serving,
  WorkerToCoordinator,
  WorkerToRoot,
} from '../protocol/worker.js'
import { SharedOwner } from '../root/shared-owner.js'
import { Builder } from './build.js'
import { DataViews } from './data-views.js'
import { SharedMemory } from './shared-memory.js'
import { type ToWorkerActor, WorkerActor } from './worker-actor.js'

/** What a demo object does; its text is this in JSON. */
export interface Demo {
  readonly name: string
  readonly kind: 'DemoBusiness' | 'DemoPipe' | 'DemoGate'
  readonly n: number
  /** Keys of shared memory; several objects may have the same. */
  readonly keys?: readonly string[]
  /** It listens there. */
  readonly port?: number
  /** Where it fails in every worker. */
  readonly fail?: 'shared' | 'load' | 'build'
}

export interface Shown {
  readonly n: number
  readonly createdVersion: number
  /** Generations of the same object before this one, in this life of the worker. */
  readonly inherited: number
}

const CATEGORY: Readonly<Record<Demo['kind'], ObjectCategory>> = {
  DemoBusiness: 'business',
  DemoPipe: 'pipeline',
  DemoGate: 'gate',
}

class DemoRuntime implements RuntimeObject, TrafficHandler {
  readonly keepAlive = true
  readonly shown: Shown
  readonly #life: WorkerLife
  readonly #demo: Demo

  constructor(life: WorkerLife, demo: Demo, shown: Shown) {
    this.#life = life
    this.#demo = demo
    this.shown = shown
  }

  handle(): void {}
  finished(): void {}

  commit(): void {
    const { name, port, n } = this.#demo
    this.#life.events.push(`commit ${name} ${n}`)
    this.#life.running.set(name, this.shown)
    if (port === undefined) return
    const { createdVersion } = this.shown
    const gate = { opened: () => true, closed: () => {} }
    this.#life.sockets.claim(keyOf(port), {
      server: name,
      createdVersion,
      handler: this,
      gate,
      tls: null,
      places: { words: new Int32Array(PLACES_BYTES / 4), base: 0 },
    })
  }

  withdraw(): void {
    const { name, port, n } = this.#demo
    this.#life.events.push(`withdraw ${name} ${n}`)
    this.#life.running.delete(name)
    if (port !== undefined) this.#life.sockets.release(keyOf(port), name)
  }

  retire(): void {
    this.#life.events.push(`retire ${this.#demo.name} ${this.#demo.n}`)
  }
}

const keyOf = (port: number): SocketKey => ({ host: '', port, transport: 'tcp' })

function demoKind(life: WorkerLife, kind: Demo['kind']): AnyObjectKind {
  return {
    kind,
    category: CATEGORY[kind],
    summary: '',
    spec: null as never,
    shared: ({ keys = [], fail }: Demo): SharedKeys => {
      if (fail === 'shared') throw new Error('told to fail: shared')
      return { words: keys, caps: keys, stats: keys }
    },
    status: () => ({}),
    load: async ({ fail }: Demo) => {
      await life.hold
      if (fail === 'load') throw new Error('told to fail: load')
      return {
        *build(demo: Demo, { createdVersion }, previous, env) {
          yield
          if (demo.fail === 'build') throw new Error('told to fail: build')
          // What was claimed can be used.
          for (const key of demo.keys ?? []) {
            const { words, base } = env.words(key)
            words[base] = demo.n
            if (!env.cap(key).acquire(1_000_000)) throw new Error('no permit')
            env.cap(key).release()
            env.stats(key).record(200, 1, 1, 1)
          }
          const inherited = previous instanceof DemoRuntime ? previous.shown.inherited + 1 : 0
          return new DemoRuntime(life, demo, { n: demo.n, createdVersion, inherited })
        },
      }
    },
  }
}

/** One life of a worker, with the real actor, builder, shared memory and socket table. */
export class WorkerLife {
  readonly ref: ActorRef<ToWorkerActor>
  readonly sockets: SocketTable
  readonly memory: SharedMemory
  readonly running = new Map<string, Shown>()
  readonly events: string[] = []
  /** All it told the coordinators. */
  readonly told: WorkerToCoordinator[] = []
  /** All it was told. */
  readonly heard: CoordinatorToWorker['type'][] = []
  /** Keys it holds at the root, and statistics rows it writes. */
  readonly held = new Set<string>()
  /** Loading an object waits for this. */
  hold: Promise<void> = Promise.resolve()
  stop: () => void = () => {}

  constructor(node: DemoNode, index: number) {
    const { system, time, log } = node.harness
    const root = system.spawn<WorkerToRoot>(`root-${index}`, () => ({
      receive: (m, reply) => node.serveWorker(index, this, m, reply),
    }))
    const memory = new SharedMemory(root, index)
    this.memory = memory
    this.sockets = new SocketTable(
      {
        claim: async ({ port }) => {
          await node.portHold(port)
          return { granted: !node.busyPorts.has(port), reason: `port ${port} is taken` }
        },
        release: () => {},
        open: ({ port }) => ({
          port,
          activeCount: 0,
          connectionCount: 0,
          setHandler: () => {},
          leave: () => false,
          stopAccepting: () => {},
          drain: () => {},
          close: () => {},
        }),
      },
      log,
    )
    const env = {
      words: (key: string) => memory.words(key),
      cap: (key: string) => memory.cap(key),
      stats: (key: string) => memory.stats(key),
    } as WorkerEnv
    const kinds = (Object.keys(CATEGORY) as Demo['kind'][]).map((kind) => demoKind(this, kind))
    const data = new DataViews(time, (prefixes) =>
      node.deskFor(index, this)?.tell({ type: 'want-data', prefixes }),
    )
    const builder = new Builder(new Map(kinds.map((kind) => [kind.kind, kind])), memory, data, env)
    this.ref = system.spawn<ToWorkerActor>(
      `worker-${index}`,
      ({ self, stop }) => {
        this.stop = stop
        const actor = new WorkerActor({
          self,
          builder,
          memory,
          data,
          sockets: this.sockets,
          time,
          log,
          serves: () => {},
          coordinator: () => node.deskFor(index, this),
          topPaths: () => [],
        })
        return spied(actor, (m) => this.heard.push(m.type as never))
      },
      { restarts: { restartsMax: 0 } },
    )
  }

  /** Makes building wait; the function returned lets it go on. */
  block(): () => void {
    let release = (): void => {}
    this.hold = new Promise((resolve) => {
      release = resolve
    })
    return release
  }

  get lastServing(): Serving | null {
    const all = this.told.filter((m) => m.type === 'serving')
    return all.at(-1) ?? null
  }
}

function spied<M extends Message>(actor: Actor<M>, saw: (m: M) => void): Actor<M> {
  return {
    receive(m, reply) {
      saw(m)
      actor.receive(m, reply)
    },
  }
}

/** A coordinator over a store on a simulated disk, and some workers; anything may crash. */
export class DemoNode {
  readonly harness: ActorHarness
  readonly shared: SharedOwner
  readonly workers = new Map<number, WorkerLife>()
  readonly busyPorts = new Set<number>()
  readonly #portHolds = new Map<number, Promise<void>>()
  bench: StoreBench
  #coordinator: ActorRef<ToCoordinatorActor> | null = null
  #stopCoordinator: () => void = () => {}

  constructor(workers: number, seed?: number) {
    this.harness = new ActorHarness(seed)
    this.shared = new SharedOwner(this.harness.time, workers)
    this.bench = new StoreBench(this.harness.time)
    this.startCoordinator()
    for (let index = 0; index < workers; index++) this.startWorker(index)
  }

  worker(index: number): WorkerLife {
    const life = this.workers.get(index)
    if (life === undefined) throw new Error(`worker ${index} is down`)
    return life
  }

  /** Claims of `port` wait until the function returned is called. */
  holdPort(port: number): () => void {
    let release = (): void => {}
    const hold = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#portHolds.set(port, hold)
    return release
  }

  portHold(port: number): Promise<void> {
    return this.#portHolds.get(port) ?? Promise.resolve()
  }

  get coordinator(): ActorRef<ToCoordinatorActor> {
    if (this.#coordinator === null) throw new Error('the coordinator is down')
    return this.#coordinator
  }

  get isUp(): boolean {
    return this.#coordinator !== null
  }

  startCoordinator(): void {
    const { system, time, log } = this.harness
    const root = system.spawn<CoordinatorToRoot>('root', () => ({
      receive: (m) => {
        if (m.type !== 'stats-read') return
        const rows = this.shared.onStatsRead(m.worker, m.rows)
        this.workers.get(m.worker)?.memory.freeStats(rows)
      },
    }))
    this.#coordinator = system.spawn<ToCoordinatorActor>('coordinator', ({ self, stop }) => {
      this.#stopCoordinator = stop
      return new CoordinatorActor({
        self,
        root,
        store: this.bench.store,
        jobs: { run: async <T>(_job: string, input: unknown) => judge(input) as T },
        time,
        log,
        member: 'eg-1',
        view: new FakeView(),
        writes: { ...NOBODY, serve: () => {} },
        requestTimeoutMs: 10_000,
        unknownFields: 'refuse',
        ready: () => {},
        failed: (error) => {
          throw error
        },
      })
    })
    for (const [index, life] of this.workers) this.#introduce(index, life)
  }

  /** It is gone between two messages; its store is opened anew from the disk. */
  crashCoordinator(): void {
    this.#stopCoordinator()
    this.#coordinator = null
    this.bench.store.stop()
    this.harness.time.advance(10)
    this.bench = new StoreBench(this.harness.time, this.bench.disk)
  }

  startWorker(index: number): WorkerLife {
    const life = new WorkerLife(this, index)
    this.workers.set(index, life)
    this.#introduce(index, life)
    return life
  }

  crashWorker(index: number): void {
    this.worker(index).stop()
    this.workers.delete(index)
    this.shared.workerGone(index)
    this.#coordinator?.tell({ type: 'worker-left', worker: index })
  }

  deskFor(index: number, life: WorkerLife): ActorRef<WorkerToCoordinator> | null {
    const coordinator = this.#coordinator
    if (coordinator === null) return null
    return {
      name: 'desk',
      tell: (message) => {
        life.told.push(message)
        coordinator.tell({ type: 'from-worker', worker: index, ref: life.ref, message })
      },
      ask: () => Promise.reject(new Error('workers only tell')),
    }
  }

  serveWorker(index: number, life: WorkerLife, m: WorkerToRoot, reply: Reply): void {
    if (this.workers.get(index) !== life) return
    if (m.type === 'claim-shared') {
      for (const part of m.parts) for (const key of part.keys) life.held.add(`${part.class} ${key}`)
      reply.for(m).ok(this.shared.claim(index, m))
    } else if (m.type === 'release-shared') {
      for (const part of m.parts)
        for (const key of part.keys) life.held.delete(`${part.class} ${key}`)
      this.shared.release(index, m)
    } else if (m.type === 'stats-news') {
      for (const { row } of m.opened) life.held.add(`row ${row}`)
      for (const { row } of m.closed) life.held.delete(`row ${row}`)
      this.shared.onStats(index, m)
      this.#coordinator?.tell({ type: 'worker-stats', worker: index, news: m })
    } else throw new Error(`unexpected ${m.type}`)
  }

  put(demo: Demo, mode: PutMode = 'apply'): Promise<WriteResult> {
    const text = JSON.stringify(demo)
    const more = {
      name: null,
      dialect: 'v1',
      ifMatch: null,
      dryRun: false,
      requestId: newId(),
    } as const
    return this.coordinator.ask({ type: 'put-object', mode, text, ...more }, 60_000)
  }

  delete(name: string): Promise<WriteResult> {
    const requestId = newId()
    return this.coordinator.ask({ type: 'delete-object', name, ifMatch: null, requestId }, 60_000)
  }

  /** Waits until `promise` has come to something, while time goes on. */
  async outcome<T>(promise: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    promise.then(over, over)
    await this.until(() => isOver)
    return promise
  }

  /** Lets a few virtual milliseconds and all that follows from them go by. */
  async pass(ms = 5): Promise<void> {
    for (let i = 0; i < Math.min(ms, 5); i++) {
      await this.harness.settle()
      this.harness.time.advance(ms / Math.min(ms, 5))
    }
    await this.harness.settle()
  }

  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < 3_000; turn++) {
      if (holds()) return
      await this.harness.settle()
      this.harness.time.advance(1)
    }
    throw new Error('it did not come about')
  }

  #introduce(index: number, life: WorkerLife): void {
    this.#coordinator?.tell({ type: 'worker-here', worker: index, ref: life.ref })
    const news = this.shared.currentStats(index)
    if (news !== null) this.#coordinator?.tell({ type: 'worker-stats', worker: index, news })
    life.ref.tell({ type: 'coordinator-here' })
  }
}

/** Takes any demo object. */
function judge(input: unknown): Validity {
  const { text } = input as ValidateInput
  const demo = JSON.parse(text) as Demo
  const { name, kind } = demo
  const spec = encodeSpec(demo)
  return { ok: true, name, kind, dialect: 'v1', spec, references: [], warnings: [] }
}
