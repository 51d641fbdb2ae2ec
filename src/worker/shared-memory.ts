import type { ActorRef } from '../actor/actor.js'
import type { SharedKeys } from '../objects/contract.js'
import type { SharedClass, WorkerToRoot } from '../protocol/worker.js'
import { areaAt, areaBytes } from '../shared/areas.js'
import type { AreaKey, NodeWords, StatsRow } from '../shared/contract.js'
import { NodePermits } from '../shared/permits.js'
import { NodeCap } from '../shared/rows.js'
import { SlotTable } from '../shared/slots.js'
import { StatsBlocks } from '../shared/stats-blocks.js'
import { WORDS_BYTES } from '../shared/words.js'

/** The root answers from memory; longer than this means that it is stuck, and so are we. */
const CLAIM_TIMEOUT_MS = 10_000

/** This worker's part of the node's shared memory: what it claimed, by key, while objects use it. */
export class SharedMemory {
  readonly #root: ActorRef<WorkerToRoot>
  readonly #worker: number
  readonly #tables = new Map<SharedClass, SlotTable>()
  readonly #blocks = new StatsBlocks()

  constructor(root: ActorRef<WorkerToRoot>, worker: number) {
    this.#root = root
    this.#worker = worker
  }

  /** Makes sure that every key can be used. */
  async claim(keys: readonly SharedKeys[]): Promise<void> {
    const wanted = [...byClass(keys)]
      .map(([of, all]) => ({ class: of, keys: this.#table(of).missing(all) }))
      .filter((part) => part.keys.length > 0)
      .map((part) => ({ ...part, segments: this.#table(part.class).segmentCount }))
    if (wanted.length === 0) return
    const grant = await this.#root.ask({ type: 'claim-shared', parts: wanted }, CLAIM_TIMEOUT_MS)
    grant.parts.forEach(({ places, segments }, i) => {
      const part = wanted[i] as (typeof wanted)[number]
      this.#table(part.class).add(part.keys, places, segments, part.segments)
    })
  }

  /** One more generation of an object uses its keys, which must have been claimed. */
  use(keys: SharedKeys): void {
    for (const [of, all] of byClass([keys])) this.#table(of).use(all)
    for (const key of keys.stats) this.#blocks.open(key)
  }

  /** One generation less does. */
  drop(keys: SharedKeys): void {
    const parts = [...byClass([keys])]
      .map(([of, all]) => ({ class: of, keys: this.#table(of).drop(all) }))
      .filter((part) => part.keys.length > 0)
    for (const key of keys.stats) this.#blocks.close(key)
    if (parts.length > 0) this.#root.tell({ type: 'release-shared', parts })
  }

  words(key: string): NodeWords {
    return areaAt(this.#table(WORDS_BYTES).find(key), WORDS_BYTES)
  }

  area({ key, bytes }: AreaKey): NodeWords {
    const size = areaBytes(bytes)
    return areaAt(this.#table(size).find(key), size)
  }

  cap(key: string): NodeCap {
    return new NodeCap(this.#table('caps').find(key), this.#worker)
  }

  permits(key: string): NodePermits {
    return new NodePermits(this.#table('permits').find(key), this.#worker)
  }

  #table(of: SharedClass): SlotTable {
    let table = this.#tables.get(of)
    if (table === undefined) {
      table = new SlotTable()
      this.#tables.set(of, table)
    }
    return table
  }

  stats(key: string): StatsRow {
    return this.#blocks.find(key)
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

/** The keys of each class of memory; statistics have theirs elsewhere. */
function byClass(all: readonly SharedKeys[]): Map<SharedClass, string[]> {
  const classes = new Map<SharedClass, string[]>()
  const add = (of: SharedClass, keys: readonly string[]): void => {
    const known = classes.get(of)
    if (known === undefined) classes.set(of, [...keys])
    else known.push(...keys)
  }
  for (const { words, areas = [], caps, permits = [] } of all) {
    add(WORDS_BYTES, words)
    for (const { key, bytes } of areas) add(areaBytes(bytes), [key])
    add('caps', caps)
    add('permits', permits)
  }
  return classes
}
