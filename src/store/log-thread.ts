/**
 * Entry of the log thread. `workerData`: `LogThreadData`; the log is in the folder `log` of the data
 * directory. Messages: `LogRequest` in, `LogReply` out. The thread ends after `stopped`, and
 * after `refused`, when there is nothing left to do.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { AssertionError } from '../lib/assert.js'
import { systemTime } from '../lib/clock.js'
import { DiskError } from '../lib/disk.js'
import { GatewayError } from '../lib/errors.js'
import { NodeDisk } from '../lib/node-disk.js'
import { wakePromptly } from '../lib/thread-priority.js'
import { type DataDirLock, lockDataDir } from './data-dir-lock.js'
import { LogService } from './log/log-service.js'
import type { LogReply, LogRequest } from './log/messages.js'
import { type LogThreadData, transfers } from './spawn-log-thread.js'

const port = parentPort
if (port === null) throw new AssertionError('log-thread.js is started as a worker thread')
const { dataDir, locked, syncs } = workerData as LogThreadData

const PROMPT_AFTER_MS = 1_000

let lock: DataDirLock | null = null

function reply(message: LogReply): void {
  const isLast = message.type === 'stopped' || message.type === 'refused'
  if (isLast) lock?.release()
  port?.postMessage(message, transfers(message))
  if (isLast) port?.close()
}

async function run(): Promise<void> {
  try {
    if (!locked) lock = await lockDataDir(dataDir)
    const disk = new NodeDisk(join(dataDir, 'log'), () => {
      if (syncs !== null) Atomics.add(syncs, 0, 1)
    })
    const salt = randomBytes(4).readUInt32LE()
    const service = new LogService({ disk, timers: systemTime, salt, reply })
    service.open()
    port?.on('message', (request: LogRequest) => service.handle(request))
    // Later, as a start is urgent.
    setTimeout(wakePromptly, PROMPT_AFTER_MS).unref()
  } catch (thrown) {
    const error =
      thrown instanceof DiskError
        ? new GatewayError('STORE_UNAVAILABLE', thrown.message, { errno: thrown.code })
        : GatewayError.from(thrown)
    reply({ type: 'refused', error: error.toJSON() })
  }
}

await run()
