import { fromLatin1, type Headers, toLatin1 } from '../../http/headers.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'

/** What headers have to be there. */
export class HeaderRules {
  readonly #rules: readonly HeaderRule[]
  /** Fields that passed: those of most requests are those of the one before, as the same array. */
  #lastPassed: readonly string[] | null = null

  constructor(spec: {
    readonly [name: string]: {
      readonly values: readonly string[]
      readonly regexp?: string | undefined
    }
  }) {
    this.#rules = Object.entries(spec).map(
      ([name, { values, regexp }]) => new HeaderRule(name, values, regexp),
    )
  }

  allow(headers: Headers): boolean {
    const { flat } = headers
    if (flat === this.#lastPassed) return true
    for (const rule of this.#rules) if (!rule.allows(flat)) return false
    if (headers.isShared) this.#lastPassed = flat
    return true
  }
}

/** A header that has to be there; repeated ones pass only if all of them would. */
class HeaderRule {
  readonly #name: string
  readonly #values: ReadonlySet<string>
  readonly #regexp: LinearRegexp | null

  constructor(name: string, values: readonly string[], regexp: string | undefined) {
    this.#name = name.toLowerCase()
    this.#values = new Set(values.map(toLatin1))
    this.#regexp = regexp ? compileRegexp(regexp) : null
  }

  allows(flat: readonly string[]): boolean {
    let found = false
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== this.#name) continue
      if (!this.#isValid(flat[i + 1] as string)) return false
      found = true
    }
    return found
  }

  #isValid(value: string): boolean {
    return this.#values.has(value) || (this.#regexp?.test(fromLatin1(value)) ?? false)
  }
}
