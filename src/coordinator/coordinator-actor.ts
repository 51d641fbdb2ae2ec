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
  Stamped,
  StatusByMember,
  ToCoordinator,
  WriteResult,
} from '../protocol/coordinator.js'
import type { CoordinatorToRoot, WorkerStats } from '../protocol/root.js'
import type { TopPath, WorkerToCoordinator } from '../protocol/worker.js'
import { RATE_TICK_MS } from '../shared/rates.js'
import { StatsReader } from '../shared/stats-blocks.js'
import type { Outcome, Store, TxnResult } from '../store/contract.js'
import type { Logger } from '../telemetry/log.js'
import { type Commit, ConfigWriter, type Written } from './config-writer.js'
import type { Write } from './plan.js'
import { Registry, type RegistryChange } from './registry.js'
import { mergeTopPaths, objectStatus, RateBook } from './status.js'
import { Sync } from './sync.js'
import type { ValidateInput, Validity } from './validate.js'
import { WorkerLinks } from './worker-links.js'

/** Longest wait of a write for the workers of this node. */
const APPLY_WAIT_MS = 5_000
const TOP_PATHS_WAIT_MS = 1_000
const TOP_PATHS = 10

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
  readonly name: string
  readonly reply: Reply
  readonly perWorker: readonly (readonly TopPath[])[]
}

export type ToCoordinatorActor =
  | ToCoordinator
  | WorkerStats
  | FromWorker
  | Validated
  | ValidationFailed
  | Committed
  | GaveUp
  | Tick
  | WorkerHere
  | WorkerLeft
  | TopPathsHere

/** Who this member is. */
export interface Self {
  readonly name: string
  /** Start-up options as `--print-config` shows them. */
  readonly options: Readonly<Record<string, unknown>>
  /** Hex. */
  readonly id: string
  readonly startedMs: number
}

export interface CoordinatorOptions {
  readonly self: ActorRef<ToCoordinatorActor>
  readonly root: ActorRef<CoordinatorToRoot>
  readonly store: Store
  readonly jobs: Pick<JobPool, 'run'>
  readonly time: Time
  readonly log: Logger
  readonly member: Self
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
  readonly #barriers = new Set<Barrier>()
  #ticking: Timer

