import { checked, object, type SpecOf, type SpecProblem } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { basicAuth, usersPrefix } from './basic-auth-spec.js'
import { jwt } from './jwt-spec.js'
import { headerRules } from './kind.js'
import { oauth2 } from './oauth-spec.js'
import { SIGNED_BODY_BYTES_MAX, signatureV2 } from './signature-spec.js'

const spec = checked(
  object({ headers: headerRules, jwt, signature: signatureV2, oauth2, basicAuth }),
  (each): SpecProblem[] => {
    const { headers, jwt: token, signature, oauth2: oauth, basicAuth: basic } = each
    const isAny = token || signature || oauth || basic || Object.keys(headers).length > 0
    if (!isAny) {
      const message = 'expected one of headers, jwt, signature, oauth2 and basicAuth'
      return [{ path: [], message }]
    }
    if (oauth !== undefined && basic !== undefined) {
      const message = 'no request can have this and oauth2: both are in Authorization'
      return [{ path: ['basicAuth'], message }]
    }
    return []
  },
)
export type SpecV2 = SpecOf<typeof spec>

export const validatorV2 = defineFilterKind<SpecV2>({
  kind: 'Validator',
  summary: 'Lets only valid requests pass; others are answered with 400 or 401.',
  results: ['invalid'],
  spec,
  requestBodyBytes: ({ signature }) =>
    signature === undefined || signature.excludeBody ? 0 : SIGNED_BODY_BYTES_MAX,
  data: ({ basicAuth: basic }) => {
    const prefix = usersPrefix(basic)
    return prefix === null ? [] : [prefix]
  },
  load: () => import('./validator-v2.js'),
})
