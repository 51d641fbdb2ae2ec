import type { MessagePort } from 'node:worker_threads'
import type { Actor, ActorRef, Reply } from '../actor/actor.js'
import { PortLink } from '../actor/link.js'
import { ActorSystem } from '../actor/system.js'
import { JobPool } from '../jobs/pool.js'
import { systemTime } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { CoordinatorToRoot, RootToCoordinator } from '../protocol/root.js'
import type { CoordinatorToWorker, WorkerToCoordinator } from '../protocol/worker.js'
import type { CoordinatorThreadData } from '../root/threads.js'
import { VIGIL, Vigil } from '../shared/vigil.js'
import { type OpenLog, openLog } from '../telemetry/open-log.js'
import { Profiles } from '../telemetry/profile.js'
import { ClusterNode } from './cluster-node.js'
import { CoordinatorActor, type ToCoordinatorActor } from './coordinator-actor.js'

const VALIDATE_TIMEOUT_MS = 20_000
const VALIDATE_QUEUE = 256
const FAILED_EXIT_MS = 200

/** Wires up the coordinator: store, registry actor, its way to the root and to each worker. */
export class CoordinatorThread implements Actor<RootToCoordinator> {
  readonly #data: CoordinatorThreadData
  readonly #profiles = new Profiles()
  readonly #opened: OpenLog
  readonly #system: ActorSystem
  readonly #root: PortLink<CoordinatorToRoot>
  readonly #jobs: JobPool
  readonly #vigil: Vigil
  readonly #isFirstLife: boolean
  #node: ClusterNode | null = null
  #actor: ActorRef<ToCoordinatorActor> | null = null
  #stopping = false
  #hasFailed = false

