/**
 * How a router came to its outcome, for people who ask why. It is found by the same indices and the
 * same tests that requests go through: a router answers for each of its paths.
 */

/** What became of a path of a rule when a request was looked at. */
export type Verdict =
  /** The request goes there. */
  | 'taken'
  /** The host of the request meets no host of the rule. */
  | 'host'
  | 'path'
  | 'method'
  | 'header'
  | 'query'
  /** An IP filter, of the rule or of the path, is against the address. */
  | 'ip'
  /** It would have fit, but the search was over before it came to it. */
  | 'unreached'

export interface PathVerdict {
  /** Indices in `rules`, and in the `paths` of the rule. */
  readonly rule: number
  readonly path: number
  readonly verdict: Verdict
}

export interface RouteExplanation<R> {
  /** What `route` gives. */
  readonly outcome: R
  /** The IP filter of the server was against the address: no rule was looked at. */
  readonly isServerDenied: boolean
  /** One for each path of each rule, in their order. */
  readonly verdicts: readonly PathVerdict[]
}
