import { checked, object, oneOf, regexp, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { redirectStatus, statusProblems } from '../redirect.js'

const spec = checked(
  object({
    match: regexp({ doc: 'Pattern to find; not empty.' }),
    matchPart: oneOf(['uri', 'path', 'full'], {
      doc: 'Where: in path and query, in the decoded path alone, or (`full`) in the whole URL; where that does not match, in path and query.',
      ignoreCase: true,
      default: 'uri',
    }),
    replacement: string({
      doc: 'Replaces every match; may use groups as $1 or by name. The whole is the new place.',
      min: 1,
    }),
    statusCode: redirectStatus(301),
  }),
  (each) => [
    ...(each.match === '' ? [{ path: ['match'], message: 'expected a pattern, got ""' }] : []),
    ...statusProblems(each),
  ],
)
export type Spec = SpecOf<typeof spec>

export const redirector = defineFilterKind<Spec>({
  kind: 'Redirector',
  summary: 'Sends clients elsewhere, by a pattern on the URL.',
  results: ['redirected'],
  isPure: true,
  spec,
  load: () => import('./redirector.js'),
})
