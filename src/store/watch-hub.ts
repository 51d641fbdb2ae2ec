import type { Time } from '../lib/clock.js'
import type { GatewayError } from '../lib/errors.js'
import type { StoreEvent, Watch, WatchBatch, Watcher } from './contract.js'
import type { EventRing } from './machine/event-ring.js'

interface Watching {
  readonly prefix: string
  readonly watcher: Watcher
  nextRevision: number
  /** False until its first turn, which brings what is past. */
  live: boolean
  over: boolean
}

/** The watches of a store: first what the ring still holds, then every batch as it is applied. */
export class WatchHub {
  readonly #time: Time
  readonly #ring: () => EventRing
  readonly #watching = new Set<Watching>()

  /** `ring` gives the ring of the machine in use, which changes when a snapshot is restored. */
  constructor(time: Time, ring: () => EventRing) {
    this.#time = time
    this.#ring = ring
  }

  get size(): number {
    return this.#watching.size
  }

  watch(prefix: string, fromRevision: number, watcher: Watcher): Watch {
    const watching: Watching = {
      prefix,
      watcher,
      nextRevision: fromRevision,
      live: false,
      over: false,
    }
    this.#watching.add(watching)
    // Not at once: the caller does not have the watch yet.
    this.#time.after(0, () => this.#begin(watching))
    return { cancel: () => this.#end(watching) }
  }

  publish(batch: WatchBatch): void {
    for (const watching of [...this.#watching]) if (watching.live) deliver(watching, batch)
  }

  /** The state was replaced: watches that the new ring cannot continue are over. */
  restored(): void {
    const { compactRevision } = this.#ring()
    for (const watching of [...this.#watching]) {
      if (!watching.live || watching.nextRevision > compactRevision) continue
      this.#end(watching)
      watching.watcher.onCompacted(compactRevision)
    }
  }

  /** Ends all watches. */
  fail(error: GatewayError): void {
    for (const watching of [...this.#watching]) {
      if (watching.over) continue
      this.#end(watching)
      watching.watcher.onFailed(error)
    }
  }

  #begin(watching: Watching): void {
    if (watching.over) return
    const ring = this.#ring()
    if (watching.nextRevision <= ring.compactRevision) {
      this.#end(watching)
      watching.watcher.onCompacted(ring.compactRevision)
      return
    }
    watching.live = true
    for (const batch of ring.since(watching.nextRevision)) deliver(watching, batch)
  }

  #end(watching: Watching): void {
    watching.over = true
    this.#watching.delete(watching)
  }
}

function deliver(watching: Watching, batch: WatchBatch): void {
  if (watching.over || batch.revision < watching.nextRevision) return
  watching.nextRevision = batch.revision + 1
  const events = matching(batch.events, watching.prefix)
  if (events.length === 0) return
  watching.watcher.onBatch(events === batch.events ? batch : { revision: batch.revision, events })
}

function matching(events: readonly StoreEvent[], prefix: string): readonly StoreEvent[] {
  if (prefix === '') return events
  return events.filter((event) =>
    (event.type === 'put' ? event.kv.key : event.key).startsWith(prefix),
  )
}
