import type { ActorRef } from '../actor/actor.js'
import { assert } from '../lib/assert.js'
import type { SharedGrant, WorkerToRoot } from '../protocol/worker.js'

/** The root answers from memory; longer than this means that it is stuck, and so are we. */
const CLAIM_TIMEOUT_MS = 10_000

/** What this worker was granted of the node's shared memory, by key. */
export class SharedMemory {
  readonly #root: ActorRef<WorkerToRoot>
  readonly #words = new Set<string>()
  readonly #stats = new Set<string>()
  readonly #granted: (grant: SharedGrant) => void

  /** `granted` takes what is new before the claim resolves. */
  constructor(root: ActorRef<WorkerToRoot>, granted: (grant: SharedGrant) => void) {
    this.#root = root
    this.#granted = granted
  }

  /** Makes sure that every key can be used. */
  async claim(words: readonly string[], stats: readonly string[]): Promise<void> {
    const newWords = [...new Set(words)].filter((key) => !this.#words.has(key))
    const newStats = [...new Set(stats)].filter((key) => !this.#stats.has(key))
    if (newWords.length === 0 && newStats.length === 0) return
    const grant = await this.#root.ask(
      { type: 'claim-shared', words: newWords, stats: newStats },
      CLAIM_TIMEOUT_MS,
    )
    assert(
      newWords.every((key) => grant.words[key] !== undefined),
      'root granted fewer words',
    )
    this.#granted(grant)
    for (const key of newWords) this.#words.add(key)
    for (const key of newStats) this.#stats.add(key)
  }

  /** Gives back what no object of the running generation names. */
  releaseUnused(wordsInUse: Iterable<string>, statsInUse: Iterable<string>): void {
    const words = dropUnused(this.#words, wordsInUse)
    const stats = dropUnused(this.#stats, statsInUse)
    if (words.length > 0 || stats.length > 0) {
      this.#root.tell({ type: 'release-shared', words, stats })
    }
  }
}

function dropUnused(held: Set<string>, inUse: Iterable<string>): string[] {
  const used = new Set(inUse)
  const unused = [...held].filter((key) => !used.has(key))
  for (const key of unused) held.delete(key)
  return unused
}
