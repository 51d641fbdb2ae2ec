import { Piscina } from 'piscina'
import { GatewayError } from '../lib/errors.js'

export interface JobPoolOptions {
  /** A module whose exported functions are the jobs. */
  readonly url: URL
  readonly threadsMax: number
  /** Jobs waiting at most; more fail with OVERLOADED. */
  readonly queueMax: number
  /** A job that runs longer, once it is its turn, is ended with its thread: TIMEOUT. */
  readonly timeoutMs: number
}

/**
 * A thread without a job ends after this: it takes 40 MB, and the next one is there in a quarter of a
 * second. Who has more than one job sends them one after the other.
 */
const IDLE_MS = 5_000

/** Runs work that takes milliseconds or more off the actors' threads. Threads start on demand. */
export class JobPool {
  readonly #pool: Piscina
  readonly #options: JobPoolOptions
  #running = 0
  // The queue is ours: piscina's waits for another job after one was ended with its thread, and
  // the time-out of a job would run while it waits.
  readonly #waiting: (() => void)[] = []

  constructor(options: JobPoolOptions) {
    this.#options = options
    this.#pool = new Piscina({
      filename: options.url.href,
      minThreads: 0,
      maxThreads: options.threadsMax,
      idleTimeout: IDLE_MS,
    })
  }

  /** Rejects with a GatewayError. `job` is the name of an exported function. */
  async run<T>(job: string, input: unknown): Promise<T> {
    const { threadsMax, queueMax, timeoutMs } = this.#options
    if (this.#running < threadsMax) this.#running += 1
    else if (this.#waiting.length < queueMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else throw new GatewayError('OVERLOADED', `too many jobs wait: ${job}`)
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      return (await this.#pool.run(input, { name: job, signal })) as T
    } catch (thrown) {
      if (signal.aborted) {
        throw new GatewayError('TIMEOUT', `gave up after ${timeoutMs} ms: ${job}`)
      }
      throw GatewayError.from(thrown)
    } finally {
      this.#pass()
    }
  }

  /** Whatever runs or waits fails. */
  close(): Promise<void> {
    return this.#pool.destroy()
  }

  /** The place of a job that is over goes to the one that waits longest. */
  #pass(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next()
  }
}
