import { checkPolicy } from '../../rego/rego.js'
import { boolean, checked, httpCode, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'

/** Largest body that a policy is given. */
const BODY_BYTES_MAX = 4 << 20

const fields = object({
  defaultStatus: httpCode({
    doc: 'Status of the answer to a request that is denied.',
    default: 403,
  }),
  readBody: boolean({
    doc: 'Give the body, of at most 4 MiB, to the policy as `input.request.body`.',
    default: false,
  }),
  includedHeaders: string({
    doc: 'Names of header fields that the policy sees, separated by commas.',
    default: '',
  }),
  policy: string({
    doc: 'A module of Rego in `package http` whose rule `allow` is true for requests to let pass.',
    min: 1,
  }),
})
export type Spec = SpecOf<typeof fields>

const spec = checked(fields, ({ policy }) => {
  const message = checkPolicy(policy)
  return message === null ? [] : [{ path: ['policy'], message: `line ${message}` }]
})

export const opaFilter = defineFilterKind<Spec>({
  kind: 'OPAFilter',
  summary: 'Asks a policy in Rego, the language of Open Policy Agent, whether a request may pass.',
  results: ['opaDenied'],
  isPure: true,
  spec,
  requestBodyBytes: ({ readBody }) => (readBody ? BODY_BYTES_MAX : 0),
  load: () => import('./opa-filter.js'),
})
