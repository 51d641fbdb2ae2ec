import { type Exchange, OK } from '../../http/exchange.js'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'
import type { Filter } from '../contract.js'
import { redirect, withoutHost } from '../redirect.js'
import type { Spec } from './kind.js'

const REDIRECTED = 1

class Redirector implements Filter {
  readonly #pattern: LinearRegexp
  readonly #replacement: string
  readonly #part: Spec['matchPart']
  readonly #namesHost: boolean
  readonly #status: number

  constructor(spec: Spec) {
    this.#pattern = compileRegexp(spec.match)
    this.#replacement = spec.replacement
    this.#part = spec.matchPart
    this.#namesHost = /^[/\\]{2}/.test(spec.replacement)
    this.#status = spec.statusCode
  }

  handle(ex: Exchange): number {
    const { request } = ex
    let from = this.#part === 'path' ? request.path : request.target
    if (this.#part === 'full') {
      const url = `${ex.scheme === 'https' ? 'https' : 'http'}://${request.host}${request.target}`
      // Patterns that begin with a path work in Easegress, whose URL of a request has no host.
      if (this.#pattern.test(url)) from = url
    }
    if (!this.#pattern.test(from)) return OK
    const to = this.#pattern.replaceAll(from, this.#replacement)
    if (to === from) return OK
    redirect(ex, this.#status, this.#namesHost ? to : withoutHost(to))
    return REDIRECTED
  }
}

export const create = (spec: Spec): Filter => new Redirector(spec)
