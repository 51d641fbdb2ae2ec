import { availableParallelism } from 'node:os'
import type { MessagePort } from 'node:worker_threads'
import type { Actor, ActorRef } from '../actor/actor.js'
import { PortLink } from '../actor/link.js'
import { ActorSystem } from '../actor/system.js'
import { objectKinds } from '../kinds/registry.js'
import { unreachable } from '../lib/assert.js'
import { systemTime } from '../lib/clock.js'
import { collectAtRest } from '../lib/idle-collector.js'
import { nodeMs } from '../lib/node-clock.js'
import { waitForTurn } from '../lib/thread-priority.js'
import { driveWheel, TimerWheel } from '../lib/timer-wheel.js'
import { openListener } from '../listener/open-listener.js'
import { PortGroup } from '../listener/port-group.js'
import type { TopPathSource, WorkerEnv } from '../objects/contract.js'
import { PipelineDirectory } from '../objects/directory.js'
import { SocketTable } from '../objects/sockets.js'
import type {
  CoordinatorToWorker,
  RootToWorker,
  WorkerToCoordinator,
  WorkerToRoot,
} from '../protocol/worker.js'
import { BEAT_MS, type WorkerThreadData } from '../root/threads.js'
import { Heartbeat } from '../shared/heartbeat.js'
import { AccessLog } from '../telemetry/access-log.js'
import { AppendFile } from '../telemetry/append-file.js'
import { type OpenLog, openLog } from '../telemetry/open-log.js'
import { Profiles } from '../telemetry/profile.js'
import { HttpUpstreamClient } from '../upstream/client.js'
import { LoopPressure } from '../upstream/crowd-limit.js'
import { SystemResolver } from '../upstream/resolver.js'
import { accessLine } from './access-line.js'
import { Builder } from './build.js'
import { DataViews } from './data-views.js'
import { SharedMemory } from './shared-memory.js'
import { type ToWorkerActor, WorkerActor } from './worker-actor.js'

const CLAIM_TIMEOUT_MS = 10_000
const DRAIN_POLL_MS = 20
/** Some hundred requests a second are more: no request is to wait for a collection. */
const REST_SHARE = 0.005
/** From new connections going to other workers to the end of this one. */
const LEAVE_MS = 50
/** To accept, to read, to answer. */
const LAST_TURNS = 3

/** Wires up one worker: its actor, its listeners, its way to the root and to the coordinator. */
export class WorkerThread implements Actor<RootToWorker> {
  readonly #data: WorkerThreadData
  readonly #opened: OpenLog
  readonly #accessLog: AccessLog | null
  readonly #profiles = new Profiles()
  readonly #system: ActorSystem
  readonly #root: PortLink<WorkerToRoot>
  readonly #memory: SharedMemory
  readonly #dataViews: DataViews
  readonly #sockets: SocketTable
  readonly #actor: ActorRef<ToWorkerActor>
  #coordinator: PortLink<WorkerToCoordinator> | null = null
  #isDying = false

