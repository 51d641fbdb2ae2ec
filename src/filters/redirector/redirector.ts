import { type Exchange, OK } from '../../http/exchange.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'
import type { Filter } from '../contract.js'
import { redirect, withoutHost } from '../redirect.js'
import type { Spec } from './kind.js'

const REDIRECTED = 1

class Redirector implements Filter {
  readonly #pattern: LinearRegexp
  readonly #replacement: string
  readonly #isOfPath: boolean
  readonly #namesHost: boolean
  readonly #status: number

  constructor(spec: Spec) {
    this.#pattern = compileRegexp(spec.match)
    this.#replacement = spec.replacement
    this.#isOfPath = spec.matchPart === 'path'
    this.#namesHost = /^[/\\]{2}/.test(spec.replacement)
    this.#status = spec.statusCode
  }

  handle(ex: Exchange): number {
    const { request } = ex
    const from = this.#isOfPath ? request.path : request.target
    if (!this.#pattern.test(from)) return OK
    const to = this.#pattern.replaceAll(from, this.#replacement)
    if (to === from) return OK
    redirect(ex, this.#status, this.#namesHost ? to : withoutHost(to))
    return REDIRECTED
  }
}

export const create = (spec: Spec): Filter => new Redirector(spec)
