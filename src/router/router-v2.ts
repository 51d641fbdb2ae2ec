import { ArcCache } from '../lib/arc.js'
import { type Address, parseAddress } from '../lib/ip-table.js'
import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import {
  headerConditions,
  type IpFilterV2,
  ipFilterV2,
  queryConditions,
  type ValueConditions,
} from './conditions-v2.js'
import type { PathVerdict, RouteExplanation, Verdict } from './explain.js'
import { HostIndex } from './host-index.js'
import { NO_ENTRY, type PathIndex } from './path-index.js'
import { parsePattern, parseTarget } from './path-pattern.js'
import { RadixTree } from './radix-tree.js'
import { CACHE_KEY_LENGTH_MAX, nextOf, type RouteInput } from './router.js'
import type { PathSpecV2, RouterSpecV2, RuleSpecV2 } from './spec-v2.js'

/** Answered without a back end, with an empty body. */
export type RefusalV2 = 400 | 403 | 404 | 405

/** Methods that conditions can be about; another one meets no path that has any. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
])

const NO_VALUES: readonly string[] = []

interface RewriteV2 {
  readonly target: string
  readonly spec: PathSpecV2
  readonly regexp: LinearRegexp | null
  /** Of a RadixTree's rewriteTarget. */
  readonly targetParts: readonly (string | number)[] | null
}

/** Where a request goes, and how its path is rewritten. As small as a `Route`. */
export class RouteV2<T> {
  readonly target: T
  /** The path condition as written, for statistics; '' where there is none. */
  readonly pattern: string
  /** '' where there is none. */
  readonly pathPrefix: string
  /** As that of a `Route`. */
  place = -1
  readonly #rewrite: RewriteV2 | null
  /** Names of the path's parameters; only of the RadixTree. */
  readonly names: readonly string[]

  constructor(
    target: T,
    spec: PathSpecV2,
    regexp: LinearRegexp | null,
    names: readonly string[],
    targetParts: readonly (string | number)[] | null,
  ) {
    this.target = target
    this.pattern = spec.path || spec.pathPrefix || spec.pathRegexp || ''
    this.pathPrefix = spec.pathPrefix ?? ''
    this.names = names
    const text = spec.rewriteTarget ?? ''
    this.#rewrite = text === '' ? null : { target: text, spec, regexp, targetParts }
  }

  /** The path (decoded) that the back end's pipeline sees; `values` of the parameters in order. */
  rewritePath(path: string, values: readonly string[]): string {
    return this.#rewrite === null ? path : rewritten(this.#rewrite, path, values)
  }
}

function rewritten(rewrite: RewriteV2, path: string, values: readonly string[]): string {
  const { target, spec, regexp, targetParts } = rewrite
  const { path: exact, pathPrefix } = spec
  if (targetParts !== null) {
    let text = ''
    for (const part of targetParts) {
      text += typeof part === 'string' ? part : (values[part] ?? '')
    }
    return text
  }
  if (exact && exact === path) return target
  if (pathPrefix && path.startsWith(pathPrefix)) {
    return target + path.slice(pathPrefix.length)
  }
  return regexp === null ? path : regexp.replaceAll(path, target)
}

/** A path of a rule with its conditions, or the beginning of a rule. */
interface Entry<T> {
  /** Null for the beginning of a rule: `ipFilter` is then the rule's. */
  readonly route: RouteV2<T> | null
  readonly ipFilter: IpFilterV2 | null
  /** Null takes all. */
  readonly methods: ReadonlySet<string> | null
  readonly headers: ValueConditions | null
  readonly queries: ValueConditions | null
  /** There is a condition besides those of the path. */
  readonly isConditional: boolean
  /** Of a rule: the order of its last entry. Of a RadixTree's rule: its paths. */
  readonly last: number
  readonly tree: PatternRule<T> | null
  /** Index of the rule, and of the path in it; -1 for the beginning of a rule. */
  readonly rule: number
  readonly path: number
}

const isPlain = ({ isConditional, methods, ipFilter }: Entry<unknown>): boolean =>
  !isConditional && methods === null && ipFilter === null

interface Remembered<T> {
  readonly outcome: RouteV2<T> | RefusalV2
  readonly values: readonly string[]
}

