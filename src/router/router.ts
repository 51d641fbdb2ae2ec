import type { Exchange } from '../http/exchange.js'
import { fromLatin1, type Headers, toLatin1 } from '../http/headers.js'
import { ArcCache } from '../lib/arc.js'
import { type Address, IpFilter, type IpFilterSpec, parseAddress } from '../lib/ip-table.js'
import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import type { PathVerdict, RouteExplanation, Verdict } from './explain.js'
import { HostIndex } from './host-index.js'
import { NO_ENTRY, type PathIndex } from './path-index.js'
import type { HeaderSpec, PathSpec, RouterSpec, RuleSpec } from './spec.js'

/** Longer ones are not remembered, so that the cache is bounded in bytes too. */
export const CACHE_KEY_LENGTH_MAX = 2048

/** Answered without a back end, with an empty body. */
export type Refusal = 403 | 404 | 405

/** What a router reads of an exchange; `realIp` only when an IP filter is in the way. */
export type RouteInput = Pick<Exchange, 'request' | 'realIp'>

interface Rewrite {
  readonly regexp: LinearRegexp
  readonly target: string
}

/** Where a request goes. Of thousands each request finds another one: a cache line, and no more. */
export class Route<T> {
  readonly target: T
  /** The path condition as written, for statistics; '' where there is none. */
  readonly pattern: string
  /** For who counts requests by pattern, to find its counters again; -1 at first. */
  place = -1
  readonly #rewrite: Rewrite | null

  constructor(target: T, spec: PathSpec, regexp: LinearRegexp | null) {
    this.target = target
    this.pattern = spec.path || spec.pathPrefix || spec.pathRegexp || ''
    const { rewriteTarget } = spec
    this.#rewrite = rewriteTarget && regexp !== null ? { regexp, target: rewriteTarget } : null
  }

  /** The path (decoded) that the back end's pipeline sees: `path` itself without rewriteTarget. */
  rewritePath(path: string): string {
    const rewrite = this.#rewrite
    return rewrite === null ? path : rewrite.regexp.replaceAll(path, rewrite.target)
  }
}

/** A header entry of a path, with its own back end. */
class HeaderEntry<T> {
  readonly route: Route<T>
  readonly #key: string
  readonly #values: ReadonlySet<string>
  readonly #regexp: LinearRegexp | null

  constructor(spec: HeaderSpec, route: Route<T>) {
    this.route = route
    this.#key = spec.key.toLowerCase()
    this.#values = new Set((spec.values ?? []).map(toLatin1))
    this.#regexp = spec.regexp ? compileRegexp(spec.regexp) : null
  }

  /** Only the first value of a header counts; a missing one is the empty text. */
  matches({ request }: RouteInput): boolean {
    const value = request.headers.get(this.#key) ?? (this.#key === 'host' ? request.host : '')
    return this.#values.has(value) || (this.#regexp?.test(fromLatin1(value)) ?? false)
  }
}

/** One step of the walk over rules: a path, or the IP filter of a rule in front of its paths. */
interface Entry<T> {
  readonly ipFilter: IpFilter | null
  /** Null takes all. */
  readonly methods: ReadonlySet<string> | null
  readonly headers: readonly HeaderEntry<T>[] | null
  /** Null for the filter of a rule. */
  readonly route: Route<T> | null
  /** Index of the rule, and of the path in it; -1 for the filter of a rule. */
  readonly rule: number
  readonly path: number
}

const isPlain = ({ ipFilter, methods, headers }: Entry<unknown>): boolean =>
  ipFilter === null && methods === null && headers === null

/** An outcome that holds for every client whose address all of `filters` allow. */
interface Remembered<T> {
  readonly outcome: Route<T> | Refusal
  readonly filters: readonly IpFilter[]
}

/**
 * The rules of an HTTPServer, compiled: compat/traffic-v1.md §3.2 to §3.6. What an index finds is
 * always the entry that a walk over the rules in order would stop at; `router.test.ts` compares.
 *
 * Two things differ from Easegress v1.0.0 on purpose. A header entry leads to its own back end,
 * and a path with header entries of which none matches is passed over, as documented and as in
 * later releases. And the cache never shows: an outcome is remembered together with every IP
 * filter that was asked on the way, and one that depended on a header is not remembered.
 */
export class Router<T> {
  readonly #hosts: HostIndex
  /** By order: the route of an entry without conditions beside its path; null for the others. */
  readonly #plain: readonly (Route<T> | null)[]
  readonly #entries: readonly Entry<T>[]
  /** By rule. */
  readonly #groups: readonly (readonly PathIndex[])[]
  readonly #ipFilter: IpFilter | null
  readonly #cache: ArcCache<string, Remembered<T>> | null
  /** Of the last walk: a header entry was consulted. */
  #askedHeader = false
  #lastIp = ''
  #lastAddress: Address | null = null

