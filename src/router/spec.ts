import type { IpFilterSpec } from '../lib/ip-table.js'

/**
 * The routing part of an HTTPServer after decoding, field names as in YAML
 * (compat/traffic-v1.md §3.2). An empty text or list means the same as a field left out.
 */
export interface RouterSpec {
  readonly rules: readonly RuleSpec[]
  readonly ipFilter?: IpFilterSpec | undefined
  /** Routes to remember; 0 or left out: none. */
  readonly cacheSize?: number | undefined
}

/** One without `host` and `hostRegexp` holds for every host; with both, either suffices. */
export interface RuleSpec {
  readonly ipFilter?: IpFilterSpec | undefined
  readonly host?: string | undefined
  readonly hostRegexp?: string | undefined
  /** Further conditions on the host (v2), alternatives to the others. */
  readonly hosts?: readonly HostSpec[] | undefined
  readonly paths?: readonly PathSpec[] | undefined
}

export interface HostSpec {
  readonly isRegexp: boolean
  /** Without isRegexp: equal, or with one '*' at its beginning or end, which stands for any text. */
  readonly value: string
}

/** One without `path`, `pathPrefix` and `pathRegexp` holds for every path; else any of them. */
export interface PathSpec {
  readonly ipFilter?: IpFilterSpec | undefined
  readonly path?: string | undefined
  readonly pathPrefix?: string | undefined
  readonly pathRegexp?: string | undefined
  /** In the notation of Go's `Expand`; means something only beside `pathRegexp`. */
  readonly rewriteTarget?: string | undefined
  readonly methods?: readonly string[] | undefined
  readonly backend: string
  readonly headers?: readonly HeaderSpec[] | undefined
}

/** At least one of `values` and `regexp`; either suffices. */
export interface HeaderSpec {
  readonly key: string
  readonly values?: readonly string[] | undefined
  readonly regexp?: string | undefined
  readonly backend: string
}
