import type { Exchange } from '../http/exchange.js'
import type { TimerWheel } from '../lib/timer-wheel.js'
import type {
  ExplainedRequest,
  FilterStates,
  RequestExplanation,
  TopPath,
} from '../protocol/worker.js'
import type { AreaKey, CustomDataView, NodeWords, StatsRow } from '../shared/contract.js'
import type { NodePermits } from '../shared/permits.js'
import type { NodeCap } from '../shared/rows.js'
import type { Schema } from '../spec/schema.js'
import type { Logger } from '../telemetry/log.js'
import type { UpstreamClient } from '../upstream/contract.js'
import type { PipelineDirectory } from './directory.js'
import type { SocketTable } from './sockets.js'

/** What the objects of one worker share. */
export interface WorkerEnv {
  readonly timers: TimerWheel
  /** Milliseconds on the one clock of the node; see `lib/node-clock.ts`. */
  nodeMs(): number
  readonly log: Logger
  readonly upstream: UpstreamClient
  readonly pipelines: PipelineDirectory
  readonly sockets: SocketTable
  /** Address that servers listen on. */
  readonly trafficHost: string
  /** Counters of servers by name, for their status. */
  readonly topPaths: Map<string, TopPathSource>
  /** Writes a line of the access log; null when that is off. */
  readonly accessLine: ((line: string) => void) | null
  /** Writes the access-log line of a finished exchange; null when that log is off. */
  readonly accessLog: ((ex: Exchange, status: number, durationMs: number) => void) | null
  /** Node-wide words of a key that `shared(spec)` named. */
  words(key: string): NodeWords
  area(key: AreaKey): NodeWords
  cap(key: string): NodeCap
  permits(key: string): NodePermits
  /** Custom data under a prefix that `shared(spec)` named. */
  data(prefix: string): CustomDataView
  /** This worker's statistics row of a key that `shared(spec)` named. */
  stats(key: string): StatsRow
}

export interface TopPathSource {
  top(limit: number): readonly TopPath[]
}

/** Keys an object needs before it is built. */
export interface SharedKeys {
  readonly words: readonly string[]
  readonly areas?: readonly AreaKey[]
  /** Exact counts with a cap. */
  readonly caps: readonly string[]
  /** Exact counts with a cap, in rounds. */
  readonly permits?: readonly string[]
  readonly stats: readonly string[]
  /** Prefixes of custom data that workers have to have at hand. */
  readonly data?: readonly string[]
}

/** An object put to work in one worker, in one generation. */
export interface RuntimeObject {
  /** From now on this is what serves: called in the one turn in which a generation is swapped. */
  commit(): void
  /** The object is deleted: as `commit`, for its absence. */
  withdraw(): void
  /** Replaced or withdrawn: let go of what only this generation holds. */
  retire(): void
  /** Of a server: what it would do with a request, by what it does with others. */
  explain?(request: ExplainedRequest): RequestExplanation
  /** Of a pipeline: what goes on in its filters now. */
  filterStates?(): FilterStates | null
}

export interface ObjectModule<S> {
  /**
   * May throw: the previous generation of the object then goes on, and its status says why. Long
   * work yields every now and then, so that requests go on meanwhile.
   */
  build(spec: S, meta: ObjectMeta, previous: RuntimeObject | null, env: WorkerEnv): Building
}

export type Building = Generator<undefined, RuntimeObject, undefined>

export interface ObjectMeta {
  readonly name: string
  readonly version: number
  readonly createdVersion: number
}

/** Order in which objects are put to work: what is named comes before what names it. */
export type ObjectCategory = 'business' | 'pipeline' | 'gate'

/** What a kind may show in its status, of one member. */
export interface StatusView {
  /** The statistics block of a key that `shared(spec)` named (compat/control-plane.md §7.2). */
  httpStat(key: string): Readonly<Record<string, unknown>>
  /** How often that key was counted, alone. */
  count(key: string): number
  /** The object's listen socket, over all workers; null when it has none. */
  readonly listener: { readonly state: 'running' | 'failed'; readonly error: string } | null
  /** Ten most-asked paths, over all workers, with their statistics block. */
  readonly topPaths: readonly { readonly path: string; readonly status: unknown }[]
  /** Why the newest spec could not be put to work; empty when it could. */
  readonly failure: string
  /** What goes on in the filters of a pipeline; only in the status of one object. */
  readonly filterStates?: FilterStates | null
}

/** Everything known about an object kind without its engine; one `kind.ts` each. */
export interface ObjectKind<S = unknown> {
  readonly kind: string
  readonly category: ObjectCategory
  readonly summary: string
  /** All fields but `name` and `kind`. */
  readonly spec: Schema<S>
  /** The same as v2 writes them, where that differs; see `KindSchemas`. */
  readonly specV2?: Schema<S>
  looksLikeV2?(fields: Readonly<Record<string, unknown>>): boolean
  readonly isV2Only?: boolean
  /** Names of other objects that it needs to work. */
  references?(spec: S): readonly ObjectReference[]
  shared(spec: S, name: string): SharedKeys
  /** What `status get` shows, beside `health` and `timestamp`. */
  status(spec: S, name: string, view: StatusView): Readonly<Record<string, unknown>>
  /** Engines to load before `build` is called with this spec. */
  load(spec: S): Promise<ObjectModule<S>>
}

export interface ObjectReference {
  readonly path: readonly (string | number)[]
  readonly name: string
  /** Kinds that would do. */
  readonly kinds: readonly string[]
}

// biome-ignore lint/suspicious/noExplicitAny: a spec reaches these only after its own schema
export type AnyObjectKind = ObjectKind<any>

export const defineObjectKind = <S>(kind: ObjectKind<S>): ObjectKind<S> => kind
