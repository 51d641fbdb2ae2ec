import type { GatewayError } from '../lib/errors.js'

/** Every message is a member of a union told apart by `type`, and is plain readonly data. */
export interface Message {
  readonly type: string
}

/** A type-level mark; never present at run time. */
declare const REPLY: unique symbol

/** Marks a message that is asked: `interface Get extends Asks<Item> { readonly type: 'get' }`. */
export interface Asks<R> {
  readonly [REPLY]?: R
}

/** What `M` is answered with; `never` for a message that is only told. */
export type ReplyOf<M> = M extends { readonly [REPLY]?: infer R } ? R : never

/** The members of `M` that may be asked. */
export type Asked<M> = M extends Message ? (typeof REPLY extends keyof M ? M : never) : never

/** The member of `M` that has the `type` of `Q`. */
export type MemberOf<M, Q extends Message> = Extract<M, { readonly type: Q['type'] }>

/**
 * The one way to an actor, in this thread or another. References stay good over restarts. Fields
 * of a message may hold `SharedArrayBuffer`s (shared) and `MessagePort`s (moved) when they cross
 * threads; everything else is copied, and must be what msgpack can say: no Map, Set or function.
 */
export interface ActorRef<in M extends Message> {
  readonly name: string

  /** Puts `message` into the mailbox. Never throws; what cannot be delivered is counted. */
  tell(message: M): void

  /**
   * Rejects with a GatewayError: whatever the actor failed it with; OVERLOADED when the mailbox or
   * the link is full; TIMEOUT after `timeoutMs`; INTERNAL when the actor crashed over it;
   * STORE_UNAVAILABLE when the actor or its thread is gone. After the last three it is unknown
   * whether the message took effect; `detail.taken === false` says that it certainly did not.
   */
  ask<Q extends Asked<M>>(message: Q, timeoutMs: number): Promise<ReplyOf<MemberOf<M, Q>>>
}

/**
 * Answers one message, at most once (later calls do nothing). It may be kept and used after
 * `receive` has returned, until the actor stops or crashes. For a message that was told it does
 * nothing.
 */
export interface Reply<R = unknown> {
  /** True when somebody waits: lets the actor skip work on an answer nobody reads. */
  readonly awaited: boolean
  ok(value: R): void
  fail(error: GatewayError): void
  /** This same handle, knowing what `message` is to be answered with. */
  for<Q extends Message>(message: Q): Reply<ReplyOf<Q>>
}

/**
 * State that only messages reach. `receive` handles one message to completion and is never
 * `async`: slow work comes back as a message (see `pipe`). When it throws the actor is crashed and
 * made anew by its factory.
 */
export interface Actor<M extends Message> {
  receive(message: M, reply: Reply): void
  /** Last call, before a restart as well as at the end: release timers, files, sockets. */
  stopped?(): void
}

/**
 * Sends the outcome of `work` to `ref` as a message. Without `failed`, a rejection is a bug and
 * ends the thread as an unhandled one does.
 */
export function pipe<T, const M extends Message>(
  work: Promise<T>,
  ref: ActorRef<M>,
  done: (value: T) => M,
  failed?: (thrown: unknown) => M,
): void {
  const tellDone = (value: T): void => ref.tell(done(value))
  if (failed === undefined) void work.then(tellDone)
  else void work.then(tellDone, (thrown: unknown) => ref.tell(failed(thrown)))
}
