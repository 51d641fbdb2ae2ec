import type { Filter, FilterKind, WrappingFilter } from '../filters/contract.js'
import { type BodySource, type Collector, collect, RequestBody } from '../http/body.js'
import {
  ABORTED,
  type Cancellable,
  DONE,
  type Engine,
  type Exchange,
  type Frame,
  OK,
  RERUN,
  RESPONDING,
  RUNNING,
  type Scope,
  SUSPENDED,
  UNCHANGED,
  WAITING,
} from '../http/exchange.js'
import type { Flow } from '../http/flow.js'
import type { Logger } from '../telemetry/log.js'
import { CAPTURED_BODY_BYTES, type Captures } from './variables.js'

/** Jump targets that are not the index of a node. */
export const END = -1
/** No `jumpIf` entry for the result: the flow stops and the result is handed up. */
export const STOP = -2
/** As END, before the last node was through: what a GlobalFilter (v2) tells apart. */
export const EARLY = -5

/** One step of a flow, compiled. */
export interface Node {
  /** The filter's name, for logs and statistics. */
  readonly name: string
  readonly kind: FilterKind
  readonly filter: Filter | null
  readonly wrapping: WrappingFilter | null
  /** Of the request and answer it works on; DEFAULT in v1. */
  readonly namespace: number
  /** By result code: index of the next node, END, EARLY or STOP. */
  readonly jump: readonly number[]
  /** Bytes up to which the request (response) body must be whole first; 0 streams. */
  readonly requestBodyBytes: number
  /** Whether this exchange needs it, where not all do; null: all do. */
  readonly needsRequestBody: ((ex: Exchange) => boolean) | null
  readonly responseBodyBytes: number
  readonly before: Captures | null
  readonly after: Captures | null
}

/** What scopes are told when they are given up: see `WrappingFilter.cancel`. */
const CLIENT_GONE = 499
const TIMED_OUT = 408

/** Which call of the node at `pc` an exchange is in. */
const HANDLE = 0
const LEAVE = 1
const COLLECT = 2

/** A part of a flow that was put together of several, by index of its first node. */
export interface Stage {
  readonly from: number
  /** Where the flow goes on when the stage is through, or has ended early: a node, or END. */
  readonly onEnd: number
  readonly onEarly: number
  /** Its scopes enclose the stages behind it; else they close before those begin. */
  readonly encloses: boolean
}

/** What v1 pipelines do not have. */
export interface PipelineOptions {
  /** There is no answer until a filter makes one; without, the client gets a 503. */
  readonly startsEmpty?: boolean
  readonly data?: Readonly<Record<string, unknown>>
  /** All filters to be closed in the end; those of the nodes unless given. */
  readonly filters?: readonly (Filter | WrappingFilter)[]
  /** In order; and where the flow begins. */
  readonly stages?: { readonly start: number; readonly list: readonly Stage[] }
  /** Pipelines whose nodes these are, in order: pinned as long as an exchange is inside. */
  readonly parts?: readonly Pipeline[]
  /** Told of each exchange that one of the filters threw for; the status shows how many. */
  readonly onFailure?: () => void
}

/** What the loop reads of a node besides its filter. */
interface Step {
  readonly namespace: number
  readonly jump: readonly number[]
  readonly requestBodyBytes: number
  readonly needsRequestBody: ((ex: Exchange) => boolean) | null
  readonly responseBodyBytes: number
  readonly before: Captures | null
  readonly after: Captures | null
  readonly wraps: boolean
}

/** What of a flow does not depend on its filters. */
interface Form {
  readonly steps: readonly Step[]
  readonly first: number
  readonly startsEmpty: boolean
  readonly stages: readonly Stage[] | null
}

/** Of a thousand pipelines most have one of a few forms, which are then in the caches. */
const forms = new Map<string, Form>()
/** Forgotten when it is full: those in use are held by their pipelines. */
const FORMS_MAX = 1_000

