import { filterKinds } from '../../filters/registry.js'
import { checkFlow, checkNames, checkTemplates } from '../../pipeline/check.js'
import type { FilterSpec, PipelineSpec } from '../../pipeline/compile.js'
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
import { filterKey } from './keys.js'

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

function keysOf(
  filters: readonly FilterSpec[],
  name: string,
  which: 'shared' | 'permits' | 'stats',
): string[] {
  return filters.flatMap((filter) => {
    const keys = filterKinds.get(filter.kind)?.[which]?.(filter.spec) ?? []
    return keys.map((key) => filterKey(name, filter.name, key))
  })
}

export const httpPipeline = defineObjectKind<Spec>({
  kind: 'HTTPPipeline',
  category: 'pipeline',
  summary: 'Runs requests through an ordered set of filters.',
  spec,
  shared: (pipeline, name) => ({
    words: keysOf(pipeline.filters, name, 'shared'),
    areas: pipeline.filters.flatMap((filter) => {
      const areas = filterKinds.get(filter.kind)?.areas?.(filter.spec) ?? []
      return areas.map(({ key, bytes }) => ({ key: filterKey(name, filter.name, key), bytes }))
    }),
    caps: [],
    permits: keysOf(pipeline.filters, name, 'permits'),
    stats: keysOf(pipeline.filters, name, 'stats'),
  }),
  status: (pipeline, name, view) => ({
    filters: Object.fromEntries(
      pipeline.filters.map((filter) => {
        const stat = (key: string): unknown => view.httpStat(filterKey(name, filter.name, key))
        return [filter.name, filterKinds.get(filter.kind)?.status?.(filter.spec, stat) ?? null]
      }),
    ),
  }),
  async load(pipeline) {
    const { moduleFor } = await import('./http-pipeline.js')
    return moduleFor(pipeline)
  },
})
