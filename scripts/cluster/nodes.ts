/** Real nodes of one cluster as child processes, for scripts that measure. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Cables } from './cables.js'

const PARENT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src', 'parent.js')
const START_MS = 60_000

export const say = (text: string): void => void process.stdout.write(`${text}\n`)

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

export interface Answer {
  readonly status: number
  readonly version: number
  readonly stale: string | null
  readonly text: string
}

export interface Asked {
  readonly host: string
  readonly port: number
  readonly method?: string
  readonly path: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent
  readonly timeoutMs?: number
}

export function ask(asked: Asked): Promise<Answer> {
  const { host, port, method = 'GET', path, body, headers = {}, agent, timeoutMs = 15_000 } = asked
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const asking = request(
      { host, port, method, path, headers: { ...length, ...headers }, agent: agent ?? false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const { statusCode: status = 0, headers: got } = response
          const version = Number(got['x-config-version'] ?? 0)
          const stale = got['x-easegress-stale']
          resolve({
            status,
            version,
            stale: typeof stale === 'string' ? stale : null,
            text: Buffer.concat(chunks).toString('utf8'),
          })
        })
      },
    )
    asking.setTimeout(timeoutMs, () => asking.destroy(new Error(`no answer in ${timeoutMs} ms`)))
    asking.on('error', reject)
    asking.end(body)
  })
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

type Env = Readonly<Record<string, string>>

export class Node {
  readonly name: string
  readonly home: string
  readonly address: string
  readonly apiPort: number
  readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })
  readonly #args: readonly string[]
  readonly #env: Env
  #process: ChildProcess | null = null

  constructor(
    name: string,
    home: string,
    address: string,
    apiPort: number,
    args: readonly string[],
    env: Env,
  ) {
    this.name = name
    this.home = home
    this.address = address
    this.apiPort = apiPort
    this.#args = args
    this.#env = env
  }

  start(): void {
    const output = openSync(join(this.home, 'output.log'), 'a')
    this.#process = spawn(process.execPath, [PARENT, ...this.#args], {
      cwd: this.home,
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', output, output],
    })
    closeSync(output)
  }

  admin(
    method: string,
    path: string,
    body?: string,
    headers: Readonly<Record<string, string>> = {},
    timeoutMs = 15_000,
  ): Promise<Answer> {
    const { apiPort: port, agent } = this
    return ask({
      host: '127.0.0.1',
      port,
      method,
      path: `/apis/v1${path}`,
      headers,
      agent,
      timeoutMs,
      ...(body === undefined ? {} : { body }),
    })
  }

  async healthy(): Promise<void> {
    const untilMs = performance.now() + START_MS
    for (;;) {
      try {
        if ((await this.admin('GET', '/healthz', undefined, {}, 2_000)).status === 200) return
      } catch {
        // not yet
      }
      if (performance.now() > untilMs) throw new Error(`${this.name}: ${this.tail()}`)
      await sleep(20)
    }
  }

  /** The last it logged. */
  tail(lines = 8): string {
    const all = readFileSync(join(this.home, 'output.log'), 'utf8').split('\n')
    return all.slice(-lines).join('\n')
  }

  /** The process that serves. */
  get childPid(): number {
    const pid = this.#process?.pid ?? 0
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return Number(child)
  }

  signalChild(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.childPid, signal)
  }

  /** Parent and child at once. */
  kill9(): void {
    const child = this.childPid
    this.#process?.kill('SIGKILL')
    process.kill(child, 'SIGKILL')
    this.agent.destroy()
  }

  async stop(): Promise<void> {
    const ended = this.#process
    if (ended === null || ended.exitCode !== null || ended.signalCode !== null) return
    const over = new Promise<void>((resolve) => {
      ended.once('exit', () => resolve())
    })
    ended.kill('SIGTERM')
    const late = setTimeout(() => this.kill9(), 20_000)
    await over
    clearTimeout(late)
    this.agent.destroy()
  }
}

