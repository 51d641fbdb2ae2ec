import { type Actor, type ActorRef, pipe, type Reply } from '../actor/actor.js'
import { unreachable } from '../lib/assert.js'
import type { Time, Timer } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { SocketTable } from '../objects/sockets.js'
import type { ObjectFrames } from '../protocol/object-frames.js'
import { type ConfigVersion, compareVersions, isNewer, NO_CONFIG } from '../protocol/version.js'
import type {
  CoordinatorToWorker,
  ExplainRequest,
  TopPath,
  WorkerToCoordinator,
} from '../protocol/worker.js'
import type { Logger } from '../telemetry/log.js'
import type { Builder, Built, LiveObject } from './build.js'
import type { DataViews } from './data-views.js'
import type { SharedMemory } from './shared-memory.js'
import { Slice } from './slice.js'
import { planSwap, type Swap } from './swap.js'

/** A change waiting for its turn. `full`: whatever is not in it is to go. */
interface Change {
  readonly full: boolean
  readonly to: ConfigVersion
  readonly puts: readonly ObjectFrames[]
  readonly deletes: readonly string[]
}

interface BuiltMessage {
  readonly type: 'built'
  readonly change: Change
  readonly built: Built
}
/** The sockets that the swap asked for are open, or known to fail. */
interface Settled {
  readonly type: 'settled'
}
/** A (new) coordinator can be told things. */
export interface CoordinatorHere {
  readonly type: 'coordinator-here'
}
interface RetrySockets {
  readonly type: 'retry-sockets'
}
interface Retried {
  readonly type: 'retried-sockets'
}

export type ToWorkerActor =
  | CoordinatorToWorker
  | BuiltMessage
  | Settled
  | CoordinatorHere
  | RetrySockets
  | Retried

export interface WorkerActorOptions {
  readonly self: ActorRef<ToWorkerActor>
  readonly builder: Builder
  readonly memory: SharedMemory
  readonly data: DataViews
  readonly sockets: SocketTable
  readonly time: Time
  readonly log: Logger
  /** Called once, when the first full set runs. */
  serves(): void
  /** Where to report to; changes with the coordinator. */
  coordinator(): ActorRef<WorkerToCoordinator> | null
  topPaths(server: string, limit: number): readonly TopPath[]
}

/** More predecessors than this are retired in slices. */
const RETIRED_AT_ONCE = 256
/** How soon a socket that could not be opened is tried again. */
const SOCKET_RETRY_MS = 1_000

/**
 * Holds the compiled objects of one worker. Changes are built one after the other beside what
 * runs, swapped in one turn, and acknowledged with their version once their sockets are open.
 */
export class WorkerActor implements Actor<ToWorkerActor> {
  readonly #o: WorkerActorOptions
  #live = new Map<string, LiveObject>()
  /** What runs, and what will run when the queue is worked off. */
  #version: ConfigVersion = NO_CONFIG
  #target: ConfigVersion = NO_CONFIG
  readonly #queue: Change[] = []
  #busy = false
  #hasServed = false
  #incoming: ObjectFrames[] | null = null
  /** The parts of a delta whose end has not come yet. */
  #partial: ObjectFrames[] = []
  #failed = new Map<string, string>()
  #retry: Timer | null = null
  #lastListeners = ''

  constructor(options: WorkerActorOptions) {
    this.#o = options
  }