  constructor(port: MessagePort, data: WorkerThreadData) {
    this.#data = data
    const thread = `worker-${data.worker}`
    this.#opened = openLog(data.log, thread, 'worker')
    const log = this.#opened.log
    this.#accessLog =
      data.accessLog === null
        ? null
        : new AccessLog({ file: new AppendFile(data.accessLog), time: systemTime, log })
    this.#system = new ActorSystem({
      time: systemTime,
      log,
      escalated: (name, thrown) => this.#die(`${name} failed`, thrown),
    })
    this.#profiles.set(data.profiles)
    process.on('uncaughtException', (thrown) => this.#die('uncaught exception', thrown))
    process.on('unhandledRejection', (thrown) => this.#die('unhandled rejection', thrown))
    this.#root = new PortLink<WorkerToRoot>(port, { name: 'root', time: systemTime, log })
    const root = this.#root.remote
    this.#memory = new SharedMemory(root, data.worker)
    this.#sockets = new SocketTable(
      {
        claim: ({ host, port: at }) =>
          root.ask({ type: 'claim-port', host, port: at }, CLAIM_TIMEOUT_MS),
        release: ({ host, port: at }) => root.tell({ type: 'release-port', host, port: at }),
        open: (key, { gate, tls, places }) =>
          openListener(key, gate, log.child('listener'), {
            tls,
            group: new PortGroup(places, data.worker, key),
          }),
      },
      log.child('listener'),
    )
    const timers = new TimerWheel(systemTime)
    driveWheel(timers, systemTime)
    const topPaths = new Map<string, TopPathSource>()
    this.#dataViews = new DataViews(systemTime, (prefixes) =>
      this.#coordinator?.remote.tell({ type: 'want-data', prefixes }),
    )
    const env = this.#env(timers, topPaths)
    const builder = new Builder(objectKinds, this.#memory, this.#dataViews, env)
    this.#actor = this.#system.spawn<ToWorkerActor>(
      thread,
      ({ self }) =>
        new WorkerActor({
          self,
          builder,
          memory: this.#memory,
          data: this.#dataViews,
          sockets: this.#sockets,
          time: systemTime,
          log,
          serves: () => root.tell({ type: 'worker-serves' }),
          coordinator: () => this.#coordinator?.remote ?? null,
          topPaths: (server, limit) => topPaths.get(server)?.top(limit) ?? [],
        }),
      // Its state is what runs: after a throw the thread is made anew, not the actor.
      {
        mailbox: { capacity: 65_536, overflow: { policy: 'refuse' } },
        restarts: { restartsMax: 0 },
      },
    )
    this.#root.serve(this.#system.spawn<RootToWorker>(`${thread}-root`, () => this))
  }

  /** Begins to beat; all else follows from messages. */
  start(): void {
    const heartbeat = new Heartbeat(this.#data.heartbeat, this.#data.worker, systemTime, BEAT_MS)
    setInterval(() => heartbeat.beat(), BEAT_MS)
    collectAtRest(systemTime, REST_SHARE)
    if (this.#data.workers > availableParallelism()) waitForTurn()
  }

  receive(m: RootToWorker): void {
    switch (m.type) {
      case 'introduce-coordinator':
        this.#meet(m.port)
        break
      case 'drain':
        this.#drain(m.timeoutMs)
        break
      case 'reopen-logs':
        this.#opened.reopen()
        this.#accessLog?.reopen()
        break
      case 'observe':
        this.#opened.log.level = m.level
        this.#profiles.set(m.profiles)
        break
      case 'free-stats':
        this.#memory.freeStats(m.rows)
        break
      case 'inject-fault':
        if (m.fault === 'loop') for (;;);
        setImmediate(() => {
          throw new Error('fault injected by a test')
        })
        break
      default:
        unreachable(m)
    }
  }

  #env(timers: TimerWheel, topPaths: Map<string, TopPathSource>): WorkerEnv {
    const accessLog = this.#accessLog
    return {
      timers,
      nodeMs,
      log: this.#opened.log.child('traffic'),
      upstream: new HttpUpstreamClient({
        timers,
        resolver: new SystemResolver(systemTime),
        pressure: new LoopPressure(() => performance.eventLoopUtilization()),
      }),
      pipelines: new PipelineDirectory(),
      sockets: this.#sockets,
      trafficHost: this.#data.trafficHost,
      topPaths,
      accessLine: accessLog === null ? null : (line) => accessLog.write(line),
      accessLog:
        accessLog === null
          ? null
          : (ex, status, durationMs) => accessLog.write(accessLine(ex, status, durationMs)),
      words: (key) => this.#memory.words(key),
      area: (key) => this.#memory.area(key),
      cap: (key) => this.#memory.cap(key),
      permits: (key) => this.#memory.permits(key),
      stats: (key) => this.#memory.stats(key),
      data: (prefix) => this.#dataViews.view(prefix),
    }
  }

  /** A coordinator, the first or one that follows a crash. */
  #meet(port: MessagePort): void {
    const link = new PortLink<WorkerToCoordinator>(port, {
      name: 'coordinator',
      time: systemTime,
      log: this.#opened.log,
    })
    link.serve(this.#actor as ActorRef<CoordinatorToWorker>)
    this.#coordinator?.close() // what the one before us left unsaid is void
    this.#coordinator = link
    this.#actor.tell({ type: 'coordinator-here' })
  }

  #drain(timeoutMs: number): void {
    this.#sockets.drain()
    const deadlineMs = performance.now() + timeoutMs
    const poll = (): void => {
      if (this.#sockets.activeCount > 0 && performance.now() < deadlineMs) {
        setTimeout(poll, DRAIN_POLL_MS)
        return
      }
      this.#end(0)
    }
    poll()
  }

  /**
   * Something of ours is broken: this worker alone goes. An uncaught throw with an open
   * uWebSockets.js socket would abort the whole process, so the sockets go first.
   */
  #die(what: string, thrown: unknown): void {
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    this.#opened.log.error('worker ends', { what, error })
    if (this.#isDying) this.#end(1)
    this.#isDying = true
    // Connections that wait to be accepted would be cut with the socket they wait at.
    if (this.#sockets.leave()) setTimeout(() => this.#endAfter(LAST_TURNS), LEAVE_MS)
    else this.#end(1)
  }

  /** A timer that is late comes before what arrived meanwhile: that is looked at first. */
  #endAfter(turns: number): void {
    if (turns === 0) this.#end(1)
    else setImmediate(() => this.#endAfter(turns - 1))
  }

  #end(code: number): void {
    try {
      this.#sockets.closeAll()
      this.#accessLog?.close()
      this.#profiles.end()
    } finally {
      process.exit(code)
    }
  }
}
