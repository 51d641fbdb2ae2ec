import { object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { headerAdapt, headerTemplates } from '../fields.js'

const spec = object({
  header: headerAdapt,
  body: string({ doc: 'The new body; may hold template variables.', default: '' }),
})
export type Spec = SpecOf<typeof spec>

export const responseAdaptor = defineFilterKind<Spec>({
  kind: 'ResponseAdaptor',
  summary: 'Changes headers or body of the response.',
  results: [],
  isPure: true,
  spec,
  templates: ({ header, body }) => [...headerTemplates(header), body],
  load: () => import('./response-adaptor.js'),
})
