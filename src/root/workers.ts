import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { Actor, ActorRef, Reply } from '../actor/actor.js'
import { PortLink } from '../actor/link.js'
import type { ActorSystem } from '../actor/system.js'
import { type Incarnation, ThreadSupervisor } from '../actor/threads.js'
import { unreachable } from '../lib/assert.js'
import type { Time } from '../lib/clock.js'
import type { RootToWorker, StatsNewsMessage, WorkerToRoot } from '../protocol/worker.js'
import type { Watchdog } from '../shared/heartbeat.js'
import type { Logger } from '../telemetry/log.js'
import type { PortBroker } from './ports.js'
import type { SharedOwner } from './shared-owner.js'
import type { WorkerThreadData } from './threads.js'

export interface WorkersOptions {
  readonly count: number
  readonly system: ActorSystem
  readonly time: Time
  readonly log: Logger
  readonly ports: PortBroker
  readonly shared: SharedOwner
  readonly watchdog: Watchdog
  data(worker: number): WorkerThreadData
  /** A worker started and wants to meet the coordinator. */
  started(worker: number): void
  ended(worker: number): void
  /** Once: every worker runs what there was when it started. */
  serving(): void
  stats(worker: number, news: StatsNewsMessage): void
}

/** A worker may fail quickly a few times before the back-off is felt. */
const RESTARTS = {
  backoffMinMs: 50,
  backoffMaxMs: 5_000,
  restartsMax: Number.POSITIVE_INFINITY,
}

/** The worker threads of the node: started, restarted with back-off, served from shared memory. */
export class Workers {
  readonly #o: WorkersOptions
  readonly #supervisors: ThreadSupervisor<'root', WorkerThreadData>[] = []
  readonly #links = new Map<number, PortLink<RootToWorker>>()
  readonly #desks: ActorRef<WorkerToRoot>[] = []
  /** Workers that have not served yet since the start of the process. */
  readonly #awaited = new Set<number>()

  constructor(options: WorkersOptions) {
    this.#o = options
    for (let worker = 0; worker < options.count; worker++) {
      this.#awaited.add(worker)
      this.#supervisors.push(this.#supervisor(worker))
      this.#desks.push(
        options.system.spawn<WorkerToRoot>(
          `desk-of-worker-${worker}`,
          () => new WorkerDesk(worker, options, (served) => this.#onServes(served)),
        ),
      )
    }
  }

  start(): void {
    for (const supervisor of this.#supervisors) supervisor.start()
  }

  get alive(): number[] {
    return [...this.#links.keys()]
  }

  ref(worker: number): ActorRef<RootToWorker> | null {
    return this.#links.get(worker)?.remote ?? null
  }

  /** A fresh way between a worker and the coordinator: hands out one end, returns the other. */
  introduce(worker: number): MessagePort | null {
    const link = this.#links.get(worker)
    if (link === undefined) return null
    const { port1, port2 } = new MessageChannel()
    link.remote.tell({ type: 'introduce-coordinator', port: port1 })
    return port2
  }

  tellAll(message: RootToWorker): void {
    for (const link of this.#links.values()) link.remote.tell(message)
  }

  /** Asks all to drain; resolves when the last thread has ended. */
  async drain(timeoutMs: number): Promise<void> {
    const stopped = this.#supervisors.map((supervisor) => supervisor.stop())
    this.tellAll({ type: 'drain', timeoutMs })
    await Promise.all(stopped)
  }

  #supervisor(worker: number): ThreadSupervisor<'root', WorkerThreadData> {
    const { time, log, data } = this.#o
    return new ThreadSupervisor<'root', WorkerThreadData>({
      url: new URL('../worker-main.js', import.meta.url),
      name: `worker-${worker}`,
      channels: ['root'],
      time,
      log,
      restarts: RESTARTS,
      data: () => data(worker),
      started: (incarnation) => this.#onStarted(worker, incarnation),
      ended: () => this.#onEnded(worker),
      gaveUp: () => log.error('worker stays down', { worker }),
    })
  }

  #onStarted(worker: number, { ports }: Incarnation<'root'>): void {
    const { time, log, watchdog, started } = this.#o
    const link = new PortLink<RootToWorker>(ports.root, { name: `worker-${worker}`, time, log })
    link.serve(this.#desks[worker] as ActorRef<WorkerToRoot>)
    this.#links.set(worker, link)
    watchdog.watch(worker)
    started(worker)
  }

  #onServes(worker: number): void {
    if (this.#awaited.delete(worker) && this.#awaited.size === 0) this.#o.serving()
  }

  #onEnded(worker: number): void {
    const { watchdog, ports, shared, ended } = this.#o
    watchdog.unwatch(worker)
    this.#links.delete(worker)
    ports.workerGone(worker)
    shared.workerGone(worker)
    ended(worker)
  }
}

/** Answers what one worker asks of the root. */
class WorkerDesk implements Actor<WorkerToRoot> {
  readonly #worker: number
  readonly #o: WorkersOptions
  readonly #serves: (worker: number) => void

  constructor(worker: number, options: WorkersOptions, serves: (worker: number) => void) {
    this.#worker = worker
    this.#o = options
    this.#serves = serves
  }

  receive(m: WorkerToRoot, reply: Reply): void {
    const { ports, shared, stats } = this.#o
    switch (m.type) {
      case 'claim-shared':
        reply.for(m).ok(shared.claim(this.#worker, m))
        break
      case 'release-shared':
        shared.release(this.#worker, m)
        break
      case 'claim-port': {
        const answer = reply.for(m)
        void ports.claim(this.#worker, m.host, m.port).then((grant) => answer.ok(grant))
        break
      }
      case 'release-port':
        ports.release(this.#worker, m.host, m.port)
        break
      case 'worker-serves':
        this.#serves(this.#worker)
        break
      case 'stats-news':
        shared.onStats(this.#worker, m)
        stats(this.#worker, m)
        break
      default:
        unreachable(m)
    }
  }
}
