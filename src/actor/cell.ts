import type { Time, Timer } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'
import type { Actor, ActorRef, Asked, MemberOf, Message, Reply, ReplyOf } from './actor.js'
import { Call, NO_REPLY } from './call.js'
import type { Executor, Runnable } from './executor.js'
import { type Loss, Mailbox, type MailboxOptions } from './mailbox.js'
import { type RestartOptions, Restarts } from './restarts.js'

/** What an actor is given by its surroundings; belongs to one incarnation of it. */
export interface ActorContext<M extends Message> {
  readonly self: ActorRef<M>
  readonly time: Time
  readonly log: Logger
  /** Tells the actor `message` later, unless it stops or crashes before. */
  after(delayMs: number, message: M): Timer
  /** A child: it stops when this actor stops or crashes, and crashes it when it gives up. */
  spawn<C extends Message>(
    name: string,
    create: (context: ActorContext<C>) => Actor<C>,
    options?: SpawnOptions<C>,
  ): ActorRef<C>
  /** Ends the actor for good, after the running `receive`. */
  stop(): void
}

export interface SpawnOptions<M extends Message> {
  /** Default: 1,024 messages, refuse. */
  readonly mailbox?: MailboxOptions<M>
  readonly restarts?: RestartOptions
}

/** Counters since the actor was spawned, restarts included. */
export interface ActorStats {
  readonly name: string
  readonly state: 'running' | 'down' | 'stopped'
  readonly waiting: number
  readonly handled: number
  readonly crashes: number
  readonly refused: number
  readonly dropped: number
  readonly superseded: number
  /** Messages told after the end. */
  readonly late: number
}

/** What all cells of a system share. */
export interface Surroundings {
  readonly time: Time
  readonly log: Logger
  readonly executor: Executor
}

/** An actor as its owner sees it. */
export interface Child {
  readonly name: string
  stop(): void
  stats(): ActorStats
}

/** Whatever spawns actors: another actor, or the system. */
export interface Owner {
  /** `child` crashed more often than its restarts allow, and has stopped. */
  gaveUp(child: Child, thrown: unknown): void
  /** `child` has stopped. */
  forget(child: Child): void
}

interface Mail<M> {
  readonly message: M
  readonly call: Call | null
}

/** An overflow is logged at once, then at most this often, with the number since. */
const OVERFLOW_LOG_MS = 10_000
const DEFAULT_CAPACITY = 1024

/** One actor of this thread over all its incarnations: mailbox, supervision, open questions. */
export class Cell<M extends Message> implements ActorRef<M>, Runnable, Owner, Child {
  readonly name: string
  readonly #around: Surroundings
  readonly #owner: Owner
  readonly #create: (context: ActorContext<M>) => Actor<M>
  readonly #mailbox: Mailbox<M, Mail<M>>
  readonly #restarts: Restarts
  readonly #open = new Set<Call>()
  readonly #children = new Set<Child>()
  readonly #timers = new Set<Timer>()
  readonly #lost = { refused: 0, dropped: 0, superseded: 0 }
  #state: 'running' | 'down' | 'stopped' = 'down'
  #actor: Actor<M> | null = null
  #restart: Timer | null = null
  #scheduled = false
  #handled = 0
  #late = 0
  #unlogged = 0
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(
    name: string,
    around: Surroundings,
    owner: Owner,
    create: (context: ActorContext<M>) => Actor<M>,
    options: SpawnOptions<M>,
  ) {
    this.name = name
    this.#around = around
    this.#owner = owner
    this.#create = create
    this.#restarts = new Restarts(options.restarts)
    const mailbox = options.mailbox ?? {
      capacity: DEFAULT_CAPACITY,
      overflow: { policy: 'refuse' },
    }
    this.#mailbox = new Mailbox(mailbox, (mail, loss) => this.#lose(mail, loss))
    this.#start()
  }

  get hasStopped(): boolean {
    return this.#state === 'stopped'
  }

  tell(message: M): void {
    this.#deliver(message, null)
  }

