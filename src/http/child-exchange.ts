import { type BodySource, type Collector, collect } from './body.js'
import { ABORTED, DONE, Exchange, RESPONDING, type Responder } from './exchange.js'
import { FLOW_DEPTH_MAX, type Flow } from './flow.js'

/** How an answer ended: here to its end, more than the bound, broken off, or given up. */
export type ChildOutcome = 'complete' | 'too-large' | 'broken' | 'given-up'

/** Told once of each child, when its answer is here or lost. */
export interface Parent {
  childEnded(child: ChildExchange): void
}

/**
 * An exchange that another one has answered by a flow, in memory. The caller fills in
 * `ex.request`, calls `start`, and `giveUp` when it does not wait any longer.
 */
export class ChildExchange implements Responder, Collector {
  readonly ex = new Exchange()
  /** Null while it is under way. */
  outcome: ChildOutcome | null = null
  /** The whole body of a complete answer; null when it has none. */
  body: Uint8Array | null = null
  readonly #of: Exchange
  readonly #parent: Parent
  readonly #bytesMax: number
  #source: BodySource | null = null

  /** `bytesMax`: bound of the body of the answer. */
  constructor(of: Exchange, parent: Parent, bytesMax: number) {
    this.#of = of
    this.#parent = parent
    this.#bytesMax = bytesMax
    this.ex.responder = this
    this.ex.isTls = of.isTls
    this.ex.startedMs = of.startedMs
    this.ex.depth = of.depth + 1
  }

  /** Whether `flow` may be started for it: it would not be inside of itself, nor too deep. */
  mayStart(flow: Flow): boolean {
    return this.ex.depth <= FLOW_DEPTH_MAX && !isInside(this.#of, flow)
  }

  /** May call `childEnded` before it returns. */
  start(flow: Flow): void {
    flow.start(this.ex)
  }

  giveUp(): void {
    this.#leave('given-up')
  }

  // -- as a responder ----------------------------------------------------------------------------

  send(ex: Exchange): void {
    const { response } = ex
    const source = response.takeSource()
    if (source !== null) {
      this.#source = source
      collect(source, this.#bytesMax, this)
      return
    }
    this.body = response.body
    const isTooLarge = this.body !== null && this.body.byteLength > this.#bytesMax
    this.#over(isTooLarge ? 'too-large' : 'complete')
  }

  cut(): void {
    this.#leave('broken')
  }

  /** Who asks is the client of the exchange that this one belongs to. */
  peerAddress(): string {
    return this.#of.realIp
  }

  // -- as a collector ----------------------------------------------------------------------------

  collected(bytes: Uint8Array): void {
    this.#source = null
    this.body = bytes
    this.#over('complete')
  }

  tooLarge(): void {
    this.#source = null
    this.#over('too-large')
  }

  failed(): void {
    this.#source = null
    this.#over('broken')
  }

  /** Flows that run `ex` and the exchanges it belongs to. */
  get parentExchange(): Exchange {
    return this.#of
  }

  #leave(outcome: ChildOutcome): void {
    const { ex } = this
    if (this.outcome !== null) return
    const source = this.#source
    this.#source = null
    ex.engine?.aborted(ex)
    source?.cancel()
    this.#over(outcome)
  }

  #over(outcome: ChildOutcome): void {
    if (this.outcome !== null) return
    const { ex } = this
    this.outcome = outcome
    if (ex.state === RESPONDING) ex.state = outcome === 'complete' ? DONE : ABORTED
    ex.engine?.unpin()
    this.#parent.childEnded(this)
  }
}

/** Whether `flow` runs `ex`, or an exchange that it belongs to, now. */
function isInside(ex: Exchange, flow: Flow): boolean {
  const { name } = flow
  for (let at: Exchange | null = ex; at !== null; ) {
    if (at.engine?.name === name) return true
    for (let frame = at.outer; frame !== null; frame = frame.outer) {
      if (frame.engine?.name === name) return true
    }
    at = at.responder instanceof ChildExchange ? at.responder.parentExchange : null
  }
  return false
}
