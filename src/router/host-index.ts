import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import { PathIndex } from './path-index.js'
import type { RuleSpec } from './spec.js'

/** Hosts remembered; clients choose them, so there is a bound. */
const HOSTS_MAX = 1024
const HOST_LENGTH_MAX = 255

/**
 * Groups of rules with the same host condition, each with its own {@link PathIndex}.
 *
 * A rule's `host` equals the raw Host field, port included, as in Easegress; a `host` without a
 * port also holds for every port, and upper and lower case are the same (both differ from
 * Easegress, both are RFC 9110 §4.2.3). A `hostRegexp` is searched in the raw field and in the
 * field in lower case without its port.
 */
export class HostIndex {
  /** Rules for every host. */
  readonly #everywhere = new PathIndex()
  readonly #exact = new Map<string, PathIndex>()
  readonly #patterns = new Map<string, { regexp: LinearRegexp; paths: PathIndex }>()
  /** By the text with its '*', in lower case. */
  readonly #wildcards = new Map<string, { prefix: string; suffix: string; paths: PathIndex }>()
  readonly #found = new Map<string, readonly PathIndex[]>()
  #all: readonly PathIndex[] = []

  /** Where the paths of a rule with these conditions go: one index for each of them. */
  groupsOf({ host, hostRegexp, hosts = [] }: RuleSpec): PathIndex[] {
    const groups = new Set<PathIndex>()
    if (host) groups.add(this.#exactGroup(host))
    if (hostRegexp) groups.add(this.#patternGroup(hostRegexp))
    for (const { isRegexp, value } of hosts) {
      if (isRegexp) groups.add(this.#patternGroup(value))
      else if (!value.includes('*')) groups.add(this.#exactGroup(value))
      else if (isWildcard(value)) groups.add(this.#wildcardGroup(value))
      else groups.add(new PathIndex()) // holds for no host
    }
    return groups.size === 0 ? [this.#everywhere] : [...groups]
  }

  #exactGroup(host: string): PathIndex {
    const key = host.toLowerCase()
    const group = this.#exact.get(key) ?? new PathIndex()
    this.#exact.set(key, group)
    return group
  }

  #patternGroup(source: string): PathIndex {
    let group = this.#patterns.get(source)
    if (group === undefined) {
      group = { regexp: compileRegexp(source), paths: new PathIndex() }
      this.#patterns.set(source, group)
    }
    return group.paths
  }

  #wildcardGroup(value: string): PathIndex {
    const key = value.toLowerCase()
    let group = this.#wildcards.get(key)
    if (group === undefined) {
      const [prefix = '', suffix = ''] = key.split('*')
      group = { prefix, suffix, paths: new PathIndex() }
      this.#wildcards.set(key, group)
    }
    return group.paths
  }

  /** Run once, when all is added, in steps. */
  *freeze(): Generator<undefined, void, undefined> {
    this.#all = [this.#everywhere]
    yield* this.#everywhere.freeze()
    for (const paths of this.#exact.values()) yield* paths.freeze()
    for (const { paths } of this.#patterns.values()) yield* paths.freeze()
    for (const { paths } of this.#wildcards.values()) yield* paths.freeze()
  }

  /** The indices that hold for a Host field. */
  find(host: string): readonly PathIndex[] {
    if (this.#exact.size + this.#patterns.size + this.#wildcards.size === 0) return this.#all
    let found = this.#found.get(host)
    if (found === undefined) {
      found = this.#search(host)
      if (this.#found.size === HOSTS_MAX) this.#found.clear()
      if (host.length <= HOST_LENGTH_MAX) this.#found.set(host, found)
    }
    return found
  }

  rememberedForTest(): number {
    return this.#found.size
  }

  #search(host: string): PathIndex[] {
    const found = [this.#everywhere]
    const lower = host.toLowerCase()
    const bare = withoutPort(lower)
    const exact = this.#exact.get(lower)
    if (exact !== undefined) found.push(exact)
    if (bare !== lower) {
      const portless = this.#exact.get(bare)
      if (portless !== undefined) found.push(portless)
    }
    for (const { regexp, paths } of this.#patterns.values()) {
      if (regexp.test(host) || (bare !== host && regexp.test(bare))) found.push(paths)
    }
    for (const { prefix, suffix, paths } of this.#wildcards.values()) {
      if (bare.startsWith(prefix) && bare.endsWith(suffix)) found.push(paths)
    }
    return found
  }
}

/** One '*' at the beginning or the end, and something beside it; all else matches nothing. */
export function isWildcard(value: string): boolean {
  const star = value.indexOf('*')
  if (star < 0 || value.length === 1 || value.indexOf('*', star + 1) >= 0) return false
  return star === 0 || star === value.length - 1
}

/** Without the port. Leaves a bare IPv6 address alone, whose last part is no port. */
export function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':')
  if (colon < 0 || host.endsWith(']')) return host
  if (host.indexOf(':') < colon && !host.startsWith('[')) return host
  return host.slice(0, colon)
}
