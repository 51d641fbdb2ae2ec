import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../native-bench/', import.meta.url))

/** With NATIVE_BENCH_SANITIZE=1 the programs run under the address and undefined sanitizers. */
const sanitized = process.env['NATIVE_BENCH_SANITIZE'] === '1'
const build = `${folder}${sanitized ? 'build-sanitized' : 'build'}`

export type Finished = { code: number | null; stdout: string; stderr: string }

/** The parts of the load generator's JSON that tests look at; see native-bench/README.md. */
export type LoadReport = {
  interrupted: boolean
  elapsedSeconds: number
  requests: number
  ok: number
  rps: number
  errors: Record<
    'total' | 'connect' | 'reset' | 'timeout' | 'malformed' | 'status' | 'body',
    number
  >
  errorSamples: { kind: string; request?: number; detail: string }[]
  errorsInWarmup: number
  statuses: Record<string, number>
  bytesIn: number
  bytesOut: number
  connections: { opened: number; closedWhileIdle: number }
  sentAgain: number
  abandoned: number
  latency: Latency & { histogram: string }
  serviceTime: Latency
  connectTime: Latency
  client: {
    userSeconds: number
    systemSeconds: number
    waitingSeconds: number
    busiestThreadShare: number
    saturated: boolean
    starved: boolean
  }
  watched?: { processes: number; cpuSeconds: number; residentBytesAfter: number }
  tls?: string
  seconds: { ok: number; errors: number; p50: number; p99: number; max: number }[]
}

type Latency = Record<
  'count' | 'min' | 'mean' | 'p50' | 'p75' | 'p90' | 'p95' | 'p99' | 'p999' | 'p9999' | 'max',
  number
>

/** True when the program can be started here. */
export function installed(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0" || test -x "/usr/sbin/$0"', program]).status === 0
}

/** Builds the programs; returns why they cannot be tested, or `undefined`. */
export function buildNativeBench(): string | undefined {
  for (const program of ['g++', 'make']) {
    if (installed(program)) continue
    const reason = `native-bench: ${program} is not installed (Debian: apt-get install -y g++ make); skipped`
    process.stderr.write(`${reason}\n`)
    return reason
  }
  const made = spawnSync('make', ['-s', '-j2', '-C', folder, `SANITIZE=${sanitized ? 1 : 0}`], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`make failed:\n${made.stdout}${made.stderr}`)
  return undefined
}

/** Runs a program of the bench to its end. */
export async function run(
  program: 'loadgen' | 'origin' | 'parser-check' | '../compare.sh',
  args: readonly string[],
): Promise<Finished> {
  const child = spawn(`${build}/${program}`, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Runs the load generator and returns its report; a run that could not start throws. */
export async function load(...args: string[]): Promise<LoadReport> {
  const { stdout, stderr } = await run('loadgen', ['--quiet', '--json', ...args])
  if (stdout === '') throw new Error(`loadgen: ${stderr}`)
  return JSON.parse(stdout) as LoadReport
}

/** A running origin; `stop` ends it. */
export class Origin {
  readonly urls: readonly string[]
  readonly pid: number
  readonly #child: ChildProcess

  constructor(child: ChildProcess, urls: readonly string[]) {
    this.#child = child
    this.urls = urls
    this.pid = child.pid ?? 0
  }

  get url(): string {
    return this.urls[0] ?? ''
  }

  /** Resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    this.#child.kill('SIGTERM')
    const [code] = (await once(this.#child, 'exit')) as [number | null]
    return code
  }
}

/** Starts an origin on ports the system chooses and waits for its ready line. */
export async function startOrigin(...args: string[]): Promise<Origin> {
  const child = spawn(`${build}/origin`, ['--die-with-parent', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const data of child.stdout) {
    text += String(data)
    if (text.includes('\n')) break
  }
  const words = text.trim().split(' ')
  if (words[0] !== 'ready') throw new Error(`origin did not start: "${text}"`)
  return new Origin(
    child,
    words.slice(1).map((address) => `http://${address}`),
  )
}
