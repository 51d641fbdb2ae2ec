import type { Exchange } from '../http/exchange.js'
import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import {
  boolean,
  checked,
  httpMethod,
  list,
  object,
  regexp,
  type SpecOf,
  type SpecProblem,
  string,
} from '../spec/schema.js'

/** Alternatives on one text, with `empty` (compat/traffic-v2.md §10.3). */
export const valueMatch = (doc: string) =>
  checked(
    object(
      {
        exact: string({ doc: 'Equal to this.', default: '' }),
        prefix: string({ doc: 'Begins with this.', default: '' }),
        regex: regexp({ doc: 'Contains a match of this.', optional: true }),
        empty: boolean({ doc: 'Is empty or missing; excludes the others.', default: false }),
      },
      { doc },
    ),
    (spec): SpecProblem[] => {
      const others = spec.exact !== '' || spec.prefix !== '' || !!spec.regex
      if (spec.empty && others) {
        return [{ path: ['empty'], message: 'excludes exact, prefix and regex' }]
      }
      return spec.empty || others
        ? []
        : [{ path: [], message: 'expected at least one of exact, prefix, regex and empty' }]
    },
  )
export type ValueMatchSpec = SpecOf<ReturnType<typeof valueMatch>>

export const urlRuleFieldsV2 = {
  methods: list(httpMethod({ doc: '' }), {
    doc: 'Methods it holds for; empty for all.',
    unique: true,
    default: [],
  }),
  url: valueMatch('Path it holds for.'),
  policyRef: string({ doc: 'Name of the policy; the default policy without it.', default: '' }),
}

export class ValueMatcher {
  readonly isForEmpty: boolean
  readonly #exact: string
  readonly #prefix: string
  readonly #regexp: LinearRegexp | null

  constructor(spec: ValueMatchSpec) {
    this.isForEmpty = spec.empty
    this.#exact = spec.exact
    this.#prefix = spec.prefix
    this.#regexp = spec.regex ? compileRegexp(spec.regex) : null
  }

  test(text: string): boolean {
    if (this.isForEmpty) return text === ''
    if (this.#exact !== '' && text === this.#exact) return true
    if (this.#prefix !== '' && text.startsWith(this.#prefix)) return true
    return this.#regexp?.test(text) === true
  }
}

/** Method and path together. */
export class UrlRuleV2 {
  readonly #methods: ReadonlySet<string> | null
  readonly #url: ValueMatcher

  constructor(spec: { readonly methods: readonly string[]; readonly url: ValueMatchSpec }) {
    this.#methods = spec.methods.length === 0 ? null : new Set(spec.methods)
    this.#url = new ValueMatcher(spec.url)
  }

  matches(ex: Exchange): boolean {
    const { method, path } = ex.request
    return (this.#methods === null || this.#methods.has(method)) && this.#url.test(path)
  }
}
