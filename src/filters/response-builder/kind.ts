import { checked, object, type SpecOf } from '../../spec/schema.js'
import { messageBuilderFields, sourceProblems, templateProblems } from '../builder-fields.js'
import { defineFilterKind } from '../contract.js'

const spec = checked(
  checked(object(messageBuilderFields), (each) => templateProblems(each)),
  sourceProblems,
)
export type Spec = SpecOf<typeof spec>

export const responseBuilder = defineFilterKind<Spec>({
  kind: 'ResponseBuilder',
  summary: 'Makes a new response out of a template, or takes that of another namespace.',
  results: ['buildErr'],
  isPure: true,
  spec,
  load: () => import('./response-builder.js'),
})
