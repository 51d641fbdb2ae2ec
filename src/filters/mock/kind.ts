import { duration, httpCode, list, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { answerHeaders, rootedPath } from '../fields.js'

const spec = object({
  rules: list(
    object({
      path: string({ doc: 'Exact path it holds for.', ...rootedPath, optional: true }),
      pathPrefix: string({
        doc: 'What the path begins with; with neither, it holds for all paths.',
        ...rootedPath,
        optional: true,
      }),
      code: httpCode({ doc: 'Status of the answer.' }),
      headers: answerHeaders,
      body: string({ doc: 'Body of the answer.', default: '' }),
      delay: duration({ doc: 'Wait before the answer.', default: '0s' }),
    }),
    { doc: 'The first that matches answers; without a match the flow goes on.' },
  ),
})
export type Spec = SpecOf<typeof spec>

export const mock = defineFilterKind<Spec>({
  kind: 'Mock',
  summary: 'Answers requests itself, by rules on the path.',
  results: ['mocked'],
  spec,
  load: () => import('./mock.js'),
})
