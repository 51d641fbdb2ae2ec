import type { Filter, FilterKind, WrappingFilter } from '../filters/contract.js'
import { type Exchange, OK, type Scope, UNCHANGED } from '../http/exchange.js'
import { FakeClient, type FakeRequest } from '../http/fake-client.fixture.js'
import { DEFAULT } from '../http/namespaces.js'
import { object } from '../spec/schema.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { END, type Node, Pipeline, STOP } from './pipeline.js'

/** A filter that does what a test says, and writes down when. */
export class Step implements Filter {
  readonly name: string
  readonly #trace: string[]
  readonly #does: (ex: Exchange) => number

  constructor(name: string, trace: string[], does: (ex: Exchange) => number = () => OK) {
    this.name = name
    this.#trace = trace
    this.#does = does
  }

  handle(ex: Exchange): number {
    this.#trace.push(this.name)
    return this.#does(ex)
  }

  cancel(): void {
    this.#trace.push(`${this.name} cancelled`)
  }

  retire(): void {
    this.#trace.push(`${this.name} retired`)
  }
}

export interface Wrapping {
  readonly enter?: (ex: Exchange, scope: Scope) => number
  readonly leave?: (ex: Exchange, scope: Scope, code: number) => number
}

/** The same for wrapping filters. */
export class Wrap implements WrappingFilter {
  readonly name: string
  readonly #trace: string[]
  readonly #does: Wrapping

  constructor(name: string, trace: string[], does: Wrapping = {}) {
    this.name = name
    this.#trace = trace
    this.#does = does
  }

  enter(ex: Exchange, scope: Scope): number {
    this.#trace.push(`${this.name} enter`)
    return this.#does.enter?.(ex, scope) ?? OK
  }

  leave(ex: Exchange, scope: Scope, code: number): number {
    this.#trace.push(`${this.name} leave ${code} attempt ${scope.attempt}`)
    return this.#does.leave?.(ex, scope, code) ?? UNCHANGED
  }

  cancel(): void {
    this.#trace.push(`${this.name} cancelled`)
  }

  retire(): void {
    this.#trace.push(`${this.name} retired`)
  }
}

type Extra = Partial<Node> & { readonly to?: readonly number[] }

/** Of every filter here. */
const DEMO: FilterKind = {
  kind: 'Demo',
  summary: '',
  results: ['one', 'two', 'three'],
  wraps: false,
  isPure: true,
  spec: object({}),
  load: () => Promise.reject(new Error('it has no engine')),
}

/** A node for `filter`; `to` are the targets of results 1, 2, … . */
export function node(filter: Step | Wrap, extra: Extra = {}): Node {
  const { to = [], ...rest } = extra
  return {
    name: filter.name,
    kind: DEMO,
    filter: filter instanceof Step ? filter : null,
    wrapping: filter instanceof Wrap ? filter : null,
    namespace: DEFAULT,
    jump: to,
    requestBodyBytes: 0,
    needsRequestBody: null,
    responseBodyBytes: 0,
    before: null,
    after: null,
    ...rest,
  }
}

export interface Flow {
  readonly pipeline: Pipeline
  readonly log: MemoryLogger
  start(request?: FakeRequest): FakeClient
}

/** The pipeline of `nodes`; result 0 of each leads to the next, others stop without a target. */
export function flowOf(nodes: readonly Node[]): Flow {
  const log = new MemoryLogger()
  const linked = nodes.map((each, at): Node => {
    const next = at + 1 < nodes.length ? at + 1 : END
    return { ...each, jump: [next, ...each.jump, STOP, STOP, STOP].slice(0, 4) }
  })
  const pipeline = new Pipeline('demo', linked, log)
  return {
    pipeline,
    log,
    start(request = {}) {
      const client = new FakeClient(request)
      pipeline.start(client.ex)
      return client
    },
  }
}
