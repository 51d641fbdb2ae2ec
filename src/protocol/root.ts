import type { MessagePort } from 'node:worker_threads'
import type { ToCoordinator } from './coordinator.js'

/** A worker started: the way to it. */
export interface IntroduceWorker {
  readonly type: 'introduce-worker'
  readonly worker: number
  readonly port: MessagePort
}

export interface WorkerGone {
  readonly type: 'worker-gone'
  readonly worker: number
}

/** A worker's statistics of one key; stays readable after the worker is gone. */
export interface IntroduceStats {
  readonly type: 'introduce-stats'
  readonly worker: number
  readonly stats: Readonly<Record<string, SharedArrayBuffer>>
}

/** Flush, close the log, exit. */
export interface StopCoordinator {
  readonly type: 'stop-coordinator'
}

export interface ReopenCoordinatorLogs {
  readonly type: 'reopen-logs'
}

/** What the root tells the coordinator, beside what the admin actor asks through it. */
export type RootToCoordinator =
  | IntroduceWorker
  | WorkerGone
  | IntroduceStats
  | StopCoordinator
  | ReopenCoordinatorLogs
  | ToCoordinator

/** The coordinator has opened its store and loaded the registry. */
export interface CoordinatorReady {
  readonly type: 'coordinator-ready'
}

export interface CoordinatorStopped {
  readonly type: 'coordinator-stopped'
}

/** The store cannot be opened: `exitCode` ends the process with the message on stderr. */
export interface CoordinatorFailed {
  readonly type: 'coordinator-failed'
  readonly message: string
}

export type CoordinatorToRoot = CoordinatorReady | CoordinatorStopped | CoordinatorFailed
