import type { LogOptions } from '../telemetry/open-log.js'

/** What a worker thread is started with. */
export interface WorkerThreadData {
  readonly worker: number
  readonly heartbeat: SharedArrayBuffer
  readonly trafficHost: string
  readonly log: LogOptions
  /** Path of the access log; null for none. */
  readonly accessLog: string | null
}

/** What the coordinator thread is started with. */
export interface CoordinatorThreadData {
  readonly member: string
  readonly memberOptions: Readonly<Record<string, unknown>>
  readonly dataDir: string
  readonly unknownFields: 'refuse' | 'warn'
  readonly log: LogOptions
}

/** How often a worker shows that its loop turns. */
export const BEAT_MS = 250
