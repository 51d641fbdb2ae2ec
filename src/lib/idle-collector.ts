import { Session } from 'node:inspector'
import { getHeapStatistics } from 'node:v8'
import type { Time } from './clock.js'

/** How long an event loop has waited for events since some beginning, and how long it has not. */
export interface LoopTimes {
  readonly idle: number
  readonly active: number
}

export interface IdleCollectorOptions {
  readonly time: Time
  /** A loop that is active no more than this rests. */
  readonly restShare: number
  loopTimes(): LoopTimes
  /** Processor time of all threads of the process since some beginning, in milliseconds. */
  processMs(): number
  /** What the heap takes of the system's memory. */
  heapBytes(): number
  /** Collects all garbage, in a turn of the loop of its own. */
  collect(collected: () => void): void
}

const LOOK_MS = 2_000
/** So many looks in a row must find it at rest. */
const RESTING_LOOKS = 3
/** Less is not worth a collection. */
const GROWTH_BYTES_MIN = 4 * 2 ** 20
/** More would hold the thread for longer than anybody may wait. */
const HEAP_BYTES_MAX = 96 * 2 ** 20
const GAP_MS_MIN = 30_000
/** Of one core. A process that does more has other threads at work, which may want this one's core. */
const PROCESS_SHARE_MAX = 0.2

/**
 * Gives memory back when a thread has come to rest. V8 collects as objects are made, so a thread that
 * stops making them keeps what a burst left behind: of a start or of a thousand objects that is up
 * to 32 MB of young generation in each thread. Does nothing under load, and nothing at rest as long
 * as the heap is as small as the last time. A large heap is left to V8.
 */
export class IdleCollector {
  readonly #o: IdleCollectorOptions
  #idle = 0
  #active = 0
  #processMs = 0
  #resting = 0
  #leftBytes = 0
  #collectedMs = Number.NEGATIVE_INFINITY

  constructor(options: IdleCollectorOptions) {
    this.#o = options
  }

  start(): void {
    this.#o.time.after(LOOK_MS, () => {
      this.#look()
      this.start()
    })
  }

  #look(): void {
    const { time, restShare, loopTimes, heapBytes, collect } = this.#o
    const { idle, active } = loopTimes()
    const processMs = this.#o.processMs()
    const activeMs = active - this.#active
    const pastMs = activeMs + idle - this.#idle
    const isAtRest =
      activeMs <= restShare * pastMs && processMs - this.#processMs <= PROCESS_SHARE_MAX * pastMs
    this.#idle = idle
    this.#active = active
    this.#processMs = processMs
    this.#resting = isAtRest ? this.#resting + 1 : 0
    const nowMs = time.monotonicMs()
    if (this.#resting < RESTING_LOOKS || nowMs - this.#collectedMs < GAP_MS_MIN) return
    const bytes = heapBytes()
    if (bytes > HEAP_BYTES_MAX || bytes - this.#leftBytes < GROWTH_BYTES_MIN) return
    this.#collectedMs = nowMs
    collect(() => {
      this.#leftBytes = heapBytes()
    })
  }
}

/** Of the calling thread; see {@link IdleCollectorOptions.restShare}. */
export function collectAtRest(time: Time, restShare: number): void {
  new IdleCollector({
    time,
    restShare,
    loopTimes: () => performance.eventLoopUtilization(),
    processMs: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
    heapBytes: () => getHeapStatistics().total_physical_size,
    collect: collectGarbage,
  }).start()
}

/**
 * As V8 does it for want of memory: several times in a row, giving back the young generation too, for
 * 20 to 50 ms. A plain collection (`--expose-gc`) leaves that as large as it was, and so does V8's
 * own, of a heap that is so small.
 */
export function collectGarbage(collected: () => void): void {
  const session = new Session()
  session.connect()
  session.post('HeapProfiler.collectGarbage', () => {
    // Not in here: the session waits for itself then, and the thread with it, for ever.
    setImmediate(() => {
      session.disconnect()
      collected()
    })
  })
}
