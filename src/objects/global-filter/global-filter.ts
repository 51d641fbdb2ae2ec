import { filterKindsV2 } from '../../filters/registry.js'
import type { CompiledPipeline } from '../../pipeline/compile.js'
import { compilePipelineV2 } from '../../pipeline/compile-v2.js'
import type { Surroundings } from '../../pipeline/stages.js'
import type { ObjectMeta, ObjectModule, RuntimeObject, WorkerEnv } from '../contract.js'
import type { GlobalFilterSlot } from '../directory.js'
import { contextsOf, FilterEngines, failureCounter } from '../filter-engines.js'
import { PARTS, type Part, partName } from './keys.js'
import type { Spec } from './kind.js'

const engines = new FilterEngines(filterKindsV2)

type Parts = ReadonlyMap<Part, CompiledPipeline>

/** One generation of a GlobalFilter in one worker. */
class GlobalFilter implements RuntimeObject {
  readonly parts: Parts
  readonly #slot: GlobalFilterSlot
  readonly #surroundings: Surroundings

  constructor(spec: Spec, slot: GlobalFilterSlot, parts: Parts) {
    this.#slot = slot
    this.parts = parts
    this.#surroundings = {
      before: parts.get('beforePipeline')?.pipeline ?? null,
      after: parts.get('afterPipeline')?.pipeline ?? null,
      mainAnyway: spec.fallthrough.beforePipeline,
      afterAnyway: spec.fallthrough.pipeline,
    }
  }

  commit(): void {
    this.#slot.current = this.#surroundings
  }

  withdraw(): void {
    if (this.#slot.current === this.#surroundings) this.#slot.current = null
  }

  retire(): void {
    for (const { pipeline } of this.parts.values()) pipeline.retire()
  }
}

/** When one cannot be compiled, the other gives back what it holds. */
function compileParts(spec: Spec, meta: ObjectMeta, before: Parts | null, env: WorkerEnv): Parts {
  const parts = new Map<Part, CompiledPipeline>()
  try {
    for (const part of PARTS) {
      const pipeline = spec[part]
      if (pipeline === undefined) continue
      const name = partName(meta.name, part)
      const contexts = contextsOf(name, env)
      const previous = before?.get(part) ?? null
      parts.set(
        part,
        compilePipelineV2(
          name,
          pipeline,
          engines.loaded,
          contexts,
          previous,
          env.log,
          failureCounter(name, env),
        ),
      )
    }
    return parts
  } catch (thrown) {
    for (const { pipeline } of parts.values()) pipeline.retire()
    throw thrown
  }
}

const module: ObjectModule<Spec> = {
  // biome-ignore lint/correctness/useYield: two pipelines are compiled in less than a slice
  *build(spec, meta, previous, env) {
    const before = previous instanceof GlobalFilter ? previous.parts : null
    const parts = compileParts(spec, meta, before, env)
    return new GlobalFilter(spec, env.pipelines.globalFilter(meta.name), parts)
  },
}

/** The module, with the engines of all filters that `spec` uses. */
export async function moduleFor(spec: Spec): Promise<ObjectModule<Spec>> {
  for (const part of PARTS) await engines.load(spec[part]?.filters ?? [])
  return module
}
