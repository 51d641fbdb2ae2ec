import { breakerBytes } from '../../resilience/circuit-breaker.js'
import { checked, list, object, type SpecOf, string } from '../../spec/schema.js'
import { breakerPolicy } from '../breaker-spec.js'
import { defineFilterKind } from '../contract.js'
import { checkPolicies, urlRuleFields } from '../fields.js'
import { urlPolicies } from '../url-policies.js'
import { policy } from './policy-spec.js'

const spec = checked(
  object({
    policies: list(policy, { doc: 'When to open the circuit.', uniqueBy: 'name' }),
    defaultPolicyRef: string({ doc: 'Policy of rules that name none.', default: '' }),
    urls: list(object(urlRuleFields), {
      doc: 'What to guard, each rule with a circuit of its own; the first that matches decides.',
    }),
  }),
  checkPolicies,
)
export type Spec = SpecOf<typeof spec>

export const circuitBreaker = defineFilterKind<Spec>({
  kind: 'CircuitBreaker',
  summary: 'Answers with 503 at once while too much of what is behind it fails or is slow.',
  results: ['shortCircuited'],
  wraps: true,
  spec,
  areas: (breaker) =>
    urlPolicies(breaker).map((rule) => ({
      key: rule.key,
      bytes: breakerBytes(breakerPolicy(rule.policy)),
    })),
  permits: (breaker) => urlPolicies(breaker).map(({ key }) => key),
  load: () => import('./circuit-breaker.js'),
})
