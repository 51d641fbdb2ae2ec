import { type Cancellable, type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Fetch, FetchOutcome } from '../../upstream/fetch.js'
import { Service } from '../../upstream/service.js'
import type { Filter, FilterContext } from '../contract.js'
import { applyChanges, entityOf, readEntity } from './entity.js'
import type { Spec } from './kind.js'

const FAILED = 1
const RESPONSE_ALREADY = 2

/** A longer answer of the service is none. */
const ENTITY_BYTES_MAX = 3 * 65_536
/** Easegress sends no content type; nor does this. */
const HEADERS: readonly string[] = Object.freeze([])

export class RemoteFilter implements Filter {
  readonly #service: Service
  readonly #isV2: boolean

  constructor(spec: Spec, { upstream, timers }: FilterContext, isV2 = false) {
    this.#isV2 = isV2
    const limits = { timeoutMs: spec.timeout, bytesMax: ENTITY_BYTES_MAX }
    // As for back ends of v1, its certificate is not verified.
    this.#service = new Service(upstream, timers, spec.url, false, limits)
  }

  handle(ex: Exchange): number {
    ex.response.ensure()
    const waiting = new Waiting(ex, this.#isV2)
    waiting.fetch = this.#service.ask('POST', HEADERS, entityOf(ex), (outcome) => {
      ex.enter(() => waiting.answered(outcome), null)
    })
    return SUSPENDED
  }

  retire(): void {
    this.#service.release()
  }
}

/** An exchange that waits for what the service says. */
class Waiting implements Cancellable {
  fetch: Fetch | null = null
  readonly #ex: Exchange
  readonly #ticket: number
  readonly #keepsHeaders: boolean

  constructor(ex: Exchange, keepsHeaders: boolean) {
    this.#ex = ex
    this.#keepsHeaders = keepsHeaders
    this.#ticket = ex.suspend(this)
  }

  cancel(): void {
    this.fetch?.cancel()
  }

  answered({ status, body }: FetchOutcome): void {
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    // Redirections are no answer: where the request goes is for the configuration to say.
    const changes = status >= 200 && status < 300 ? readEntity(body) : null
    if (changes === null) {
      ex.respond(503)
      ex.resume(this.#ticket, FAILED)
      return
    }
    applyChanges(ex, changes, this.#keepsHeaders)
    ex.resume(this.#ticket, status === 205 ? RESPONSE_ALREADY : OK)
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new RemoteFilter(spec, context)
