import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What one run of wrk saw. */
export interface Load {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Bytes of answers, heads included. */
  readonly bytes: number
  /** Not answered, or with a status of 400 and above. */
  readonly errors: number
}

export interface LoadOptions {
  readonly program: string
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** Bytes of the body; 0 sends GET, else POST. */
  readonly bodyBytes: number
  /** Where its script may be written. */
  readonly folder: string
}

/** wrk hands its figures to `done`; no hook is set that runs once a request. */
const DONE = `
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT %d %d %d %d %.0f %.0f\\n', summary.requests, summary.duration,
    summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`
const RESULT = /^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m
/** wrk gives up on its own; this is for the case that it does not. */
const PATIENCE_MS = 20_000

export function runWrk(options: LoadOptions): Promise<Load> {
  const { program, url, connections, seconds, bodyBytes, folder } = options
  const script = join(folder, `wrk-${bodyBytes}.lua`)
  const post = `wrk.method = 'POST'\nwrk.body = string.rep('x', ${bodyBytes})\n`
  writeFileSync(script, bodyBytes === 0 ? DONE : post + DONE)
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url]
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const patience = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + PATIENCE_MS)
    let text = ''
    child.stdout.on('data', (data: Buffer) => {
      text += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => {
      text += data.toString()
    })
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(patience)
      const result = RESULT.exec(text)
      if (result === null) {
        reject(new Error(`wrk gave no result:\n${text}`))
        return
      }
      const [requests, micros, bytes, errors, p50, p99] = result.slice(1).map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      resolve({
        requests,
        seconds: micros / 1e6,
        bytes,
        errors,
        p50Ms: p50 / 1000,
        p99Ms: p99 / 1000,
      })
    })
  })
}
