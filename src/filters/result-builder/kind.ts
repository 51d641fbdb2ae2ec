import { checked, object, type SpecOf, string } from '../../spec/schema.js'
import { delimiterFields, templateProblems } from '../builder-fields.js'
import { defineFilterKind } from '../contract.js'
import { RESULTS } from './results-spec.js'

const spec = checked(
  object({
    template: string({
      doc: 'Template in the language of Go that gives the name of a result, or nothing.',
      default: '',
    }),
    ...delimiterFields,
  }),
  (each) => templateProblems(each),
)
export type Spec = SpecOf<typeof spec>

export const resultBuilder = defineFilterKind<Spec>({
  kind: 'ResultBuilder',
  summary: 'Decides by a template where the flow goes on.',
  results: RESULTS,
  isPure: true,
  spec,
  load: () => import('./result-builder.js'),
})
