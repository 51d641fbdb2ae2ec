import {
  boolean,
  duration,
  httpCode,
  list,
  map,
  object,
  type SpecOf,
  string,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { answerHeaders, rootedPath } from '../fields.js'
import { valueMatch } from '../value-match.js'

const match = object(
  {
    path: string({ doc: 'Exact path it holds for.', ...rootedPath, optional: true }),
    pathPrefix: string({
      doc: 'What the path begins with; with neither, it holds for all paths.',
      ...rootedPath,
      optional: true,
    }),
    headers: map(valueMatch('What some value of the header is.'), {
      doc: 'Conditions on headers, one of which must hold.',
      default: {},
    }),
    matchAllHeaders: boolean({ doc: 'All of `headers` must hold.', default: false }),
  },
  { doc: 'Requests it holds for; all without.', default: {} },
)

const spec = object({
  rules: list(
    object({
      match,
      code: httpCode({ doc: 'Status of the answer.' }),
      headers: answerHeaders,
      body: string({ doc: 'Body of the answer.', default: '' }),
      delay: duration({ doc: 'Wait before the answer.', default: '0s' }),
    }),
    { doc: 'The first that matches answers; without a match the flow goes on.' },
  ),
})
export type SpecV2 = SpecOf<typeof spec>

export const mockV2 = defineFilterKind<SpecV2>({
  kind: 'Mock',
  summary: 'Answers requests itself, by rules on path and headers.',
  results: ['mocked'],
  spec,
  load: () => import('./mock-v2.js'),
})
