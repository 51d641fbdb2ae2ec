import type { Time, Timer } from '../lib/clock.js'
import { type ConfigVersion, isNewer } from '../protocol/version.js'
import type { ClusterView, ServingOf } from './cluster-view.js'

/** Members tell the leader at once; asking it costs one message. */
const LOOK_AGAIN_MS = 20

/** Somebody waits until every live member runs a version. */
export interface ClusterWait {
  readonly version: ConfigVersion
  readonly untilMs: number
  /** Names of members that do not, and what every member says that could not put it to work. */
  readonly done: (lagging: readonly string[], all: readonly ServingOf[]) => void
}

export interface ClusterWaitsOptions {
  readonly time: Time
  readonly view: Pick<ClusterView, 'readServing'>
  /** Comes back to {@link ClusterWaits.onServing} through the actor's mailbox. */
  looked(wait: ClusterWait, all: readonly ServingOf[]): void
}

/** Writes that are to be in effect everywhere before they are answered. */
export class ClusterWaits {
  readonly #options: ClusterWaitsOptions
  readonly #waiting = new Map<ClusterWait, Timer | null>()

  constructor(options: ClusterWaitsOptions) {
    this.#options = options
  }

  add(wait: ClusterWait): void {
    this.#waiting.set(wait, null)
    this.#look(wait)
  }

  onServing(wait: ClusterWait, all: readonly ServingOf[]): void {
    if (!this.#waiting.has(wait)) return
    const lagging = all
      .filter(({ serving }) => serving === null || isNewer(wait.version, serving.version))
      .map(({ member }) => member)
      .sort()
    const { time } = this.#options
    if (lagging.length === 0 || time.monotonicMs() >= wait.untilMs) {
      this.#waiting.delete(wait)
      wait.done(lagging, all)
    } else {
      this.#waiting.set(
        wait,
        time.after(LOOK_AGAIN_MS, () => this.#look(wait)),
      )
    }
  }

  close(): void {
    for (const timer of this.#waiting.values()) timer?.cancel()
    this.#waiting.clear()
  }

  #look(wait: ClusterWait): void {
    const { view, looked } = this.#options
    view.readServing((all) => looked(wait, all))
  }
}
