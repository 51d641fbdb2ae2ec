import { httpMethod, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { headerAdapt, headerTemplates, pathAdapt } from '../fields.js'

const spec = object({
  method: httpMethod({ doc: 'The new method.', optional: true }),
  path: pathAdapt,
  header: headerAdapt,
  body: string({ doc: 'The new body; may hold template variables.', default: '' }),
})
export type Spec = SpecOf<typeof spec>

export const requestAdaptor = defineFilterKind<Spec>({
  kind: 'RequestAdaptor',
  summary: 'Changes method, path, headers or body of the request.',
  results: [],
  isPure: true,
  spec,
  templates: ({ header, body }) => [...headerTemplates(header), body],
  load: () => import('./request-adaptor.js'),
})
