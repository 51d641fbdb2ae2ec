import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { FLOW_DEPTH_MAX, type FlowSlot } from '../../http/flow.js'
import { toLatin1 } from '../../http/headers.js'
import type { Logger } from '../../telemetry/log.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import type { Spec } from './kind.js'

const DESTINATION_NOT_FOUND = 1
const INVOKE_DESTINATION_FAILED = 2

const DESTINATION = 'x-easegress-bridge-dest'

class Bridge implements Filter {
  readonly #first: FlowSlot
  readonly #byName: ReadonlyMap<string, FlowSlot>
  readonly #log: Logger
  readonly #place: Readonly<Record<string, string>>
  #hasWarned = false

  constructor(spec: Spec, context: FilterContext) {
    const slots = spec.destinations.map((name) => context.flow(name))
    this.#first = slots[0] as FlowSlot // the kind has checked that there is one
    this.#byName = new Map(slots.map((slot) => [toLatin1(slot.name), slot]))
    this.#log = context.log
    this.#place = { pipeline: context.pipeline, filter: context.name }
  }

  handle(ex: Exchange): number {
    const slot = this.#chosen(ex)
    const flow = slot === null ? null : slot.current
    if (flow === null) return refuse(ex, DESTINATION_NOT_FOUND)
    if (ex.depth >= FLOW_DEPTH_MAX) {
      this.#warn(flow.name)
      return refuse(ex, INVOKE_DESTINATION_FAILED)
    }
    ex.suspend()
    flow.call(ex)
    return SUSPENDED
  }

  /** What the destination would make of it is for another question. */
  explain(ex: Exchange): Forecast {
    const flow = this.#chosen(ex)?.current ?? null
    return flow === null
      ? { code: refuse(ex, DESTINATION_NOT_FOUND), detail: {} }
      : { code: OK, detail: { destination: flow.name } }
  }

  /** Null when the request names none of the destinations. */
  #chosen(ex: Exchange): FlowSlot | null {
    const { headers } = ex.request
    const wanted = headers.get(DESTINATION)
    if (wanted === null || wanted === '') return this.#first
    const slot = this.#byName.get(wanted)
    if (slot === undefined) return null
    headers.delete(DESTINATION)
    return slot
  }

  /** Once: every request that comes to this filter would say the same. */
  #warn(destination: string): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#log.warn('pipelines lead to each other without end', { ...this.#place, destination })
  }
}

function refuse(ex: Exchange, code: number): number {
  ex.respond(503)
  return code
}

export const create = (spec: Spec, context: FilterContext): Filter => new Bridge(spec, context)
