import {
  checked,
  list,
  map,
  object,
  regexp,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { jwt } from './jwt-spec.js'
import { oauth2 } from './oauth-spec.js'
import { SIGNED_BODY_BYTES_MAX, signature } from './signature-spec.js'

const value = checked(
  object({
    values: list(string({ doc: '' }), { doc: 'Values to let in.', unique: true, default: [] }),
    regexp: regexp({ doc: 'Or a pattern found in the value.', optional: true }),
  }),
  (spec): SpecProblem[] =>
    spec.values.length > 0 || spec.regexp
      ? []
      : [{ path: [], message: 'expected values or regexp', hint: 'say what the header must be' }],
)

export const headerRules = map(value, {
  doc: 'Headers that must be there, each with a value that is listed or matches.',
  default: {},
})

const spec = object({
  headers: headerRules,
  jwt,
  signature,
  oauth2,
})
export type Spec = SpecOf<typeof spec>

export const validator = defineFilterKind<Spec>({
  kind: 'Validator',
  summary: 'Lets only valid requests pass; others are answered with 400 or 403.',
  results: ['invalid'],
  spec,
  requestBodyBytes: (validator) =>
    validator.signature === undefined || validator.signature.excludeBody
      ? 0
      : SIGNED_BODY_BYTES_MAX,
  load: () => import('./validator.js'),
})
