import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Answer, ask } from './http.js'
import { EGCTL, PARENT } from './paths.js'
import { childrenOf, type Ended, killPid, Program } from './program.js'
import { until } from './wait.js'

export interface GatewayOptions {
  readonly home: string
  readonly apiPort: number
  readonly workers?: number
  /** Further flags. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Any object of the gateway, as a document. JSON is YAML. */
export type Document = { readonly kind: string; readonly name: string } & Record<string, unknown>

const START_MS = 15_000

/** One gateway: the parent process and its child, reached by admin API and egctl alone. */
export class Gateway {
  readonly home: string
  readonly apiPort: number
  program: Program
  /** Every process of it that was seen, for the end. */
  readonly #pids = new Set<number>()
  readonly #options: GatewayOptions

  constructor(options: GatewayOptions) {
    this.home = options.home
    this.apiPort = options.apiPort
    this.#options = options
    this.program = this.#spawn()
  }

  #spawn(): Program {
    const { home, apiPort, workers = 2, flags = [], env = {} } = this.#options
    const program = new Program(
      'easegress-server',
      process.execPath,
      [
        PARENT,
        ...['--home-dir', home, '--api-addr', `127.0.0.1:${apiPort}`],
        ...['--traffic-host', '127.0.0.1', '--workers', String(workers)],
        ...flags,
      ],
      { cwd: home, env },
    )
    this.#pids.add(program.pid)
    return program
  }

  /** Starts it again after its end, with the same options. */
  async restart(): Promise<void> {
    this.respawn()
    await this.healthy()
  }

  /** The same, not waited for. */
  respawn(): void {
    this.program = this.#spawn()
  }

  /** Waits until the admin API answers. */
  async healthy(withinMs = START_MS): Promise<void> {
    await until('a healthy server', withinMs, async () => {
      if (this.program.isEnded) throw new Error(`the server ended:\n${this.program.output()}`)
      return (await this.admin('GET', '/healthz')).status === 200
    })
    this.#pids.add(this.childPid())
  }

  /** The process that serves. */
  childPid(): number {
    const [pid] = childrenOf(this.program.pid)
    if (pid === undefined) throw new Error('the server has no child process')
    this.#pids.add(pid)
    return pid
  }

  get isEnded(): boolean {
    return this.program.isEnded
  }

  hasChild(): boolean {
    return childrenOf(this.program.pid).length > 0
  }

  /** `path` below `/apis/v1`. */
  admin(
    method: string,
    path: string,
    body?: string | Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return ask({
      port: this.apiPort,
      method,
      path: `/apis/v1${path}`,
      headers: {
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
  }

  /** These three fail unless the server says yes; the answer is for its headers. */
  async create(document: Document): Promise<Answer> {
    return expectStatus(await this.admin('POST', '/objects', JSON.stringify(document)), 201)
  }

  async update(document: Document): Promise<Answer> {
    const path = `/objects/${document.name}`
    return expectStatus(await this.admin('PUT', path, JSON.stringify(document)), 200)
  }

  async remove(name: string): Promise<Answer> {
    return expectStatus(await this.admin('DELETE', `/objects/${name}`), 200)
  }

  async configVersion(): Promise<number> {
    const { headers } = await this.admin('GET', '/objects')
    return Number(headers['x-config-version'])
  }

  /** A figure of the node itself, as Prometheus reads it. */
  async metric(name: string): Promise<number> {
    const answer = await ask({ port: this.apiPort, path: '/apis/v2/metrics' })
    const { text } = expectStatus(answer, 200)
    const found = new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(text)
    if (found === null) throw new Error(`no ${name} in ${text}`)
    return Number(found[1])
  }

  /** Status of one object on the only member. */
  async status(name: string): Promise<Record<string, unknown>> {
    const { text } = expectStatus(
      await this.admin('GET', `/status/objects/${name}`, undefined, { accept: 'application/json' }),
      200,
    )
    const members = JSON.parse(text) as Record<string, Record<string, unknown>>
    return Object.values(members)[0] as Record<string, unknown>
  }

  egctl(
    args: readonly string[],
    stdin = '',
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    return run(process.execPath, [EGCTL, ...args], {
      stdin,
      // Whatever ~/.egctlrc the person has who runs the tests.
      env: { EGCTL_SERVER: `127.0.0.1:${this.apiPort}`, HOME: this.home, ...env },
    })
  }

  /** SIGTERM, and the end of the parent. */
  stop(): Promise<Ended> {
    this.program.kill('SIGTERM')
    return this.program.end()
  }

  /** `kill -9` of parent and child. */
  async kill9(): Promise<void> {
    const pids = [this.program.pid, ...childrenOf(this.program.pid)]
    for (const pid of pids) killPid(pid, 'SIGKILL')
    await this.program.end()
  }

  /** Ends whatever of it still runs. */
  async dispose(): Promise<void> {
    for (const pid of childrenOf(this.program.pid)) this.#pids.add(pid)
    this.program.kill('SIGKILL')
    for (const pid of this.#pids) if (isOurs(pid)) killPid(pid, 'SIGKILL')
    await this.program.end()
  }

  get log(): string {
    try {
      return readFileSync(join(this.home, 'log', 'stdout.log'), 'utf8')
    } catch {
      return ''
    }
  }
}

/** Guards against a process id that belongs to somebody else by now. */
function isOurs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/dist/src/')
  } catch {
    return false
  }
}

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export async function run(
  command: string,
  args: readonly string[],
  options: ConstructorParameters<typeof Program>[3] = {},
): Promise<CommandResult> {
  const program = new Program(command, command, args, options)
  const { code } = await program.end(30_000)
  return { code, stdout: program.stdout, stderr: program.stderr }
}

export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status === status) return answer
  throw new Error(`expected status ${status}, got ${answer.status}: ${answer.text}`)
}
