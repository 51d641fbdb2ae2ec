import type { FilterModule } from '../../filters/contract.js'
import { filterKinds } from '../../filters/registry.js'
import {
  type CompiledPipeline,
  compilePipeline,
  type LoadedKind,
  type PipelineSpec,
} from '../../pipeline/compile.js'
import type { ObjectMeta, ObjectModule, RuntimeObject, WorkerEnv } from '../contract.js'
import type { PipelineSlot } from '../directory.js'
import { filterKey } from './keys.js'

/** Engines loaded so far, by kind; a worker loads only what its pipelines use. */
const loaded = new Map<string, LoadedKind>()

const module: ObjectModule<PipelineSpec> = {
  // biome-ignore lint/correctness/useYield: one pipeline is compiled in less than a slice
  *build(spec, meta, previous, env) {
    const before = previous instanceof HttpPipeline ? previous : null
    return new HttpPipeline(spec, meta, before, env)
  },
}

/** The module, with the engines of all filters that `spec` uses. */
export async function moduleFor(spec: PipelineSpec): Promise<ObjectModule<PipelineSpec>> {
  for (const { kind: name } of spec.filters) {
    const kind = filterKinds.get(name)
    if (kind === undefined) throw new Error(`filter kind ${name} is not supported here`)
    if (loaded.has(name)) continue
    loaded.set(name, { kind, module: (await kind.load()) as FilterModule<unknown> })
  }
  return module
}

class HttpPipeline implements RuntimeObject {
  readonly #slot: PipelineSlot
  readonly #compiled: CompiledPipeline

  constructor(spec: PipelineSpec, meta: ObjectMeta, previous: HttpPipeline | null, env: WorkerEnv) {
    this.#slot = env.pipelines.slot(meta.name)
    this.#compiled = compilePipeline(
      meta.name,
      spec,
      loaded,
      (filter) => ({
        pipeline: meta.name,
        name: filter.name,
        timers: env.timers,
        nodeMs: env.nodeMs,
        log: env.log,
        upstream: env.upstream,
        words: (key) => env.words(filterKey(meta.name, filter.name, key)),
        area: ({ key, bytes }) => env.area({ key: filterKey(meta.name, filter.name, key), bytes }),
        permits: (key) => env.permits(filterKey(meta.name, filter.name, key)),
        stats: (key) => env.stats(filterKey(meta.name, filter.name, key)),
      }),
      previous === null ? null : previous.#compiled,
      env.log,
    )
  }

  commit(): void {
    this.#slot.current = this.#compiled.pipeline
  }

  withdraw(): void {
    if (this.#slot.current === this.#compiled.pipeline) this.#slot.current = null
  }

  retire(): void {
    this.#compiled.pipeline.retire()
  }
}
