import { policyKinds } from '../../filters/policies.js'
import { filterKindsV2 } from '../../filters/registry.js'
import { checkNames } from '../../pipeline/check.js'
import { checkFlowV2, checkPolicyUse } from '../../pipeline/check-v2.js'
import type { PipelineSpecV2 } from '../../pipeline/compile-v2.js'
import { METADATA_V2 } from '../../spec/document.js'
import {
  anything,
  checked,
  list,
  map,
  object,
  type Schema,
  string,
  taggedUnion,
  urlName,
} from '../../spec/schema.js'

const filterSchemas = Object.fromEntries(
  [...filterKindsV2.values()].map((kind) => [kind.kind, kind.spec]),
)
const policySchemas = Object.fromEntries(
  [...policyKinds.values()].map((kind) => [kind.kind, kind.spec]),
)

const flow = list(
  object({
    filter: urlName({ doc: 'Name of an entry of `filters`, or `END`, which ends the flow.' }),
    alias: string({
      doc: 'What jumps call this place; the name of the filter without.',
      default: '',
    }),
    namespace: string({
      doc: 'Whose request and answer the filter works on; `DEFAULT` without.',
      default: '',
    }),
    jumpIf: map(string({ doc: '`END`, or an alias or a filter that comes later in the flow.' }), {
      doc: 'Where to go on by result of the filter, "" included. Another result than "" without an entry ends the flow.',
      default: {},
    }),
  }),
  { doc: 'Order in which filters run; without it, all in the order of `filters`.', default: [] },
)

const fields = {
  flow,
  filters: list(taggedUnion('kind', filterSchemas, { metadata: METADATA_V2 }), {
    doc: 'The filters and their fields.',
  }),
  resilience: list(taggedUnion('kind', policySchemas, { metadata: METADATA_V2 }), {
    doc: 'Policies that filters name: Retry and CircuitBreaker.',
    default: [],
  }),
  data: map(anything({ doc: '' }), {
    doc: 'What templates of the filters see as `.data.PIPELINE`.',
    default: {},
  }),
}

/** Checks of what a Pipeline, or a part of a GlobalFilter, says. */
const withChecks = <T>(schema: Schema<T>): Schema<T> =>
  checked(
    checked(
      checked(schema, (each) => checkNames(each as PipelineSpecV2)),
      (each) => checkFlowV2(each as PipelineSpecV2, filterKindsV2),
    ),
    (each) => checkPolicyUse(each as PipelineSpecV2, filterKindsV2),
  )

/** All fields of a Pipeline but the metadata. */
export const pipelineSpec = withChecks(object(fields)) as unknown as Schema<PipelineSpecV2>

/** The same as a part of another object. */
export const pipelinePart = (doc: string): Schema<PipelineSpecV2 | undefined> =>
  withChecks(object(fields, { doc, optional: true })) as unknown as Schema<
    PipelineSpecV2 | undefined
  >
