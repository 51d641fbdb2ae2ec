import type { Time } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'
import type { Actor, ActorRef, Message } from './actor.js'
import {
  type ActorContext,
  type ActorStats,
  Cell,
  type Child,
  type Owner,
  type SpawnOptions,
  type Surroundings,
} from './cell.js'
import { type Executor, LoopExecutor } from './executor.js'

export interface ActorSystemOptions {
  readonly time: Time
  readonly log: Logger
  /** Default: the event loop of this thread. */
  readonly executor?: Executor
  /**
   * An actor without parent crashed more often than its restarts allow and stays down. The owner
   * of the thread decides: a worker closes its listeners and exits.
   */
  escalated(name: string, thrown: unknown): void
}

/** The actors of one thread. */
export class ActorSystem {
  readonly #around: Surroundings
  readonly #owner: Owner
  readonly #actors = new Set<Child>()

  constructor(options: ActorSystemOptions) {
    const { time, log, executor = new LoopExecutor() } = options
    this.#around = { time, log, executor }
    this.#owner = {
      gaveUp: (child, thrown) => options.escalated(child.name, thrown),
      forget: (child) => this.#actors.delete(child),
    }
  }

  /**
   * Starts an actor; `create` makes each incarnation of it and may throw, which counts as a crash.
   * Options default to a mailbox of 1,024 that refuses, and five restarts a minute.
   */
  spawn<M extends Message>(
    name: string,
    create: (context: ActorContext<M>) => Actor<M>,
    options: SpawnOptions<M> = {},
  ): ActorRef<M> {
    const cell = new Cell(name, this.#around, this.#owner, create, options)
    if (!cell.hasStopped) this.#actors.add(cell)
    return cell
  }

  /** Ends all actors, the youngest first and children before their parents. Open asks fail. */
  stopAll(): void {
    for (const actor of [...this.#actors].reverse()) actor.stop()
  }

  /** Of the actors without parent. */
  stats(): ActorStats[] {
    return [...this.#actors].map((actor) => actor.stats())
  }
}
