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
  readonly #found = new Map<string, readonly PathIndex[]>()
  #all: readonly PathIndex[] = []

  /** Where the paths of a rule with these conditions go: one index, or two. */
  groupsOf(rule: RuleSpec): PathIndex[] {
    const { host, hostRegexp } = rule
    const groups: PathIndex[] = []
    if (host) {
      const key = host.toLowerCase()
      const group = this.#exact.get(key) ?? new PathIndex()
      this.#exact.set(key, group)
      groups.push(group)
    }
    if (hostRegexp) {
      let group = this.#patterns.get(hostRegexp)
      if (group === undefined) {
        group = { regexp: compileRegexp(hostRegexp), paths: new PathIndex() }
        this.#patterns.set(hostRegexp, group)
      }
      groups.push(group.paths)
    }
    return groups.length === 0 ? [this.#everywhere] : groups
  }

  /** Called once, when all is added. */
  freeze(): void {
    this.#all = [this.#everywhere]
    this.#everywhere.freeze()
    for (const paths of this.#exact.values()) paths.freeze()
    for (const { paths } of this.#patterns.values()) paths.freeze()
  }

  /** The indices that hold for a Host field. */
  find(host: string): readonly PathIndex[] {
    if (this.#exact.size === 0 && this.#patterns.size === 0) return this.#all
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
    return found
  }
}

/** Leaves a bare IPv6 address alone, whose last part is no port. */
function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':')
  if (colon < 0 || host.endsWith(']')) return host
  if (host.indexOf(':') < colon && !host.startsWith('[')) return host
  return host.slice(0, colon)
}
