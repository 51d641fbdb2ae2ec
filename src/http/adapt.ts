import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import type { Exchange } from './exchange.js'
import { type Headers, isFieldName, isFieldValue, toLatin1 } from './headers.js'
import type { Template } from './template.js'

/** What variables make of a name or value is left out beyond this: no server takes such fields. */
const RENDERED_CHARS_MAX = 65_536

/** A name, or a value, of a field: rendered here when it is the same for every request. */
class FieldText {
  readonly #template: Template
  readonly #convert: (text: string) => string
  readonly #isValid: (text: string) => boolean
  /** Undefined: it has variables. Null: it is no name, or no value, that can be sent. */
  readonly #fixed: string | null | undefined

  constructor(
    template: Template,
    convert: (text: string) => string,
    isValid: (text: string) => boolean,
  ) {
    this.#template = template
    this.#convert = convert
    this.#isValid = isValid
    this.#fixed = template.literal === null ? undefined : this.#checked(template.literal)
  }

  get isFixed(): boolean {
    return this.#fixed !== undefined
  }

  render(ex: Exchange): string | null {
    if (this.#fixed !== undefined) return this.#fixed
    const text = this.#template.render(ex)
    return text.length > RENDERED_CHARS_MAX ? null : this.#checked(text)
  }

  #checked(rendered: string): string | null {
    const text = this.#convert(rendered)
    return this.#isValid(text) ? text : null
  }
}

const lowerCase = (text: string): string => text.toLowerCase()
const fieldName = (template: Template): FieldText => new FieldText(template, lowerCase, isFieldName)
const fieldValue = (template: Template): FieldText =>
  new FieldText(template, toLatin1, isFieldValue)

interface FieldTexts {
  readonly name: FieldText
  readonly value: FieldText
}

/** Deletes, sets and adds header fields, in this order; what renders to no valid field is left out. */
export class HeaderAdaptor {
  readonly #del: readonly FieldText[]
  readonly #set: readonly FieldTexts[]
  readonly #add: readonly FieldTexts[]
  /** Whether equal fields always become equal ones. */
  readonly #isFixed: boolean
  /**
   * Most messages have the fields of the one before, as the same array. When it comes again, so do
   * the fields that it became: whoever follows finds the same array then, too.
   */
  #lastBefore: readonly string[] | null = null
  /** Null: `#lastBefore` has come only once so far. */
  #lastAfter: readonly string[] | null = null

  constructor(
    spec: {
      readonly del: readonly string[]
      readonly set: Readonly<Record<string, string>>
      readonly add: Readonly<Record<string, string>>
    },
    compile: (text: string) => Template,
  ) {
    const fields = (map: Readonly<Record<string, string>>): FieldTexts[] =>
      Object.entries(map).map(([name, value]) => ({
        name: fieldName(compile(name)),
        value: fieldValue(compile(value)),
      }))
    this.#del = spec.del.map((name) => fieldName(compile(name)))
    this.#set = fields(spec.set)
    this.#add = fields(spec.add)
    const texts = [...this.#set, ...this.#add].flatMap(({ name, value }) => [name, value])
    this.#isFixed = [...this.#del, ...texts].every((text) => text.isFixed)
  }

  apply(ex: Exchange, headers: Headers): void {
    if (!this.#isFixed || !headers.isShared) {
      this.#change(ex, headers)
      return
    }
    const before = headers.flat
    if (before !== this.#lastBefore) {
      this.#lastBefore = before
      this.#lastAfter = null
      this.#change(ex, headers)
    } else if (this.#lastAfter === null) {
      this.#change(ex, headers)
      this.#lastAfter = headers.lend()
    } else headers.share(this.#lastAfter)
  }

  #change(ex: Exchange, headers: Headers): void {
    for (const each of this.#del) {
      const name = each.render(ex)
      if (name !== null) headers.delete(name)
    }
    for (const { name, value } of this.#set) {
      const field = name.render(ex)
      const text = value.render(ex)
      if (field !== null && text !== null) headers.set(field, text)
    }
    for (const { name, value } of this.#add) {
      const field = name.render(ex)
      const text = value.render(ex)
      if (field !== null && text !== null) headers.add(field, text)
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