  /** `isFirstLife`: the process has just started, and refuses to if something is wrong. */
  constructor(port: MessagePort, data: CoordinatorThreadData, isFirstLife: boolean) {
    this.#data = data
    this.#isFirstLife = isFirstLife
    this.#opened = openLog(data.log, 'coordinator', 'coordinator')
    this.#profiles.set(data.profiles)
    process.on('exit', () => this.#profiles.end())
    const log = this.#opened.log
    this.#system = new ActorSystem({
      time: systemTime,
      log,
      escalated: (name, thrown) => {
        log.error('coordinator ends', { actor: name, error: String(thrown) })
        process.exit(1)
      },
    })
    this.#root = new PortLink<CoordinatorToRoot>(port, { name: 'root', time: systemTime, log })
    this.#root.serve(this.#system.spawn<RootToCoordinator>('coordinator-root', () => this))
    this.#vigil = new Vigil({
      time: systemTime,
      memory: data.vigil,
      own: VIGIL.COORDINATOR,
      other: VIGIL.MAIN,
      silent: () => {
        log.error('the process ends and is started anew', { why: 'the main thread hangs' })
        process.kill(process.pid, 'SIGKILL')
      },
    })
    this.#vigil.watch()
    this.#vigil.start()
    this.#jobs = new JobPool({
      url: new URL('./validate.js', import.meta.url),
      threadsMax: 1,
      queueMax: VALIDATE_QUEUE,
      timeoutMs: VALIDATE_TIMEOUT_MS,
    })
  }

  start(): void {
    const { dataDir, member, memberOptions, cluster } = this.#data
    const log = this.#opened.log
    try {
      this.#node = new ClusterNode({
        time: systemTime,
        log,
        name: member,
        memberOptions,
        dataDir,
        setup: cluster,
        isFirstLife: this.#isFirstLife,
        onReady: () => this.#spawn(),
        onFailed: (error) => this.#onNodeFailed(error),
        onStopped: () => process.exit(0),
        onWaiting: (reason) => this.#root.remote.tell({ type: 'coordinator-waiting', reason }),
        onPurged: (reason) => {
          log.error('purged from the cluster', { reason })
          this.#root.remote.tell({ type: 'coordinator-purged', reason })
        },
        onQuorum: () => this.#actor?.tell({ type: 'quorum-changed' }),
      })
    } catch (thrown) {
      this.#fail(GatewayError.from(thrown))
    }
  }

  receive(m: RootToCoordinator, reply: Reply): void {
    switch (m.type) {
      case 'introduce-worker':
        this.#meet(m.worker, m.port)
        break
      case 'worker-gone':
        this.#actor?.tell({ type: 'worker-left', worker: m.worker })
        break
      case 'stop-coordinator':
        this.#stop()
        break
      case 'reopen-logs':
        this.#opened.reopen()
        this.#node?.reloadCertificates()
        break
      case 'observe':
        this.#opened.log.level = m.level
        this.#profiles.set(m.profiles)
        break
      case 'worker-stats':
        this.#actor?.tell(m)
        break
      case 'inject-fault':
        if (m.fault === 'loop') for (;;);
        setImmediate(() => {
          throw new Error('fault injected by a test')
        })
        break
      default:
        this.#forward(m, reply)
    }
  }

  /** Asks of the admin actor; it waits as long as it said when it asked. */
  #forward(m: Exclude<RootToCoordinator, { type: 'worker-stats' }>, reply: Reply): void {
    const actor = this.#actor
    if (actor === null) {
      reply.fail(new GatewayError('STORE_UNAVAILABLE', 'the coordinator is starting, try again'))
      return
    }
    actor.ask(m as never, FORWARD_MS).then(
      (value) => reply.ok(value),
      (thrown: unknown) => reply.fail(GatewayError.from(thrown)),
    )
  }

  #spawn(): void {
    const node = this.#node
    if (node === null || this.#stopping || this.#hasFailed) return
    const { store } = node.replica
    const { revision, keyCount } = store.status()
    this.#opened.log.info('store is open', { revision, keys: keyCount })
    this.#actor = this.#system.spawn<ToCoordinatorActor>(
      'coordinator',
      ({ self }) =>
        new CoordinatorActor({
          self,
          root: this.#root.remote,
          store,
          jobs: this.#jobs,
          time: systemTime,
          log: this.#opened.log,
          member: this.#data.member,
          view: node.view,
          writes: node.writes,
          requestTimeoutMs: this.#data.requestTimeoutMs,
          unknownFields: this.#data.unknownFields,
          ready: () => this.#root.remote.tell({ type: 'coordinator-ready' }),
          failed: (error) => this.#fail(error),
        }),
      // It is made anew with its thread, from the store.
      {
        mailbox: { capacity: 16_384, overflow: { policy: 'refuse' } },
        restarts: { restartsMax: 0 },
      },
    )
  }

  #meet(worker: number, port: MessagePort): void {
    const actor = this.#actor
    if (actor === null) return // introduced again once this coordinator is ready
    const link = new PortLink<CoordinatorToWorker>(port, {
      name: `worker-${worker}`,
      time: systemTime,
      log: this.#opened.log,
    })
    const ref = link.remote
    const desk: ActorRef<WorkerToCoordinator> = {
      name: `coordinator-for-worker-${worker}`,
      tell: (message) => actor.tell({ type: 'from-worker', worker, ref, message }),
      ask: () => Promise.reject(new GatewayError('INTERNAL', 'workers only tell')),
    }
    link.serve(desk)
    actor.tell({ type: 'worker-here', worker, ref })
  }

  /** A store that fails while serving: reads and traffic go on, the log is fenced. */
  #onNodeFailed(error: GatewayError): void {
    if (this.#actor === null) this.#fail(error)
    else
      this.#opened.log.error('store failed; nothing is written any more', { error: error.message })
  }

  #fail(error: GatewayError): void {
    this.#hasFailed = true
    this.#opened.log.error('coordinator cannot start', { error: error.message })
    this.#root.remote.tell({ type: 'coordinator-failed', message: error.message })
    // Gone once the message is out; a later life may find the disk in order again.
    setTimeout(() => process.exit(1), FAILED_EXIT_MS)
  }

  #stop(): void {
    if (this.#stopping) return
    this.#stopping = true
    this.#system.stopAll()
    if (this.#node === null) process.exit(0)
    else this.#node.stop()
  }
}

/** Longer than any wait of an admin call. */
const FORWARD_MS = 60_000
