import type { LogLevel } from '../telemetry/log.js'
import type { ProfileOptions } from '../telemetry/profile.js'

/** What the admin API knows of the process it is in, and may do with it. */
export interface NodeControls {
  /** Who this member is. */
  readonly member: string
  readonly clusterName: string
  readonly clusterRole: string
  /** Where relative paths begin. */
  readonly homeDir: string
  /** Path of the log of all threads, JSON lines. */
  readonly logFile: string
  logLevel(): LogLevel
  /** For all threads, from now on. */
  setLogLevel(level: LogLevel): void
  /** Where profiles of all threads go, each with the name of the thread behind; null: none. */
  profiles(): ProfileOptions
  /** Ends and writes what is null now, begins what was null; paths are absolute. */
  setProfiles(options: ProfileOptions): void
}
