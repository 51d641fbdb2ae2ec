import { workerData } from 'node:worker_threads'
import type { ThreadData } from './actor/threads.js'
import { CoordinatorThread } from './coordinator/coordinator-thread.js'
import { systemTime } from './lib/clock.js'
import { collectAtRest } from './lib/idle-collector.js'
import { giveWay, START_UP_MS, wakePromptly } from './lib/thread-priority.js'
import type { CoordinatorThreadData } from './root/threads.js'

/** What it does for a few thousand objects every five seconds is less. */
const REST_SHARE = 0.05

const { incarnation, ports, data } = workerData as ThreadData<'root', CoordinatorThreadData>
new CoordinatorThread(ports.root, data, incarnation === 1).start()
// A start or restart is urgent.
setTimeout(() => {
  giveWay()
  wakePromptly()
}, START_UP_MS).unref()
collectAtRest(systemTime, REST_SHARE)
