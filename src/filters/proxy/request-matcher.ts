import type { Exchange } from '../../http/exchange.js'
import { fromLatin1 } from '../../http/headers.js'
import { fnv132 } from '../../upstream/balance.js'
import { UrlRuleV2, ValueMatcher } from '../value-match.js'
import type { RequestMatcherSpec } from './pool-spec-v2.js'
import type { TrafficFilter } from './traffic-filter.js'

const MILL = 1000

/** Which requests a v2 pool takes. `random(limit)` gives a whole number in 0..limit-1. */
export function createRequestMatcher(
  spec: RequestMatcherSpec,
  random: (limit: number) => number,
): TrafficFilter {
  const { permil } = spec
  const headerName = spec.headerHashKey.toLowerCase()
  switch (spec.policy) {
    case 'ipHash':
      return { matches: (ex) => fnv132(ex.realIp) % MILL < permil }
    case 'headerHash':
      return { matches: (ex) => fnv132(ex.request.headers.get(headerName) ?? '') % MILL < permil }
    case 'random':
      return { matches: () => random(MILL) < permil }
    default:
      return new General(spec)
  }
}

class General implements TrafficFilter {
  readonly #headers: readonly (readonly [name: string, matcher: ValueMatcher])[]
  readonly #all: boolean
  readonly #urls: readonly UrlRuleV2[]

  constructor(spec: RequestMatcherSpec) {
    this.#headers = Object.entries(spec.headers).map(([name, match]) => [
      name.toLowerCase(),
      new ValueMatcher(match),
    ])
    this.#all = spec.matchAllHeaders
    this.#urls = spec.urls.map((rule) => new UrlRuleV2(rule))
  }

  matches(ex: Exchange): boolean {
    if (!this.#fitsHeaders(ex)) return false
    return this.#urls.length === 0 || this.#urls.some((rule) => rule.matches(ex))
  }

  #fitsHeaders(ex: Exchange): boolean {
    for (const [name, matcher] of this.#headers) {
      if (hasMatch(ex, name, matcher) !== this.#all) return !this.#all
    }
    return this.#all
  }
}

/** Whether some value of the header matches; a missing one is matched as the empty text. */
function hasMatch({ request }: Exchange, name: string, matcher: ValueMatcher): boolean {
  const { flat } = request.headers
  let isThere = false
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== name) continue
    isThere = true
    if (matcher.test(fromLatin1(flat[i + 1] as string))) return true
  }
  if (isThere) return false
  return matcher.test(name === 'host' ? fromLatin1(request.host) : '')
}
