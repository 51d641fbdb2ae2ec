import type { Actor, ActorRef, Reply } from '../actor/actor.js'
import { PortLink } from '../actor/link.js'
import type { ActorSystem } from '../actor/system.js'
import { type Incarnation, ThreadSupervisor } from '../actor/threads.js'
import { unreachable } from '../lib/assert.js'
import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { ToCoordinator } from '../protocol/coordinator.js'
import type { CoordinatorToRoot, RootToCoordinator } from '../protocol/root.js'
import { VIGIL, Vigil, vigilMemory } from '../shared/vigil.js'
import type { Logger } from '../telemetry/log.js'
import type { CoordinatorThreadData } from './threads.js'

export interface CoordinatorHostOptions {
  readonly system: ActorSystem
  readonly time: Time
  readonly log: Logger
  data(): Omit<CoordinatorThreadData, 'vigil'>
  /** A (new) coordinator shows the registry and can be introduced to workers. */
  ready(): void
  /** The data directory cannot be used; the process is to end with this sentence. */
  unusable(message: string): void
  /** It waits for other members of the cluster; there may be much time. */
  waiting(): void
  /** The process is to drain and end, with this sentence. */
  purged(message: string): void
  statsRead(worker: number, rows: readonly number[]): void
}

/** Five crashes in a minute: then it stays down, and traffic goes on without it. */
const RESTARTS = { backoffMinMs: 100, backoffMaxMs: 2_000, restartsMax: 5, windowMs: 60_000 }

/**
 * The coordinator thread, and a way to it that stays good over its restarts. The two look after each
 * other: a coordinator that hangs is ended and starts anew, and it ends the process of a main thread
 * that hangs.
 */
export class CoordinatorHost implements Actor<CoordinatorToRoot> {
  readonly #o: CoordinatorHostOptions
  readonly #supervisor: ThreadSupervisor<'root', CoordinatorThreadData>
  readonly #desk: ActorRef<CoordinatorToRoot>
  readonly #vigil: Vigil
  #link: PortLink<RootToCoordinator> | null = null
  #isReady = false
  #down = ''
  #waitsFor = ''

  constructor(options: CoordinatorHostOptions) {
    this.#o = options
    const { system, time, log, data } = options
    this.#desk = system.spawn<CoordinatorToRoot>('desk-of-coordinator', () => this)
    const memory = vigilMemory()
    this.#vigil = new Vigil({
      time,
      memory,
      own: VIGIL.MAIN,
      other: VIGIL.COORDINATOR,
      silent: () => this.#onSilent(),
    })
    this.#supervisor = new ThreadSupervisor<'root', CoordinatorThreadData>({
      url: new URL('../coordinator-main.js', import.meta.url),
      name: 'coordinator',
      channels: ['root'],
      time,
      log,
      restarts: RESTARTS,
      data: () => ({ ...data(), vigil: memory }),
      started: (incarnation) => this.#onStarted(incarnation),
      ended: () => this.#onEnded(),
      gaveUp: () => {
        const why = this.#down === '' ? 'it crashed too often' : this.#down
        this.#down = `the coordinator stays down (${why}); restart the server`
        log.error('coordinator stays down')
      },
    })
  }

  get isReady(): boolean {
    return this.#isReady
  }

  start(): void {
    this.#vigil.start()
    this.#supervisor.start()
  }

  async stop(): Promise<void> {
    const stopped = this.#supervisor.stop()
    this.#link?.remote.tell({ type: 'stop-coordinator' })
    await stopped
    this.#vigil.close()
  }

  tell(message: RootToCoordinator): void {
    this.#link?.remote.tell(message)
  }

  /** What the admin API asks; fails with the reason while no coordinator is there. */
  readonly ref: ActorRef<ToCoordinator> = {
    name: 'coordinator',
    tell: (message) => this.tell(message),
    ask: (message, timeoutMs) => {
      const link = this.#link
      if (link !== null && this.#isReady) {
        // The link speaks a wider union, of which every member answers alike.
        return (link.remote as ActorRef<ToCoordinator>).ask(message, timeoutMs)
      }
      const starting =
        this.#waitsFor === '' ? 'the coordinator is starting, try again' : this.#waitsFor
      const reason = this.#down === '' ? starting : this.#down
      return Promise.reject(new GatewayError('STORE_UNAVAILABLE', reason, { taken: false }))
    },
  }

  receive(m: CoordinatorToRoot, _reply: Reply): void {
    switch (m.type) {
      case 'coordinator-ready':
        this.#isReady = true
        this.#down = ''
        this.#waitsFor = ''
        this.#o.ready()
        break
      case 'coordinator-failed':
        this.#down = m.message
        this.#o.unusable(m.message)
        break
      case 'coordinator-waiting':
        this.#waitsFor = m.reason
        this.#o.waiting()
        break
      case 'coordinator-purged':
        this.#o.purged(m.reason)
        break
      case 'stats-read':
        this.#o.statsRead(m.worker, m.rows)
        break
      default:
        unreachable(m)
    }
  }

  #onStarted({ ports }: Incarnation<'root'>): void {
    const { time, log } = this.#o
    this.#link = new PortLink<RootToCoordinator>(ports.root, { name: 'coordinator', time, log })
    this.#link.serve(this.#desk)
    this.#vigil.watch()
  }

  #onEnded(): void {
    this.#vigil.unwatch()
    this.#link = null
    this.#isReady = false
  }

  /**
   * It holds no socket of uWebSockets.js, so it can be ended by force; a write of its log that is
   * under way completes before its end is told.
   */
  #onSilent(): void {
    this.#o.log.error('the coordinator hangs, it is ended and started anew')
    this.#supervisor.current?.thread.terminateAsLastResort()
  }
}
