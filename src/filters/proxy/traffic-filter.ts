import { StringMatcher, UrlRule } from '../../http/adapt.js'
import type { Exchange } from '../../http/exchange.js'
import { fromLatin1 } from '../../http/headers.js'
import { fnv1a32 } from '../../upstream/balance.js'
import type { TrafficFilterSpec } from './pool-spec.js'

/** Decides which requests a pool takes (compat/traffic-v1.md §6.2, "Pool selection"). */
export interface TrafficFilter {
  matches(ex: Exchange): boolean
}

/** `random(limit)` gives a whole number in 0..limit-1. */
export function createTrafficFilter(
  spec: TrafficFilterSpec,
  random: (limit: number) => number,
): TrafficFilter {
  const { probability } = spec
  if (probability === undefined) return new ByHeaders(spec)
  const { perMill, policy } = probability
  const headerName = probability.headerHashKey.toLowerCase()
  switch (policy) {
    case 'ipHash':
      return new Share(perMill, (ex) => fnv1a32(ex.realIp))
    case 'headerHash':
      return new Share(perMill, (ex) => fnv1a32(ex.request.headers.get(headerName) ?? ''))
    case 'random':
      return new Share(perMill, () => random(MILL))
  }
}

const MILL = 1000

class Share implements TrafficFilter {
  readonly #perMill: number
  readonly #numberOf: (ex: Exchange) => number

  constructor(perMill: number, numberOf: (ex: Exchange) => number) {
    this.#perMill = perMill
    this.#numberOf = numberOf
  }

  matches(ex: Exchange): boolean {
    return this.#numberOf(ex) % MILL < this.#perMill
  }
}

/** Headers are alternatives, and so are values of a repeated one; URL rules come on top. */
class ByHeaders implements TrafficFilter {
  readonly #headers: ReadonlyMap<string, readonly StringMatcher[]>
  readonly #urls: readonly UrlRule[]

  constructor(spec: TrafficFilterSpec) {
    const headers = new Map<string, StringMatcher[]>()
    for (const [name, match] of Object.entries(spec.headers)) {
      const key = name.toLowerCase()
      headers.set(key, [...(headers.get(key) ?? []), new StringMatcher(match)])
    }
    this.#headers = headers
    this.#urls = spec.urls.map((rule) => new UrlRule(rule))
  }

  matches(ex: Exchange): boolean {
    if (!this.#hasHeader(ex)) return false
    if (this.#urls.length === 0) return true
    for (const rule of this.#urls) if (rule.matches(ex)) return true
    return false
  }

  #hasHeader(ex: Exchange): boolean {
    const { flat } = ex.request.headers
    for (let i = 0; i < flat.length; i += 2) {
      const matchers = this.#headers.get(flat[i] as string)
      if (matchers === undefined) continue
      const value = fromLatin1(flat[i + 1] as string)
      for (const matcher of matchers) if (matcher.test(value)) return true
    }
    return false
  }
}
