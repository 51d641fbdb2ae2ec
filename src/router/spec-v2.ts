import type { IpFilterSpec } from '../lib/ip-table.js'
import type { HostSpec } from './spec.js'

/** The routing part of a v2 HTTPServer after decoding (compat/traffic-v2.md §3.2). */
export interface RouterSpecV2 {
  readonly routerKind: 'Ordered' | 'RadixTree'
  readonly ipFilter?: IpFilterSpec | undefined
  readonly rules: readonly RuleSpecV2[]
  readonly cacheSize: number
}

/** Holds for a host that any of its conditions meets; without one, for all. */
export interface RuleSpecV2 {
  readonly ipFilter?: IpFilterSpec | undefined
  readonly host?: string | undefined
  readonly hostRegexp?: string | undefined
  readonly hosts: readonly HostSpec[]
  readonly paths: readonly PathSpecV2[]
}

export interface PathSpecV2 {
  readonly ipFilter?: IpFilterSpec | undefined
  /** With RadixTree a pattern, see `path-pattern.ts`. */
  readonly path?: string | undefined
  readonly pathPrefix?: string | undefined
  readonly pathRegexp?: string | undefined
  readonly rewriteTarget?: string | undefined
  readonly methods: readonly string[]
  readonly headers: readonly ValueSpec[]
  readonly queries: readonly ValueSpec[]
  readonly matchAllHeader: boolean
  readonly matchAllQuery: boolean
}

/** What the first value of a header or query parameter must be. */
export interface ValueSpec {
  readonly key: string
  readonly values: readonly string[]
  readonly regexp?: string | undefined
}
