import type { BreakerPolicy } from '../resilience/circuit-breaker.js'
import { checked, object, type Schema, type SpecOf } from '../spec/schema.js'
import { breakerPolicy, checkWindow, windowFields } from './breaker-spec.js'
import { retryFields } from './fields.js'

/*
 * Resilience policies of a v2 Pipeline (compat/traffic-v2.md §5.2): what its `resilience` list may
 * hold and filters name. They are descriptions only; the filter that names one runs it.
 */

const retry = object(retryFields)
export type RetrySpec = SpecOf<typeof retry>

const circuitBreaker = checked(object(windowFields), checkWindow)
export type CircuitBreakerSpec = SpecOf<typeof circuitBreaker>

export interface PolicyKind {
  readonly kind: string
  readonly summary: string
  /** Fields beside `name` and `kind`. */
  readonly spec: Schema<object>
}

const KINDS: readonly PolicyKind[] = [
  {
    kind: 'CircuitBreaker',
    summary: 'Refuses calls at once while too many of them fail or are slow.',
    spec: circuitBreaker,
  },
  { kind: 'Retry', summary: 'Calls again what failed.', spec: retry },
]

export const policyKinds: ReadonlyMap<string, PolicyKind> = new Map(
  KINDS.map((kind) => [kind.kind, kind]),
)

/** An entry of `resilience`, decoded. */
export type PolicySpec =
  | { readonly name: string; readonly kind: 'Retry'; readonly spec: RetrySpec }
  | { readonly name: string; readonly kind: 'CircuitBreaker'; readonly spec: CircuitBreakerSpec }

/** The policies of a pipeline by name; of equal names the last one holds. */
export type Policies = ReadonlyMap<string, PolicySpec>

export const NO_POLICIES: Policies = new Map()

export const policiesOf = (list: readonly PolicySpec[]): Policies =>
  new Map(list.map((policy) => [policy.name, policy]))

/** A policy that a filter names. */
export interface PolicyUse {
  /** Of the field, from the filter's own fields on. */
  readonly path: readonly (string | number)[]
  readonly name: string
  readonly kind: PolicySpec['kind']
}

/** The named Retry; null when `name` is empty or names none. */
export function retryNamed(policies: Policies, name: string | undefined): RetrySpec | null {
  const policy = name ? policies.get(name) : undefined
  return policy?.kind === 'Retry' ? policy.spec : null
}

/** The named CircuitBreaker, as a breaker takes it; null when `name` is empty or names none. */
export function breakerNamed(policies: Policies, name: string | undefined): BreakerPolicy | null {
  const policy = name ? policies.get(name) : undefined
  return policy?.kind === 'CircuitBreaker' ? breakerPolicy(policy.spec) : null
}
