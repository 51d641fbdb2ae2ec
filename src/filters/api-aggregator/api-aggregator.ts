import { HeaderAdaptor, PathAdaptor } from '../../http/adapt.js'
import { RequestBody } from '../../http/body.js'
import { ChildExchange, type Parent } from '../../http/child-exchange.js'
import { type Cancellable, type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import type { Flow, FlowSlot } from '../../http/flow.js'
import { decodePath } from '../../http/path.js'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import type { ApiProxySpec, Spec } from './kind.js'
import { mergeBodies } from './merge.js'

const FAILED = 1

/** As Easegress answers where a body is no JSON object; no status of HTTP. */
const NOT_JSON = 599

/** One pipeline to ask, and how. */
class Target {
  readonly slot: FlowSlot
  readonly #method: string | undefined
  readonly #path: PathAdaptor | null
  readonly #header: HeaderAdaptor | null
  readonly #takesBody: boolean

  constructor(spec: ApiProxySpec, context: FilterContext) {
    this.slot = context.flow(spec.httpProxyName)
    this.#method = spec.method
    this.#path = spec.path === undefined ? null : new PathAdaptor(spec.path)
    this.#header =
      spec.header === undefined ? null : new HeaderAdaptor(spec.header, context.template)
    this.#takesBody = !spec.disableBody
  }

  /**
   * The request for this target: URL and body of the one that came, none of its fields, as in
   * Easegress. The path is the one that came, whatever filters before have made of it.
   */
  fill({ ex: child }: ChildExchange, ex: Exchange, body: Uint8Array | null): void {
    const { request } = child
    request.method = this.#method ?? ex.request.method
    request.rawPath = ex.request.rawPath
    request.query = ex.request.query
    if (this.#path !== null) request.path = this.#path.adapt(decodePath(ex.request.rawPath))
    this.#header?.apply(ex, request.headers)
    if (this.#takesBody && body !== null) request.body = RequestBody.of(body)
  }
}

class ApiAggregator implements Filter {
  readonly spec: Spec
  readonly timers: TimerWheel
  readonly targets: readonly Target[]

  constructor(spec: Spec, context: FilterContext) {
    this.spec = spec
    this.timers = context.timers
    this.targets = spec.apiProxies.map((each) => new Target(each, context))
  }

  handle(ex: Exchange): number {
    new Aggregation(this, ex).start()
    return SUSPENDED
  }

  explain(ex: Exchange): Forecast {
    const names = (isThere: boolean): string[] =>
      this.targets
        .map(({ slot }) => slot)
        .filter(({ current }) => (current !== null) === isThere)
        .map(({ name }) => name)
    const missing = names(false)
    if (missing.length > 0 && !this.spec.partialSucceed) {
      ex.respond(503)
      return { code: FAILED, detail: { missing } }
    }
    return { code: OK, detail: { asks: names(true), ...(missing.length > 0 ? { missing } : {}) } }
  }
}

/** The questions that one exchange has asked. */
class Aggregation implements Parent, Cancellable {
  readonly #owner: ApiAggregator
  readonly #ex: Exchange
  readonly #ticket: number
  readonly #deadline: WheelTimer
  /** In the order of the spec; null where there is no pipeline. */
  readonly #children: (ChildExchange | null)[] = []
  #open = 0
  /** While it asks, and again when it is over: what ends then is not acted on. */
  #isBusy = true

  constructor(owner: ApiAggregator, ex: Exchange) {
    this.#owner = owner
    this.#ex = ex
    this.#ticket = ex.suspend(this)
    this.#deadline = new WheelTimer<unknown>(this, expire)
  }

  start(): void {
    const { spec, targets, timers } = this.#owner
    const ex = this.#ex
    const body = spec.maxBodyBytes === 0 ? null : (ex.request.body?.whole ?? null)
    for (const { slot } of targets) {
      const child = new ChildExchange(ex, this, spec.maxBodyBytes)
      const isThere = slot.current !== null && child.mayStart(slot.current)
      this.#children.push(isThere ? child : null)
    }
    // Nobody is asked in vain.
    const isHopeless = !spec.partialSucceed && this.#children.includes(null)
    if (!isHopeless) {
      timers.start(this.#deadline, spec.timeout)
      this.#open = this.#children.filter((child) => child !== null).length
      this.#children.forEach((child, index) => {
        if (child === null) return
        const target = targets[index] as Target
        target.fill(child, ex, body)
        child.start(target.slot.current as Flow)
      })
    }
    this.#isBusy = false
    if (this.#open === 0) this.finish()
  }

  childEnded(): void {
    this.#open -= 1
    if (this.#open === 0 && !this.#isBusy) this.#ex.enter(finish, this)
  }

  /** Time is up: what is not here by now is missing. */
  expired(): void {
    this.#ex.enter(finish, this)
  }

  /** The exchange ended. */
  cancel(): void {
    this.#end()
  }

  #end(): void {
    this.#owner.timers.stop(this.#deadline)
    this.#isBusy = true
    for (const child of this.#children) child?.giveUp()
  }

  /** From outside only through the exchange's guard. */
  finish(): void {
    this.#end()
    const ex = this.#ex
    if (!ex.isLive(this.#ticket)) return
    const status = this.#answer()
    if (status !== 0) ex.respond(status)
    ex.resume(this.#ticket, status === 0 ? OK : FAILED)
  }

  /** Makes the answer; gives the status of a failure instead, 0 when there was none. */
  #answer(): number {
    const { partialSucceed, mergeResponse } = this.#owner.spec
    const bodies: Uint8Array[] = []
    for (const child of this.#children) {
      const outcome = child === null ? 'given-up' : child.outcome
      if (outcome === 'given-up') {
        if (!partialSucceed) return 503
      } else if (outcome !== 'complete') return 500
      else if (child !== null && child.body !== null) bodies.push(child.body)
    }
    const body = mergeBodies(bodies, mergeResponse)
    if (body === null) return NOT_JSON
    const { response } = this.#ex
    response.body = body
    response.headers.set('content-type', 'application/json')
    return 0
  }
}

const finish = (_ex: Exchange, aggregation: Aggregation): void => aggregation.finish()
const expire = (aggregation: unknown): void => (aggregation as Aggregation).expired()

export const create = (spec: Spec, context: FilterContext): Filter =>
  new ApiAggregator(spec, context)
