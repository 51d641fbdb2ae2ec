import { type Exchange, OK } from '../../http/exchange.js'
import { type Clock, systemTime } from '../../lib/clock.js'
import type { Filter } from '../contract.js'
import { HeaderRule } from './headers.js'
import { JwtCheck } from './jwt.js'
import type { Spec } from './kind.js'

const INVALID = 1

class Validator implements Filter {
  readonly #headers: readonly HeaderRule[]
  readonly #jwt: JwtCheck | null
  readonly #clock: Clock

  constructor(spec: Spec, clock: Clock) {
    this.#clock = clock
    this.#headers = Object.entries(spec.headers).map(
      ([name, { values, regexp }]) => new HeaderRule(name, values, regexp),
    )
    this.#jwt = spec.jwt === undefined ? null : new JwtCheck(spec.jwt)
  }

  handle(ex: Exchange): number {
    const status = this.#failure(ex)
    if (status === 0) return OK
    ex.respond(status)
    return INVALID
  }

  /** The status of the first check that fails; 0 when none does. */
  #failure(ex: Exchange): number {
    for (const rule of this.#headers) if (!rule.allows(ex)) return 400
    if (this.#jwt !== null && !this.#jwt.allows(ex, this.#clock.wallMs())) return 403
    return 0
  }
}

export const create = (spec: Spec): Filter => new Validator(spec, systemTime)
