import { Piscina } from 'piscina'
import { GatewayError } from '../lib/errors.js'

export interface JobPoolOptions {
  /** A module whose exported functions are the jobs. */
  readonly url: URL
  readonly threadsMax: number
  /** Jobs waiting at most; more fail with OVERLOADED. */
  readonly queueMax: number
  /** A job that runs longer is ended with its thread and fails with TIMEOUT. */
  readonly timeoutMs: number
}

/** What piscina says; it has no codes. */
const QUEUE_FULL = 'Task queue is at limit'

/** Runs work that takes milliseconds or more off the actors' threads. Threads start on demand. */
export class JobPool {
  readonly #pool: Piscina
  readonly #timeoutMs: number

  constructor(options: JobPoolOptions) {
    this.#timeoutMs = options.timeoutMs
    this.#pool = new Piscina({
      filename: options.url.href,
      minThreads: 0,
      maxThreads: options.threadsMax,
      maxQueue: options.queueMax,
      idleTimeout: 60_000,
    })
  }

  /** Rejects with a GatewayError. `job` is the name of an exported function. */
  async run<T>(job: string, input: unknown): Promise<T> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    try {
      return (await this.#pool.run(input, { name: job, signal })) as T
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown)
      if (signal.aborted) {
        throw new GatewayError('TIMEOUT', `gave up after ${this.#timeoutMs} ms: ${job}`)
      }
      if (message === QUEUE_FULL) throw new GatewayError('OVERLOADED', `too many jobs wait: ${job}`)
      throw new GatewayError('INTERNAL', message, {}, { cause: thrown })
    }
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }
}