  receive(m: ToWorkerActor, reply: Reply): void {
    switch (m.type) {
      case 'full-begin':
        this.#incoming = []
        break
      case 'full-part':
        this.#incoming?.push(m.puts)
        break
      case 'full-end':
        this.#takeFull(m.to)
        break
      case 'delta-part':
        this.#partial.push(m.puts)
        break
      case 'delta': {
        const puts = [...this.#partial, m.puts]
        this.#partial = []
        this.#takeDelta(m.from, { full: false, to: m.to, puts, deletes: m.deletes })
        break
      }
      case 'data':
        this.#o.data.take(m)
        break
      case 'built':
        pipe(this.#install(m.change, m.built), this.#o.self, () => ({ type: 'settled' }))
        break
      case 'settled':
        if (!this.#hasServed) {
          this.#hasServed = true
          this.#o.serves()
        }
        this.#report()
        this.#busy = false
        this.#next()
        break
      case 'coordinator-here':
        // What the one before had begun will not be ended.
        this.#partial = []
        this.#o.data.ask()
        if (!this.#busy) this.#report()
        break
      case 'retry-sockets':
        pipe(this.#o.sockets.reconcile(), this.#o.self, () => ({ type: 'retried-sockets' }))
        break
      case 'retried-sockets':
        this.#retry = null
        // A change under way reports by itself, once its own sockets are open and not before.
        if (this.#busy) break
        if (JSON.stringify(this.#o.sockets.states()) !== this.#lastListeners) this.#report()
        else this.#retryLater()
        break
      case 'explain-request':
        this.#explain(m, reply)
        break
      case 'get-top-paths':
        reply.for(m).ok(this.#o.topPaths(m.server, m.limit))
        break
      case 'get-filter-states':
        reply.for(m).ok(this.#live.get(m.pipeline)?.runtime.filterStates?.() ?? null)
        break
      default:
        unreachable(m)
    }
  }

  /** Whatever goes wrong here is no reason to end a worker. */
  #explain(m: ExplainRequest, reply: Reply): void {
    try {
      reply.for(m).ok(this.#live.get(m.server)?.runtime.explain?.(m.request) ?? null)
    } catch (thrown) {
      reply.fail(GatewayError.from(thrown))
    }
  }

  #takeFull(to: ConfigVersion): void {
    const puts = this.#incoming
    this.#incoming = null
    if (puts === null || isNewer(this.#target, to)) return
    this.#enqueue({ full: true, to, puts, deletes: [] })
  }

  #takeDelta(from: ConfigVersion, change: Change): void {
    if (compareVersions(from, this.#target) === 0) this.#enqueue(change)
    else if (isNewer(change.to, this.#target)) this.#o.coordinator()?.tell({ type: 'need-full' })
  }

  #enqueue(change: Change): void {
    this.#target = change.to
    this.#queue.push(change)
    this.#next()
  }

  #next(): void {
    if (this.#busy) return
    const change = this.#queue.shift()
    if (change === undefined) return
    this.#busy = true
    const work = this.#o.builder.build({ puts: change.puts, live: this.#live })
    pipe(work, this.#o.self, (built) => ({ type: 'built', change, built }))
  }

  async #install(change: Change, built: Built): Promise<void> {
    const swap = await planSwap(this.#live, built, change.full ? null : change.deletes)
    // One turn moves the traffic: no request sees half a change.
    for (const runtime of swap.withdrawn) runtime.withdraw()
    for (const runtime of swap.committed) runtime.commit()
    this.#version = change.to
    const opened = this.#o.sockets.reconcile()
    await this.#note(change, swap, built)
    if (swap.replaced.length > RETIRED_AT_ONCE) void this.#retireInSlices(swap.replaced)
    else for (const object of swap.replaced) this.#retire(object)
    this.#o.memory.tellStats()
    await opened
  }

  /** What is there now, for the change after this one. */
  async #note(change: Change, { gone }: Swap, built: Built): Promise<void> {
    const slice = new Slice()
    if (change.full) this.#failed.clear()
    for (const name of gone) {
      this.#live.delete(name)
      this.#failed.delete(name)
    }
    for (const object of built.objects) {
      await slice.rest()
      this.#live.set(object.name, object)
      this.#failed.delete(object.name)
    }
    for (const { name, createdVersion, error } of built.failed) {
      if (this.#live.get(name)?.createdVersion !== createdVersion) this.#live.delete(name)
      this.#failed.set(name, error)
      this.#o.log.error('object failed to build', { object: name, error })
    }
  }

  #retire({ runtime, keys }: LiveObject): void {
    runtime.retire()
    this.#o.memory.drop(keys)
    this.#o.data.drop(keys)
  }

  /** Nobody waits for those that were replaced, and requests shall not wait for them. */
  async #retireInSlices(replaced: readonly LiveObject[]): Promise<void> {
    const slice = new Slice()
    for (const object of replaced) {
      await slice.rest()
      this.#retire(object)
    }
    this.#o.memory.tellStats()
  }

  #report(): void {
    const listeners = this.#o.sockets.states()
    this.#lastListeners = JSON.stringify(listeners)
    this.#o.coordinator()?.tell({
      type: 'serving',
      version: this.#version,
      failed: [...this.#failed].map(([name, error]) => ({ name, error })),
      listeners,
    })
    this.#retryLater()
  }

  #retryLater(): void {
    if (this.#retry !== null || !this.#o.sockets.isIncomplete) return
    const retry = (): void => this.#o.self.tell({ type: 'retry-sockets' })
    this.#retry = this.#o.time.after(SOCKET_RETRY_MS, retry)
  }
}
