import type { Asks } from '../actor/actor.js'
import type { Dialect } from '../spec/document.js'
import type { CustomData } from './custom-data.js'
import type { ConfigVersion } from './version.js'
import type { ExplainedRequest, RequestExplanation } from './worker.js'

/** An object as the registry holds it. */
export interface StoredObject {
  readonly name: string
  readonly kind: string
  /** As it was sent, comments and order kept. */
  readonly text: string
  /** Decoded, defaults filled in, durations in milliseconds, sizes in bytes. */
  readonly spec: unknown
  /** Configuration version of the write that made it so. */
  readonly version: number
  /** Of the write that created it. */
  readonly createdVersion: number
  /** By which it was decoded. */
  readonly dialect: Dialect
  /** When it was created, in Unix milliseconds; 0 when that was not written down. */
  readonly createdMs: number
}

/** `create`: must not exist. `update`: must exist with that kind. `apply`: whichever fits. */
export type PutMode = 'create' | 'update' | 'apply'

/** `cluster`: answered once the workers of every live member run it, or after the longest wait. */
export type WriteWait = 'node' | 'cluster'

/** `local`: what this node has, at once. Default: all that was acknowledged anywhere before. */
export type ReadConsistency = 'linearizable' | 'local'

export interface PutObject extends Asks<WriteResult> {
  readonly type: 'put-object'
  readonly mode: PutMode
  /** Name from the URL, which the document must bear; null when the URL names none. */
  readonly name: string | null
  readonly text: string
  /** Of the route by which it came; the document itself may say otherwise. */
  readonly dialect: Dialect
  /** Refuse with VERSION_CONFLICT unless the object was last written at this version; null: any. */
  readonly ifMatch: number | null
  /** Check only, change nothing. */
  readonly dryRun: boolean
  /** Chosen by the client; a repeated write with the same id is applied at most once. */
  readonly requestId: string
  /** Default: `node`. */
  readonly wait?: WriteWait
}

export interface DeleteObject extends Asks<WriteResult> {
  readonly type: 'delete-object'
  readonly name: string
  readonly ifMatch: number | null
  readonly requestId: string
  /** Default: `node`. */
  readonly wait?: WriteWait
}

export interface DeleteAllObjects extends Asks<WriteResult> {
  readonly type: 'delete-all-objects'
  readonly requestId: string
  /** Default: `node`. */
  readonly wait?: WriteWait
}

export interface WriteResult {
  readonly name: string
  readonly kind: string
  /** Configuration version after the write; unchanged when the spec was the same. */
  readonly version: ConfigVersion
  /** False when the text decodes to the spec that was there already: nothing was rebuilt. */
  readonly changed: boolean
  readonly created: boolean
  /** Accepted, but a person should know: a named pipeline is not there yet, a port is taken. */
  readonly warnings: readonly string[]
  /** Who does not run the change yet after the wait; empty is the rule. */
  readonly lagging: readonly string[]
}

export interface GetObject extends Asks<Stamped<StoredObject>> {
  readonly type: 'get-object'
  readonly name: string
  readonly consistency?: ReadConsistency
}

export interface ListObjects extends Asks<Stamped<readonly StoredObject[]>> {
  readonly type: 'list-objects'
  readonly consistency?: ReadConsistency
}

/** member name → status of the object there. */
export type StatusByMember = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface GetObjectStatus extends Asks<Stamped<StatusByMember>> {
  readonly type: 'get-object-status'
  readonly name: string
  readonly consistency?: ReadConsistency
}

export interface ListObjectStatus extends Asks<Stamped<Readonly<Record<string, StatusByMember>>>> {
  readonly type: 'list-object-status'
  readonly consistency?: ReadConsistency
}

export interface MemberStatus {
  /** The start-up options, keys and order as `--print-config` shows them. */
  readonly options: Readonly<Record<string, unknown>>
  /** RFC 3339. */
  readonly lastHeartbeatTime: string
  /** Null on a reader. `id` in hex, `startTime` in RFC 3339, `state` such as Leader. */
  readonly etcd: { readonly id: string; readonly startTime: string; readonly state: string } | null
  /** How far its clock is ahead of that of the answering node, in ms; absent while not known. */
  readonly clockOffsetMs?: number
}

/** A figure of this node that belongs to no object. */
export interface NodeMetric {
  /** As Prometheus has names; the unit is its last word. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ListNodeMetrics extends Asks<readonly NodeMetric[]> {
  readonly type: 'list-node-metrics'
}

export interface ListMembers extends Asks<Stamped<readonly MemberStatus[]>> {
  readonly type: 'list-members'
  readonly consistency?: ReadConsistency
}

export interface PurgeMember extends Asks<Stamped<null>> {
  readonly type: 'purge-member'
  readonly name: string
}

/** What a request that is not sent would come to. */
export interface ExplainTraffic extends Asks<Stamped<TrafficExplanation>> {
  readonly type: 'explain-traffic'
  /** Port that the client would connect to. */
  readonly port: number
  /** Ask this one, whatever its port; null: the one that listens on the port. */
  readonly server: string | null
  readonly request: ExplainedRequest
}

export interface TrafficExplanation {
  /** Every server there is. */
  readonly servers: readonly {
    readonly name: string
    readonly port: number
    /** Of its socket: `nil` where nothing is known of it. */
    readonly state: string
  }[]
  /** Who gets the request; null when nobody does. */
  readonly server: string | null
  /** What it would do; null when there is none, or it does not run. */
  readonly explanation: RequestExplanation | null
}

export interface GetConfigVersion extends Asks<Stamped<null>> {
  readonly type: 'get-config-version'
}

/** A read, with the configuration version it shows. */
export interface Stamped<T> {
  readonly value: T
  readonly version: ConfigVersion
  /** Seconds since the state was known to be current; null when it is. */
  readonly staleSeconds: number | null
}

/** What the admin actor asks of the coordinator. Failures are GatewayErrors. */
export type ToCoordinator =
  | PutObject
  | DeleteObject
  | DeleteAllObjects
  | GetObject
  | ListObjects
  | GetObjectStatus
  | ListObjectStatus
  | ListMembers
  | PurgeMember
  | GetConfigVersion
  | ListNodeMetrics
  | ExplainTraffic
  | CustomData
