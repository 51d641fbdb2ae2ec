import { readFileSync, rmSync } from 'node:fs'
import type { Time, Timer } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'

/** What a test may ask to break. */
export type Fault =
  | { readonly thread: 'worker'; readonly worker: number; readonly how: 'throw' | 'loop' }
  | { readonly thread: 'coordinator'; readonly how: 'throw' | 'loop' }

const POLL_MS = 20
const FAULT = /^(?:coordinator|worker (\d{1,4})) (throw|loop)$/

/** Name of the variable that opens the door; without it none of this runs. */
export const FAULT_FILE_VARIABLE = 'EASEGRESS_FAULT_FILE'

/**
 * A door for tests alone: polls a file for orders such as `worker 0 throw`, `worker 1 loop` and
 * `coordinator throw`, one a line, removes the file and has them obeyed. Whoever writes it renames
 * it into place, so that it is never read half.
 */
export class FaultDoor {
  readonly #path: string
  readonly #time: Time
  readonly #log: Logger
  readonly #obey: (fault: Fault) => void
  #timer: Timer | null = null

  constructor(path: string, time: Time, log: Logger, obey: (fault: Fault) => void) {
    this.#path = path
    this.#time = time
    this.#log = log
    this.#obey = obey
  }

  open(): void {
    this.#log.warn('faults can be injected into this process', { file: this.#path })
    this.#pollLater()
  }

  close(): void {
    this.#timer?.cancel()
  }

  #pollLater(): void {
    this.#timer = this.#time.after(POLL_MS, () => {
      this.#pollLater()
      for (const line of this.#take()) {
        const fault = parseFault(line)
        this.#log.warn(fault === null ? 'fault not understood' : 'fault injected', { line })
        if (fault !== null) this.#obey(fault)
      }
    })
  }

  #take(): string[] {
    try {
      const text = readFileSync(this.#path, 'utf8')
      rmSync(this.#path)
      return text.split('\n').filter((line) => line !== '')
    } catch {
      return [] // not there: nothing to do
    }
  }
}

/** Null for anything that is no order. */
export function parseFault(line: string): Fault | null {
  const match = FAULT.exec(line)
  if (match === null) return null
  const how = match[2] as 'throw' | 'loop'
  if (match[1] === undefined) return { thread: 'coordinator', how }
  return { thread: 'worker', worker: Number(match[1]), how }
}
