import type { GatewayError } from '../lib/errors.js'
import type { Store, StoreEvent, Watch } from '../store/contract.js'
import type { Logger } from '../telemetry/log.js'
import { CONFIG_PREFIX } from './record.js'
import type { Registry, RegistryChange } from './registry.js'

/**
 * Keeps the registry as the store is: the full list at one revision, then every batch after it.
 * The only consumer of `watch`. Told of a compaction, it lists again.
 */
export class Sync {
  readonly #store: Store
  readonly #registry: Registry
  readonly #log: Logger
  readonly #changed: (change: RegistryChange) => void
  #watch: Watch | null = null
  #isStopped = false

  constructor(
    store: Store,
    registry: Registry,
    log: Logger,
    changed: (change: RegistryChange) => void,
  ) {
    this.#store = store
    this.#registry = registry
    this.#log = log
    this.#changed = changed
  }

  /** Lists, then watches. `done` is called once the registry shows the list. */
  start(done: (error: GatewayError | null) => void): void {
    this.#store.range(CONFIG_PREFIX, 'local', (outcome) => {
      if (!outcome.ok) {
        done(outcome.error)
        return
      }
      if (this.#isStopped) return
      const { revision, kvs } = outcome.value
      const listed = new Set(kvs.map((kv) => kv.key))
      const gone = this.#registry.keys().filter((key) => !listed.has(key))
      this.#apply([
        ...gone.map((key): StoreEvent => ({ type: 'delete', key })),
        ...kvs.map((kv): StoreEvent => ({ type: 'put', kv })),
      ])
      this.#follow(revision + 1)
      done(null)
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#watch?.cancel()
    this.#watch = null
  }

  #follow(fromRevision: number): void {
    this.#watch = this.#store.watch(CONFIG_PREFIX, fromRevision, {
      onBatch: (batch) => this.#apply(batch.events),
      onCompacted: () =>
        this.start((error) => {
          if (error !== null) this.#log.error('cannot list again', { error: error.message })
        }),
      onFailed: (error) => this.#log.error('watch failed', { error: error.message }),
    })
  }

  #apply(events: readonly StoreEvent[]): void {
    const change = this.#registry.apply(events, (key, thrown) =>
      this.#log.error('record cannot be read', { key, error: String(thrown) }),
    )
    this.#changed(change)
  }
}
