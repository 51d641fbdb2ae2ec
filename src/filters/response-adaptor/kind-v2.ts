import { checked, object, type SpecOf, string } from '../../spec/schema.js'
import { adaptorFields, codingProblems } from '../adaptor-fields.js'
import { templateProblems } from '../builder-fields.js'
import { defineFilterKind } from '../contract.js'
import { headerAdapt } from '../fields.js'

const fields = object({
  header: headerAdapt,
  body: string({ doc: 'The new body.', default: '' }),
  ...adaptorFields,
})

const spec = checked(checked(fields, codingProblems), (each) => templateProblems(each))
export type SpecV2 = SpecOf<typeof spec>

export const responseAdaptorV2 = defineFilterKind<SpecV2>({
  kind: 'ResponseAdaptor',
  summary: 'Changes headers or body of the response, or codes it.',
  results: ['responseNotFound', 'compressFailed', 'decompressFailed', 'buildErr'],
  isPure: true,
  spec,
  load: () => import('./response-adaptor-v2.js'),
})
