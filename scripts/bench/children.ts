import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const START_MS = 20_000
const STOP_MS = 5_000
const POLL_MS = 20
const LOG_CHARS_MAX = 16_384

/** One process of the bench; what it printed is kept for the case that it fails. */
export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  said(): string
}

/**
 * Whatever a bench starts, and its files: all of it ends with `stop`, and nothing else does, since
 * only these very processes are signalled.
 */
export class Household {
  readonly folder = mkdtempSync(join(tmpdir(), 'easegress-bench-'))
  readonly #children: ChildProcess[] = []

  /** Starts a process that serves until it is stopped. Throws when the program is not there. */
  start(program: string, args: readonly string[]): Child {
    const child = spawn(program, args, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal is for us; we stop the others in order.
      detached: true,
    })
    this.#children.push(child)
    let text = ''
    const hear = (data: Buffer): void => {
      text = (text + data.toString()).slice(-LOG_CHARS_MAX)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.on('error', (error) => hear(Buffer.from(error.message)))
    return { pid: child.pid ?? 0, process: child, said: () => text }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(stopped))
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
    if (ended) throw new Error(`${what} ended:\n${child.said()}`)
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${START_MS / 1000} s`)
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
