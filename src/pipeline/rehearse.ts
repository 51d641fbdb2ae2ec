import type { Filter, Forecast } from '../filters/contract.js'
import { type Exchange, OK, type Responder, SUSPENDED } from '../http/exchange.js'
import { DEFAULT, namespaceName } from '../http/namespaces.js'
import type { Node, Pipeline } from './pipeline.js'

/** What a filter of a flow does with a request, or would do. */
export interface RehearsedStep {
  readonly filter: string
  readonly kind: string
  readonly namespace: string
  /** The result; '' where all went well, also where that is only assumed. */
  readonly result: string
  /** Nobody asked the filter, since it cannot answer without doing its work. */
  readonly isAssumed: boolean
  /** Of the filter: plain data, such as pool and server. */
  readonly detail: Readonly<Record<string, unknown>>
}

/** How a flow would go. */
export interface Rehearsal {
  readonly steps: readonly RehearsedStep[]
  /** Some filter has answered; else the engine did, for want of an answer. */
  readonly isAnswered: boolean
  /** The answer of the default namespace is that of a back end, as far as no filter changed its status. */
  readonly isForwarded: boolean
}

const NOTHING = Object.freeze({})

/**
 * Runs `ex`, which belongs to nobody, through the flow of `pipeline` with all that touches anything
 * else left out: filters of pure kinds run, others that can `explain` themselves are asked, and of
 * the rest it is assumed that all goes well. Over when it returns; `ex` then is as its client would
 * have it, had a back end answered with nothing.
 */
export function rehearse(pipeline: Pipeline, ex: Exchange): Rehearsal {
  const noted: Noted = { steps: [], isAnswered: false, isForwarded: false }
  ex.responder ??= new NoResponder('')
  pipeline
    .rehearsal((node) => ({ ...node, filter: new StandIn(node, noted), wrapping: null }))
    .start(ex)
  ex.leaveNamespaces()
  return noted
}

interface Noted {
  readonly steps: RehearsedStep[]
  isAnswered: boolean
  isForwarded: boolean
}

class StandIn implements Filter {
  readonly #node: Node
  readonly #noted: Noted

  constructor(node: Node, noted: Noted) {
    this.#node = node
    this.#noted = noted
  }

  handle(ex: Exchange): number {
    const { name, kind, namespace } = this.#node
    const before = statusOf(ex)
    const forecast = this.#forecast(ex)
    const code = forecast?.code ?? OK
    this.#noted.isAnswered = ex.responseIn(DEFAULT) !== null
    if (isSent(forecast)) this.#noted.isForwarded ||= namespace === DEFAULT
    else if (statusOf(ex) !== before) this.#noted.isForwarded = false
    this.#noted.steps.push({
      filter: name,
      kind: kind.kind,
      namespace: namespaceName(namespace),
      result: code <= OK ? '' : (kind.results[code - 1] ?? ''),
      isAssumed: forecast === null,
      detail: forecast?.detail ?? NOTHING,
    })
    return code
  }

  #forecast(ex: Exchange): Forecast | null {
    const { filter, wrapping, kind } = this.#node
    const asked = filter ?? wrapping
    if (asked?.explain !== undefined) return asked.explain(ex)
    if (filter === null || kind.isPure !== true) return null
    const code = filter.handle(ex)
    if (code !== SUSPENDED) return { code, detail: NOTHING }
    // It waits after all, so what it waits for is given up.
    const holder = ex.holder ?? filter
    ex.suspend()
    holder.cancel?.(ex)
    return null
  }
}

/** Of the answer that the client would get; 0 for none. */
const statusOf = (ex: Exchange): number => ex.responseIn(DEFAULT)?.status ?? 0

/** It would go to a back end, and all goes well there. */
const isSent = (forecast: Forecast | null): boolean =>
  forecast !== null &&
  forecast.code === OK &&
  'pool' in forecast.detail &&
  forecast.detail['cached'] !== true

/** Of an exchange that nobody waits for. */
export class NoResponder implements Responder {
  readonly #address: string

  constructor(address: string) {
    this.#address = address
  }

  send(): void {}

  cut(): void {}

  peerAddress(): string {
    return this.#address
  }
}
