import { workerData } from 'node:worker_threads'
import type { ThreadData } from './actor/threads.js'
import { CoordinatorThread } from './coordinator/coordinator-thread.js'
import type { CoordinatorThreadData } from './root/threads.js'

const { incarnation, ports, data } = workerData as ThreadData<'root', CoordinatorThreadData>
new CoordinatorThread(ports.root, data, incarnation === 1).start()