  constructor(options: CoordinatorOptions) {
    this.#o = options
    const { self, store, time, log } = options
    this.#writer = new ConfigWriter({
      store,
      registry: this.#registry,
      nowMs: () => time.wallMs(),
      finished: (commit, outcome) => self.tell({ type: 'committed', commit, outcome }),
      written: (written) => this.#awaitWorkers(written),
    })
    this.#sync = new Sync(store, this.#registry, log, (change) => this.#onChange(change))
    this.#sync.start((error) => {
      if (error === null) options.ready()
      else options.failed(error)
    })
    this.#ticking = this.#tickLater()
  }

  stopped(): void {
    this.#sync.stop()
    this.#ticking.cancel()
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
        this.#submit({ type: 'delete', name, ifMatch, requestId }, reply, [])
        break
      }
      case 'delete-all-objects':
        this.#submit({ type: 'delete-all', requestId: m.requestId }, reply, [])
        break
      case 'committed':
        this.#writer.onOutcome(m.commit, m.outcome)
        break
      case 'gave-up':
        this.#onGaveUp(m.written)
        break
      case 'get-object': {
        const object = this.#registry.object(m.name)
        if (object === null) reply.fail(notFound(m.name))
        else reply.for(m).ok(this.#stamped(object))
        break
      }
      case 'list-objects': {
        const objects = this.#registry.names().map((name) => this.#registry.object(name))
        reply.for(m).ok(this.#stamped(objects.filter((object) => object !== null)))
        break
      }
      case 'get-object-status':
        this.#askTopPaths(m.name, reply)
        break
      case 'top-paths-here':
        this.#answerStatus(m.name, m.perWorker, m.reply)
        break
      case 'list-object-status': {
        const all = this.#registry.names().map((name) => [name, this.#statusOf(name, [])] as const)
        reply.for(m).ok(this.#stamped(Object.fromEntries(all)))
        break
      }
      case 'list-members':
        reply.for(m).ok(this.#stamped([this.#memberStatus()]))
        break
      case 'purge-member':
        reply.fail(this.#refusePurge(m.name))
        break
      case 'get-config-version':
        reply.for(m).ok(this.#stamped(null))
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
        this.#stats.workerGone(m.worker)
        this.#checkBarriers()
        break
      case 'worker-stats': {
        const rows = this.#stats.apply(m.worker, m.news)
        if (rows.length > 0) this.#o.root.tell({ type: 'stats-read', worker: m.worker, rows })
        break
      }
      case 'tick':
        this.#rates.tick(this.#workers.isSettled)
        this.#ticking = this.#tickLater()
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
    const { name, kind, spec } = validity
    if (put.name !== null && put.name !== name) {
      const detail = { url: put.name, spec: name }
      reply.fail(new GatewayError('NAME_MISMATCH', 'inconsistent name in url and spec ', detail))
      return
    }
    const { mode, text, dialect, ifMatch, requestId } = put
    const write: Write = { type: 'put', mode, name, kind, text, spec, dialect, ifMatch, requestId }
    const warnings = [...validity.warnings, ...this.#missing(validity.references)]
    if (put.dryRun) this.#dryRun(write, warnings, reply)
    else this.#submit(write, reply, warnings)
  }

  #submit(write: Write, reply: Reply, warnings: readonly string[]): void {
    this.#writer.submit({ write, reply, warnings })
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
    if (this.#workers.lagging(written.version).length === 0) {
      this.#answer(written, [])
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
      this.#answer(barrier.written, [])
    }
  }

  #onGaveUp(written: Written): void {
    for (const barrier of this.#barriers) {
      if (barrier.written !== written) continue
      this.#barriers.delete(barrier)
      const lagging = this.#workers.lagging(written.version)
      this.#answer(
        written,
        lagging.map((worker) => `${this.#o.member.name}/worker-${worker}`),
      )
    }
  }

  #answer({ pending, version, created, changed }: Written, lagging: readonly string[]): void {
    const { write, reply, warnings } = pending
    const name = write.type === 'delete-all' ? '' : write.name
    const kind = write.type === 'put' ? write.kind : ''
    const all = [...warnings, ...(write.type === 'put' ? this.#troubles(write.name) : [])]
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
  }

  #onWorker(worker: number, message: WorkerToCoordinator): void {
    if (message.type === 'need-full') this.#workers.sendFull(worker)
    else if (message.type === 'serving') {
      this.#workers.onServing(worker, message)
      this.#checkBarriers()
    } else unreachable(message)
  }

  // -- reads -------------------------------------------------------------------------------------

  #stamped<T>(value: T): Stamped<T> {
    return { value, version: this.#registry.version, staleSeconds: null }
  }

  #askTopPaths(name: string, reply: Reply): void {
    if (this.#registry.kindOf(name) === null) {
      reply.fail(notFound(name))
      return
    }
    const asks = this.#workers.refs.map((ref) =>
      ref.ask({ type: 'get-top-paths', server: name, limit: TOP_PATHS }, TOP_PATHS_WAIT_MS).catch(
        // A worker that does not answer is left out: a status is given all the same.
        (): readonly TopPath[] => [],
      ),
    )
    pipe(
      Promise.all(asks),
      this.#o.self,
      (perWorker): TopPathsHere => ({ type: 'top-paths-here', name, reply, perWorker }),
    )
  }

  #answerStatus(name: string, perWorker: readonly (readonly TopPath[])[], reply: Reply): void {
    // It may have been deleted meanwhile.
    if (this.#registry.kindOf(name) === null) reply.fail(notFound(name))
    else reply.ok(this.#stamped(this.#statusOf(name, perWorker)))
  }

  #statusOf(name: string, perWorker: readonly (readonly TopPath[])[]): StatusByMember {
    const failure = this.#workers.failure(name)
    const kind = objectKinds.get(this.#registry.kindOf(name) ?? '')
    const nowMs = this.#o.time.wallMs()
    if (kind === undefined) {
      const health = 'the kind of this object is not supported here'
      return { [this.#o.member.name]: { health, timestamp: Math.floor(nowMs / 1000) } }
    }
    const view = {
      httpStat: (key: string) => this.#rates.block(key),
      listener: this.#workers.listener(name),
      topPaths: mergeTopPaths(perWorker),
      failure,
    }
    const spec = this.#registry.spec(name)
    return { [this.#o.member.name]: objectStatus(kind, name, spec, view, nowMs) }
  }

  #memberStatus(): MemberStatus {
    const { member, time } = this.#o
    return {
      options: member.options,
      lastHeartbeatTime: rfc3339(time.wallMs()),
      etcd: { id: member.id, startTime: rfc3339(member.startedMs), state: 'Leader' },
    }
  }

  #refusePurge(name: string): GatewayError {
    if (name !== this.#o.member.name) return new GatewayError('MEMBER_NOT_FOUND', 'not found')
    const message = `${name} is the only member of its cluster and cannot be purged`
    return new GatewayError('REQUEST_INVALID', message)
  }
}

const notFound = (name: string): GatewayError =>
  new GatewayError('OBJECT_NOT_FOUND', 'not found', { name })

/** Whole seconds, as Go's RFC 3339 writes them. */
const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
