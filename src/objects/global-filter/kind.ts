import { policiesOf } from '../../filters/policies.js'
import { filterKindsV2 } from '../../filters/registry.js'
import { boolean, checked, object, type SpecOf, type SpecProblem } from '../../spec/schema.js'
import { defineObjectKind, type SharedKeys } from '../contract.js'
import { failuresKey, filterKeys, filterStatuses } from '../filter-keys.js'
import { pipelinePart } from '../pipeline/pipeline-spec.js'
import { PARTS, partName } from './keys.js'

const spec = checked(
  object({
    beforePipeline: pipelinePart('What runs before the pipeline of a request.'),
    afterPipeline: pipelinePart('What runs after it.'),
    fallthrough: object(
      {
        beforePipeline: boolean({
          doc: 'Run the pipeline although `beforePipeline` ended early.',
          default: false,
        }),
        pipeline: boolean({
          doc: 'Run `afterPipeline` although what ran before it ended early.',
          default: false,
        }),
      },
      {
        doc: 'What to do after an END, or a result without a jump: by default nothing more runs.',
        default: {},
      },
    ),
  }),
  ({ beforePipeline, afterPipeline }): SpecProblem[] =>
    beforePipeline === undefined && afterPipeline === undefined
      ? [{ path: [], message: 'expected beforePipeline or afterPipeline' }]
      : [],
)
export type Spec = SpecOf<typeof spec>

export const globalFilter = defineObjectKind<Spec>({
  kind: 'GlobalFilter',
  category: 'business',
  summary: 'Runs filters before and after the pipelines of the servers that name it.',
  spec,
  isV2Only: true,
  shared: (object, name) => {
    const keys: SharedKeys[] = PARTS.flatMap((part) => {
      const pipeline = object[part]
      if (pipeline === undefined) return []
      const policies = policiesOf(pipeline.resilience)
      return [filterKeys(filterKindsV2, partName(name, part), pipeline.filters, policies)]
    })
    return {
      words: keys.flatMap(({ words }) => words),
      areas: keys.flatMap(({ areas = [] }) => areas),
      caps: [],
      permits: keys.flatMap(({ permits = [] }) => permits),
      stats: keys.flatMap(({ stats }) => stats),
      data: keys.flatMap(({ data = [] }) => data),
    }
  },
  status: (object, name, view) => ({
    health: view.failure,
    ...Object.fromEntries(
      PARTS.flatMap((part) => {
        const pipeline = object[part]
        if (pipeline === undefined) return []
        const key = partName(name, part)
        const failures = view.count(failuresKey(key))
        const filters = filterStatuses(filterKindsV2, key, pipeline.filters, view)
        return [[part, { failures, filters }]]
      }),
    ),
  }),
  load: async (object) => (await import('./global-filter.js')).moduleFor(object),
})