/**
 * The rules of a v2 HTTPServer, compiled (compat/traffic-v2.md §3.3, §4). A path that does not fit in
 * method, headers, query or address is passed over, and what did not fit decides the status when
 * nothing else is found. Outcomes are remembered only where neither header nor query nor address was
 * looked at, so the cache never shows.
 */
export class RouterV2<T> {
  readonly #hosts: HostIndex
  /** By order: the route of an entry without conditions beside its path; null for the others. */
  readonly #plain: readonly (RouteV2<T> | null)[]
  readonly #entries: readonly Entry<T>[]
  readonly #all: AllPaths<T>
  readonly #ipFilter: IpFilterV2 | null
  readonly #cache: ArcCache<string, Remembered<T>> | null
  /** What the last `route` gave, of a RadixTree: the values of the path's parameters. */
  values: readonly string[] = NO_VALUES
  #input: RouteInput | null = null
  #hasWrongMethod = false
  #hasWrongValue = false
  #hasWrongAddress = false
  /** Of the last walk: something was looked at that the cache does not know. */
  #isSpecial = false
  #lastIp = ''
  #lastAddress: Address | null = null
  readonly #accept = (entry: Entry<T>): boolean => this.#fits(entry, this.#input as RouteInput)

  /** Called by {@link buildRouterV2}. */
  constructor(
    hosts: HostIndex,
    entries: readonly Entry<T>[],
    all: AllPaths<T>,
    spec: RouterSpecV2,
  ) {
    this.#hosts = hosts
    this.#plain = entries.map((entry) => (isPlain(entry) ? entry.route : null))
    this.#entries = entries
    this.#all = all
    this.#ipFilter = ipFilterV2(spec.ipFilter)
    this.#cache = spec.cacheSize > 0 ? new ArcCache(spec.cacheSize) : null
  }

