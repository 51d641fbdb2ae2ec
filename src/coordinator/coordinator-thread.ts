import { randomBytes } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import type { Actor, ActorRef, Reply } from '../actor/actor.js'
import { PortLink } from '../actor/link.js'
import { ActorSystem } from '../actor/system.js'
import { JobPool } from '../jobs/pool.js'
import { systemTime } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import { NodeDisk } from '../lib/node-disk.js'
import type { CoordinatorToRoot, RootToCoordinator } from '../protocol/root.js'
import type { CoordinatorToWorker, WorkerToCoordinator } from '../protocol/worker.js'
import type { CoordinatorThreadData } from '../root/threads.js'
import type { ConsensusStatus } from '../store/cluster.js'
import type { EmbeddedStore } from '../store/embedded-store.js'
import { openIdentity } from '../store/identity.js'
import { openEmbeddedStore } from '../store/open-embedded-store.js'
import { spawnLogThread } from '../store/spawn-log-thread.js'
import { type OpenLog, openLog } from '../telemetry/open-log.js'
import { startProfiles } from '../telemetry/profile.js'
import { bootstrap } from './bootstrap.js'
import type { ClusterView } from './cluster-view.js'
import { CoordinatorActor, type ToCoordinatorActor } from './coordinator-actor.js'

const VALIDATE_TIMEOUT_MS = 20_000
const VALIDATE_QUEUE = 256
const FAILED_EXIT_MS = 200

/** Wires up the coordinator: store, registry actor, its way to the root and to each worker. */
export class CoordinatorThread implements Actor<RootToCoordinator> {
  readonly #data: CoordinatorThreadData
  readonly #opened: OpenLog
  readonly #system: ActorSystem
  readonly #root: PortLink<CoordinatorToRoot>
  readonly #jobs: JobPool
  #store: EmbeddedStore | null = null
  #actor: ActorRef<ToCoordinatorActor> | null = null
  #stopping = false

  constructor(port: MessagePort, data: CoordinatorThreadData) {
    this.#data = data
    this.#opened = openLog(data.log, 'coordinator', 'coordinator')
    const endProfiles = startProfiles(data.profiles)
    process.on('exit', endProfiles)
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
    this.#jobs = new JobPool({
      url: new URL('./validate.js', import.meta.url),
      threadsMax: 1,
      queueMax: VALIDATE_QUEUE,
      timeoutMs: VALIDATE_TIMEOUT_MS,
    })
  }

  start(): void {
    try {
      const { dataDir, member } = this.#data
      const incarnation = randomBytes(8).toString('hex')
      const identity = openIdentity(new NodeDisk(dataDir), member, incarnation)
      const store = openEmbeddedStore({
        time: systemTime,
        log: this.#opened.log.child('store'),
        nodeId: `${identity.name}/${identity.incarnation}`,
        // The root holds the lock of the directory, over all our lives.
        spawnLog: spawnLogThread(dataDir, { locked: true }),
        listener: {
          onReady: () => this.#bootstrap(store, identity.incarnation),
          onFailed: (error) => this.#onStoreFailed(error),
          onStopped: () => process.exit(0),
        },
      })
      this.#store = store
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
        break
      case 'worker-stats':
        this.#actor?.tell(m)
        break
      case 'inject-fault':
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

  #bootstrap(store: EmbeddedStore, incarnation: string): void {
    bootstrap(store, systemTime.wallMs(), (error) => {
      if (error !== null) this.#fail(error)
      else this.#spawn(store, incarnation)
    })
  }

  #spawn(store: EmbeddedStore, incarnation: string): void {
    const { revision, keyCount } = store.status()
    this.#opened.log.info('store is open', { revision, keys: keyCount })
    const startedMs = systemTime.wallMs()
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
          view: aloneView(store, {
            name: this.#data.member,
            options: this.#data.memberOptions,
            id: incarnation,
            startedMs,
          }),
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
  #onStoreFailed(error: GatewayError): void {
    if (this.#actor === null) this.#fail(error)
    else
      this.#opened.log.error('store failed; nothing is written any more', { error: error.message })
  }

  #fail(error: GatewayError): void {
    this.#opened.log.error('coordinator cannot start', { error: error.message })
    this.#root.remote.tell({ type: 'coordinator-failed', message: error.message })
    // Gone once the message is out; a later life may find the disk in order again.
    setTimeout(() => process.exit(1), FAILED_EXIT_MS)
  }

  #stop(): void {
    if (this.#stopping) return
    this.#stopping = true
    this.#system.stopAll()
    if (this.#store === null) process.exit(0)
    else this.#store.stop()
  }
}

function aloneView(
  store: EmbeddedStore,
  self: { name: string; options: Readonly<Record<string, unknown>>; id: string; startedMs: number },
): ClusterView {
  const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
  return {
    isAlone: true,
    consensus: () => ({ hasQuorum: true, staleMs: 0 }) as ConsensusStatus,
    failure: () => store.status().failure,
    quorumProblem: () => '',
    listMembers: (done) =>
      done([
        {
          options: self.options,
          lastHeartbeatTime: seconds(systemTime.wallMs()),
          etcd: { id: self.id, startTime: seconds(self.startedMs), state: 'Leader' },
        },
      ]),
    purge: (name, done) =>
      done({
        ok: false,
        error:
          name === self.name
            ? new GatewayError(
                'REQUEST_INVALID',
                `${name} is the only member of its cluster and cannot be purged`,
              )
            : new GatewayError('MEMBER_NOT_FOUND', 'not found'),
      }),
    publishServing: () => {},
    readServing: (done) => done([]),
    publishStatus: () => {},
    withdrawStatus: () => {},
    readStatus: (_only, done) => done(new Map()),
    close: () => {},
  }
}

/** Longer than any wait of an admin call. */
const FORWARD_MS = 60_000
