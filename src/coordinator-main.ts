import { workerData } from 'node:worker_threads'
import type { ThreadData } from './actor/threads.js'
import { CoordinatorThread } from './coordinator/coordinator-thread.js'
import { systemTime } from './lib/clock.js'
import { collectAtRest } from './lib/idle-collector.js'
import { giveWay, wakePromptly } from './lib/thread-priority.js'
import type { CoordinatorThreadData } from './root/threads.js'

/** By then all workers serve, also on a slow machine. */
const START_UP_MS = 5_000
/** What it does for a few thousand objects every five seconds is less. */
const REST_SHARE = 0.05

const { incarnation, ports, data } = workerData as ThreadData<'root', CoordinatorThreadData>
new CoordinatorThread(ports.root, data, incarnation === 1).start()
// Requests come first, but not before there are workers: a start or restart is urgent.
setTimeout(() => {
  giveWay()
  wakePromptly()
}, START_UP_MS).unref()
collectAtRest(systemTime, REST_SHARE)
