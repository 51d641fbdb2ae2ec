import { policiesOf } from '../../filters/policies.js'
import { filterKindsV2 } from '../../filters/registry.js'
import type { PipelineSpecV2 } from '../../pipeline/compile-v2.js'
import { defineObjectKind } from '../contract.js'
import { failuresKey, filterKeys, filterStatuses } from '../filter-keys.js'
import { pipelineSpec } from './pipeline-spec.js'

export const pipeline = defineObjectKind<PipelineSpecV2>({
  kind: 'Pipeline',
  category: 'pipeline',
  summary: 'Runs requests through an ordered set of filters (v2).',
  spec: pipelineSpec,
  isV2Only: true,
  shared: (spec, name) =>
    filterKeys(filterKindsV2, name, spec.filters, policiesOf(spec.resilience)),
  status: (spec, name, view) => ({
    health: view.failure,
    failures: view.count(failuresKey(name)),
    filters: filterStatuses(filterKindsV2, name, spec.filters, view),
  }),
  load: async (spec) => (await import('./pipeline.js')).moduleFor(spec),
})
