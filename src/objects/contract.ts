import type { TimerWheel } from '../lib/timer-wheel.js'
import type { NodeWords, StatsRow } from '../shared/contract.js'
import type { Schema } from '../spec/schema.js'
import type { Logger } from '../telemetry/log.js'
import type { UpstreamClient } from '../upstream/contract.js'
import type { PipelineDirectory } from './directory.js'
import type { SocketTable } from './sockets.js'

/** What the objects of one worker share. */
export interface WorkerEnv {
  readonly timers: TimerWheel
  readonly log: Logger
  readonly upstream: UpstreamClient
  readonly pipelines: PipelineDirectory
  readonly sockets: SocketTable
  /** Node-wide words of a key that `shared(spec)` named. */
  words(key: string): NodeWords
  /** This worker's statistics row of a key that `shared(spec)` named. */
  stats(key: string): StatsRow
}

/** Keys an object needs before it is built. */
export interface SharedKeys {
  readonly words: readonly string[]
  readonly stats: readonly string[]
}

/** An object put to work in one worker, in one generation. */
export interface RuntimeObject {
  /** From now on this is what serves: called in the one turn in which a generation is swapped. */
  commit(): void
  /** The object is deleted: as `commit`, for its absence. */
  withdraw(): void
  /** Replaced or withdrawn: let go of what only this generation holds. */
  retire(): void
}

export interface ObjectModule<S> {
  /** May throw: the previous generation of the object then goes on, and its status says why. */
  build(spec: S, meta: ObjectMeta, previous: RuntimeObject | null, env: WorkerEnv): RuntimeObject
}

export interface ObjectMeta {
  readonly name: string
  readonly version: number
  readonly createdVersion: number
}

/** Order in which objects are put to work: what is named comes before what names it. */
export type ObjectCategory = 'business' | 'pipeline' | 'gate'

/** A problem that the schema alone cannot see. */
export interface ObjectProblem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Everything known about an object kind without its engine; one `kind.ts` each. */
export interface ObjectKind<S = unknown> {
  readonly kind: string
  readonly category: ObjectCategory
  readonly summary: string
  /** All fields, `name` and `kind` included. */
  readonly spec: Schema<S>
  /** Fields against each other. */
  check?(spec: S): readonly ObjectProblem[]
  /** Names of other objects that it needs to work. */
  references?(spec: S): readonly ObjectReference[]
  shared(spec: S): SharedKeys
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
