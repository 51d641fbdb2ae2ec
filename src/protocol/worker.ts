import type { MessagePort } from 'node:worker_threads'
import type { Asks } from '../actor/actor.js'
import type { LogLevel } from '../telemetry/log.js'
import type { ProfileOptions } from '../telemetry/profile.js'
import type { ObjectFrames } from './object-frames.js'
import type { ConfigVersion } from './version.js'

/** An object on its way to a worker; each travels as its own msgpack frame. */
export interface ObjectFrame {
  readonly name: string
  readonly kind: string
  /** The decoded spec, packed apart: only who runs the object takes it out. */
  readonly spec: Uint8Array
  /** Versions of the last write and of the creation. */
  readonly version: number
  readonly createdVersion: number
}

/** Every object, in parts, so that no message holds up a worker's loop. */
export interface FullBegin {
  readonly type: 'full-begin'
  readonly to: ConfigVersion
}
export interface FullPart {
  readonly type: 'full-part'
  readonly puts: ObjectFrames
}
export interface FullEnd {
  readonly type: 'full-end'
  readonly to: ConfigVersion
}

/** What goes before a delta that is too long for one message. */
export interface DeltaPart {
  readonly type: 'delta-part'
  readonly puts: ObjectFrames
}

/** What changed between two versions, behind its parts. A worker that is not at `from` asks for the full set. */
export interface Delta {
  readonly type: 'delta'
  readonly from: ConfigVersion
  readonly to: ConfigVersion
  readonly puts: ObjectFrames
  readonly deletes: readonly string[]
}

/** Custom data under a prefix that the worker asked for: all of it, in parts, and then changes. */
export interface DataPart {
  readonly type: 'data'
  readonly prefix: string
  /** `first`: forget what was there. `rest` goes on with that; what came is shown at `isLast`. */
  readonly part: 'first' | 'rest' | 'change'
  readonly isLast: boolean
  /** Key behind the prefix, and JSON text. */
  readonly puts: readonly (readonly [key: string, json: string])[]
  readonly deletes: readonly string[]
}

/** Most-asked paths of a server, of this worker alone. */
export interface GetTopPaths extends Asks<readonly TopPath[]> {
  readonly type: 'get-top-paths'
  readonly server: string
  readonly limit: number
}

/** What goes on in the filters of a pipeline now, by name; null when it has none that say. */
export interface GetFilterStates extends Asks<FilterStates | null> {
  readonly type: 'get-filter-states'
  readonly pipeline: string
}

/** By name of the filter. The same in every worker, as what they hold holds for the node. */
export type FilterStates = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** A request that is not sent: what would become of it? */
export interface ExplainedRequest {
  readonly method: string
  /** Percent-encoded, begins with '/'. */
  readonly path: string
  /** Without the '?'. */
  readonly query: string
  /** The Host field. */
  readonly host: string
  /** Name in lower case and value, in Latin-1 as on the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Where the client is. */
  readonly clientAddress: string
  /** Null when there is none. */
  readonly body: Uint8Array | null
}

export interface ExplainRequest extends Asks<RequestExplanation | null> {
  readonly type: 'explain-request'
  readonly server: string
  readonly request: ExplainedRequest
}

/** What one server would do with a request; null when it does not run. */
export interface RequestExplanation {
  /** With which the server itself answers; 0 when a pipeline gets the request. */
  readonly refusal: number
  /** The IP filter of the server is against the client: no rule was looked at. */
  readonly isServerDenied: boolean
  /** One for each path of each rule; see `Verdict` of the router. */
  readonly paths: readonly {
    readonly rule: number
    readonly path: number
    readonly verdict: string
  }[]
  /** Name of the pipeline; empty when there is none. */
  readonly pipeline: string
  /** Method, path and query as they come out of the flow: what a back end would see. */
  readonly method: string
  readonly target: string
  readonly steps: readonly ExplainedStep[]
  /** Of an answer that a filter would give; 0 when it would come from a back end. */
  readonly status: number
}

/** What a filter would do; see `RehearsedStep` of the pipeline. */
export interface ExplainedStep {
  readonly filter: string
  readonly kind: string
  readonly namespace: string
  readonly result: string
  readonly isAssumed: boolean
  readonly detail: Readonly<Record<string, unknown>>
}

