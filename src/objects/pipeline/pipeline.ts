import { filterKindsV2 } from '../../filters/registry.js'
import { compilePipelineV2, type PipelineSpecV2 } from '../../pipeline/compile-v2.js'
import type { ObjectModule } from '../contract.js'
import { contextsOf, FilterEngines, failureCounter } from '../filter-engines.js'
import { PipelineRuntime } from '../pipeline-runtime.js'

const engines = new FilterEngines(filterKindsV2)

const module: ObjectModule<PipelineSpecV2> = {
  // biome-ignore lint/correctness/useYield: one pipeline is compiled in less than a slice
  *build(spec, meta, previous, env) {
    const before = previous instanceof PipelineRuntime ? previous.compiled : null
    const contexts = contextsOf(meta.name, env)
    const compiled = compilePipelineV2(
      meta.name,
      spec,
      engines.loaded,
      contexts,
      before,
      env.log,
      failureCounter(meta.name, env),
    )
    return new PipelineRuntime(env.pipelines.slot(meta.name), compiled)
  },
}

/** The module, with the engines of all filters that `spec` uses. */
export async function moduleFor(spec: PipelineSpecV2): Promise<ObjectModule<PipelineSpecV2>> {
  await engines.load(spec.filters)
  return module
}
