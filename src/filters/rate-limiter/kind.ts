import { checked, duration, integer, list, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { checkPolicies, urlRuleFields } from '../fields.js'
import { urlPolicies } from '../url-policies.js'

const policy = object({
  name: string({ doc: 'What rules refer to it by.', min: 1 }),
  limitForPeriod: integer({
    doc: 'Requests let through in each period.',
    min: 1,
    max: 1_000_000_000,
    default: 50,
  }),
  limitRefreshPeriod: duration({ doc: 'Length of a period.', min: '1us', default: '10ms' }),
  timeoutDuration: duration({
    doc: 'Longest time that a request may wait for a later period.',
    default: '100ms',
  }),
})

/** Fields that both dialects have. */
export const limiterFields = {
  policies: list(policy, { doc: 'How much to let through.', uniqueBy: 'name' }),
  defaultPolicyRef: string({ doc: 'Policy of rules that name none.', default: '' }),
}

const spec = checked(
  object({
    ...limiterFields,
    urls: list(object(urlRuleFields), {
      doc: 'What to limit, each rule for itself; the first that matches decides.',
    }),
  }),
  checkPolicies,
)
export type Spec = SpecOf<typeof spec>

export const rateLimiter = defineFilterKind<Spec>({
  kind: 'RateLimiter',
  summary: 'Lets through only so many requests a period; others wait, or are answered with 429.',
  results: ['rateLimited'],
  spec,
  shared: (limiter) => urlPolicies(limiter).map(({ key }) => key),
  load: () => import('./rate-limiter.js'),
})
