import type { Exchange, Scope } from '../http/exchange.js'
import type { FlowSlot } from '../http/flow.js'
import type { Template } from '../http/template.js'
import type { TimerWheel } from '../lib/timer-wheel.js'
import type { AreaKey, CustomDataView, NodeWords, StatsRow } from '../shared/contract.js'
import type { NodePermits } from '../shared/permits.js'
import type { Schema } from '../spec/schema.js'
import type { Logger } from '../telemetry/log.js'
import type { UpstreamClient } from '../upstream/contract.js'
import type { Policies, PolicyUse } from './policies.js'

/**
 * A filter at work in one pipeline of one worker. Never `async`, never throws on purpose; see
 * `docs/one-request.md`.
 */
export interface Filter {
  /** Returns a result of the kind (OK, 1, 2, …) or SUSPENDED. */
  handle(ex: Exchange): number
  /** Where its kind bounds the request body: whether that of `ex` must be whole. Absent: it must. */
  needsRequestBody?(ex: Exchange): boolean
  /**
   * What `handle` would do, by the same tests, without touching anything but `ex`. Null: nobody
   * knows without doing it. Filters of kinds that touch nothing else need none: see `isPure`.
   */
  explain?(ex: Exchange): Forecast | null
  /** What goes on in it now, for the status: plain data that holds for the whole node. */
  state?(): Readonly<Record<string, unknown>>
  /** Called when an exchange that this filter suspended ends early. */
  cancel?(ex: Exchange): void
  /** The pipeline that owned this is gone and its last exchange is done: close what is open. */
  retire?(): void
}

/** What a filter would do with a request, found out without doing it; for `explain`. */
export interface Forecast {
  /** What `handle` would give. */
  readonly code: number
  /** Plain data for people, such as the pool and the server. */
  readonly detail: Readonly<Record<string, unknown>>
}

/** A filter that encloses all that follows it: retry, circuit breaker, time limit. */
export interface WrappingFilter {
  /** OK goes on inside the scope; a result ends or jumps without one; SUSPENDED waits. */
  enter(ex: Exchange, scope: Scope): number
  /** As for {@link Filter}. */
  needsRequestBody?(ex: Exchange): boolean
  /**
   * The inside has ended; `code` is OK, or 1 when some result without a jump stopped it. Returns
   * UNCHANGED, RERUN (having cleared the answer of the attempt), SUSPENDED or a result.
   */
  leave(ex: Exchange, scope: Scope, code: number): number
  /**
   * The inside, or this filter itself when it waits, is given up: no `leave` will follow. `status`
   * says why: what the exchange is answered with instead. 499: the client is gone; 500: a filter
   * threw; 408: the time of a scope around this one is over; 413, 502: a body was too large.
   */
  cancel?(ex: Exchange, scope: Scope, status: number): void
  /** As for {@link Filter}: what `enter` would do. */
  explain?(ex: Exchange): Forecast | null
  /** As for {@link Filter}. */
  state?(): Readonly<Record<string, unknown>>
  retire?(): void
}

/** What a filter may use of its surroundings. */
export interface FilterContext {
  /** Of the pipeline and of the filter. */
  readonly pipeline: string
  readonly name: string
  readonly timers: TimerWheel
  /** Milliseconds on the one clock of the node: what goes into shared words is dated by it. */
  nodeMs(): number
  readonly log: Logger
  readonly upstream: UpstreamClient
  /** The place of another pipeline; one of what `flows(spec)` named. */
  flow(name: string): FlowSlot
  /** Resilience policies of the pipeline; none in v1. */
  readonly policies: Policies
  /**
   * Compiles a text with `[[filter.NAME.req.…]]` variables; one that `templates(spec)` named. In v2
   * texts have no such variables: they come out as they are.
   */
  template(text: string): Template
  /** Words that every worker of the node sees; `key` is one of what `shared(spec)` named. */
  words(key: string): NodeWords
  /** The same for larger memory; one of what `areas(spec)` named. */
  area(key: AreaKey): NodeWords
  /** Node-wide permits in rounds of a key that `permits(spec)` named. */
  permits(key: string): NodePermits
  /** Custom data of the cluster under one of the prefixes that `data(spec)` named. */
  data(prefix: string): CustomDataView
  /** This worker's statistics row of `key`, one of what `stats(spec)` named. */
  stats(key: string): StatsRow
}

