import { type Exchange, OK } from '../../http/exchange.js'
import { fromLatin1, toLatin1 } from '../../http/headers.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'
import type { Filter } from '../contract.js'
import type { Spec } from './kind.js'

const INVALID = 1

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

class Validator implements Filter {
  readonly #headers: readonly HeaderRule[]

  constructor(spec: Spec) {
    this.#headers = Object.entries(spec.headers).map(
      ([name, { values, regexp }]) => new HeaderRule(name, values, regexp),
    )
  }

  handle(ex: Exchange): number {
    for (const rule of this.#headers) {
      if (rule.allows(ex)) continue
      ex.respond(400)
      return INVALID
    }
    return OK
  }
}

export const create = (spec: Spec): Filter => new Validator(spec)
