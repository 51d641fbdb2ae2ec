import { spawn } from 'node:child_process'
import { onCores } from './tools.js'

/** What is asked of a server; the words are those of `loadgen --help`. */
export interface Load {
  readonly connections: number
  /** Default {@link DEFAULT_TARGET}. */
  readonly path?: string
  readonly method?: string
  /** Of each request's body; 0, the default, for none. */
  readonly bodyBytes?: number
  /** A file of requests instead of one. */
  readonly mix?: string
  /** Of the mix: one after the other, in place of by chance. */
  readonly inTurn?: boolean
  /** Length that the body of every answer must have. */
  readonly expectBytes?: number
  /** Default `2xx`. */
  readonly expectStatus?: string
  readonly pipeline?: number
  readonly requestsPerConnection?: number
  /** Open loop: requests a second. */
  readonly rate?: number
  /** Idle: each connection asks once in so many seconds. */
  readonly idleEverySeconds?: number
  /** Ends after so many requests instead of after its seconds. */
  readonly requests?: number
  readonly timeoutSeconds?: number
  /** Wrong answers are counted instead of ending the bench. */
  readonly toleratesErrors?: boolean
}

export const DEFAULT_TARGET = '/pipeline'

export interface Target {
  readonly port: number
  readonly tls?: boolean
  /** Its CPU time and memory are reported; 0 for none. */
  readonly pid: number
}

/** Percentiles in nanoseconds. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The part of `loadgen --json` that the bench reads; see native-bench/README.md. */
export interface LoadReport {
  readonly requests: number
  readonly ok: number
  readonly elapsedSeconds: number
  readonly errors: Readonly<Record<string, number>> & { readonly total: number }
  readonly errorSamples: readonly { readonly kind: string; readonly detail: string }[]
  readonly statuses: Readonly<Record<string, number>>
  readonly bytesIn: number
  readonly bytesOut: number
  readonly latency: Percentiles & { readonly histogram: string }
  readonly serviceTime: Percentiles
  readonly client: { readonly saturated: boolean; readonly starved: boolean }
  readonly watched?: {
    readonly cpuSeconds: number
    readonly userSeconds: number
    readonly systemSeconds: number
    readonly residentBytesAfter: number
  }
}

/**
 * Where several requests are due in this time, they are sent together: waking up for each costs the
 * load generator more than the request, on cores that the server or the back end may need.
 */
const TICK_MICROS = 100

/** Arguments of loadgen for `load` over `seconds`, after `warmUpSeconds` that do not count. */
export function loadgenArgs(
  load: Load,
  target: Target,
  seconds: number,
  warmUpSeconds: number,
): string[] {
  const args = ['--quiet', '--json', '-c', String(load.connections)]
  const add = (option: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== 0) args.push(option, String(value))
  }
  if (load.requests === undefined) args.push('-d', `${Math.round(seconds * 1000)}ms`)
  else args.push('-n', String(load.requests))
  if (warmUpSeconds > 0) args.push('--warmup', `${Math.round(warmUpSeconds * 1000)}ms`)
  add('--method', load.method)
  add('--body-bytes', load.bodyBytes)
  add('--mix', load.mix)
  if (load.inTurn === true) args.push('--in-turn')
  add('--expect-bytes', load.expectBytes)
  add('--expect-status', load.expectStatus)
  add('--pipeline', load.pipeline)
  add('--requests-per-connection', load.requestsPerConnection)
  add('--rate', load.rate === undefined ? undefined : Math.max(1, Math.round(load.rate)))
  if ((load.rate ?? 0) > 1e6 / TICK_MICROS) args.push('--tick', `${TICK_MICROS}us`)
  if (load.idleEverySeconds !== undefined) args.push('--idle-every', `${load.idleEverySeconds}s`)
  if (load.timeoutSeconds !== undefined) {
    args.push('--timeout', `${Math.round(load.timeoutSeconds * 1000)}ms`)
  }
  if (target.tls === true) args.push('--insecure', '--server-name', 'localhost')
  add('--watch-pid', target.pid)
  const scheme = target.tls === true ? 'https' : 'http'
  args.push(`${scheme}://127.0.0.1:${target.port}${load.path ?? DEFAULT_TARGET}`)
  return args
}

/** What a load that must be answered rightly got instead, or null when all is well. */
export function complaintOf(load: Load, report: LoadReport): string | null {
  if (report.requests === 0) return 'nothing was answered'
  if (load.toleratesErrors === true || report.errors.total === 0) return null
  const sample = report.errorSamples[0]
  const first = sample === undefined ? '' : `, first ${sample.kind}: ${sample.detail}`
  return `${report.errors.total} wrong answers in ${report.requests} requests${first}`
}

/** It ends on its own; this is for the case that it does not. */
const PATIENCE_SECONDS = 30
const TRIES_MAX = 3

export interface LoadgenOptions {
  /** Path of the program. */
  readonly program: string
  readonly cores: string | null
  readonly target: Target
  readonly seconds: number
  readonly warmUpSeconds?: number
}

/** Runs one load. Rejects when loadgen fails, or an answer was wrong ({@link complaintOf}). */
export async function runLoadgen(load: Load, options: LoadgenOptions): Promise<LoadReport> {
  const { program, cores, target, seconds, warmUpSeconds = 0 } = options
  const args = loadgenArgs(load, target, seconds, warmUpSeconds)
  const patience = seconds + warmUpSeconds + (load.timeoutSeconds ?? 10) + PATIENCE_SECONDS
  let report: LoadReport
  let tries = 0
  do {
    tries += 1
    report = JSON.parse(await output(...onCores(cores, program, args), patience)) as LoadReport
    // A short slice on a busy machine may pass without the server's turn.
  } while (report.requests === 0 && tries < TRIES_MAX)
  const complaint = complaintOf(load, report)
  if (complaint !== null) throw new Error(complaint)
  return report
}

function output(program: string, args: readonly string[], seconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const patience = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
    const said: Buffer[] = []
    let complaints = ''
    child.stdout.on('data', (data: Buffer) => said.push(data))
    child.stderr.on('data', (data: Buffer) => {
      complaints += data.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(patience)
      if (code === 0) resolve(Buffer.concat(said).toString())
      else reject(new Error(`loadgen failed (${code ?? 'killed'}): ${complaints.trim()}`))
    })
  })
}