  /** Called by {@link buildRouter}. */
  constructor(
    hosts: HostIndex,
    entries: readonly Entry<T>[],
    groups: readonly (readonly PathIndex[])[],
    spec: RouterSpec,
  ) {
    this.#hosts = hosts
    this.#plain = entries.map((entry) => (isPlain(entry) ? entry.route : null))
    this.#entries = entries
    this.#groups = groups
    this.#ipFilter = filterOf(spec.ipFilter)
    this.#cache = spec.cacheSize ? new ArcCache(spec.cacheSize) : null
  }

  /** Where `input` goes, or the status to refuse it with. */
  route(input: RouteInput): Route<T> | Refusal {
    const cache = this.#cache
    if (cache === null) return this.#walk(input, null)
    const { method, host, path } = input.request
    // Neither a method nor a Host field can hold a line feed, so no two requests share a key.
    const key = `${method}\n${host}\n${path}`
    const known = cache.get(key)
    if (known !== undefined) {
      for (const filter of known.filters) if (!this.#allows(filter, input)) return 403
      return known.outcome
    }
    const passed: IpFilter[] = []
    const outcome = this.#walk(input, passed)
    const repeats = outcome !== 403 && !this.#askedHeader
    if (repeats && key.length <= CACHE_KEY_LENGTH_MAX) cache.set(key, { outcome, filters: passed })
    return outcome
  }

  /** Adds each filter that allowed the request to `passed`. */
  #walk(input: RouteInput, passed: IpFilter[] | null): Route<T> | Refusal {
    this.#askedHeader = false
    if (!this.#passes(this.#ipFilter, input, passed)) return 403
    const { path } = input.request
    const groups = this.#hosts.find(input.request.host)
    for (let order = nextOf(groups, path, -1); order !== NO_ENTRY; ) {
      const outcome =
        this.#plain[order] ?? this.#judge(this.#entries[order] as Entry<T>, input, passed)
      if (outcome !== null) return outcome
      order = nextOf(groups, path, order)
    }
    return 404
  }

  /** What ends the search at an entry whose host and path fit; null: it goes on. */
  #judge(entry: Entry<T>, input: RouteInput, passed: IpFilter[] | null): Route<T> | Refusal | null {
    // The filter comes first also where the method is wrong: 403 outranks 405.
    if (!this.#passes(entry.ipFilter, input, passed)) return 403
    if (entry.methods !== null && !entry.methods.has(input.request.method)) return 405
    return entry.headers === null ? entry.route : this.#byHeader(entry.headers, input)
  }

  /** Why `route` gives what it gives. Slow: it goes through all paths. */
  explain(input: RouteInput): RouteExplanation<Route<T> | Refusal> {
    const outcome = this.#walk(input, null)
    if (!this.#passes(this.#ipFilter, input, null)) {
      return { outcome, isServerDenied: true, verdicts: [] }
    }
    const { path, host } = input.request
    const groups = this.#hosts.find(host)
    const met = new Set<number>()
    for (let order = nextOf(groups, path, -1); order !== NO_ENTRY; ) {
      met.add(order)
      order = nextOf(groups, path, order)
    }
    const verdicts: PathVerdict[] = []
    let isOver = false
    let deniedRule = -1
    for (const [order, entry] of this.#entries.entries()) {
      const isMet = met.has(order)
      let verdict: Verdict
      if (!isMet) verdict = this.#holdsHost(entry.rule, groups) ? 'path' : 'host'
      else if (isOver) verdict = entry.rule === deniedRule ? 'ip' : 'unreached'
      else {
        const judged = this.#judge(entry, input, null)
        if (judged !== null) isOver = true
        if (judged === 403 && entry.route === null) deniedRule = entry.rule
        verdict =
          typeof judged === 'number' ? MISFITS[judged] : judged === null ? 'header' : 'taken'
      }
      if (entry.route !== null) verdicts.push({ rule: entry.rule, path: entry.path, verdict })
    }
    return { outcome, isServerDenied: false, verdicts }
  }

  #holdsHost(rule: number, groups: readonly PathIndex[]): boolean {
    return (this.#groups[rule] ?? []).some((group) => groups.includes(group))
  }

  #byHeader(headers: readonly HeaderEntry<T>[], input: RouteInput): Route<T> | null {
    this.#askedHeader = true
    for (const header of headers) if (header.matches(input)) return header.route
    return null
  }

