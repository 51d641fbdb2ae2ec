import { checked, list, object, type SpecOf } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { checkPolicies } from '../fields.js'
import { urlPolicies } from '../url-policies.js'
import { urlRuleFieldsV2 } from '../value-match.js'
import { limiterFields, rateLimiter } from './kind.js'

const spec = checked(
  object({
    ...limiterFields,
    urls: list(object(urlRuleFieldsV2), {
      doc: 'What to limit, each rule for itself; the first that matches decides.',
    }),
  }),
  checkPolicies,
)
export type SpecV2 = SpecOf<typeof spec>

export const rateLimiterV2 = defineFilterKind<SpecV2>({
  kind: 'RateLimiter',
  summary: rateLimiter.summary,
  results: rateLimiter.results,
  spec,
  shared: (limiter) => urlPolicies(limiter).map(({ key }) => key),
  load: () => import('./rate-limiter.js'),
})