function formOf(
  nodes: readonly Node[],
  startsEmpty: boolean,
  stages: PipelineOptions['stages'],
): Form {
  const steps = nodes.map((node): Step => {
    const { namespace, jump, requestBodyBytes, needsRequestBody, responseBodyBytes } = node
    const bodies = { requestBodyBytes, needsRequestBody, responseBodyBytes }
    const { before, after } = node
    return { namespace, jump, ...bodies, before, after, wraps: node.wrapping !== null }
  })
  const first = stages === undefined ? (nodes.length === 0 ? END : 0) : stages.start
  const form: Form = { steps, first, startsEmpty, stages: stages?.list ?? null }
  if (nodes.some(isItsOwn)) return form
  const key = JSON.stringify(form)
  const known = forms.get(key)
  if (known !== undefined) return known
  if (forms.size === FORMS_MAX) forms.clear()
  forms.set(key, form)
  return form
}

/** Whether a node has functions or templates of its pipeline's own. */
const isItsOwn = ({ needsRequestBody, before, after }: Node): boolean =>
  needsRequestBody !== null || before !== null || after !== null

/**
 * A compiled flow and the loop that runs exchanges through it. The caller pins it for each
 * exchange (`start`) and unpins at its end, so that filters are retired only when nobody is inside.
 */
export class Pipeline implements Engine, Flow {
  // First what each request reads: of a thousand pipelines none is in a cache, so it is little.
  #pins = 0
  #retired = false
  readonly #form: Form
  /** Of the first node; many flows have no other. */
  readonly #firstActor: Filter | WrappingFilter | undefined
  /** By index of the node: its filter, of either sort. */
  readonly #actors: readonly (Filter | WrappingFilter)[]
  readonly #parts: readonly Pipeline[] | null
  readonly name: string
  readonly nodes: readonly Node[]
  readonly data: Readonly<Record<string, unknown>> | null
  /** Exchanges that ended in a 500 because something threw. */
  failures = 0
  readonly #log: Logger
  /** To be closed in the end. */
  readonly #filters: readonly (Filter | WrappingFilter)[]
  readonly #onFailure: (() => void) | null

  constructor(
    name: string,
    nodes: readonly Node[],
    log: Logger,
    { startsEmpty = false, data, filters, stages, parts, onFailure }: PipelineOptions = {},
  ) {
    const actors = nodes.map((node) => (node.filter ?? node.wrapping) as Filter | WrappingFilter)
    this.#form = formOf(nodes, startsEmpty, stages)
    this.#firstActor = actors[0]
    this.#actors = actors
    this.#parts = parts ?? null
    this.name = name
    this.nodes = nodes
    this.data = data ?? null
    this.#log = log
    this.#filters = filters ?? actors
    this.#onFailure = onFailure ?? null
  }

  get pinCount(): number {
    return this.#pins
  }

  /** Runs `ex` from the first node. Never throws. */
  start(ex: Exchange): void {
    this.#pin()
    ex.engine = this
    ex.pc = 0
    const form = this.#form
    if (form.startsEmpty) ex.response.status = 0
    this.#guarded(ex, form.first)
  }

  #pin(): void {
    this.#pins += 1
    if (this.#parts !== null) for (const part of this.#parts) part.#pins += 1
  }

