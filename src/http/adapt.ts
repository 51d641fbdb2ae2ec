import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import type { Exchange } from './exchange.js'
import { type Headers, isFieldName, isFieldValue, toLatin1 } from './headers.js'
import type { Template } from './template.js'

interface FieldTemplate {
  readonly name: Template
  readonly value: Template
}

/** Deletes, sets and adds header fields, in this order; what renders to no valid field is left out. */
export class HeaderAdaptor {
  readonly #del: readonly Template[]
  readonly #set: readonly FieldTemplate[]
  readonly #add: readonly FieldTemplate[]

  constructor(
    spec: {
      readonly del: readonly string[]
      readonly set: Readonly<Record<string, string>>
      readonly add: Readonly<Record<string, string>>
    },
    compile: (text: string) => Template,
  ) {
    const fields = (map: Readonly<Record<string, string>>): FieldTemplate[] =>
      Object.entries(map).map(([name, value]) => ({ name: compile(name), value: compile(value) }))
    this.#del = spec.del.map(compile)
    this.#set = fields(spec.set)
    this.#add = fields(spec.add)
  }

  apply(ex: Exchange, headers: Headers): void {
    for (const name of this.#del) headers.delete(name.render(ex).toLowerCase())
    for (const { name, value } of this.#set) {
      const field = name.render(ex).toLowerCase()
      const text = toLatin1(value.render(ex))
      if (isFieldName(field) && isFieldValue(text)) headers.set(field, text)
    }
    for (const { name, value } of this.#add) {
      const field = name.render(ex).toLowerCase()
      const text = toLatin1(value.render(ex))
      if (isFieldName(field) && isFieldValue(text)) headers.add(field, text)
    }
  }
}

/** Changes a path in the one way that is configured. */
export class PathAdaptor {
  readonly #adapt: (path: string) => string

  constructor(spec: {
    readonly replace: string
    readonly addPrefix?: string | undefined
    readonly trimPrefix?: string | undefined
    readonly regexpReplace?: { readonly regexp: string; readonly replace: string } | undefined
  }) {
    const { replace, addPrefix, trimPrefix, regexpReplace } = spec
    if (replace !== '') this.#adapt = () => replace
    else if (addPrefix) this.#adapt = (path) => addPrefix + path
    else if (trimPrefix) {
      this.#adapt = (path) => (path.startsWith(trimPrefix) ? path.slice(trimPrefix.length) : path)
    } else if (regexpReplace) {
      const regexp = compileRegexp(regexpReplace.regexp)
      this.#adapt = (path) => regexp.replaceAll(path, regexpReplace.replace)
    } else this.#adapt = (path) => path
  }

  adapt(path: string): string {
    return this.#adapt(path)
  }
}

/** Alternatives on one text (compat/traffic-v1.md §7.3). */
export class StringMatcher {
  readonly #exact: string
  readonly #prefix: string
  readonly #regexp: LinearRegexp | null

  constructor(spec: {
    readonly exact: string
    readonly prefix: string
    readonly regex?: string | undefined
  }) {
    this.#exact = spec.exact
    this.#prefix = spec.prefix
    this.#regexp = spec.regex ? compileRegexp(spec.regex) : null
  }

  test(text: string): boolean {
    if (this.#exact !== '' && text === this.#exact) return true
    if (this.#prefix !== '' && text.startsWith(this.#prefix)) return true
    return this.#regexp?.test(text) ?? false
  }
}

/** Method and path together (compat/traffic-v1.md §7.4). */
export class UrlRule {
  readonly #methods: ReadonlySet<string> | null
  readonly #url: StringMatcher

  constructor(spec: {
    readonly methods: readonly string[]
    readonly url: ConstructorParameters<typeof StringMatcher>[0]
  }) {
    this.#methods = spec.methods.length === 0 ? null : new Set(spec.methods)
    this.#url = new StringMatcher(spec.url)
  }

  matches(ex: Exchange): boolean {
    const { method, path } = ex.request
    return (this.#methods === null || this.#methods.has(method)) && this.#url.test(path)
  }
}
