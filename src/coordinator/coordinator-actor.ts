import { type Actor, type ActorRef, pipe, type Reply } from '../actor/actor.js'
import type { JobPool } from '../jobs/pool.js'
import { objectKinds } from '../kinds/registry.js'
import { unreachable } from '../lib/assert.js'
import type { Time, Timer } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { ObjectReference } from '../objects/contract.js'
import type {
  MemberStatus,
  PutObject,
  ReadConsistency,
  Stamped,
  StatusByMember,
  ToCoordinator,
  WriteResult,
  WriteWait,
} from '../protocol/coordinator.js'
import type { CoordinatorToRoot, WorkerStats } from '../protocol/root.js'
import type { FilterStates, TopPath, WorkerToCoordinator } from '../protocol/worker.js'
import { RATE_TICK_MS } from '../shared/rates.js'
import { StatsReader } from '../shared/stats-blocks.js'
import {
  failure,
  type GetResult,
  type Outcome,
  type Store,
  storeUnavailable,
  success,
  type TxnResult,
} from '../store/contract.js'
import type { Logger } from '../telemetry/log.js'
import type { ClusterView, ServingOf } from './cluster-view.js'
import { type ClusterWait, ClusterWaits } from './cluster-wait.js'
import {
  type Ask,
  type Commit,
  ConfigWriter,
  type Look,
  type RemoteWriter,
  type RemoteWritten,
  type Written,
} from './config-writer.js'
import { CustomDataDesk } from './custom-data.js'
import { DataFeed } from './data-feed.js'
import { DataWriter } from './data-writer.js'
import { explainTraffic } from './explain.js'
import { Freshness, type Read } from './freshness.js'
import type { GuestWrite, LeaderWrites } from './leader-writes.js'
import type { Write } from './plan.js'
import { Registry, type RegistryChange } from './registry.js'
import { mergeTopPaths, objectStatus, RateBook } from './status.js'
import { StatusPublisher } from './status-publisher.js'
import { Sync } from './sync.js'
import type { CheckItemsInput, ValidateInput, Validity } from './validate.js'
import { WorkerLinks } from './worker-links.js'

/** Longest wait of a write for the workers of this node. */
const APPLY_WAIT_MS = 5_000
const TOP_PATHS_WAIT_MS = 1_000
const TOP_PATHS = 10
/** Without quorum for so long, nobody is kept waiting for it. */
const HOPELESS_MS = 3_000
/** Told to other members at most. */
const FAILURES_TOLD = 20
/** Servers whose most asked paths other members are told, at most. */
const TOP_PATHS_TOLD = 50

/** In-thread messages: outcomes of what was begun here, and workers told apart. */
interface FromWorker {
  readonly type: 'from-worker'
  readonly worker: number
  /** Of the life of the worker that says it. */
  readonly ref: WorkerHere['ref']
  readonly message: WorkerToCoordinator
}
interface Validated {
  readonly type: 'validated'
  readonly put: PutObject
  readonly reply: Reply
  readonly validity: Validity
}
interface ValidationFailed {
  readonly type: 'validation-failed'
  readonly reply: Reply
  readonly error: GatewayError
}
interface Committed {
  readonly type: 'committed'
  readonly commit: Commit
  readonly outcome: Outcome<TxnResult>
}
interface Answered {
  readonly type: 'answered'
  readonly ask: Ask
  readonly outcome: Outcome<RemoteWritten>
}
interface Looked {
  readonly type: 'looked'
  readonly look: Look
  readonly outcome: Outcome<GetResult>
}
interface LookAgain {
  readonly type: 'look-again'
  readonly look: Look
}
interface ReadFenced {
  readonly type: 'read-fenced'
  readonly read: Read
  readonly outcome: Outcome<GetResult>
}
interface ServingHere {
  readonly type: 'serving-here'
  readonly wait: ClusterWait
  readonly all: readonly ServingOf[]
}
/** What was asked of others is here. */
interface Arrived {
  readonly type: 'arrived'
  readonly answer: () => void
}
/** Quorum came or went. */
export interface QuorumChanged {
  readonly type: 'quorum-changed'
}
interface GaveUp {
  readonly type: 'gave-up'
  readonly written: Written
}
interface Tick {
  readonly type: 'tick'
}
/** A worker has a way here. */
export interface WorkerHere {
  readonly type: 'worker-here'
  readonly worker: number
  readonly ref: Parameters<WorkerLinks['add']>[1]
}
export interface WorkerLeft {
  readonly type: 'worker-left'
  readonly worker: number
}
interface TopPathsHere {
  readonly type: 'top-paths-here'
  readonly perWorker: readonly (readonly TopPath[])[]
  /** Of the first worker that says: it holds for the node. */
  readonly states: FilterStates | null
  readonly then: (perWorker: readonly (readonly TopPath[])[], states: FilterStates | null) => void
}