  /**
   * The same flow with other filters in its nodes: jumps, namespaces, stages and variables are those
   * of this one. It pins nothing, so it must come to its end before this one may be retired.
   */
  rehearsal(standIn: (node: Node) => Node): Pipeline {
    const { startsEmpty, first, stages } = this.#form
    return new Pipeline(this.name, this.nodes.map(standIn), this.#log, {
      startsEmpty,
      ...(this.data === null ? {} : { data: this.data }),
      ...(stages === null ? {} : { stages: { start: first, list: stages } }),
      filters: [],
    })
  }

  /** Whether there is no answer in it before a filter makes one. */
  get startsEmpty(): boolean {
    return this.#form.startsEmpty
  }

  /**
   * Runs `ex` in the middle of another flow, for the filter that runs there now: it has asked for
   * a ticket and returns SUSPENDED after this. Its flow goes on when this one has ended, whatever
   * the result; when the exchange itself comes to an end in here, it does not. Never throws.
   */
  call(ex: Exchange): void {
    this.#pin()
    const frame = ex.enterFlow(this)
    this.#guarded(ex, this.#form.first)
    frame.isCalling = false
    // Ended at once: the loop of the caller, which is on the stack, goes on.
    if (ex.engine === frame.engine && ex.outer === frame.outer && ex.state === RUNNING) {
      ex.looping = true
    }
  }

  /** What goes on in its filters now, of those that say; null when none does. */
  filterStates(): Readonly<Record<string, Readonly<Record<string, unknown>>>> | null {
    const states = this.nodes.flatMap(({ name, filter, wrapping }) => {
      const state = (filter ?? wrapping)?.state?.() ?? null
      return state === null ? [] : [[name, state] as const]
    })
    return states.length === 0 ? null : Object.fromEntries(states)
  }

  /** The exchange is over. */
  unpin(): void {
    if (this.#parts !== null) for (const part of this.#parts) part.unpin()
    this.#pins -= 1
    if (this.#retired && this.#pins === 0) this.#closeFilters()
  }

  /** No new exchange will start; filters close when the last one is done. */
  retire(): void {
    if (this.#retired) return
    this.#retired = true
    if (this.#pins === 0) this.#closeFilters()
  }

  #closeFilters(): void {
    for (const filter of this.#filters) {
      try {
        filter.retire?.()
      } catch (thrown) {
        const node = this.nodes.find((each) => each.filter === filter || each.wrapping === filter)
        this.#log.error('filter failed to close', {
          pipeline: this.name,
          filter: node === undefined ? '' : node.name,
          thrown,
        })
      }
    }
  }

  /** Called by `ex.resume`: the node at `pc` has its result. */
  advance(ex: Exchange, code: number): void {
    ex.waiting = null
    ex.state = RUNNING
    try {
      ex.looping = true
      this.#run(ex, this.#settle(ex, code))
    } catch (thrown) {
      this.failed(ex, thrown)
    } finally {
      ex.looping = false
    }
  }

  /** A filter threw, inside the loop or in a callback of its own. */
  failed(ex: Exchange, thrown: unknown): void {
    const node = this.nodes[ex.pc]
    this.#countFailure(ex.pc)
    this.#log.error('filter failed', {
      pipeline: this.name,
      filter: node === undefined ? '' : node.name,
      error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
    })
    if (ex.state === DONE || ex.state === ABORTED || ex.engine !== this) return
    const sent = ex.state === RESPONDING
    ex.leaveNamespaces()
    if (!sent) {
      // First, as wrapping filters that are given up may have fields for it.
      ex.response.discard()
      ex.respond(500)
    }
    this.#abandonAll(ex, 500)
    if (sent) ex.responder?.cut(ex)
    else this.#finishLast(ex)
  }

  /** For the part that the node `at` is of, where the flow was put together of several. */
  #countFailure(at: number): void {
    this.failures += 1
    this.#onFailure?.()
    let from = 0
    for (const part of this.#parts ?? []) {
      const end = from + part.nodes.length
      if (at >= from && at < end) part.#countFailure(at - from)
      from = end
    }
  }

  /** The answer to a failure: when even that throws, the connection is all there is to end. */
  #finishLast(ex: Exchange): void {
    try {
      this.#finish(ex)
    } catch (thrown) {
      this.#log.error('answer failed', { pipeline: this.name, error: String(thrown) })
      ex.responder?.cut(ex)
    }
  }

  #guarded(ex: Exchange, at: number): void {
    try {
      ex.looping = true
      this.#run(ex, at)
    } catch (thrown) {
      this.failed(ex, thrown)
    } finally {
      ex.looping = false
    }
  }

  /** Runs nodes from index `at` until the flow ends or a filter waits. */
  #run(ex: Exchange, at: number): void {
    let next = at
    for (;;) {
      if (next === AWAY) return
      if (next < 0) {
        next = this.#leaveScopes(ex, next)
        if (next === FINISHED) {
          this.#finish(ex)
          return
        }
        continue
      }
      next = this.#step(ex, next)
    }
  }

  /** One node: gives the index that follows, END, STOP or AWAY. */
  #step(ex: Exchange, at: number): number {
    const step = this.#form.steps[at] as Step
    ex.pc = at
    if (step.namespace !== ex.namespace) ex.useNamespace(step.namespace)
    if (step.requestBodyBytes !== 0 && step.needsRequestBody?.(ex) !== false) {
      const bytesMax = Math.max(step.requestBodyBytes, ex.requestBodyMax)
      if (this.#collectRequest(ex, bytesMax)) return AWAY
    }
    if (step.responseBodyBytes !== 0) {
      if (this.#collectResponse(ex, step.responseBodyBytes, COLLECT, OK)) return AWAY
    }
    if (step.before !== null) step.before.store(ex)
    ex.phase = HANDLE
    const actor = at === 0 ? this.#firstActor : this.#actors[at]
    const code = step.wraps
      ? (actor as WrappingFilter).enter(ex, ex.openScope(at))
      : (actor as Filter).handle(ex)
    return this.#returned(ex, code)
  }

  /** What follows the return of the call that `ex.phase` names. */
  #returned(ex: Exchange, code: number): number {
    // It may have ended the exchange, which may even be ready for its next request by now.
    if (ex.state !== RUNNING || ex.engine !== this) return AWAY
    return code === SUSPENDED ? this.#wait(ex) : this.#settle(ex, code)
  }

  /** What follows once the call that `ex.phase` names has given `code`. */
  #settle(ex: Exchange, code: number): number {
    const at = ex.pc
    const step = this.#form.steps[at] as Step
    if (ex.phase === COLLECT) return at
    if (ex.phase === LEAVE) return this.#left(ex, code)
    // Of a wrapping filter this is `enter`: with OK it has only begun.
    const isDone = !step.wraps || code !== OK
    if (isDone && step.after !== null && this.#capture(ex, step.after, HANDLE, code)) return AWAY
    if (isDone && step.wraps) ex.scopes.pop()
    return step.jump[code] as number
  }

  /** Stores what `after` names; true when the response body has to be waited for first. */
  #capture(ex: Exchange, after: Captures, phase: number, code: number): boolean {
    if (after.needsBody && this.#collectResponse(ex, CAPTURED_BODY_BYTES, phase, code)) return true
    after.store(ex)
    return false
  }

  /** The filter waits, unless it resumed before it returned. */
  #wait(ex: Exchange): number {
    const code = ex.resumedWith
    if (code !== SUSPENDED) {
      ex.resumedWith = SUSPENDED
      return this.#settle(ex, code)
    }
    ex.state = WAITING
    if (ex.holder !== null) {
      ex.waiting = ex.holder
      return AWAY
    }
    // Wrapping filters hear of an abort through their scope, waiting or not.
    const filter = (this.nodes[ex.pc] as Node).filter
    ex.waiting = filter?.cancel === undefined ? null : (filter as Required<Filter>)
    return AWAY
  }

  /** The flow reached its end (`how`: END, EARLY or STOP): innermost scope first. */
  #leaveScopes(ex: Exchange, how: number): number {
    const { scopes } = ex
    // Length first: an index of -1 is looked up by name, in the runtime.
    const scope = scopes.length === 0 ? null : (scopes[scopes.length - 1] as Scope)
    const { stages } = this.#form
    if (stages !== null && how !== OVER) return this.#leaveStage(ex, stages, scope, how)
    return scope === null ? FINISHED : this.#leaveScope(ex, scope, how)
  }

  /** Scopes of the stage first, unless they enclose what follows. */
  #leaveStage(ex: Exchange, stages: readonly Stage[], scope: Scope | null, how: number): number {
    let at = stages.length - 1
    while (at > 0 && (stages[at] as Stage).from > ex.pc) at -= 1
    const stage = stages[at] as Stage
    if (scope !== null && scope.node >= stage.from && !stage.encloses) {
      return this.#leaveScope(ex, scope, how)
    }
    const next = how === END ? stage.onEnd : stage.onEarly
    return next === END ? OVER : next
  }

  #leaveScope(ex: Exchange, scope: Scope, how: number): number {
    scope.outcome = how
    ex.pc = scope.node
    ex.phase = LEAVE
    const wrapping = (this.nodes[scope.node] as Node).wrapping as WrappingFilter
    return this.#returned(ex, wrapping.leave(ex, scope, how === STOP ? 1 : OK))
  }

  #left(ex: Exchange, code: number): number {
    const scope = ex.scopes[ex.scopes.length - 1] as Scope
    const node = this.nodes[scope.node] as Node
    if (code === RERUN) {
      scope.attempt += 1
      return node.jump[OK] as number
    }
    if (node.after !== null && this.#capture(ex, node.after, LEAVE, code)) return AWAY
    ex.scopes.pop()
    return code === UNCHANGED || code === OK ? scope.outcome : (node.jump[code] as number)
  }

  /** True when the node has to wait for the request body, or is never to see it. */
  #collectRequest(ex: Exchange, bytesMax: number): boolean {
    const body = ex.request.body
    if (body === null) return false
    if (body.whole !== null) {
      // Held for another filter, whose bound was larger, or made by one.
      if (body.whole.byteLength <= bytesMax) return false
      this.endWith(ex, 413, REQUEST_TOO_LARGE)
      return true
    }
    const source = body.take()
    if (source === null) return false // streamed away before: nothing left to hold
    ex.phase = COLLECT
    return this.#collect(ex, source, bytesMax, new RequestCollecting(ex, this))
  }

  /** True when the call that `phase` names has to wait; it is then settled with `code`. */
  #collectResponse(ex: Exchange, bytesMax: number, phase: number, code: number): boolean {
    const source = ex.response.takeSource()
    if (source === null) {
      const { body } = ex.response
      if (body === null || body.byteLength <= bytesMax) return false
      this.endWith(ex, 502, RESPONSE_TOO_LARGE)
      return true
    }
    ex.phase = phase
    return this.#collect(ex, source, bytesMax, new ResponseCollecting(ex, this, source, code))
  }

  #collect(
    ex: Exchange,
    source: BodySource,
    bytesMax: number,
    collecting: Collector & Cancellable & { readonly ticket: number },
  ): boolean {
    collect(source, bytesMax, collecting)
    if (ex.resumedWith !== SUSPENDED) {
      ex.resumedWith = SUSPENDED
      return false
    }
    if (!ex.isLive(collecting.ticket)) return true // answered already: too large
    ex.state = WAITING
    ex.waiting = collecting
    return true
  }

  /**
   * The inside of `scope` has used up its time: whoever works in there gives back what it holds,
   * scopes within are closed, and the flow goes on in `leave` of this one, told that the inside
   * failed. Called by `ex.interrupt`. Never throws.
   */
  interrupt(ex: Exchange, scope: Scope): void {
    this.#abandon(ex, ex.scopes.indexOf(scope) + 1, TIMED_OUT)
    ex.state = RUNNING
    this.#guarded(ex, STOP)
  }

  /** Ends the flow with an answer of the engine's own, without a body if need be; no scope is asked. */
  endWith(ex: Exchange, status: number, message: string): void {
    ex.leaveNamespaces()
    ex.respond(status, message === '' ? null : Buffer.from(message))
    if (message !== '') ex.response.headers.set('content-type', 'text/plain; charset=utf-8')
    this.#abandonAll(ex, status)
    this.#finish(ex)
  }

  /** The client is gone: whoever works for `ex` gives back what it holds. */
  aborted(ex: Exchange): void {
    ex.state = ABORTED
    this.#abandonAll(ex, CLIENT_GONE)
    ex.leaveNamespaces()
    ex.response.discard()
  }

  /** Called where another flow is inside of this one, which is to be given up too. */
  giveUp(ex: Exchange, status: number): void {
    this.#abandon(ex, 0, status)
    ex.leaveFlow()
    this.unpin()
  }

  /** This flow, and those that called it. */
  #abandonAll(ex: Exchange, status: number): void {
    while (ex.outer !== null) (ex.engine as Engine).giveUp(ex, status)
    ;(ex.engine as Pipeline).#abandon(ex, 0, status)
  }

  /**
   * Kills the ticket that is out and closes all scopes but the `depth` outermost without asking
   * them to go on; `status` tells them why.
   */
  #abandon(ex: Exchange, depth: number, status: number): void {
    try {
      ex.revoke()
    } catch (thrown) {
      this.#failedToCancel(ex.pc, thrown)
    }
    while (ex.scopes.length > depth) {
      const scope = ex.scopes.pop() as Scope
      try {
        ;(this.nodes[scope.node] as Node).wrapping?.cancel?.(ex, scope, status)
      } catch (thrown) {
        this.#failedToCancel(scope.node, thrown)
      }
    }
  }

  #failedToCancel(at: number, thrown: unknown): void {
    this.#log.error('filter failed to cancel', {
      pipeline: this.name,
      filter: this.nodes[at]?.name ?? '',
      error: String(thrown),
    })
  }

  #finish(ex: Exchange): void {
    if (ex.pairs !== null) ex.leaveNamespaces()
    if (ex.response.status < 200) makeFinal(ex)
    if (ex.outer !== null) {
      this.#return(ex, ex.outer)
      return
    }
    ex.state = RESPONDING
    ex.responder?.send(ex)
  }

  /** Back behind the filter that called this flow. */
  #return(ex: Exchange, caller: Frame): void {
    ex.leaveFlow()
    this.unpin()
    if (caller.isCalling) ex.resumedWith = OK
    else (ex.engine as Engine).advance(ex, OK)
  }
}

