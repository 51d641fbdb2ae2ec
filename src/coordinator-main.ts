import { workerData } from 'node:worker_threads'
import type { ThreadData } from './actor/threads.js'
import { CoordinatorThread } from './coordinator/coordinator-thread.js'
import { giveWay } from './lib/thread-priority.js'
import type { CoordinatorThreadData } from './root/threads.js'

const { incarnation, ports, data } = workerData as ThreadData<'root', CoordinatorThreadData>
// Requests come first; the threads of the log and of validation follow, as they are started in here.
giveWay()
new CoordinatorThread(ports.root, data, incarnation === 1).start()
