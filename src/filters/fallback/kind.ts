import { httpCode, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { answerHeaders } from '../fields.js'

const spec = object({
  mockCode: httpCode({ doc: 'Status of the answer.' }),
  mockHeaders: answerHeaders,
  mockBody: string({ doc: 'Body of the answer.', default: '' }),
})
export type Spec = SpecOf<typeof spec>

export const fallback = defineFilterKind<Spec>({
  kind: 'Fallback',
  summary: 'Replaces the answer by a fixed one.',
  results: ['fallback'],
  isPure: true,
  spec,
  load: () => import('./fallback.js'),
})
