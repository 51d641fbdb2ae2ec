import { workerData } from 'node:worker_threads'
import type { ThreadData } from './actor/threads.js'
import type { WorkerThreadData } from './root/threads.js'
import { WorkerThread } from './worker/worker-thread.js'

const { ports, data } = workerData as ThreadData<'root', WorkerThreadData>
new WorkerThread(ports.root, data).start()
