import type { Time, Timer } from '../lib/clock.js'
import { Heartbeat, heartbeatMemory, Watchdog } from './heartbeat.js'

const LOOK_MS = 1_000
/**
 * More than twice what a worker has: traffic goes on while one of these two stands still, so there is
 * no haste, and nobody may be accused on a machine that has too much to do.
 */
const LIMITS = { silenceMs: 12_000, startMs: 60_000 }

/** The two threads that look after each other. */
export const VIGIL = { MAIN: 0, COORDINATOR: 1 } as const

export function vigilMemory(): SharedArrayBuffer {
  return heartbeatMemory(Object.keys(VIGIL).length)
}

export interface VigilOptions {
  readonly time: Time
  /** Of {@link vigilMemory}, the same in both threads. */
  readonly memory: SharedArrayBuffer
  readonly own: number
  readonly other: number
  /** The loop of the other has stood still for 12 s, or has not turned 60 s after its start. */
  silent(): void
}

/**
 * Main thread and coordinator each show the other that their loops turn. Both are in one process:
 * what stops all of it (SIGSTOP, a machine that sleeps) stops who would have accused, too, and who
 * finds that it was held up itself begins anew. So a parent process is not asked: it cannot tell a
 * child that hangs from one that was stopped.
 */
export class Vigil {
  readonly #options: VigilOptions
  readonly #heart: Heartbeat
  readonly #watchdog: Watchdog
  #timer: Timer | null = null

  constructor(options: VigilOptions) {
    this.#options = options
    const { memory, own, time } = options
    this.#heart = new Heartbeat(memory, own, time, LOOK_MS)
    this.#watchdog = new Watchdog(memory, time, LIMITS)
  }

  /** Shows from now on that the calling thread lives. */
  start(): void {
    this.#timer?.cancel()
    this.#timer = this.#options.time.after(LOOK_MS, () => {
      this.start()
      this.#heart.beat()
      if (this.#watchdog.check().length === 0) return
      this.unwatch()
      this.#options.silent()
    })
  }

  /** The other has (again) been started. */
  watch(): void {
    this.#watchdog.watch(this.#options.other)
  }

  unwatch(): void {
    this.#watchdog.unwatch(this.#options.other)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