  ask<Q extends Asked<M>>(message: Q, timeoutMs: number): Promise<ReplyOf<MemberOf<M, Q>>> {
    const call = new Call(this.name, this.#around.time, timeoutMs, (done) => {
      this.#open.delete(done)
    })
    this.#deliver(message, call)
    return call.promise as Promise<ReplyOf<MemberOf<M, Q>>>
  }

  /** Handles one message; called by the executor only. */
  runOne(): boolean {
    if (this.#state === 'running') this.#handleOne()
    this.#scheduled = this.#state === 'running' && this.#mailbox.size > 0
    return this.#scheduled
  }

  stop(): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#restart?.cancel()
    this.#release('STORE_UNAVAILABLE', `${this.name} was stopped`)
    for (let mail = this.#mailbox.take(); mail !== null; mail = this.#mailbox.take()) {
      this.#refuseLate(mail.call)
    }
    this.#owner.forget(this)
  }

  forget(child: Child): void {
    this.#children.delete(child)
  }

  gaveUp(child: Child, thrown: unknown): void {
    this.#crash(new Error(`${child.name} gave up`, { cause: thrown }))
  }

  stats(): ActorStats {
    return {
      name: this.name,
      state: this.#state,
      waiting: this.#mailbox.size,
      handled: this.#handled,
      crashes: this.#restarts.total,
      ...this.#lost,
      late: this.#late,
    }
  }

  #deliver(message: M, call: Call | null): void {
    if (this.#state === 'stopped') this.#refuseLate(call)
    else if (this.#mailbox.put({ message, call })) this.#schedule()
  }

  #refuseLate(call: Call | null): void {
    if (call === null) this.#late += 1
    else call.lost('STORE_UNAVAILABLE', `${this.name} was stopped`)
  }

  #handleOne(): void {
    const mail = this.#mailbox.take()
    if (mail === null) return
    const { message, call } = mail
    if (call !== null) {
      if (!call.awaited) return // timed out while it waited: nobody would read the answer
      call.taken = true
      this.#open.add(call)
    }
    this.#handled += 1
    try {
      this.#actor?.receive(message, call ?? (NO_REPLY as Reply))
    } catch (thrown) {
      this.#crash(thrown)
    }
  }

  /** The actor threw, or a child of it gave up. */
  #crash(thrown: unknown): void {
    if (this.#state === 'stopped') return
    const { time, log } = this.#around
    this.#state = 'down'
    this.#restart?.cancel()
    this.#release('INTERNAL', `${this.name} crashed`)
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    const delayMs = this.#restarts.crashed(time.monotonicMs())
    log.error('actor crashed', { actor: this.name, error, restartInMs: delayMs })
    if (delayMs !== null) {
      this.#restart = time.after(delayMs, () => this.#start())
      return
    }
    this.stop()
    this.#owner.gaveUp(this, thrown)
  }

  #start(): void {
    this.#state = 'running'
    try {
      this.#actor = this.#create(this.#context())
    } catch (thrown) {
      this.#crash(thrown)
      return
    }
    // The factory may have stopped the actor, or a child brought it down.
    if (this.#state !== 'running') this.#end()
    else if (this.#mailbox.size > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#state !== 'running') return
    this.#scheduled = true
    this.#around.executor.execute(this)
  }

  /** Lets go of all that one incarnation held. */
  #release(code: 'INTERNAL' | 'STORE_UNAVAILABLE', why: string): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    for (const child of [...this.#children]) child.stop()
    for (const call of [...this.#open]) call.lost(code, why)
    this.#end()
  }

  #end(): void {
    const actor = this.#actor
    this.#actor = null
    try {
      actor?.stopped?.()
    } catch (thrown) {
      this.#around.log.error('actor threw while it stopped', {
        actor: this.name,
        error: String(thrown),
      })
    }
  }

  #lose(mail: Mail<M>, loss: Loss): void {
    this.#lost[loss] += 1
    mail.call?.lost('OVERLOADED', `mailbox of ${this.name}: message ${loss}`)
    if (loss === 'superseded') return // the policy at work, not an overflow
    this.#unlogged += 1
    const nowMs = this.#around.time.monotonicMs()
    if (nowMs - this.#loggedAtMs < OVERFLOW_LOG_MS) return
    this.#around.log.warn('mailbox full', { actor: this.name, loss, count: this.#unlogged })
    this.#loggedAtMs = nowMs
    this.#unlogged = 0
  }

  #context(): ActorContext<M> {
    const { time, log } = this.#around
    return {
      self: this,
      time,
      log: log.child(this.name),
      after: (delayMs, message) => this.#after(delayMs, message),
      spawn: (name, create, options = {}) => {
        const child = new Cell(`${this.name}/${name}`, this.#around, this, create, options)
        if (!child.hasStopped) this.#children.add(child)
        return child
      },
      stop: () => this.stop(),
    }
  }

  #after(delayMs: number, message: M): Timer {
    const timer = this.#around.time.after(delayMs, () => {
      this.#timers.delete(timer)
      this.tell(message)
    })
    this.#timers.add(timer)
    return {
      cancel: () => {
        timer.cancel()
        this.#timers.delete(timer)
      },
    }
  }
}
