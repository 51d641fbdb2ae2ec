import type { ActorRef } from '../actor/actor.js'
import type { SharedKeys } from '../objects/contract.js'
import type { WorkerToRoot } from '../protocol/worker.js'
import type { NodeWords, StatsRow } from '../shared/contract.js'
import { NodeCap } from '../shared/rows.js'
import { SlotTable } from '../shared/slots.js'
import { StatsBlocks } from '../shared/stats-blocks.js'
import { wordsAt } from '../shared/words.js'

/** The root answers from memory; longer than this means that it is stuck, and so are we. */
const CLAIM_TIMEOUT_MS = 10_000

/** This worker's part of the node's shared memory: what it claimed, by key, while objects use it. */
export class SharedMemory {
  readonly #root: ActorRef<WorkerToRoot>
  readonly #worker: number
  readonly #words = new SlotTable()
  readonly #caps = new SlotTable()
  readonly #blocks = new StatsBlocks()
  readonly #rows = new Map<string, StatsRow>()

  constructor(root: ActorRef<WorkerToRoot>, worker: number) {
    this.#root = root
    this.#worker = worker
  }

  /** Makes sure that every key can be used. */
  async claim(keys: readonly SharedKeys[]): Promise<void> {
    const words = this.#words.missing(keys.flatMap((each) => each.words))
    const caps = this.#caps.missing(keys.flatMap((each) => each.caps))
    if (words.length + caps.length === 0) return
    const wordSegments = this.#words.segmentCount
    const capSegments = this.#caps.segmentCount
    const claim = { type: 'claim-shared', words, caps, wordSegments, capSegments } as const
    const grant = await this.#root.ask(claim, CLAIM_TIMEOUT_MS)
    this.#words.add(words, grant.words, grant.wordSegments, wordSegments)
    this.#caps.add(caps, grant.caps, grant.capSegments, capSegments)
  }

  /** One more generation of an object uses its keys, which must have been claimed. */
  use(keys: SharedKeys): void {
    this.#words.use(keys.words)
    this.#caps.use(keys.caps)
    for (const key of keys.stats) this.#rows.set(key, this.#blocks.open(key))
  }

  /** One generation less does. */
  drop(keys: SharedKeys): void {
    const words = this.#words.drop(keys.words)
    const caps = this.#caps.drop(keys.caps)
    for (const key of keys.stats) this.#blocks.close(key)
    if (words.length + caps.length > 0) this.#root.tell({ type: 'release-shared', words, caps })
  }

  words(key: string): NodeWords {
    return wordsAt(this.#words.find(key))
  }

  cap(key: string): NodeCap {
    return new NodeCap(this.#caps.find(key), this.#worker)
  }

  stats(key: string): StatsRow {
    return this.#rows.get(key) as StatsRow
  }

  /** Tells the root of rows that began and ended. */
  tellStats(): void {
    const news = this.#blocks.takeNews()
    if (news !== null) this.#root.tell({ type: 'stats-news', ...news })
  }

  freeStats(rows: readonly number[]): void {
    this.#blocks.free(rows)
  }
}
