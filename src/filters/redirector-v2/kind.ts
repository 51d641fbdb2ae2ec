import {
  checked,
  integer,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { redirectStatus, statusProblems } from '../redirect.js'

const path = checked(
  object(
    {
      type: oneOf(['ReplaceFullPath', 'ReplacePrefixMatch'], { doc: 'What is replaced.' }),
      replaceFullPath: string({ doc: 'The new path, for ReplaceFullPath.', optional: true }),
      replacePrefixMatch: string({
        doc: 'What takes the place of the prefix of the route, for ReplacePrefixMatch.',
        optional: true,
      }),
    },
    { doc: 'Change of the path; none without.', optional: true },
  ),
  (spec): SpecProblem[] => {
    const field = spec.type === 'ReplaceFullPath' ? 'replaceFullPath' : 'replacePrefixMatch'
    const isThere = spec[field] !== undefined
    return isThere ? [] : [{ path: [field], message: `is required for ${spec.type}` }]
  },
)

const spec = checked(
  object({
    scheme: oneOf(['http', 'https'], { doc: 'The new scheme.', optional: true }),
    hostname: string({
      doc: 'The new host, without port.',
      pattern: /^[A-Za-z0-9._~-]+$|^\[[0-9A-Fa-f:.]+\]$/,
      expected: 'a host name, or an address, without port',
      optional: true,
    }),
    port: integer({
      doc: 'The new port; without, that of the scheme, or of the request where that stays. Easegress ignores it.',
      min: 1,
      max: 65_535,
      optional: true,
    }),
    statusCode: redirectStatus(302),
    path,
  }),
  statusProblems,
)
export type Spec = SpecOf<typeof spec>

export const redirectorV2 = defineFilterKind<Spec>({
  kind: 'RedirectorV2',
  summary: 'Sends clients elsewhere, as the redirect filter of the Kubernetes Gateway API.',
  results: ['redirected'],
  isPure: true,
  spec,
  load: () => import('./redirector-v2.js'),
})
