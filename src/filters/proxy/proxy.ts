import { type Exchange, SUSPENDED } from '../../http/exchange.js'
import type { Filter, FilterContext } from '../contract.js'
import type { Spec } from './kind.js'
import { Pool } from './pool.js'
import { MAIN_POOL } from './pool-spec.js'

class ProxyFilter implements Filter {
  readonly #main: Pool

  constructor(spec: Spec, context: FilterContext) {
    this.#main = new Pool(MAIN_POOL, spec.mainPool, context)
  }

  handle(ex: Exchange): number {
    this.#main.send(ex)
    return SUSPENDED
  }

  cancel(ex: Exchange): void {
    this.#main.cancel(ex)
  }

  /** Responses that are still streaming hold their connections until they end. */
  retire(): void {
    this.#main.close()
  }
}

export const create = (spec: Spec, context: FilterContext): Filter => new ProxyFilter(spec, context)