export interface TopPath {
  readonly path: string
  /** Requests by status, then bytes and latency sums, enough for a short statistics block. */
  readonly count: number
  readonly errors: number
  readonly totalMs: number
  readonly minMs: number
  readonly maxMs: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export type CoordinatorToWorker =
  | FullBegin
  | FullPart
  | FullEnd
  | DeltaPart
  | Delta
  | DataPart
  | ExplainRequest
  | GetTopPaths
  | GetFilterStates

/** State of a server's listen socket in one worker. */
export interface ListenerState {
  readonly server: string
  readonly state: 'running' | 'failed'
  /** Why it failed; empty when running. */
  readonly error: string
}

/** Told after each swap, and again when the state of a listen socket changes. */
export interface Serving {
  readonly type: 'serving'
  readonly version: ConfigVersion
  /** Objects whose newest spec could not be put to work; their previous one serves. */
  readonly failed: readonly { readonly name: string; readonly error: string }[]
  readonly listeners: readonly ListenerState[]
}

export interface NeedFull {
  readonly type: 'need-full'
}

/** Every prefix of custom data that the worker has to have at hand from now on. */
export interface WantData {
  readonly type: 'want-data'
  readonly prefixes: readonly string[]
}

export type WorkerToCoordinator = Serving | NeedFull | WantData

/** Where a slot lies: index of the segment, number of the slot in it. */
export interface SlotPlace {
  readonly segment: number
  readonly index: number
}

/**
 * A sort of shared memory: areas of so many bytes, exact counts with a cap (`NodeCap`), or permits
 * in rounds (`NodePermits`).
 */
export type SharedClass = number | 'caps' | 'permits'

/** Shared memory for what a worker is about to build: keys that it does not hold yet. */
export interface ClaimShared extends Asks<SharedGrant> {
  readonly type: 'claim-shared'
  readonly parts: readonly {
    readonly class: SharedClass
    readonly keys: readonly string[]
    /** Segments known already: those from there on come with the answer. */
    readonly segments: number
  }[]
}

/** By part of the claim, in its order. */
export interface SharedGrant {
  readonly parts: readonly {
    readonly places: readonly SlotPlace[]
    readonly segments: readonly SharedArrayBuffer[]
  }[]
}

export interface ReleaseShared {
  readonly type: 'release-shared'
  readonly parts: readonly { readonly class: SharedClass; readonly keys: readonly string[] }[]
}

/** Rows of statistics that a worker began and ceased to write (`StatsBlocks`). */
export interface StatsNewsMessage {
  readonly type: 'stats-news'
  readonly blocks: readonly SharedArrayBuffer[]
  readonly opened: readonly { readonly key: string; readonly row: number }[]
  readonly closed: readonly { readonly key: string; readonly row: number }[]
}

/** May this worker bind the address? Probed without port reuse when nobody here holds it yet. */
export interface ClaimPort extends Asks<PortGrant> {
  readonly type: 'claim-port'
  readonly host: string
  readonly port: number
}

export interface PortGrant {
  readonly granted: boolean
  readonly reason: string
}

export interface ReleasePort {
  readonly type: 'release-port'
  readonly host: string
  readonly port: number
}

/** The worker runs its first full set of objects, with every socket open or known to fail. */
export interface WorkerServes {
  readonly type: 'worker-serves'
}

export type WorkerToRoot =
  | ClaimShared
  | ReleaseShared
  | ClaimPort
  | ReleasePort
  | StatsNewsMessage
  | WorkerServes

/** The way to a (new) coordinator. */
export interface IntroduceCoordinator {
  readonly type: 'introduce-coordinator'
  readonly port: MessagePort
}

/** Stop accepting, end what runs within `timeoutMs`, then exit. */
export interface Drain {
  readonly type: 'drain'
  readonly timeoutMs: number
}

export interface ReopenLogs {
  readonly type: 'reopen-logs'
}

/** What is to be written down of a thread from now on. */
export interface Observe {
  readonly type: 'observe'
  readonly level: LogLevel
  readonly profiles: ProfileOptions
}

/** Closed rows of statistics have been read and may be used again. */
export interface FreeStats {
  readonly type: 'free-stats'
  readonly rows: readonly number[]
}

/** Test-only faults, sent when the server was started for them. */
export interface InjectFault {
  readonly type: 'inject-fault'
  readonly fault: 'throw' | 'loop'
}

export type RootToWorker =
  | IntroduceCoordinator
  | Drain
  | ReopenLogs
  | Observe
  | FreeStats
  | InjectFault
