import type { WatchBatch } from '../contract.js'

export const RING_EVENTS_MAX = 10_000
const RING_BYTES_MAX = 32 * 1024 * 1024
/** What an event costs beside its key and value, roughly. */
const EVENT_OVERHEAD_BYTES = 64

interface Held {
  readonly batch: WatchBatch
  readonly bytes: number
}

/**
 * The latest changes, for watches that start in the past; the oldest go first. It is not replicated
 * state: after a restart it begins empty, and watches from before that list again.
 */
export class EventRing {
  readonly #eventsMax: number
  readonly #bytesMax: number
  #held: Held[] = []
  /** Index of the oldest batch still held; those before it are dropped in one go now and then. */
  #first = 0
  #events = 0
  #bytes = 0
  #compactRevision: number

  /** Nothing up to and including `revision` is held. */
  constructor(revision: number, eventsMax = RING_EVENTS_MAX, bytesMax = RING_BYTES_MAX) {
    this.#compactRevision = revision
    this.#eventsMax = eventsMax
    this.#bytesMax = bytesMax
  }

  /** The last revision whose events are gone. */
  get compactRevision(): number {
    return this.#compactRevision
  }

  push(batch: WatchBatch): void {
    let bytes = 0
    for (const event of batch.events) {
      bytes += EVENT_OVERHEAD_BYTES
      bytes += event.type === 'put' ? event.kv.key.length + event.kv.value.length : event.key.length
    }
    this.#held.push({ batch, bytes })
    this.#events += batch.events.length
    this.#bytes += bytes
    while (this.#events > this.#eventsMax || this.#bytes > this.#bytesMax) this.#dropOldest()
  }

  /** Batches from `revision` on, which must be above {@link compactRevision}. */
  since(revision: number): WatchBatch[] {
    let low = this.#first
    let high = this.#held.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#held[middle] as Held).batch.revision < revision) low = middle + 1
      else high = middle
    }
    return this.#held.slice(low).map((held) => held.batch)
  }

  #dropOldest(): void {
    const oldest = this.#held[this.#first] as Held
    this.#first += 1
    this.#events -= oldest.batch.events.length
    this.#bytes -= oldest.bytes
    this.#compactRevision = oldest.batch.revision
    if (this.#first < 1024 && this.#first < this.#held.length) return
    this.#held = this.#held.slice(this.#first)
    this.#first = 0
  }
}