export type ToCoordinatorActor =
  | ToCoordinator
  | WorkerStats
  | FromWorker
  | Validated
  | ValidationFailed
  | Committed
  | Answered
  | Looked
  | LookAgain
  | ReadFenced
  | ServingHere
  | Arrived
  | QuorumChanged
  | GaveUp
  | Tick
  | WorkerHere
  | WorkerLeft
  | TopPathsHere

export interface CoordinatorOptions {
  readonly self: ActorRef<ToCoordinatorActor>
  readonly root: ActorRef<CoordinatorToRoot>
  readonly store: Store
  readonly jobs: Pick<JobPool, 'run'>
  readonly time: Time
  readonly log: Logger
  /** Name of this member. */
  readonly member: string
  readonly view: ClusterView
  /** The writers of other members. */
  readonly writes: Pick<LeaderWrites, keyof RemoteWriter | 'serve'>
  /** Longest wait for an answer of the cluster. */
  readonly requestTimeoutMs: number
  readonly unknownFields: 'refuse' | 'warn'
  /** The registry shows what the store held at the start. */
  ready(): void
  failed(error: GatewayError): void
}

interface Barrier {
  readonly written: Written
  readonly timer: Timer
}

/** The object registry of this node: takes writes, brings workers up to date, rolls up status. */
export class CoordinatorActor implements Actor<ToCoordinatorActor> {
  readonly #o: CoordinatorOptions
  readonly #registry = new Registry()
  readonly #workers = new WorkerLinks(this.#registry)
  readonly #stats = new StatsReader()
  readonly #rates = new RateBook(this.#stats)
  readonly #writer: ConfigWriter
  readonly #sync: Sync
  readonly #freshness: Freshness
  readonly #publisher: StatusPublisher
  readonly #clusterWaits: ClusterWaits
  readonly #barriers = new Set<Barrier>()
  readonly #dataFeed: DataFeed
  readonly #dataWriter: DataWriter
  readonly #dataDesk: CustomDataDesk
  /** Of servers here, as told to other members. */
  #topPaths = new Map<string, readonly (readonly TopPath[])[]>()
  #lostQuorumMs: number | null = null
  /** Who leads in which term, as it was last. */
  #leader = ''
  #ticking: Timer

