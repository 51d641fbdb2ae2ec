import type { ActorRef } from '../actor/actor.js'
import type { CoordinatorToWorker, DataPart } from '../protocol/worker.js'
import type { Store, StoreEvent, Watch } from '../store/contract.js'
import type { Logger } from '../telemetry/log.js'

export const DATA_PREFIX = '/custom-data/'

/** Entries in one message: small enough for a worker's loop. */
const PART_ENTRIES = 500

type WorkerRef = ActorRef<CoordinatorToWorker>

/** One prefix: what is there, and which workers are told of changes. */
class Feed {
  readonly entries = new Map<string, string>()
  readonly workers = new Map<number, WorkerRef>()
  watch: Watch | null = null
  isListed = false
}

/**
 * Brings the custom data that filters look things up in to the workers that run them: everything
 * under a prefix once, then every change. The store is watched only for prefixes in use.
 */
export class DataFeed {
  readonly #store: Store
  readonly #log: Logger
  readonly #feeds = new Map<string, Feed>()
  #isStopped = false

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** The worker says all that it wants. */
  want(worker: number, ref: WorkerRef, prefixes: readonly string[]): void {
    for (const [prefix, feed] of this.#feeds) {
      if (!prefixes.includes(prefix)) this.#leave(prefix, feed, worker)
    }
    for (const prefix of prefixes) {
      const feed = this.#feeds.get(prefix) ?? this.#open(prefix)
      if (feed.workers.get(worker) === ref) continue
      feed.workers.set(worker, ref)
      if (feed.isListed) sendAll(prefix, feed, ref)
    }
  }

  workerGone(worker: number): void {
    for (const [prefix, feed] of this.#feeds) this.#leave(prefix, feed, worker)
  }

  stop(): void {
    this.#isStopped = true
    for (const feed of this.#feeds.values()) feed.watch?.cancel()
    this.#feeds.clear()
  }

  #open(prefix: string): Feed {
    const feed = new Feed()
    this.#feeds.set(prefix, feed)
    this.#list(prefix, feed)
    return feed
  }

  #leave(prefix: string, feed: Feed, worker: number): void {
    feed.workers.delete(worker)
    if (feed.workers.size > 0) return
    feed.watch?.cancel()
    this.#feeds.delete(prefix)
  }

  #list(prefix: string, feed: Feed): void {
    this.#store.range(DATA_PREFIX + prefix, 'local', (outcome) => {
      if (this.#isStopped || this.#feeds.get(prefix) !== feed) return
      if (!outcome.ok) {
        this.#log.error('custom data cannot be listed', { prefix, error: outcome.error.message })
        return
      }
      const { revision, kvs } = outcome.value
      feed.entries.clear()
      for (const { key, value } of kvs) feed.entries.set(keyBehind(prefix, key), textOf(value))
      feed.isListed = true
      for (const ref of feed.workers.values()) sendAll(prefix, feed, ref)
      this.#follow(prefix, feed, revision + 1)
    })
  }

  #follow(prefix: string, feed: Feed, fromRevision: number): void {
    feed.watch = this.#store.watch(DATA_PREFIX + prefix, fromRevision, {
      onBatch: ({ events }) => change(prefix, feed, events),
      onCompacted: () => this.#list(prefix, feed),
      onFailed: (error) =>
        this.#log.error('watch of custom data failed', { prefix, error: error.message }),
    })
  }
}

function change(prefix: string, feed: Feed, events: readonly StoreEvent[]): void {
  const puts: [string, string][] = []
  const deletes: string[] = []
  for (const event of events) {
    if (event.type === 'put') {
      const key = keyBehind(prefix, event.kv.key)
      const json = textOf(event.kv.value)
      feed.entries.set(key, json)
      puts.push([key, json])
    } else {
      const key = keyBehind(prefix, event.key)
      feed.entries.delete(key)
      deletes.push(key)
    }
  }
  const message: DataPart = { type: 'data', prefix, part: 'change', isLast: true, puts, deletes }
  for (const ref of feed.workers.values()) ref.tell(message)
}

function sendAll(prefix: string, feed: Feed, ref: WorkerRef): void {
  const all = [...feed.entries]
  for (let at = 0; at === 0 || at < all.length; at += PART_ENTRIES) {
    ref.tell({
      type: 'data',
      prefix,
      part: at === 0 ? 'first' : 'rest',
      isLast: at + PART_ENTRIES >= all.length,
      puts: all.slice(at, at + PART_ENTRIES),
      deletes: [],
    })
  }
}

const keyBehind = (prefix: string, key: string): string =>
  key.slice(DATA_PREFIX.length + prefix.length)

const textOf = (value: Uint8Array): string => Buffer.from(value).toString()
