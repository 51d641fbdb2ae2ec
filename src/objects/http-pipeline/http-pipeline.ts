import { filterKinds } from '../../filters/registry.js'
import { compilePipeline, type PipelineSpec } from '../../pipeline/compile.js'
import type { ObjectModule } from '../contract.js'
import { contextsOf, FilterEngines, failureCounter } from '../filter-engines.js'
import { PipelineRuntime } from '../pipeline-runtime.js'

const engines = new FilterEngines(filterKinds)

const module: ObjectModule<PipelineSpec> = {
  // biome-ignore lint/correctness/useYield: one pipeline is compiled in less than a slice
  *build(spec, meta, previous, env) {
    const before = previous instanceof PipelineRuntime ? previous.compiled : null
    const contexts = contextsOf(meta.name, env)
    const compiled = compilePipeline(
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
export async function moduleFor(spec: PipelineSpec): Promise<ObjectModule<PipelineSpec>> {
  await engines.load(spec.filters)
  return module
}
