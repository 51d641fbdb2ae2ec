import type { Time, Timer } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'
import type { ClusterView } from './cluster-view.js'

/** What one turn of the loop may spend on it. */
const SLICE_MS = 2

export interface StatusPublisherOptions {
  readonly time: Time
  readonly log: Logger
  readonly view: Pick<ClusterView, 'publishStatus' | 'withdrawStatus'>
  names(): readonly string[]
  /** Of one object on this member, without its time; null: it is gone. */
  statusOf(name: string): Readonly<Record<string, unknown>> | null
}

/**
 * Tells the other members how objects do here. What has not changed costs no message, and however
 * many objects there are, the loop is not held up.
 */
export class StatusPublisher {
  readonly #options: StatusPublisherOptions
  #published = new Set<string>()
  #turn: Timer | null = null
  #isOverfull = false

  constructor(options: StatusPublisherOptions) {
    this.#options = options
  }

  /** One round over all objects; does nothing while one is under way. */
  run(): void {
    if (this.#turn === null) this.#slice(this.#options.names(), 0, new Set())
  }

  close(): void {
    this.#turn?.cancel()
  }

  #slice(names: readonly string[], from: number, published: Set<string>): void {
    const { time, view, statusOf } = this.#options
    this.#turn = null
    const untilMs = time.monotonicMs() + SLICE_MS
    for (let at = from; at < names.length; at++) {
      const name = names[at] as string
      const status = statusOf(name)
      if (status !== null && this.#publish(name, status)) published.add(name)
      if (time.monotonicMs() < untilMs || at + 1 === names.length) continue
      this.#turn = time.after(0, () => this.#slice(names, at + 1, published))
      return
    }
    for (const name of this.#published) if (!published.has(name)) view.withdrawStatus(name)
    this.#published = published
  }

  #publish(name: string, status: Readonly<Record<string, unknown>>): boolean {
    const { view, log } = this.#options
    try {
      view.publishStatus(name, status)
      return true
    } catch (thrown) {
      if (!this.#isOverfull) log.warn('status not published', { error: String(thrown) })
      this.#isOverfull = true
      return false
    }
  }
}