export interface FilterModule<S> {
  /** `previous`: the filter of the same name and kind in the generation before, or null. */
  create(spec: S, context: FilterContext, previous: Filter | null): Filter | WrappingFilter
}

/**
 * Everything known about a filter without its engine; one `kind.ts` each. A kind whose fields differ
 * between the dialects has a `kind-v2.ts` as well, of the same `kind` name.
 *
 * In v2 a node of the flow may be in a namespace: `ex.request` and `ex.response` are then those of
 * that namespace, and filters need not care, with three exceptions. `ex.response.isPresent` is false
 * until some filter makes an answer: who adds to one calls `ex.response.ensure()` first, who needs
 * one says so by a result. Outside DEFAULT `ex.request.isPresent` is false until a filter has filled
 * it in. And who reads another namespace takes its number by `namespaceIndex(name)` when it is
 * created, then `ex.requestIn(number)` and `ex.responseIn(number)`: null when there is none.
 */
export interface FilterKind<S = unknown> {
  readonly kind: string
  readonly summary: string
  /** Result i is code i + 1. */
  readonly results: readonly string[]
  /** True when `create` gives a WrappingFilter. */
  readonly wraps: boolean
  /** True when `handle` touches nothing but the exchange, so that `explain` may call it. */
  readonly isPure?: boolean
  /** Fields beside `name` and `kind`. */
  readonly spec: Schema<S>
  /** Largest request body in bytes that must be whole before `handle`; 0 streams. */
  requestBodyBytes?(spec: S): number
  /** Largest response body in bytes that must be whole before `handle`; 0 streams. */
  responseBodyBytes?(spec: S): number
  /** Every text of the spec in which template variables are replaced. */
  templates?(spec: S): readonly string[]
  /** Pipelines that the filter has requests run through, and where the spec names them. */
  flows?(spec: S): readonly FlowReference[]
  /** Keys of the node-wide words the filter uses; equal keys of equal policies keep their state. */
  shared?(spec: S, policies: Policies): readonly string[]
  /** The same for what needs more than a few words. */
  areas?(spec: S, policies: Policies): readonly AreaKey[]
  /** Keys of permits that hold for the node and that no dying worker takes along. */
  permits?(spec: S, policies: Policies): readonly string[]
  /** Resilience policies that the spec names; they must be there. Only in v2. */
  policies?(spec: S): readonly PolicyUse[]
  /** Keys of the statistics rows the filter fills, as they appear in its status. */
  stats?(spec: S): readonly string[]
  /** Prefixes of custom data that the filter looks things up in, from the kind on: `users/`. */
  data?(spec: S): readonly string[]
  /** What the pipeline's status shows for the filter; null (the default): nothing. */
  status?(spec: S, stat: (key: string) => unknown): Readonly<Record<string, unknown>>
  /** Only a worker that runs the filter loads this. */
  load(): Promise<FilterModule<S>>
}

/** Where a spec names a pipeline. */
export interface FlowReference {
  readonly path: readonly (string | number)[]
  readonly name: string
}

/** A FilterKind with the type of its spec forgotten, as registries hold it. */
// biome-ignore lint/suspicious/noExplicitAny: the spec reaches `create` only after its own schema
export type AnyFilterKind = FilterKind<any>

export function defineFilterKind<S>(
  kind: Omit<FilterKind<S>, 'wraps'> & { wraps?: boolean },
): FilterKind<S> {
  return { wraps: false, ...kind }
}
