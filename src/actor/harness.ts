import { VirtualTime } from '../lib/clock.js'
import { Prng } from '../lib/prng.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type { Actor, ActorRef, Message, Reply } from './actor.js'
import { ManualExecutor } from './executor.js'
import { ActorSystem } from './system.js'

/** A message that a {@link Probe} got, with the handle to answer it. */
export interface Received<M> {
  readonly message: M
  readonly reply: Reply
}

/** An actor that keeps what it is sent, in order. */
export class Probe<M extends Message> implements Actor<M> {
  readonly received: Received<M>[] = []

  receive(message: M, reply: Reply): void {
    this.received.push({ message, reply })
  }

  get messages(): M[] {
    return this.received.map((each) => each.message)
  }
}

/**
 * Actors under test: time moves and messages are handled only when told to. `seed` draws which
 * actor runs next; without it they take turns.
 */
export class ActorHarness {
  readonly time = new VirtualTime()
  readonly log = new MemoryLogger()
  readonly executor: ManualExecutor
  readonly system: ActorSystem
  /** Actors that gave up, with what they threw last. */
  readonly escalations: { readonly name: string; readonly thrown: unknown }[] = []

  constructor(seed?: number) {
    this.executor = new ManualExecutor(seed === undefined ? null : new Prng(seed))
    this.system = new ActorSystem({
      time: this.time,
      log: this.log,
      executor: this.executor,
      escalated: (name, thrown) => this.escalations.push({ name, thrown }),
    })
  }

  probe<M extends Message>(name: string): { readonly ref: ActorRef<M>; readonly probe: Probe<M> } {
    const probe = new Probe<M>()
    return { ref: this.system.spawn<M>(name, () => probe), probe }
  }

  /** Handles what waits; returns the number of messages. Promises have no turn in between. */
  run(): number {
    return this.executor.runUntilIdle()
  }

  /** Handles what waits, moves time on, and handles what that brought. */
  advance(ms: number): void {
    this.run()
    this.time.advance(ms)
    this.run()
  }

  /** Handles messages and lets promises settle, until neither brings more messages. */
  async settle(): Promise<void> {
    do {
      this.run()
      await new Promise((resolve) => setImmediate(resolve))
    } while (!this.executor.idle)
  }

  /** Settles, then gives what `promise` came to; fails the test when it is still open. */
  async outcome<T>(promise: Promise<T>): Promise<T> {
    const open = Symbol('open')
    promise.catch(() => {}) // it may reject long before it is raced below
    await this.settle()
    const result = await Promise.race([promise, Promise.resolve(open)])
    if (result === open) throw new Error('the promise is still open')
    return result as T
  }
}
