import type { UrlRule } from '../http/adapt.js'

/** `empty` is of v2 alone. */
type UrlRuleSpec = ConstructorParameters<typeof UrlRule>[0] & {
  readonly url: { readonly empty?: boolean }
  readonly policyRef: string
}

/** A URL rule with the policy that is in force for it. */
export interface UrlPolicy<P> {
  readonly url: UrlRuleSpec
  readonly policy: P
  /**
   * The rule and all fields of its policy, but no name: state in shared memory goes by it, so that
   * a rule keeps its state for as long as neither changes.
   */
  readonly key: string
}

/** What a rule says of paths, for people: `/a`, `/a*`, `~^/a`. */
export function urlText({ url }: UrlRuleSpec): string {
  const { exact, prefix, regex = '' } = url
  return [exact, prefix && `${prefix}*`, regex && `~${regex}`].filter(Boolean).join(' or ')
}

/** The rules of a spec that `checkPolicies` let pass, in their order. */
export function urlPolicies<P extends { readonly name: string }>(spec: {
  readonly policies: readonly P[]
  readonly defaultPolicyRef: string
  readonly urls: readonly UrlRuleSpec[]
}): UrlPolicy<P>[] {
  return spec.urls.map((url) => {
    const ref = url.policyRef || spec.defaultPolicyRef
    const policy = spec.policies.find(({ name }) => name === ref) as P
    const { exact, prefix, regex = '', empty = false } = url.url
    const { name: _, ...fields } = policy
    const text = empty ? [''] : [exact, prefix, regex]
    const key = JSON.stringify([url.methods, ...text, Object.entries(fields).sort()])
    return { url, policy, key }
  })
}