  constructor(options: CoordinatorOptions) {
    this.#o = options
    const { self, store, time, log, view } = options
    this.#writer = new ConfigWriter({
      store,
      registry: this.#registry,
      nowMs: () => time.wallMs(),
      monotonicMs: () => time.monotonicMs(),
      hopeless: () => this.#hopeless(),
      remote: options.writes,
      answered: (ask, outcome) => self.tell({ type: 'answered', ask, outcome }),
      finished: (commit, outcome) => self.tell({ type: 'committed', commit, outcome }),
      looked: (look, outcome) => self.tell({ type: 'looked', look, outcome }),
      later: (look, delayMs) =>
        void time.after(delayMs, () => self.tell({ type: 'look-again', look })),
      written: (written) => this.#awaitWorkers(written),
    })
    this.#freshness = new Freshness({
      time,
      store,
      registry: this.#registry,
      consensus: () => view.consensus(),
      isHopeless: () => this.#hopeless() !== null,
      fenced: (read, outcome) => self.tell({ type: 'read-fenced', read, outcome }),
    })
    this.#publisher = new StatusPublisher({
      time,
      log,
      view,
      names: () => this.#registry.names(),
      statusOf: (name) => this.#statusToTell(name),
    })
    this.#clusterWaits = new ClusterWaits({
      time,
      view,
      looked: (wait, all) => self.tell({ type: 'serving-here', wait, all }),
    })
    this.#dataFeed = new DataFeed(store, log)
    this.#dataWriter = new DataWriter({
      store,
      monotonicMs: () => time.monotonicMs(),
      hopeless: () => this.#hopeless(),
      soon: (task, delayMs) => {
        if (delayMs === 0) this.#later(task)
        else time.after(delayMs, () => this.#later(task))
      },
    })
    this.#dataDesk = new CustomDataDesk({
      store,
      writer: this.#dataWriter,
      requestTimeoutMs: options.requestTimeoutMs,
      monotonicMs: () => time.monotonicMs(),
      read: (answer) => this.#freshness.read(answer),
      check: (schema, items) => {
        const input: CheckItemsInput = { schema, items }
        return options.jobs.run<string | null>('checkItems', input)
      },
    })
    options.writes.serve((guest) => this.#later(() => this.#takeGuest(guest)))
    this.#onQuorum()
    this.#sync = new Sync(store, this.#registry, log, (change) => this.#onChange(change))
    this.#sync.start((error) => {
      if (error === null) options.ready()
      else options.failed(error)
    })
    this.#ticking = this.#tickLater()
  }

  stopped(): void {
    this.#sync.stop()
    this.#dataFeed.stop()
    this.#ticking.cancel()
    this.#freshness.close()
    this.#publisher.close()
    this.#clusterWaits.close()
    for (const { timer } of this.#barriers) timer.cancel()
  }

  receive(m: ToCoordinatorActor, reply: Reply): void {
    switch (m.type) {
      case 'put-object':
        this.#validate(m, reply)
        break
      case 'validated':
        this.#onValidated(m)
        break
      case 'validation-failed':
        m.reply.fail(m.error)
        break
      case 'delete-object': {
        const { name, ifMatch, requestId } = m
        this.#submit({ type: 'delete', name, ifMatch, requestId }, reply, [], m.wait)
        break
      }
      case 'delete-all-objects':
        this.#submit({ type: 'delete-all', requestId: m.requestId }, reply, [], m.wait)
        break
      case 'committed':
        this.#writer.onOutcome(m.commit, m.outcome)
        break
      case 'answered':
        this.#writer.onAnswered(m.ask, m.outcome)
        break
      case 'gave-up':
        this.#onGaveUp(m.written)
        break
      case 'looked':
        this.#writer.onLooked(m.look, m.outcome)
        break
      case 'look-again':
        this.#writer.lookAgain(m.look)
        break
      case 'read-fenced':
        this.#freshness.onFenced(m.read, m.outcome)
        break
      case 'serving-here':
        this.#clusterWaits.onServing(m.wait, m.all)
        break
      case 'arrived':
        m.answer()
        break
      case 'quorum-changed':
        this.#onQuorum()
        break
      case 'get-object':
        this.#read(m.consistency, (stale) => {
          const object = this.#registry.object(m.name)
          if (object === null) reply.fail(notFound(m.name))
          else reply.for(m).ok(this.#stamped(object, stale))
        })
        break
      case 'list-objects':
        this.#read(m.consistency, (stale) => {
          const objects = this.#registry.names().map((name) => this.#registry.object(name))
          const found = objects.filter((object) => object !== null)
          reply.for(m).ok(this.#stamped(found, stale))
        })
        break
      case 'get-object-status':
        this.#read(m.consistency, (stale) => this.#answerStatus(m.name, stale, reply))
        break
      case 'top-paths-here':
        m.then(m.perWorker, m.states)
        break
      case 'list-object-status':
        this.#read(m.consistency, (stale) => this.#answerAllStatus(stale, reply))
        break
      case 'list-members':
        this.#o.view.listMembers((members: readonly MemberStatus[]) =>
          this.#later(() => reply.for(m).ok(this.#stamped(members, this.#freshness.staleSeconds))),
        )
        break
      case 'purge-member':
        this.#purge(m.name, reply)
        break
      case 'explain-traffic':
        explainTraffic(m, this.#registry, this.#workers).then(
          (value) => this.#later(() => reply.for(m).ok(this.#stamped(value, null))),
          (thrown: unknown) => reply.fail(GatewayError.from(thrown)),
        )
        break
      case 'list-node-metrics':
        reply.for(m).ok(this.#o.view.metrics())
        break
      case 'get-config-version':
        reply.for(m).ok(this.#stamped(null, this.#freshness.staleSeconds))
        break
      case 'custom-data':
        this.#dataDesk.handle(m, reply)
        break
      case 'from-worker':
        // Last words of a life before this one say nothing of it.
        if (this.#workers.ref(m.worker) === m.ref) this.#onWorker(m.worker, m.message)
        break
      case 'worker-here':
        this.#workers.add(m.worker, m.ref)
        break
      case 'worker-left':
        this.#workers.remove(m.worker)
        this.#dataFeed.workerGone(m.worker)
        this.#stats.workerGone(m.worker)
        this.#onServing()
        break
      case 'worker-stats': {
        const rows = this.#stats.apply(m.worker, m.news)
        if (rows.length > 0) this.#o.root.tell({ type: 'stats-read', worker: m.worker, rows })
        break
      }
      case 'tick':
        this.#rates.tick(this.#workers.isSettled)
        this.#ticking = this.#tickLater()
        if (!this.#o.view.isAlone) this.#tellStatus()
        break
      default:
        unreachable(m)
    }
  }

  #tickLater(): Timer {
    return this.#o.time.after(RATE_TICK_MS, () => this.#o.self.tell({ type: 'tick' }))
  }

  // -- writes ------------------------------------------------------------------------------------

  #validate(put: PutObject, reply: Reply): void {
    const { text, dialect } = put
    const input: ValidateInput = { text, dialect, unknownFields: this.#o.unknownFields }
    pipe(
      this.#o.jobs.run<Validity>('validate', input),
      this.#o.self,
      (validity): Validated => ({ type: 'validated', put, reply, validity }),
      (thrown): ValidationFailed => ({
        type: 'validation-failed',
        reply,
        error: GatewayError.from(thrown),
      }),
    )
  }

  #onValidated({ put, reply, validity }: Validated): void {
    if (!validity.ok) {
      reply.fail(new GatewayError(validity.code, validity.message))
      return
    }
    const { name, kind, dialect, spec } = validity
    if (put.name !== null && put.name !== name) {
      const detail = { url: put.name, spec: name }
      reply.fail(new GatewayError('NAME_MISMATCH', 'inconsistent name in url and spec ', detail))
      return
    }
    const { mode, text, ifMatch, requestId } = put
    const write: Write = { type: 'put', mode, name, kind, text, spec, dialect, ifMatch, requestId }
    const warnings = [...validity.warnings, ...this.#missing(validity.references)]
    if (put.dryRun) this.#read('linearizable', () => this.#dryRun(write, warnings, reply))
    else this.#submit(write, reply, warnings, put.wait)
  }

  #submit(write: Write, reply: Reply, warnings: readonly string[], wait: WriteWait = 'node'): void {
    const deadlineMs = this.#o.time.monotonicMs() + this.#o.requestTimeoutMs
    this.#writer.submit({ write, reply, warnings, deadlineMs, wait })
  }

  /** A write that another member has checked, and this one puts in order. */
  #takeGuest({ write, problem, done }: GuestWrite): void {
    const reply = guestReply(done)
    const deadlineMs = this.#o.time.monotonicMs() + this.#o.requestTimeoutMs
    const guest = { problem }
    this.#writer.submit({ write, reply, warnings: [], deadlineMs, wait: 'node', guest })
  }

  #dryRun(write: Write & { type: 'put' }, warnings: readonly string[], reply: Reply): void {
    const { name, kind } = write
    const plan = this.#writer.plan(write)
    if (plan.type === 'refused') {
      reply.fail(plan.error)
      return
    }
    const { created, changed } = plan
    const version = this.#registry.version
    reply.ok({ name, kind, version, created, changed, warnings, lagging: [] } satisfies WriteResult)
  }

  /** Named objects that are not there, or are of a kind that will not do. */
  #missing(references: readonly ObjectReference[]): string[] {
    const warned = new Set<string>()
    for (const { path, name, kinds } of references) {
      const found = this.#registry.kindOf(name)
      if (found !== null && kinds.includes(found)) continue
      const state = found === null ? 'does not exist yet' : `is a ${found}`
      const wanted = kinds.join(' or ')
      warned.add(
        `${path.join('/')}: ${wanted} "${name}" ${state}; requests for it get 503 until it is there`,
      )
    }
    return [...warned]
  }

  /** The write is durable; its answer waits until every worker here runs it. */
  #awaitWorkers(written: Written): void {
    const { pending, ...result } = written
    if (pending.guest !== undefined) {
      pending.reply.ok(result satisfies RemoteWritten)
      return
    }
    if (this.#workers.lagging(written.version).length === 0) {
      this.#awaitCluster(written, [])
      return
    }
    const giveUp = (): void => this.#o.self.tell({ type: 'gave-up', written })
    this.#barriers.add({ written, timer: this.#o.time.after(APPLY_WAIT_MS, giveUp) })
  }

  #checkBarriers(): void {
    for (const barrier of this.#barriers) {
      if (this.#workers.lagging(barrier.written.version).length > 0) continue
      barrier.timer.cancel()
      this.#barriers.delete(barrier)
      this.#awaitCluster(barrier.written, [])
    }
  }

  #onGaveUp(written: Written): void {
    for (const barrier of this.#barriers) {
      if (barrier.written !== written) continue
      this.#barriers.delete(barrier)
      const lagging = this.#workers.lagging(written.version)
      this.#awaitCluster(
        written,
        lagging.map((worker) => `${this.#o.member}/worker-${worker}`),
      )
    }
  }

  /** The workers here run it, or were waited for long enough. */
  #awaitCluster(written: Written, lagging: readonly string[]): void {
    const { view, time } = this.#o
    if (written.pending.wait === 'node' || view.isAlone) {
      this.#answer(written, lagging, [])
      return
    }
    this.#clusterWaits.add({
      version: written.version,
      untilMs: time.monotonicMs() + APPLY_WAIT_MS,
      done: (others, all) => this.#answer(written, [...lagging, ...others], all),
    })
  }

  #answer(
    { pending, version, created, changed }: Written,
    lagging: readonly string[],
    others: readonly ServingOf[],
  ): void {
    const { write, reply, warnings } = pending
    const name = write.type === 'delete-all' ? '' : write.name
    const kind = write.type === 'put' ? write.kind : ''
    const troubles = write.type === 'put' ? this.#troubles(name) : []
    const all = [...warnings, ...troubles, ...troublesElsewhere(name, others)]
    const result: WriteResult = { name, kind, version, created, changed, warnings: all, lagging }
    reply.ok(result)
  }

  /** What workers report of an object that was just put to work. */
  #troubles(name: string): string[] {
    const failure = this.#workers.failure(name)
    const listener = this.#workers.listener(name)
    return [
      ...(failure === '' ? [] : [`not running: ${failure}; the version before goes on`]),
      ...(listener?.state === 'failed' ? [`not listening: ${listener.error}; retrying`] : []),
    ]
  }

  // -- workers -----------------------------------------------------------------------------------

  #onChange(change: RegistryChange): void {
    this.#workers.push(change)
    this.#writer.onChanged()
    this.#freshness.onChanged()
  }

  #onWorker(worker: number, message: WorkerToCoordinator): void {
    if (message.type === 'need-full') this.#workers.sendFull(worker)
    else if (message.type === 'serving') {
      this.#workers.onServing(worker, message)
      this.#onServing()
    } else if (message.type === 'want-data') {
      const ref = this.#workers.ref(worker)
      if (ref !== null) this.#dataFeed.want(worker, ref, message.prefixes)
    } else unreachable(message)
  }

  /** What the workers run, all of them, may have changed. */
  #onServing(): void {
    const version = this.#workers.served
    if (version !== null) {
      this.#o.view.publishServing({ version, failed: this.#workers.failures(FAILURES_TOLD) })
    }
    this.#checkBarriers()
  }

  // -- cluster -----------------------------------------------------------------------------------

  /** Tells itself: what others answer may come at any time, or at once. */
  #later(answer: () => void): void {
    this.#o.self.tell({ type: 'arrived', answer })
  }

  #onQuorum(): void {
    const { view, time } = this.#o
    const { hasQuorum, leaderIncarnation, term } = view.consensus()
    if (!hasQuorum) {
      this.#lostQuorumMs ??= time.monotonicMs()
      this.#writer.onLeaderGone()
      return
    }
    this.#lostQuorumMs = null
    const leader = `${leaderIncarnation} ${term}`
    if (leader === this.#leader) return
    this.#leader = leader
    this.#writer.onLeader()
    this.#dataWriter.onLeader()
    this.#freshness.onLeader()
  }

  /** Why nothing can be written, once that has been so for a while; null: it is worth trying. */
  #hopeless(): GatewayError | null {
    const { view, time } = this.#o
    const failure = view.failure()
    if (failure !== null) return storeUnavailable(failure, 'none')
    const lostMs = this.#lostQuorumMs
    if (lostMs === null || time.monotonicMs() - lostMs < HOPELESS_MS) return null
    return storeUnavailable(view.quorumProblem(), 'none')
  }

  #purge(name: string, reply: Reply): void {
    const hopeless = this.#hopeless()
    if (hopeless !== null) {
      reply.fail(hopeless)
      return
    }
    this.#o.view.purge(name, (outcome) =>
      this.#later(() => {
        if (outcome.ok) reply.ok(this.#stamped(null, null))
        else reply.fail(outcome.error)
      }),
    )
  }

  // -- reads -------------------------------------------------------------------------------------

  #read(consistency: ReadConsistency | undefined, answer: Read['answer']): void {
    if (consistency === 'local') answer(this.#freshness.staleSeconds)
    else this.#freshness.read(answer)
  }

  #stamped<T>(value: T, staleSeconds: number | null): Stamped<T> {
    return { value, version: this.#registry.version, staleSeconds }
  }

  /** What each worker counted by path, of a server, and what goes on in filters, of a pipeline. */
  #askTopPaths(name: string, then: TopPathsHere['then']): void {
    const asks = this.#workers.refs.map((ref) =>
      // A worker that does not answer is left out: a status is given all the same.
      Promise.all([
        ref
          .ask({ type: 'get-top-paths', server: name, limit: TOP_PATHS }, TOP_PATHS_WAIT_MS)
          .catch((): readonly TopPath[] => []),
        ref
          .ask({ type: 'get-filter-states', pipeline: name }, TOP_PATHS_WAIT_MS)
          .catch((): FilterStates | null => null),
      ]),
    )
    pipe(Promise.all(asks), this.#o.self, (said): TopPathsHere => {
      const states = said.find(([, each]) => each !== null)?.[1] ?? null
      const perWorker = said.map(([paths]) => paths)
      return { type: 'top-paths-here', perWorker, states, then }
    })
  }

  #answerStatus(name: string, stale: number | null, reply: Reply): void {
    if (this.#registry.kindOf(name) === null) {
      reply.fail(notFound(name))
      return
    }
    this.#askTopPaths(name, (perWorker, states) => {
      this.#readStatus(name, (others) => {
        // It may have been deleted meanwhile.
        if (this.#registry.kindOf(name) === null) reply.fail(notFound(name))
        else {
          const status = { ...others.get(name), ...this.#statusOf(name, perWorker, states) }
          reply.ok(this.#stamped(status, stale))
        }
      })
    })
  }

  #answerAllStatus(stale: number | null, reply: Reply): void {
    this.#readStatus(null, (others) => {
      const all = this.#registry
        .names()
        .map((name) => [name, { ...others.get(name), ...this.#statusOf(name, []) }] as const)
      reply.ok(this.#stamped(Object.fromEntries(all), stale))
    })
  }

  /** What other members say of one object, or of all. */
  #readStatus(only: string | null, then: (all: ReadonlyMap<string, StatusByMember>) => void): void {
    if (this.#o.view.isAlone) then(new Map())
    else this.#o.view.readStatus(only, (all) => this.#later(() => then(all)))
  }

  /** Other members are told what is new, with the most asked paths of the servers here. */
  #tellStatus(): void {
    const servers = this.#registry.names().filter((name) => this.#workers.listener(name) !== null)
    const told = servers.slice(0, TOP_PATHS_TOLD)
    const found = new Map<string, readonly (readonly TopPath[])[]>()
    for (const name of told) {
      this.#askTopPaths(name, (perWorker) => {
        found.set(name, perWorker)
        if (found.size < told.length) return
        this.#topPaths = found
        this.#publisher.run()
      })
    }
    if (told.length === 0) this.#publisher.run()
  }

  #statusToTell(name: string): Readonly<Record<string, unknown>> | null {
    if (this.#registry.kindOf(name) === null) return null
    const status = this.#statusOf(name, this.#topPaths.get(name) ?? [])[this.#o.member]
    const { timestamp: _, ...rest } = status as Record<string, unknown>
    return rest
  }

  #statusOf(
    name: string,
    perWorker: readonly (readonly TopPath[])[],
    filterStates: FilterStates | null = null,
  ): StatusByMember {
    const failure = this.#workers.failure(name)
    const kind = objectKinds.get(this.#registry.kindOf(name) ?? '')
    const nowMs = this.#o.time.wallMs()
    if (kind === undefined) {
      const health = 'the kind of this object is not supported here'
      return { [this.#o.member]: { health, timestamp: Math.floor(nowMs / 1000) } }
    }
    const view = {
      httpStat: (key: string) => this.#rates.block(key),
      count: (key: string) => this.#rates.count(key),
      listener: this.#workers.listener(name),
      topPaths: mergeTopPaths(perWorker),
      filterStates,
      failure,
    }
    const spec = this.#registry.spec(name)
    return { [this.#o.member]: objectStatus(kind, name, spec, view, nowMs) }
  }
}

function guestReply(done: GuestWrite['done']): Reply {
  const reply: Reply = {
    awaited: true,
    ok: (value) => done(success(value as RemoteWritten)),
    fail: (error) => done(failure(GatewayError.from(error))),
    for: () => reply as never,
  }
  return reply
}

/** What members say that could not put a new object to work. */
function troublesElsewhere(name: string, others: readonly ServingOf[]): string[] {
  return others.flatMap(({ member, serving }) =>
    (serving?.failed ?? [])
      .filter(([object]) => object === name)
      .map(([, error]) => `not running on ${member}: ${error}; the version before goes on`),
  )
}

const notFound = (name: string): GatewayError =>
  new GatewayError('OBJECT_NOT_FOUND', 'not found', { name })
