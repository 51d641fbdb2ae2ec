import type { Exchange } from '../../http/exchange.js'
import { fromLatin1 } from '../../http/headers.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'
import { fnv132 } from '../../upstream/balance.js'
import type { RequestMatcherSpec, ValueMatchSpec } from './pool-spec-v2.js'
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

/** Alternatives on one text; with `empty` the empty text alone. */
class ValueMatcher {
  readonly #spec: ValueMatchSpec
  readonly #regexp: LinearRegexp | null

  constructor(spec: ValueMatchSpec) {
    this.#spec = spec
    this.#regexp = spec.regex ? compileRegexp(spec.regex) : null
  }

  test(text: string): boolean {
    const { exact, prefix, empty } = this.#spec
    if (empty) return text === ''
    if (exact !== '' && text === exact) return true
    if (prefix !== '' && text.startsWith(prefix)) return true
    return this.#regexp?.test(text) === true
  }
}

class General implements TrafficFilter {
  readonly #headers: readonly (readonly [name: string, matcher: ValueMatcher])[]
  readonly #all: boolean
  readonly #urls: readonly { readonly methods: ReadonlySet<string>; readonly url: ValueMatcher }[]

  constructor(spec: RequestMatcherSpec) {
    this.#headers = Object.entries(spec.headers).map(([name, match]) => [
      name.toLowerCase(),
      new ValueMatcher(match),
    ])
    this.#all = spec.matchAllHeaders
    this.#urls = spec.urls.map(({ methods, url }) => ({
      methods: new Set<string>(methods),
      url: new ValueMatcher(url),
    }))
  }

  matches(ex: Exchange): boolean {
    if (!this.#fitsHeaders(ex)) return false
    if (this.#urls.length === 0) return true
    const { method, path } = ex.request
    for (const { methods, url } of this.#urls) {
      if ((methods.size === 0 || methods.has(method)) && url.test(path)) return true
    }
    return false
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
