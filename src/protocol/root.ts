import type { MessagePort } from 'node:worker_threads'
import type { ToCoordinator } from './coordinator.js'
import type { Observe, StatsNewsMessage } from './worker.js'

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

/** As the worker told the root, which keeps what is current for the next coordinator. */
export interface WorkerStats {
  readonly type: 'worker-stats'
  readonly worker: number
  readonly news: StatsNewsMessage
}

/** Flush, close the log, exit. */
export interface StopCoordinator {
  readonly type: 'stop-coordinator'
}

export interface ReopenCoordinatorLogs {
  readonly type: 'reopen-logs'
}

/** Test-only: the thread is to throw outside any message, or to hang. */
export interface FailCoordinator {
  readonly type: 'inject-fault'
  readonly fault: 'throw' | 'loop'
}

/** What the root tells the coordinator, beside what the admin actor asks through it. */
export type RootToCoordinator =
  | IntroduceWorker
  | WorkerGone
  | WorkerStats
  | StopCoordinator
  | ReopenCoordinatorLogs
  | Observe
  | FailCoordinator
  | ToCoordinator

/** The coordinator has opened its store and loaded the registry. */
export interface CoordinatorReady {
  readonly type: 'coordinator-ready'
}

/** The store cannot be opened: `exitCode` ends the process with the message on stderr. */
export interface CoordinatorFailed {
  readonly type: 'coordinator-failed'
  readonly message: string
}

/** The node belongs to no cluster yet, and waits for others; said again when the reason changes. */
export interface CoordinatorWaiting {
  readonly type: 'coordinator-waiting'
  readonly reason: string
}

/** The node was taken out of its cluster: the process is to drain and end. */
export interface CoordinatorPurged {
  readonly type: 'coordinator-purged'
  readonly reason: string
}

/** Closed rows of a worker's statistics have been added up. */
export interface StatsRead {
  readonly type: 'stats-read'
  readonly worker: number
  readonly rows: readonly number[]
}

export type CoordinatorToRoot =
  | CoordinatorReady
  | CoordinatorFailed
  | CoordinatorWaiting
  | CoordinatorPurged
  | StatsRead
