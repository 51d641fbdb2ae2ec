import { UrlRule } from '../../http/adapt.js'
import { type Exchange, OK, RERUN, type Scope, SUSPENDED, UNCHANGED } from '../../http/exchange.js'
import { Sleeper } from '../../http/sleeper.js'
import { isFailure, retryWaitMs } from '../../resilience/retry.js'
import type { FilterContext, Forecast, WrappingFilter } from '../contract.js'
import type { Policy, Spec } from './kind.js'

interface Rule {
  readonly rule: UrlRule
  readonly policy: Policy
}

/** What an attempt may change, as it was before the first. */
interface Saved {
  readonly policy: Policy
  readonly method: string
  readonly path: string
  readonly query: string
  readonly body: Exchange['request']['body']
  readonly requestFields: readonly string[]
  readonly status: number
  readonly responseFields: readonly string[]
}

class Retryer implements WrappingFilter {
  readonly #rules: readonly Rule[]
  readonly #sleeper: Sleeper

  constructor(spec: Spec, context: FilterContext) {
    const policies = new Map(spec.policies.map((policy) => [policy.name, policy]))
    this.#rules = spec.urls.map((url) => ({
      rule: new UrlRule(url),
      policy: policies.get(url.policyRef || spec.defaultPolicyRef) as Policy,
    }))
    this.#sleeper = new Sleeper(context.timers)
  }

  /** Requests that are run only once may stream. */
  needsRequestBody(ex: Exchange): boolean {
    return this.#policyOf(ex) !== null
  }

  enter(ex: Exchange, scope: Scope): number {
    const policy = this.#policyOf(ex)
    if (policy !== null) scope.data = save(ex, policy)
    return OK
  }

  #policyOf(ex: Exchange): Policy | null {
    for (const { rule, policy } of this.#rules) if (rule.matches(ex)) return policy
    return null
  }

  leave(ex: Exchange, scope: Scope): number {
    const saved = scope.data as Saved | null
    if (saved === null) return UNCHANGED
    const { policy } = saved
    const { response } = ex
    if (!isFailure(policy, response.status)) {
      response.headers.set('x-mesh-retryer', `Succeeded-after-${scope.attempt}-attempts`)
      return UNCHANGED
    }
    if (scope.attempt >= policy.maxAttempts) {
      response.headers.set('x-eg-retryer', `Failed-after-${scope.attempt}-attempts`)
      return UNCHANGED
    }
    restore(ex, saved)
    const waitMs = retryWaitMs(policy, scope.attempt, Math.random())
    if (waitMs === 0) return RERUN
    this.#sleeper.sleep(ex, waitMs, RERUN)
    return SUSPENDED
  }

  explain(ex: Exchange): Forecast {
    const policy = this.#policyOf(ex)
    if (policy === null) return { code: OK, detail: {} }
    return { code: OK, detail: { policy: policy.name, maxAttempts: policy.maxAttempts } }
  }

  cancel(ex: Exchange): void {
    this.#sleeper.cancel(ex)
  }
}

function save(ex: Exchange, policy: Policy): Saved {
  const { request, response } = ex
  return {
    policy,
    method: request.method,
    path: request.path,
    query: request.query,
    body: request.body,
    requestFields: request.headers.lend(),
    status: response.status,
    responseFields: response.headers.lend(),
  }
}

/** Gives up the answer of the failed attempt, so that nothing of it piles up in the next. */
function restore(ex: Exchange, saved: Saved): void {
  const { request, response } = ex
  response.discard()
  response.status = saved.status
  response.headers.share(saved.responseFields)
  request.method = saved.method
  request.path = saved.path
  request.query = saved.query
  request.body = saved.body
  request.headers.share(saved.requestFields)
}

export const create = (spec: Spec, context: FilterContext): WrappingFilter =>
  new Retryer(spec, context)