export interface NodesOptions {
  readonly workers?: number
  /** Between the nodes; the caller's to close. */
  readonly cables?: Cables
  /** Of a node, by its home directory. */
  readonly env?: (home: string) => Env
}

export class Nodes {
  readonly all: readonly Node[]
  readonly #dir: string

  private constructor(all: readonly Node[], dir: string) {
    this.all = all
    this.#dir = dir
  }

  /** Started and healthy, in a directory that goes away with them. */
  static async start(
    count: number,
    flags: readonly string[] = [],
    options: NodesOptions = {},
  ): Promise<Nodes> {
    const { workers = 1, env = () => ({}), cables } = options
    const dir = mkdtempSync(join(tmpdir(), 'easegress-nodes-'))
    const ports: number[] = []
    while (ports.length < 4 * count) {
      const port = await freePort()
      if (!ports.includes(port)) ports.push(port)
    }
    const peers = ports.slice(0, count).map((port) => `http://127.0.0.1:${port}`)
    const reached = cables === undefined ? ports.slice(0, count) : ports.slice(3 * count)
    const initial = reached.map((port, i) => `eg-${i + 1}=http://127.0.0.1:${port}`).join(',')
    for (const [i, port] of reached.entries()) {
      await cables?.lay(`eg-${i + 1}`, ports[i] as number, port)
    }
    const all = peers.map((url, i) => {
      const home = mkdtempSync(join(dir, `eg-${i + 1}-`))
      const address = `127.0.0.${i + 1}`
      const apiPort = ports[2 * count + i] as number
      const client = `http://127.0.0.1:${ports[count + i]}`
      const args = [
        ...['--name', `eg-${i + 1}`, '--home-dir', home, '--traffic-host', address],
        ...['--api-addr', `127.0.0.1:${apiPort}`, '--initial-cluster', initial],
        ...['--listen-peer-urls', url, '--listen-client-urls', client],
        ...['--workers', String(workers), '--disable-access-log', ...flags],
      ]
      return new Node(`eg-${i + 1}`, home, address, apiPort, args, env(home))
    })
    const nodes = new Nodes(all, dir)
    for (const node of all) node.start()
    await Promise.all(all.map((node) => node.healthy()))
    return nodes
  }

  /** Name of the leader, as `node` sees it; null: none. */
  static async leaderBy(node: Node): Promise<string | null> {
    const { text } = await node.admin('GET', '/status/members', undefined, {
      accept: 'application/json',
    })
    const members = JSON.parse(text) as {
      readonly options: { readonly name: string }
      readonly etcd: { readonly state: string }
    }[]
    return members.find(({ etcd }) => etcd.state === 'Leader')?.options.name ?? null
  }

  async leader(): Promise<Node> {
    for (let tries = 0; tries < 600; tries++) {
      const name = await Nodes.leaderBy(this.all[tries % this.all.length] as Node).catch(() => null)
      const found = this.all.find((node) => node.name === name)
      if (found !== undefined) return found
      await sleep(50)
    }
    throw new Error('no leader')
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((node) => node.stop()))
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** A pipeline that answers by itself. */
export const mockPipeline = (name: string, body: string): string =>
  JSON.stringify({
    kind: 'HTTPPipeline',
    name,
    filters: [{ name: 'mock', kind: 'Mock', rules: [{ pathPrefix: '/', code: 200, body }] }],
  })

export const httpServer = (name: string, port: number, pipeline: string): string =>
  JSON.stringify({
    kind: 'HTTPServer',
    name,
    port,
    rules: [{ paths: [{ pathPrefix: '/', backend: pipeline }] }],
  })

/** Of sorted figures. */
export function percentile(sorted: readonly number[], p: number): number {
  if (sorted.length === 0) return Number.NaN
  const at = Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)
  return sorted[Math.max(0, at)] as number
}

export function summary(figures: readonly number[]): string {
  const sorted = [...figures].sort((a, b) => a - b)
  const at = (p: number): string => percentile(sorted, p).toFixed(1)
  return `p50 ${at(50)}, p90 ${at(90)}, p99 ${at(99)}, worst ${at(100)} ms (${sorted.length})`
}
