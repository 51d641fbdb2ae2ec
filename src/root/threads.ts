import type { ClusterSetup } from '../options/options.js'
import type { LogOptions } from '../telemetry/open-log.js'
import type { ProfileOptions } from '../telemetry/profile.js'

export type { ClusterSetup } from '../options/options.js'

/** What a worker thread is started with. */
export interface WorkerThreadData {
  readonly worker: number
  /** How many there are. */
  readonly workers: number
  readonly heartbeat: SharedArrayBuffer
  readonly trafficHost: string
  readonly log: LogOptions
  /** Path of the access log; null for none. */
  readonly accessLog: string | null
  readonly profiles: ProfileOptions
}

/** What the coordinator thread is started with. */
export interface CoordinatorThreadData {
  /** Of `shared/vigil.ts`. */
  readonly vigil: SharedArrayBuffer
  readonly member: string
  readonly memberOptions: Readonly<Record<string, unknown>>
  readonly dataDir: string
  /** Paths in it are relative to the home directory of the process, or absolute. */
  readonly cluster: ClusterSetup
  /** Longest wait for an answer of the cluster. */
  readonly requestTimeoutMs: number
  readonly unknownFields: 'refuse' | 'warn'
  readonly log: LogOptions
  readonly profiles: ProfileOptions
}

/** How often a worker shows that its loop turns. */
export const BEAT_MS = 250
