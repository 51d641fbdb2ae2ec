import { Worker } from 'node:worker_threads'
import type { LogReply, LogRequest, SpawnLog } from './log/messages.js'

export interface LogThreadData {
  readonly dataDir: string
  /** The caller holds the lock of the data directory (`lockDataDir`) as long as the thread runs. */
  readonly locked: boolean
  /** One word, to count syncs in; null: they are not counted. */
  readonly syncs: Int32Array<SharedArrayBuffer> | null
}

/**
 * Runs the log of `dataDir` on a thread of its own (the built `log-thread.js` beside this file).
 * The thread is a child of the calling one and ends with it. Unless the caller says that it holds
 * the lock of the directory, the thread takes it, and is refused when another process has it.
 */
export function spawnLogThread(
  dataDir: string,
  options: Partial<Omit<LogThreadData, 'dataDir'>> = {},
): SpawnLog {
  const { locked = false, syncs = null } = options
  return (receive, exited) => {
    const thread = new Worker(new URL('./log-thread.js', import.meta.url), {
      workerData: { dataDir, locked, syncs } satisfies LogThreadData,
      // Flags of the process may not fit a thread (`--input-type`).
      execArgv: [],
    })
    let over = false
    const end = (reason: string): void => {
      if (over) return
      over = true
      exited(reason)
    }
    thread.on('message', (reply: LogReply) => {
      if (!over) receive(reply)
    })
    thread.on('error', (error) => end(error instanceof Error ? error.message : String(error)))
    thread.on('exit', (code) => end(`exit code ${code}`))
    return {
      tell(request: LogRequest): void {
        thread.postMessage(request, transfers(request))
      },
    }
  }
}

/** The buffers a message gives away. */
export function transfers(message: LogRequest | LogReply): ArrayBuffer[] {
  if ('bytes' in message && message.bytes instanceof Uint8Array) return [message.bytes.buffer]
  if ('entries' in message) return [message.entries.bytes.buffer]
  return []
}
