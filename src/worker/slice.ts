import type { YoungCollector } from './young-collector.js'

/** A slice holds the loop no longer than about this. */
const SLICE_MS = 0.5

/**
 * The young generation is collected after so many slices of a long build. What is built lives, and to
 * move it is what a collection costs: 1 ms of the thread's own time for this much, 5 to 10 where V8
 * waits until its 16 MB are used up.
 */
const COLLECT_SLICES = 6

/** Between two slices of a thread that serves. */
const REST_MS = 1

export interface SliceOptions {
  /** Collected now and then, for work that makes much that lives. */
  readonly young?: YoungCollector
  /**
   * Others are served meanwhile: the thread rests between slices. One that took more than its share
   * of a core would be made to wait for others in the middle of a slice, and requests with it.
   */
  readonly isServing?: boolean
}

/** Gives the loop back whenever a slice is used up. */
export class Slice {
  readonly #young: YoungCollector | null
  readonly #restMs: number
  #startedMs = performance.now()
  #uncollected = 0

  constructor({ young, isServing = false }: SliceOptions = {}) {
    this.#young = young ?? null
    this.#restMs = isServing ? REST_MS : 0
  }

  async run<T>(work: Generator<undefined, T, undefined>): Promise<T> {
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
      await this.rest()
    }
  }

  async rest(): Promise<void> {
    if (performance.now() - this.#startedMs < SLICE_MS) return
    await pause(this.#restMs)
    this.#uncollected += 1
    if (this.#young !== null && this.#uncollected >= COLLECT_SLICES) {
      this.#uncollected = 0
      this.#young.run()
      await pause(this.#restMs)
    }
    this.#startedMs = performance.now()
  }
}

/** One turn of the loop at least. */
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    if (ms > 0) setTimeout(resolve, ms)
    else setImmediate(resolve)
  })