  /** Where `input` goes, or the status to refuse it with. */
  route(input: RouteInput): RouteV2<T> | RefusalV2 {
    this.values = NO_VALUES
    if (this.#ipFilter !== null && !this.#allows(this.#ipFilter, input)) return 403
    const cache = this.#cache
    if (cache === null) return this.#walk(input)
    const { method, host, path } = input.request
    // Neither a method nor a Host field can hold a line feed, so no two requests share a key.
    const key = `${method}\n${host}\n${path}`
    const known = cache.get(key)
    if (known !== undefined) {
      this.values = known.values
      return known.outcome
    }
    const outcome = this.#walk(input)
    if (!this.#isSpecial && key.length <= CACHE_KEY_LENGTH_MAX) {
      cache.set(key, { outcome, values: this.values })
    }
    return outcome
  }

  #walk(input: RouteInput): RouteV2<T> | RefusalV2 {
    this.#hasWrongMethod = false
    this.#hasWrongValue = false
    this.#hasWrongAddress = false
    this.#isSpecial = false
    this.#input = input
    const { path, host } = input.request
    const groups = this.#hosts.find(host)
    for (let order = nextOf(groups, path, -1); order !== NO_ENTRY; ) {
      const plain = this.#plain[order] as RouteV2<T> | null
      if (plain !== null) return plain
      const entry = this.#entries[order] as Entry<T>
      if (entry.route !== null) {
        if (this.#fits(entry, input)) return entry.route
      } else if (entry.ipFilter !== null && !this.#passes(entry.ipFilter, input)) {
        order = entry.last
      } else if (entry.tree !== null) {
        const found = entry.tree.find(path, this.#accept)
        if (found !== null) {
          this.values = entry.tree.values
          return found.route as RouteV2<T>
        }
      }
      order = nextOf(groups, path, order)
    }
    if (this.#hasWrongAddress) return 403
    if (this.#hasWrongValue) return 400
    return this.#hasWrongMethod ? 405 : 404
  }

  /** Why `route` gives what it gives. Slow: it goes through all paths. */
  explain(input: RouteInput): RouteExplanation<RouteV2<T> | RefusalV2> {
    const outcome = this.route(input)
    if (this.#ipFilter !== null && !this.#allows(this.#ipFilter, input)) {
      return { outcome, isServerDenied: true, verdicts: [] }
    }
    const { path, host } = input.request
    const groups = this.#hosts.find(host)
    /** Entries whose host and path fit, and rules whose filter is against the address. */
    const met = new Set<Entry<T>>()
    const denied = new Set<number>()
    const meet = (entry: Entry<T>): boolean => {
      met.add(entry)
      return false
    }
    for (let order = nextOf(groups, path, -1); order !== NO_ENTRY; ) {
      const entry = this.#entries[order] as Entry<T>
      if (entry.route !== null) met.add(entry)
      else {
        if (entry.ipFilter !== null && !this.#passes(entry.ipFilter, input)) denied.add(entry.rule)
        entry.tree?.find(path, meet)
      }
      order = nextOf(groups, path, order)
    }
    const verdictOf = (entry: Entry<T>): Verdict => {
      if (!met.has(entry)) return this.#holdsHost(entry.rule, groups) ? 'path' : 'host'
      if (denied.has(entry.rule)) return 'ip'
      return entry.route === outcome ? 'taken' : this.#misfit(entry, input)
    }
    const verdicts = this.#all.paths.map(
      (entry): PathVerdict => ({ rule: entry.rule, path: entry.path, verdict: verdictOf(entry) }),
    )
    return { outcome, isServerDenied: false, verdicts }
  }

  #misfit(entry: Entry<T>, input: RouteInput): Verdict {
    this.#hasWrongMethod = false
    this.#hasWrongValue = false
    if (this.#fits(entry, input)) return 'unreached'
    if (this.#hasWrongMethod) return 'method'
    if (!this.#hasWrongValue) return 'ip'
    return entry.headers?.hold(input) === false ? 'header' : 'query'
  }

  #holdsHost(rule: number, groups: readonly PathIndex[]): boolean {
    return (this.#all.groups[rule] ?? []).some((group) => groups.includes(group))
  }

  /** Whether `input`, whose path fits, fits in all else. */
  #fits(entry: Entry<T>, input: RouteInput): boolean {
    const { method } = input.request
    const { methods, headers, queries, ipFilter } = entry
    if (methods !== null ? !methods.has(method) : entry.isConditional && !METHODS.has(method)) {
      this.#hasWrongMethod = true
      return false
    }
    if (headers !== null || queries !== null) {
      this.#isSpecial = true
      if (headers?.hold(input) === false || queries?.hold(input) === false) {
        this.#hasWrongValue = true
        return false
      }
    }
    return ipFilter === null || this.#passes(ipFilter, input)
  }

  #passes(filter: IpFilterV2, input: RouteInput): boolean {
    this.#isSpecial = true
    if (this.#allows(filter, input)) return true
    this.#hasWrongAddress = true
    return false
  }

  #allows(filter: IpFilterV2, input: RouteInput): boolean {
    const ip = input.realIp
    if (ip !== this.#lastIp) {
      this.#lastIp = ip
      this.#lastAddress = parseAddress(ip)
    }
    return filter.allows(this.#lastAddress)
  }
}

/** What an explanation goes through. */
interface AllPaths<T> {
  readonly paths: readonly Entry<T>[]
  /** By rule. */
  readonly groups: readonly (readonly PathIndex[])[]
}

/** The paths of one rule of a RadixTree: those without parameters are tried first. */
class PatternRule<T> {
  readonly #texts = new Map<string, Entry<T>[]>()
  readonly #tree = new RadixTree<Entry<T>>()
  values: readonly string[] = NO_VALUES

  add(path: string, entry: Entry<T>): void {
    const pattern = parsePattern(path)
    if (typeof pattern === 'string') throw new Error(pattern)
    if (pattern.names.length > 0) {
      this.#tree.add(pattern, entry)
      return
    }
    const entries = this.#texts.get(path)
    if (entries === undefined) this.#texts.set(path, [entry])
    else entries.push(entry)
  }

  find(path: string, accept: (entry: Entry<T>) => boolean): Entry<T> | null {
    this.values = NO_VALUES
    for (const entry of this.#texts.get(path) ?? []) if (accept(entry)) return entry
    const found = this.#tree.find(path, accept)
    if (found !== null) this.values = [...this.#tree.values]
    return found
  }
}

/** Where requests of a path go; called once for every path, when rules are compiled. */
export type ResolveV2<T> = (path: PathSpecV2, rule: number, index: number) => T

/** {@link buildRouterV2} in one go. */
export function compileRouterV2<T>(spec: RouterSpecV2, resolve: ResolveV2<T>): RouterV2<T> {
  const building = buildRouterV2(spec, resolve)
  for (;;) {
    const step = building.next()
    if (step.done) return step.value
  }
}

/**
 * Compiles rules that have been checked; throws what a regexp, an address or a pattern throws if
 * they were not. Yields after every path, so that a worker can compile thousands in slices.
 */
export function* buildRouterV2<T>(
  spec: RouterSpecV2,
  resolve: ResolveV2<T>,
): Generator<undefined, RouterV2<T>, undefined> {
  const hosts = new HostIndex()
  const entries: Entry<T>[] = []
  const paths: Entry<T>[] = []
  const groupsByRule: PathIndex[][] = []
  for (const [number, rule] of spec.rules.entries()) {
    const groups = hosts.groupsOf({
      host: rule.host,
      hostRegexp: rule.hostRegexp,
      hosts: rule.hosts,
    })
    groupsByRule.push(groups)
    const isTree = spec.routerKind === 'RadixTree'
    const tree = isTree ? new PatternRule<T>() : null
    if (isTree || rule.ipFilter !== undefined) addRule(rule, number, tree, groups, entries)
    for (const [index, path] of rule.paths.entries()) {
      const target = resolve(path, number, index)
      const place = { rule: number, path: index }
      if (tree !== null) {
        const entry = patternEntry(path, place, target)
        tree.add(path.path ?? '', entry)
        paths.push(entry)
      } else paths.push(addOrdered(path, place, target, groups, entries))
      yield
    }
  }
  yield* hosts.freeze()
  return new RouterV2(hosts, entries, { paths, groups: groupsByRule }, spec)
}

/** Where a path stands in the document. */
interface Place {
  readonly rule: number
  readonly path: number
}

function addRule<T>(
  rule: RuleSpecV2,
  number: number,
  tree: PatternRule<T> | null,
  groups: readonly PathIndex[],
  entries: Entry<T>[],
): void {
  const order = entries.length
  entries.push({
    route: null,
    ipFilter: ipFilterV2(rule.ipFilter),
    methods: null,
    headers: null,
    queries: null,
    isConditional: false,
    last: tree === null ? order + rule.paths.length : order,
    tree,
    rule: number,
    path: -1,
  })
  for (const group of groups) group.addPrefix('', order)
}

function addOrdered<T>(
  spec: PathSpecV2,
  place: Place,
  target: T,
  groups: readonly PathIndex[],
  entries: Entry<T>[],
): Entry<T> {
  const { path, pathPrefix, pathRegexp } = spec
  const regexp = pathRegexp ? compileRegexp(pathRegexp) : null
  const order = entries.length
  const entry = entryOf(spec, place, new RouteV2(target, spec, regexp, NO_VALUES, null))
  entries.push(entry)
  for (const group of groups) {
    if (path) group.addExact(path, order)
    if (pathPrefix) group.addPrefix(pathPrefix, order)
    if (regexp !== null) group.addPattern(regexp, order)
    if (!path && !pathPrefix && regexp === null) group.addPrefix('', order)
  }
  return entry
}

function patternEntry<T>(spec: PathSpecV2, place: Place, target: T): Entry<T> {
  const pattern = parsePattern(spec.path ?? '')
  if (typeof pattern === 'string') throw new Error(pattern)
  const parts = spec.rewriteTarget ? parseTarget(spec.rewriteTarget, pattern.names) : null
  if (typeof parts === 'string') throw new Error(parts)
  return entryOf(spec, place, new RouteV2(target, spec, null, pattern.names, parts))
}

function entryOf<T>(spec: PathSpecV2, place: Place, route: RouteV2<T>): Entry<T> {
  const { methods } = spec
  const ipFilter = ipFilterV2(spec.ipFilter)
  const headers = headerConditions(spec.headers, spec.matchAllHeader)
  const queries = queryConditions(spec.queries, spec.matchAllQuery)
  return {
    route,
    ipFilter,
    methods: methods.length > 0 ? new Set(methods) : null,
    headers,
    queries,
    isConditional: ipFilter !== null || headers !== null || queries !== null,
    last: NO_ENTRY,
    tree: null,
    ...place,
  }
}
