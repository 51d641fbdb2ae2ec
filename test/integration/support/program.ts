import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { within } from './wait.js'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ProgramOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Text for its standard input, which is empty otherwise. */
  readonly stdin?: string
}

/** Variables of ours that must not leak from the surroundings of the tests into what they start. */
function cleanEnv(): Record<string, string | undefined> {
  const foreign = /^(EG_|EASEGRESS_|EGCTL_|NODE_OPTIONS$|VITEST)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}

/** Of the output of a program, for the report of a failed test. */
const REPORT_LINES = 60

/** A process of ours, with all it printed. */
export class Program {
  readonly name: string
  readonly pid: number
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  #isEnded = false

  constructor(
    name: string,
    command: string,
    args: readonly string[],
    options: ProgramOptions = {},
  ) {
    this.name = name
    this.#child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...cleanEnv(), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    if (this.#child.pid === undefined) throw new Error(`cannot start ${command}`)
    this.pid = this.#child.pid
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // A program that ends without reading its input is not our trouble.
    this.#child.stdin?.on('error', () => {})
    this.#child.stdin?.end(options.stdin ?? '')
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        this.#isEnded = true
        resolve({ code, signal })
      })
    })
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Its end, which must come within the time. */
  end(withinMs = 20_000): Promise<Ended> {
    return within(`end of ${this.name}`, withinMs, this.ended)
  }

  /** The last it printed. */
  output(): string {
    const state = this.#isEnded ? 'ended' : `pid ${this.pid}`
    const lines = `${this.stdout}${this.stderr}`.split('\n').slice(-REPORT_LINES)
    return `--- ${this.name} (${state})\n${lines.join('\n')}`
  }
}

/** Process ids of the children of `pid`. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^\d+ \(.*\) [ZX]/.test(stat)
  } catch {
    return false
  }
}

/** Resident memory of a process in bytes, as the kernel counts it. */
export function residentBytes(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (match === null) throw new Error(`no resident memory of ${pid}`)
  return Number(match[1]) * 1024
}

/** Ends a process that may be gone already. */
export function killPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // gone
  }
}
