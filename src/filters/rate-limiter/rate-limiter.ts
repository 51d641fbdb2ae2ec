import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { Sleeper } from '../../http/sleeper.js'
import { RateLimiter, REFUSED } from '../../resilience/rate-limiter.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { urlPolicies, urlText } from '../url-policies.js'
import { UrlRuleV2 } from '../value-match.js'
import type { Spec } from './kind.js'
import type { SpecV2 } from './kind-v2.js'

const RATE_LIMITED = 1

interface Rule {
  readonly rule: UrlRuleV2
  /** As the status calls it, and whose policy it is. */
  readonly url: string
  readonly policy: { readonly name: string; readonly limitForPeriod: number }
  readonly limiter: RateLimiter
}

class RateLimiterFilter implements Filter {
  readonly #rules: readonly Rule[]
  readonly #sleeper: Sleeper
  readonly #nodeMs: () => number

  constructor(spec: Spec | SpecV2, context: FilterContext) {
    this.#rules = urlPolicies(spec).map(({ url, policy, key }) => {
      const limit = {
        limit: policy.limitForPeriod,
        periodMs: policy.limitRefreshPeriod,
        timeoutMs: policy.timeoutDuration,
      }
      const limiter = new RateLimiter(limit, context.words(key), context.nodeMs())
      return {
        rule: new UrlRuleV2({ methods: url.methods, url: { empty: false, ...url.url } }),
        url: urlText(url),
        policy,
        limiter,
      }
    })
    this.#sleeper = new Sleeper(context.timers)
    this.#nodeMs = context.nodeMs
  }

  handle(ex: Exchange): number {
    for (const { rule, limiter } of this.#rules) {
      if (!rule.matches(ex)) continue
      const waitMs = limiter.acquire(this.#nodeMs())
      if (waitMs === 0) return OK
      if (waitMs === REFUSED) return refuse(ex)
      this.#sleeper.sleep(ex, waitMs, OK)
      return SUSPENDED
    }
    return OK
  }

  explain(ex: Exchange): Forecast {
    const found = this.#rules.find(({ rule }) => rule.matches(ex))
    if (found === undefined) return { code: OK, detail: {} }
    const nowMs = this.#nodeMs()
    return { code: found.limiter.admits(nowMs) ? OK : refuse(ex), detail: stateOf(found, nowMs) }
  }

  state(): Readonly<Record<string, unknown>> {
    const nowMs = this.#nodeMs()
    return { urls: this.#rules.map((rule) => stateOf(rule, nowMs)) }
  }

  /** The permit it waited for is lost, as in Easegress. */
  cancel(ex: Exchange): void {
    this.#sleeper.cancel(ex)
  }
}

function stateOf({ url, policy, limiter }: Rule, nowMs: number): Record<string, unknown> {
  const { name, limitForPeriod } = policy
  return { url, policy: name, limitForPeriod, usedOfPeriod: limiter.used(nowMs) }
}

/** Header fields that earlier filters set stay. */
function refuse(ex: Exchange): number {
  const { response } = ex
  response.body = null
  response.status = 429
  response.headers.set('x-eg-rate-limiter', 'too-many-requests')
  return RATE_LIMITED
}

export const create = (spec: Spec | SpecV2, context: FilterContext): Filter =>
  new RateLimiterFilter(spec, context)
