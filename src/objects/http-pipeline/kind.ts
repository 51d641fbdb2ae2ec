import { NO_POLICIES } from '../../filters/policies.js'
import { filterKinds } from '../../filters/registry.js'
import { checkFlow, checkNames, checkTemplates } from '../../pipeline/check.js'
import type { PipelineSpec } from '../../pipeline/compile.js'
import {
  checked,
  list,
  map,
  object,
  type Schema,
  string,
  taggedUnion,
  urlName,
} from '../../spec/schema.js'
import { defineObjectKind } from '../contract.js'
import { failuresKey, filterKeys, filterReferences, filterStatuses } from '../filter-keys.js'

const filterSchemas = Object.fromEntries(
  [...filterKinds.values()].map((kind) => [kind.kind, kind.spec]),
)

const fields = object({
  flow: list(
    object({
      filter: urlName({ doc: 'Name of an entry of `filters`.' }),
      jumpIf: map(string({ doc: '`END`, or a filter that comes later in the flow.' }), {
        doc: 'Where to go on by result of the filter. A result without an entry stops the flow.',
        default: {},
      }),
    }),
    { doc: 'Order in which filters run; without it, all in the order of `filters`.', default: [] },
  ),
  filters: list(taggedUnion('kind', filterSchemas), { doc: 'The filters and their fields.' }),
})

export type Spec = PipelineSpec

const spec: Schema<Spec> = checked(
  checked(checked(fields, checkNames), (pipeline) => checkFlow(pipeline, filterKinds)),
  (pipeline) => checkTemplates(pipeline, filterKinds),
)

export const httpPipeline = defineObjectKind<Spec>({
  kind: 'HTTPPipeline',
  category: 'pipeline',
  summary: 'Runs requests through an ordered set of filters.',
  spec,
  references: (pipeline) => filterReferences(filterKinds, pipeline.filters),
  shared: (pipeline, name) => filterKeys(filterKinds, name, pipeline.filters, NO_POLICIES),
  status: (pipeline, name, view) => ({
    failures: view.count(failuresKey(name)),
    filters: filterStatuses(filterKinds, name, pipeline.filters, view),
  }),
  async load(pipeline) {
    const { moduleFor } = await import('./http-pipeline.js')
    return moduleFor(pipeline)
  },
})
