import type { AnyFilterKind, FilterModule } from '../filters/contract.js'
import type { ContextOf, FilterSpec, LoadedKind } from '../pipeline/compile.js'
import type { WorkerEnv } from './contract.js'
import { failuresKey, filterKey } from './filter-keys.js'

/** Engines of filters loaded so far, by kind; a worker loads only what its pipelines use. */
export class FilterEngines {
  readonly loaded = new Map<string, LoadedKind>()
  readonly #kinds: ReadonlyMap<string, AnyFilterKind>

  constructor(kinds: ReadonlyMap<string, AnyFilterKind>) {
    this.#kinds = kinds
  }

  /** Loads what `filters` need. Rejects on a kind that is not known here. */
  async load(filters: readonly FilterSpec[]): Promise<void> {
    for (const { kind: name } of filters) {
      const kind = this.#kinds.get(name)
      if (kind === undefined) throw new Error(`filter kind ${name} is not supported here`)
      if (this.loaded.has(name)) continue
      this.loaded.set(name, { kind, module: (await kind.load()) as FilterModule<unknown> })
    }
  }
}

/** What filters of `pipeline` may use of the worker they are in. */
export const contextsOf =
  (pipeline: string, env: WorkerEnv): ContextOf =>
  ({ name }) => ({
    pipeline,
    name,
    timers: env.timers,
    nodeMs: env.nodeMs,
    log: env.log,
    upstream: env.upstream,
    flow: (other) => env.pipelines.slot(other),
    words: (key) => env.words(filterKey(pipeline, name, key)),
    area: ({ key, bytes }) => env.area({ key: filterKey(pipeline, name, key), bytes }),
    permits: (key) => env.permits(filterKey(pipeline, name, key)),
    stats: (key) => env.stats(filterKey(pipeline, name, key)),
    data: (prefix) => env.data(prefix),
  })

/** Counts exchanges of `pipeline` that ended in a 500 because a filter threw; for its status. */
export function failureCounter(pipeline: string, env: WorkerEnv): () => void {
  const row = env.stats(failuresKey(pipeline))
  return () => row.record(500, 0, 0, 0)
}
