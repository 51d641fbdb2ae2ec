import type { Clock } from '../lib/clock.js'
import type { ClaimShared, SharedGrant, StatsNewsMessage } from '../protocol/worker.js'
import { clearRows, rowsBroker } from '../shared/rows.js'
import type { SlotBroker } from '../shared/slots.js'
import { wordsBroker } from '../shared/words.js'

interface Rows {
  readonly blocks: SharedArrayBuffer[]
  readonly open: Map<string, number>
}

/** The node's shared memory: it belongs to the root, so that it outlives every thread. */
export class SharedOwner {
  readonly #words: SlotBroker
  readonly #caps: SlotBroker
  readonly #rows = new Map<number, Rows>()

  constructor(clock: Clock, workers: number) {
    this.#words = wordsBroker(clock)
    this.#caps = rowsBroker(clock, workers)
  }

  claim(worker: number, message: ClaimShared): SharedGrant {
    const words = this.#words.claim(worker, message.words)
    const caps = this.#caps.claim(worker, message.caps)
    return {
      words,
      caps,
      wordSegments: this.#words.segments.slice(message.wordSegments),
      capSegments: this.#caps.segments.slice(message.capSegments),
    }
  }

  release(worker: number, words: readonly string[], caps: readonly string[]): void {
    this.#words.release(worker, words)
    this.#caps.release(worker, caps)
  }

  /** Remembers which rows a worker writes, for a coordinator that starts later. */
  onStats(worker: number, news: StatsNewsMessage): void {
    let rows = this.#rows.get(worker)
    if (rows === undefined) {
      rows = { blocks: [], open: new Map() }
      this.#rows.set(worker, rows)
    }
    rows.blocks.push(...news.blocks)
    const closed = new Set(news.closed.map(({ row }) => row))
    for (const { key } of news.closed) rows.open.delete(key)
    for (const { key, row } of news.opened) if (!closed.has(row)) rows.open.set(key, row)
  }

  /** All rows that a worker writes now, as one piece of news; null when it has none. */
  currentStats(worker: number): StatsNewsMessage | null {
    const rows = this.#rows.get(worker)
    if (rows === undefined) return null
    const opened = [...rows.open].map(([key, row]) => ({ key, row }))
    return { type: 'stats-news', blocks: rows.blocks, opened, closed: [] }
  }

  /** Gives back what an ended worker held; what it counted down is zeroed. */
  workerGone(worker: number): void {
    this.#words.workerGone(worker)
    this.#caps.workerGone(worker)
    clearRows(this.#caps.segments, worker)
    this.#rows.delete(worker)
  }
}
