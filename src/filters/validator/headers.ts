import type { Exchange } from '../../http/exchange.js'
import { fromLatin1, toLatin1 } from '../../http/headers.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'

/** A header that has to be there; repeated ones pass only if all of them would. */
export class HeaderRule {
  readonly #name: string
  readonly #values: ReadonlySet<string>
  readonly #regexp: LinearRegexp | null

  constructor(name: string, values: readonly string[], regexp: string | undefined) {
    this.#name = name.toLowerCase()
    this.#values = new Set(values.map(toLatin1))
    this.#regexp = regexp ? compileRegexp(regexp) : null
  }

  allows(ex: Exchange): boolean {
    const flat = ex.request.headers.flat
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
