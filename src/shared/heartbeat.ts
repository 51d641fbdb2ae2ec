import type { Clock } from '../lib/clock.js'

// Two words a worker: beats so far, and how late the last one was in ms. A cache line each.
const WORDS_PER_WORKER = 16
const BEATS = 0
const LATE_MS = 1

export function heartbeatMemory(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * WORDS_PER_WORKER * Int32Array.BYTES_PER_ELEMENT)
}

/** A worker's pulse: beaten by a timer of its event loop, so a loop that hangs falls silent. */
export class Heartbeat {
  readonly #words: Int32Array
  readonly #base: number
  readonly #clock: Clock
  readonly #everyMs: number
  #dueMs: number

  /** `everyMs`: how often {@link beat} is going to be called. */
  constructor(memory: SharedArrayBuffer, worker: number, clock: Clock, everyMs: number) {
    this.#words = new Int32Array(memory)
    this.#base = worker * WORDS_PER_WORKER
    this.#clock = clock
    this.#everyMs = everyMs
    this.#dueMs = clock.monotonicMs() + everyMs
  }

  beat(): void {
    const nowMs = this.#clock.monotonicMs()
    const lateMs = Math.max(0, Math.round(nowMs - this.#dueMs))
    this.#dueMs = nowMs + this.#everyMs
    Atomics.store(this.#words, this.#base + LATE_MS, lateMs)
    Atomics.add(this.#words, this.#base + BEATS, 1)
  }
}

export interface SilenceLimits {
  /** Silence that means that a thread's event loop hangs. */
  readonly silenceMs: number
  /** A thread that starts on a busy machine loads its modules for seconds before it can beat. */
  readonly startMs: number
}

const WORKER_LIMITS: SilenceLimits = { silenceMs: 5000, startMs: 20_000 }
/** Checks further apart than this say that the watcher itself was held up, and prove nothing. */
const CHECK_GAP_MAX_MS = 2500

interface Watched {
  beats: number
  heardMs: number
  hasBeaten: boolean
}

/**
 * Says which worker has been silent for 5 s, or for 20 s after its start, unless other limits are
 * given. Beats are counted, not dated, since clocks of threads have different origins. Pure: `check`
 * is called about once a second.
 */
export class Watchdog {
  readonly #words: Int32Array
  readonly #clock: Clock
  readonly #limits: SilenceLimits
  readonly #watched = new Map<number, Watched>()
  #checkedMs: number

  constructor(memory: SharedArrayBuffer, clock: Clock, limits: SilenceLimits = WORKER_LIMITS) {
    this.#words = new Int32Array(memory)
    this.#clock = clock
    this.#limits = limits
    this.#checkedMs = clock.monotonicMs()
  }

  /** From now on `worker` has to beat; its first beat may take longer. */
  watch(worker: number): void {
    const heardMs = this.#clock.monotonicMs()
    this.#watched.set(worker, { beats: this.#beats(worker), heardMs, hasBeaten: false })
  }

  /** `worker` has ended, or is about to. */
  unwatch(worker: number): void {
    this.#watched.delete(worker)
  }

  /** Event loop delay that `worker` measured at its last beat, in ms. */
  lateMs(worker: number): number {
    return Atomics.load(this.#words, worker * WORDS_PER_WORKER + LATE_MS)
  }

  /** The workers that have been silent for too long, in ascending order. */
  check(): number[] {
    const nowMs = this.#clock.monotonicMs()
    const heldUp = nowMs - this.#checkedMs > CHECK_GAP_MAX_MS
    this.#checkedMs = nowMs
    const { silenceMs, startMs } = this.#limits
    const silent: number[] = []
    for (const [worker, watched] of this.#watched) {
      const beats = this.#beats(worker)
      const limitMs = watched.hasBeaten ? silenceMs : startMs
      if (beats !== watched.beats || heldUp) {
        watched.hasBeaten ||= beats !== watched.beats
        watched.beats = beats
        watched.heardMs = nowMs
      } else if (nowMs - watched.heardMs >= limitMs) silent.push(worker)
    }
    return silent.sort((a, b) => a - b)
  }

  #beats(worker: number): number {
    return Atomics.load(this.#words, worker * WORDS_PER_WORKER + BEATS)
  }
}
