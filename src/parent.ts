import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { HEAD_BYTES_MAX, HEAD_BYTES_VARIABLE } from './listener/head-limit.js'

/**
 * The process that users start: it runs the server as its child and starts it again when it dies
 * after having served. It loads no native code, so nothing can take it down with the child.
 */
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))
const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 10_000
/** A child that ran this long starts the back-off anew. */
const STEADY_MS = 30_000

let child: ChildProcess | null = null
let served = false
let stopping = false
let backoffMs = BACKOFF_MIN_MS

function start(): void {
  const startedMs = Date.now()
  const current = spawn(process.execPath, [...process.execArgv, MAIN, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [HEAD_BYTES_VARIABLE]: String(HEAD_BYTES_MAX) },
  })
  child = current
  current.on('message', () => {
    served = true
  })
  current.on('error', (error) => {
    process.stderr.write(`easegress-server: cannot start: ${error.message}\n`)
    process.exit(1)
  })
  current.on('exit', (code, signal) => ended(code, signal, Date.now() - startedMs))
}

function ended(code: number | null, signal: NodeJS.Signals | null, ranMs: number): void {
  child = null
  // A signal that came before the child could handle it did what it was sent for.
  if (stopping && (signal === 'SIGTERM' || signal === 'SIGINT')) process.exit(0)
  if (stopping || !served || code === 0) process.exit(code ?? 1)
  if (ranMs > STEADY_MS) backoffMs = BACKOFF_MIN_MS
  const how = signal === null ? `exit code ${code}` : signal
  process.stderr.write(`easegress-server: server ended (${how}), starting it again\n`)
  setTimeout(start, backoffMs)
  backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)
}

function stop(signal: NodeJS.Signals): void {
  if (stopping) {
    child?.kill('SIGKILL')
    process.exit(255)
  }
  stopping = true
  if (child === null) process.exit(0)
  child.kill(signal)
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.on('SIGHUP', () => child?.kill('SIGHUP'))
start()
