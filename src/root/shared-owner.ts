import type { Clock } from '../lib/clock.js'
import type {
  ClaimShared,
  ReleaseShared,
  SharedClass,
  SharedGrant,
  StatsNewsMessage,
} from '../protocol/worker.js'
import { areasBroker } from '../shared/areas.js'
import { clearPermits, permitsBroker } from '../shared/permits.js'
import { clearRows, rowsBroker } from '../shared/rows.js'
import type { SlotBroker } from '../shared/slots.js'

interface Rows {
  readonly blocks: SharedArrayBuffer[]
  readonly open: Map<string, number>
  /** Rows that no coordinator has read to the end yet, with their keys. */
  readonly closed: Map<number, string>
}

/** The node's shared memory: it belongs to the root, so that it outlives every thread. */
export class SharedOwner {
  readonly #clock: Clock
  readonly #caps: SlotBroker
  readonly #permits: SlotBroker
  /** Areas by their size; a size is there once somebody has asked for it. */
  readonly #areas = new Map<number, SlotBroker>()
  readonly #rows = new Map<number, Rows>()

  constructor(clock: Clock, workers: number) {
    this.#clock = clock
    this.#caps = rowsBroker(clock, workers)
    this.#permits = permitsBroker(clock, workers)
  }

  claim(worker: number, message: ClaimShared): SharedGrant {
    return {
      parts: message.parts.map((part) => {
        const broker = this.#broker(part.class)
        const places = broker.claim(worker, part.keys)
        return { places, segments: broker.segments.slice(part.segments) }
      }),
    }
  }

  release(worker: number, message: ReleaseShared): void {
    for (const part of message.parts) this.#broker(part.class).release(worker, part.keys)
  }

  #broker(of: SharedClass): SlotBroker {
    if (of === 'caps') return this.#caps
    if (of === 'permits') return this.#permits
    let areas = this.#areas.get(of)
    if (areas === undefined) {
      areas = areasBroker(this.#clock, of)
      this.#areas.set(of, areas)
    }
    return areas
  }

  /** Remembers which rows a worker writes, for a coordinator that starts later. */
  onStats(worker: number, news: StatsNewsMessage): void {
    let rows = this.#rows.get(worker)
    if (rows === undefined) {
      rows = { blocks: [], open: new Map(), closed: new Map() }
      this.#rows.set(worker, rows)
    }
    rows.blocks.push(...news.blocks)
    const closed = new Set(news.closed.map(({ row }) => row))
    for (const { key, row } of news.closed) {
      rows.open.delete(key)
      rows.closed.set(row, key)
    }
    for (const { key, row } of news.opened) if (!closed.has(row)) rows.open.set(key, row)
  }

  /** All rows that a worker uses, as one piece of news; null when it has none. */
  currentStats(worker: number): StatsNewsMessage | null {
    const rows = this.#rows.get(worker)
    if (rows === undefined) return null
    const opened = [...rows.open].map(([key, row]) => ({ key, row }))
    const closed = [...rows.closed].map(([row, key]) => ({ key, row }))
    return { type: 'stats-news', blocks: rows.blocks, opened, closed }
  }

  /**
   * A coordinator has read closed rows. Returns those that the worker may use again: not the ones
   * of a life before this.
   */
  onStatsRead(worker: number, read: readonly number[]): number[] {
    const closed = this.#rows.get(worker)?.closed
    return read.filter((row) => closed?.delete(row) === true)
  }

  /** Gives back what an ended worker held; what it counted down is zeroed. */
  workerGone(worker: number): void {
    for (const broker of [this.#caps, this.#permits, ...this.#areas.values()]) {
      broker.workerGone(worker)
    }
    clearRows(this.#caps.segments, worker)
    clearPermits(this.#permits.segments, worker)
    this.#rows.delete(worker)
  }
}
