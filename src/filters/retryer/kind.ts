import { boolean, checked, list, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { checkPolicies, failureStatusCodes, retryFields, urlRuleFields } from '../fields.js'

const policy = object({
  name: string({ doc: 'What rules refer to it by.', min: 1 }),
  ...retryFields,
  countingNetworkError: boolean({
    doc: 'Whether 408, 499, 502, 503 and 504 count as failures.',
    default: false,
  }),
  failureStatusCodes,
})
export type Policy = SpecOf<typeof policy>

const spec = checked(
  object({
    policies: list(policy, { doc: 'How to retry.', uniqueBy: 'name' }),
    defaultPolicyRef: string({ doc: 'Policy of rules that name none.', default: '' }),
    urls: list(object(urlRuleFields), {
      doc: 'What to retry; the first rule that matches decides.',
    }),
  }),
  checkPolicies,
)
export type Spec = SpecOf<typeof spec>

/** A request is run again only whole: larger bodies are refused with 413. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024

export const retryer = defineFilterKind<Spec>({
  kind: 'Retryer',
  summary: 'Runs all filters behind it again while they fail.',
  results: [],
  wraps: true,
  spec,
  requestBodyBytes: () => BODY_BYTES_MAX,
  load: () => import('./retryer.js'),
})
