import type { BodySource } from '../http/body.js'
import { type Collector, collect, RequestBody } from '../http/body.js'
import { type Cancellable, type Exchange, SUSPENDED } from '../http/exchange.js'
import type { HttpRequest, HttpResponse } from '../http/message.js'
import { DEFAULT } from '../http/namespaces.js'

/** What v2 holds of a body where nothing else is said, in bytes. */
const BYTES_MAX = 4 * 1024 * 1024

/** Namespaces, by index, of which a filter needs the bodies whole. */
export interface BodyNeeds {
  readonly requests: readonly number[] | 'all'
  readonly responses: readonly number[] | 'all'
}

/** What a filter does once the bodies are there. */
export interface Gathered {
  /** Returns what `handle` would. */
  gathered(ex: Exchange): number
  /** One of them is too large, or broke off. `isRequest`: it is the client's. */
  notGathered(ex: Exchange, reason: string, isRequest: boolean): number
}

/**
 * For a filter that reads bodies of namespaces beside its own, which the engine does not collect:
 * has all of them whole, then calls the filter back. `handle` returns what this returns.
 */
export function gatherBodies(ex: Exchange, needs: BodyNeeds, filter: Gathered): number {
  if (next(ex, needs) === null) return filter.gathered(ex)
  new Gathering(ex, needs, filter).next()
  return SUSPENDED
}

interface Pending {
  readonly request: HttpRequest | null
  readonly response: HttpResponse | null
}

function namespacesOf(ex: Exchange, needed: readonly number[] | 'all'): readonly number[] {
  if (needed !== 'all') return needed
  return ex.pairs === null ? [DEFAULT] : ex.pairs.map(({ namespace }) => namespace)
}

/** The next message whose body is still a stream; null when there is none. */
function next(ex: Exchange, needs: BodyNeeds): Pending | null {
  for (const namespace of namespacesOf(ex, needs.requests)) {
    const request = ex.requestIn(namespace)
    const source = request?.body?.source ?? null
    if (request !== null && source !== null) return { request, response: null }
  }
  for (const namespace of namespacesOf(ex, needs.responses)) {
    const response = ex.responseIn(namespace)
    if (response !== null && response.source !== null) return { request: null, response }
  }
  return null
}

class Gathering implements Collector, Cancellable {
  readonly #ex: Exchange
  readonly #needs: BodyNeeds
  readonly #filter: Gathered
  readonly #ticket: number
  #pending: Pending = { request: null, response: null }
  #source: BodySource | null = null

  constructor(ex: Exchange, needs: BodyNeeds, filter: Gathered) {
    this.#ex = ex
    this.#needs = needs
    this.#filter = filter
    this.#ticket = ex.suspend(this)
  }

  next(): void {
    const ex = this.#ex
    const pending = next(ex, this.#needs)
    if (pending === null) {
      ex.resume(this.#ticket, this.#filter.gathered(ex))
      return
    }
    this.#pending = pending
    const { request, response } = pending
    this.#source = request?.body?.take() ?? response?.takeSource() ?? null
    const bytesMax = request !== null && ex.requestBodyMax > 0 ? ex.requestBodyMax : BYTES_MAX
    collect(this.#source as BodySource, bytesMax, this)
  }

  collected(bytes: Uint8Array): void {
    if (!this.#ex.isLive(this.#ticket)) return
    this.#source = null
    const { request, response } = this.#pending
    if (request !== null) request.body = RequestBody.of(bytes)
    else if (response !== null) response.body = bytes
    this.next()
  }

  tooLarge(): void {
    this.#fail('a body is too large to be held')
  }

  failed(reason: string): void {
    this.#fail(`a body was cut short: ${reason}`)
  }

  cancel(): void {
    // What is left of a request is the listener's.
    if (this.#pending.response !== null) this.#source?.cancel()
  }

  #fail(reason: string): void {
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    const isRequest = this.#pending.request !== null
    ex.resume(this.#ticket, this.#filter.notGathered(ex, reason, isRequest))
  }
}