/** There is no answer, or one that announces another: clients would take the next one for it. */
function makeFinal(ex: Exchange): void {
  if (ex.response.isPresent) ex.respond(500)
  else ex.response.status = 503
}

const REQUEST_TOO_LARGE = 'request body too large\n'
const RESPONSE_TOO_LARGE = 'response body too large to be held\n'

/** Internal answers of a step, apart from every index, END and STOP. */
/** The exchange waits, or is over: either way not ours to go on with. */
const AWAY = -3
const FINISHED = -4
/** As END, of the last of several stages. */
const OVER = -6

class RequestCollecting implements Collector, Cancellable {
  readonly #ex: Exchange
  readonly #pipeline: Pipeline
  readonly ticket: number

  constructor(ex: Exchange, pipeline: Pipeline) {
    this.#ex = ex
    this.#pipeline = pipeline
    this.ticket = ex.suspend()
  }

  collected(bytes: Uint8Array): void {
    if (!this.#ex.isLive(this.ticket)) return
    this.#ex.request.body = RequestBody.of(bytes)
    this.#ex.resume(this.ticket, OK)
  }

  tooLarge(): void {
    if (!this.#ex.isLive(this.ticket)) return
    this.#pipeline.endWith(this.#ex, 413, REQUEST_TOO_LARGE)
  }

  failed(): void {
    // The client is gone; its abort ends the exchange.
  }

  cancel(): void {
    // The listener owns what is left of the request.
  }
}

class ResponseCollecting implements Collector, Cancellable {
  readonly #ex: Exchange
  readonly #pipeline: Pipeline
  readonly #source: BodySource
  readonly #code: number
  readonly ticket: number

  constructor(ex: Exchange, pipeline: Pipeline, source: BodySource, code: number) {
    this.#ex = ex
    this.#pipeline = pipeline
    this.#source = source
    this.#code = code
    this.ticket = ex.suspend()
  }

  collected(bytes: Uint8Array): void {
    if (!this.#ex.isLive(this.ticket)) return
    this.#ex.response.body = bytes
    this.#ex.resume(this.ticket, this.#code)
  }

  tooLarge(): void {
    this.#fail(RESPONSE_TOO_LARGE)
  }

  failed(reason: string): void {
    this.#fail(`response body cut short: ${reason}\n`)
  }

  cancel(): void {
    this.#source.cancel()
  }

  #fail(message: string): void {
    if (!this.#ex.isLive(this.ticket)) return
    this.#pipeline.endWith(this.#ex, 502, message)
  }
}
