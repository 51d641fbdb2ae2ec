import { UrlRule } from '../../http/adapt.js'
import { type Exchange, OK, type Scope, UNCHANGED } from '../../http/exchange.js'
import { breakerBytes, CircuitBreaker } from '../../resilience/circuit-breaker.js'
import { isFailure } from '../../resilience/retry.js'
import { breakerPolicy } from '../breaker-spec.js'
import type { FilterContext, Forecast, WrappingFilter } from '../contract.js'
import { urlPolicies, urlText } from '../url-policies.js'
import type { Spec } from './kind.js'
import type { Policy } from './policy-spec.js'

const SHORT_CIRCUITED = 1

// Why a scope is given up: see `WrappingFilter.cancel`.
const CLIENT_GONE = 499
const REQUEST_TOO_LARGE = 413
const FILTER_THREW = 500

interface Rule {
  readonly rule: UrlRule
  /** As the status calls it. */
  readonly url: string
  readonly policy: Policy
  readonly breaker: CircuitBreaker
}

/** A call that the breaker of a rule let through. */
interface Call {
  readonly rule: Rule
  readonly permit: number
}

class CircuitBreakerFilter implements WrappingFilter {
  readonly #rules: readonly Rule[]
  readonly #nodeMs: () => number

  constructor(spec: Spec, context: FilterContext) {
    this.#nodeMs = context.nodeMs
    this.#rules = urlPolicies(spec).map(({ url, policy, key }, rule) => {
      const core = breakerPolicy(policy)
      const area = context.area({ key, bytes: breakerBytes(core) })
      const fields = { pipeline: context.pipeline, filter: context.name, rule }
      const breaker = new CircuitBreaker(core, area, context.permits(key), (state) => {
        if (state === 'open') context.log.warn('circuit opened', fields)
        else context.log.info('circuit changed', { ...fields, state })
      })
      return { rule: new UrlRule(url), url: urlText(url), policy, breaker }
    })
  }

  enter(ex: Exchange, scope: Scope): number {
    for (const rule of this.#rules) {
      if (!rule.rule.matches(ex)) continue
      const nowMs = this.#nodeMs()
      const permit = rule.breaker.acquire(nowMs)
      if (permit === null) return refuse(ex)
      scope.data = { rule, permit } satisfies Call
      scope.startedMs = nowMs
      return OK
    }
    return OK
  }

  leave(ex: Exchange, scope: Scope): number {
    const call = scope.data as Call | null
    if (call !== null) {
      this.#record(call, scope, isFailure(call.rule.policy, ex.response.status))
    }
    return UNCHANGED
  }

  explain(ex: Exchange): Forecast {
    const found = this.#rules.find(({ rule }) => rule.matches(ex))
    if (found === undefined) return { code: OK, detail: {} }
    const { url, policy, breaker } = found
    const detail = { url, policy: policy.name, circuit: breaker.state }
    return { code: breaker.admits(this.#nodeMs()) ? OK : refuse(ex), detail }
  }

  state(): Readonly<Record<string, unknown>> {
    const urls = this.#rules.map(({ url, policy, breaker }) => ({
      url,
      policy: policy.name,
      state: breaker.state,
    }))
    return { urls }
  }

  /** What its client gave up, or asked wrongly, says nothing about the inside. */
  cancel(_ex: Exchange, scope: Scope, status: number): void {
    const call = scope.data as Call | null
    if (call === null) return
    const { breaker, policy } = call.rule
    if (status === CLIENT_GONE || status === REQUEST_TOO_LARGE) breaker.release(call.permit)
    else this.#record(call, scope, status === FILTER_THREW || isFailure(policy, status))
  }

  #record({ rule, permit }: Call, scope: Scope, isFailed: boolean): void {
    const nowMs = this.#nodeMs()
    rule.breaker.record(permit, nowMs, nowMs - scope.startedMs, isFailed)
  }
}

/** Header fields that earlier filters set stay. */
function refuse(ex: Exchange): number {
  const { response } = ex
  response.body = null
  response.status = 503
  response.headers.set('x-eg-circuit-breaker', 'circuit-is-broken')
  return SHORT_CIRCUITED
}

export const create = (spec: Spec, context: FilterContext): WrappingFilter =>
  new CircuitBreakerFilter(spec, context)
