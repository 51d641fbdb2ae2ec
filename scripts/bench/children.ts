import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCores } from './tools.js'

const START_MS = 30_000
const STOP_MS = 5_000
const POLL_MS = 20
const LOG_CHARS_MAX = 16_384

/** One process of the bench; what it printed is kept for the case that it fails. */
export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  said(): string
}

export interface StartOptions {
  /** As `taskset -c` takes them; null, the default: any. */
  readonly cores?: string | null
  /** Beside our own environment. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Whatever a bench starts, and its files: all of it ends with `stop`, and nothing else does, since
 * only these very processes are signalled.
 */
export class Household {
  readonly folder = mkdtempSync(join(tmpdir(), 'easegress-bench-'))
  readonly #children = new Set<Child>()
  #folders = 0

  /** A new, empty folder. */
  newFolder(name: string): string {
    this.#folders += 1
    const path = join(this.folder, `${name}-${this.#folders}`)
    mkdirSync(path)
    return path
  }

  /** Starts a process that serves until it is stopped. */
  start(program: string, args: readonly string[], options: StartOptions = {}): Child {
    const [command, words] = onCores(options.cores ?? null, program, args)
    const started = spawn(command, words, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      // Ctrl-C in the terminal is for us; we stop the others in order.
      detached: true,
    })
    let text = ''
    const hear = (data: Buffer): void => {
      text = (text + data.toString()).slice(-LOG_CHARS_MAX)
    }
    started.stdout.on('data', hear)
    started.stderr.on('data', hear)
    started.on('error', (error) => hear(Buffer.from(error.message)))
    const child: Child = { pid: started.pid ?? 0, process: started, said: () => text }
    equalPriority(child.pid)
    this.#children.add(child)
    return child
  }

  /** Ends one process that this household started. */
  async end(child: Child): Promise<void> {
    this.#children.delete(child)
    await stopped(child.process)
  }

  /** Ends all that are left of what it started. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.end(child)))
  }

  async stop(): Promise<void> {
    await this.endAll()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      resolve()
      return
    }
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    child.once('exit', () => {
      clearTimeout(patience)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

/** Waits until `holds`; fails when `child` ends first, with what it said. */
export async function until(
  what: string,
  child: Child | null,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = Date.now() + START_MS
  while (!(await holds().catch(() => false))) {
    const ended = child !== null && (child.pid === 0 || child.process.exitCode !== null)
    if (ended) {
      await sleep(POLL_MS) // its last words may still be on their way
      throw new Error(`${what} ended:\n${child.said()}`)
    }
    if (Date.now() > deadlineMs) {
      throw new Error(`${what}: not within ${START_MS / 1000} s\n${child?.said() ?? ''}`)
    }
    await sleep(POLL_MS)
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

/**
 * A detached process is a session, and so for the scheduler of Linux a group of its own ("autogroup",
 * sched(7)), which does not inherit the priority of ours. Without the same one, a load generator of
 * higher priority keeps the back end from its core until all its connections are busy, and measures
 * how many those are.
 */
function equalPriority(pid: number): void {
  try {
    const [, nice] = / nice (-?\d+)/.exec(readFileSync('/proc/self/autogroup', 'utf8')) ?? []
    if (nice !== undefined) writeFileSync(`/proc/${pid}/autogroup`, nice)
  } catch {
    // No such groups here, or not allowed: then ours has no other priority either.
  }
}
