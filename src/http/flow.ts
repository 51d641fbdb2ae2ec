import type { Exchange } from './exchange.js'

/**
 * Exchanges inside of each other: a flow that calls another one, or has others answered, beyond
 * this depth is refused by the filter that would. It ends flows that lead back into themselves.
 */
export const FLOW_DEPTH_MAX = 8

/** A flow that filters of other flows may use: a pipeline. */
export interface Flow {
  readonly name: string
  /** Runs `ex` from beginning to end; the answer goes to its responder. */
  start(ex: Exchange): void
  /** Runs `ex` in the middle of the flow that it is in; see `Pipeline.call`. */
  call(ex: Exchange): void
}

/** The place of a flow by its name: null while nothing of that name runs. */
export interface FlowSlot {
  readonly name: string
  readonly current: Flow | null
}