  #passes(filter: IpFilter | null, input: RouteInput, passed: IpFilter[] | null): boolean {
    if (filter === null) return true
    if (passed !== null) passed.push(filter)
    return this.#allows(filter, input)
  }

  #allows(filter: IpFilter, input: RouteInput): boolean {
    const ip = input.realIp
    if (ip !== this.#lastIp) {
      this.#lastIp = ip
      this.#lastAddress = parseAddress(ip)
    }
    return filter.allows(this.#lastAddress)
  }
}

const MISFITS = { 403: 'ip', 404: 'path', 405: 'method' } as const

/** The first entry above `after` in any of the groups. */
export function nextOf(groups: readonly PathIndex[], path: string, after: number): number {
  let best = NO_ENTRY
  for (let i = 0; i < groups.length; i++) {
    best = Math.min(best, (groups[i] as PathIndex).next(path, after))
  }
  return best
}

function filterOf(spec: IpFilterSpec | undefined): IpFilter | null {
  return spec === undefined ? null : new IpFilter(spec)
}

/** A back end by its name, at compile time only: requests hold what this returned. */
export type Resolve<T> = (backend: string) => T

/** {@link buildRouter} in one go. */
export function compileRouter<T>(spec: RouterSpec, resolve: Resolve<T>): Router<T> {
  const building = buildRouter(spec, resolve)
  for (;;) {
    const step = building.next()
    if (step.done) return step.value
  }
}

/**
 * Compiles rules that have been checked; throws what `compileRegexp` and `IpTable` throw if they
 * were not. Yields after every path entry, so that a worker can compile thousands of them in
 * slices between requests. `resolve` is called once for every name.
 */
export function* buildRouter<T>(
  spec: RouterSpec,
  resolve: Resolve<T>,
): Generator<undefined, Router<T>, undefined> {
  const hosts = new HostIndex()
  const entries: Entry<T>[] = []
  const targets = new Map<string, T>()
  const targetOf = (backend: string): T => {
    if (!targets.has(backend)) targets.set(backend, resolve(backend))
    return targets.get(backend) as T
  }
  const groupsByRule: PathIndex[][] = []
  for (const [number, rule] of spec.rules.entries()) {
    const groups = hosts.groupsOf(rule)
    groupsByRule.push(groups)
    addRuleFilter(rule, number, groups, entries)
    for (const [index, path] of (rule.paths ?? []).entries()) {
      addPath(path, { rule: number, path: index }, groups, entries, targetOf)
      yield
    }
  }
  yield* hosts.freeze()
  return new Router(hosts, entries, groupsByRule, spec)
}

function addRuleFilter<T>(
  spec: RuleSpec,
  rule: number,
  groups: PathIndex[],
  entries: Entry<T>[],
): void {
  const ipFilter = filterOf(spec.ipFilter)
  if (ipFilter === null) return
  const filter = { ipFilter, methods: null, headers: null, route: null, rule, path: -1 }
  const order = entries.push(filter) - 1
  for (const group of groups) group.addPrefix('', order)
}

function addPath<T>(
  spec: PathSpec,
  place: { readonly rule: number; readonly path: number },
  groups: PathIndex[],
  entries: Entry<T>[],
  targetOf: Resolve<T>,
): void {
  const { path, pathPrefix, pathRegexp, methods, headers } = spec
  const regexp = pathRegexp ? compileRegexp(pathRegexp) : null
  const routeTo = (backend: string): Route<T> => new Route(targetOf(backend), spec, regexp)
  const order = entries.length
  entries.push({
    ipFilter: filterOf(spec.ipFilter),
    methods: methods?.length ? new Set(methods) : null,
    headers: headers?.length
      ? headers.map((header) => new HeaderEntry(header, routeTo(header.backend)))
      : null,
    route: routeTo(spec.backend),
    ...place,
  })
  for (const group of groups) {
    if (path) group.addExact(path, order)
    if (pathPrefix) group.addPrefix(pathPrefix, order)
    if (regexp !== null) group.addPattern(regexp, order)
    if (!path && !pathPrefix && regexp === null) group.addPrefix('', order)
  }
}

/**
 * What `xForwardedFor: true` does (compat/traffic-v1.md §3.6): adds the client's address at the
 * end of X-Forwarded-For, unless its text occurs in there already. Several such fields are
 * joined into one first, where Easegress would drop all but the first.
 */
export function maintainForwardedFor(headers: Headers, realIp: string): void {
  if (realIp === '') return
  const values = headers.values('x-forwarded-for').filter((value) => value !== '')
  const joined = values.join(',')
  if (values.length > 0 && joined.includes(realIp)) return
  headers.set('x-forwarded-for', values.length === 0 ? realIp : `${joined},${realIp}`)
}
