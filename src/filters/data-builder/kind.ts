import { checked, object, type SpecOf, string } from '../../spec/schema.js'
import { delimiterFields, templateProblems } from '../builder-fields.js'
import { defineFilterKind } from '../contract.js'

const spec = checked(
  object({
    dataKey: string({
      doc: 'What later templates find the value by: `.data.KEY`. PIPELINE is taken.',
      min: 1,
      pattern: /^(?!PIPELINE$)/,
      expected: 'a key other than PIPELINE',
    }),
    template: string({
      doc: 'Template in the language of Go; what it gives is read as YAML.',
      min: 1,
    }),
    ...delimiterFields,
  }),
  (each) => templateProblems(each),
)
export type Spec = SpecOf<typeof spec>

export const dataBuilder = defineFilterKind<Spec>({
  kind: 'DataBuilder',
  summary: 'Makes a value out of a template that later templates can use.',
  results: ['buildErr'],
  isPure: true,
  spec,
  load: () => import('./data-builder.js'),
})
