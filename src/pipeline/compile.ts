import type {
  Filter,
  FilterContext,
  FilterKind,
  FilterModule,
  WrappingFilter,
} from '../filters/contract.js'
import { NO_POLICIES } from '../filters/policies.js'
import { DEFAULT } from '../http/namespaces.js'
import type { Logger } from '../telemetry/log.js'
import { END, type Node, Pipeline, STOP } from './pipeline.js'
import { CAPTURED_BODY_BYTES, VariableTable } from './variables.js'

/** One entry of `flow`. */
export interface FlowSpec {
  readonly filter: string
  readonly jumpIf: Readonly<Record<string, string>>
}

/** One entry of `filters`. */
export interface FilterSpec {
  readonly name: string
  readonly kind: string
  /** The fields of its kind. */
  readonly spec: unknown
}

/** A v1 HTTPPipeline, decoded. */
export interface PipelineSpec {
  /** Empty: all filters in the order of `filters`. */
  readonly flow: readonly FlowSpec[]
  readonly filters: readonly FilterSpec[]
}

/** A filter kind with its engine loaded. */
export interface LoadedKind {
  readonly kind: FilterKind
  readonly module: FilterModule<unknown>
}

/** What the caller provides for each filter; the rest is the compiler's own. */
export type ContextOf = (filter: FilterSpec) => Omit<FilterContext, 'template' | 'policies'>

/** The flow in force: as written, or all filters in their order. */
export function effectiveFlow(spec: PipelineSpec): readonly FlowSpec[] {
  if (spec.flow.length > 0) return spec.flow
  return spec.filters.map((filter) => ({ filter: filter.name, jumpIf: {} }))
}

/**
 * Builds the pipeline of one generation. Filters named twice in the flow get an instance for each
 * place. `previous` is the pipeline of the same name before; a filter of the same name and kind
 * inherits from it. `onFailure` is told of each exchange that a filter threw for.
 */
export function compilePipeline(
  name: string,
  spec: PipelineSpec,
  kinds: ReadonlyMap<string, LoadedKind>,
  contextOf: ContextOf,
  previous: CompiledPipeline | null,
  log: Logger,
  onFailure: () => void = () => {},
): CompiledPipeline {
  const variables = new VariableTable()
  const byName = new Map(spec.filters.map((filter) => [filter.name, filter]))
  const flow = effectiveFlow(spec)
  const built = new Map<string, Filter | WrappingFilter>()
  const create = (step: FlowSpec): Made => {
    const filterSpec = byName.get(step.filter) as FilterSpec
    const { kind, module } = kinds.get(filterSpec.kind) as LoadedKind
    const context = Object.freeze({
      ...contextOf(filterSpec),
      policies: NO_POLICIES,
      template: (text: string) => variables.compile(text),
    })
    const before = previous?.inherit(filterSpec.name, filterSpec.kind) ?? null
    const filter = module.create(filterSpec.spec, context, before)
    built.set(`${filterSpec.kind}\n${filterSpec.name}`, filter)
    return { kind, filterSpec, filter }
  }
  const nodes = createAll(flow, create).map(({ kind, filterSpec, filter }, at): Node => {
    const before = variables.captures(filterSpec.name, 'req')
    const requestBodyBytes = kind.requestBodyBytes?.(filterSpec.spec) ?? 0
    const isCaptured = before?.needsBody === true
    return {
      name: filterSpec.name,
      kind,
      filter: kind.wraps ? null : (filter as Filter),
      wrapping: kind.wraps ? (filter as WrappingFilter) : null,
      namespace: DEFAULT,
      jump: jumpTable(flow, at, kind.results),
      requestBodyBytes: isCaptured
        ? Math.max(requestBodyBytes, CAPTURED_BODY_BYTES)
        : requestBodyBytes,
      needsRequestBody: isCaptured ? null : (filter.needsRequestBody?.bind(filter) ?? null),
      responseBodyBytes: kind.responseBodyBytes?.(filterSpec.spec) ?? 0,
      before,
      after: variables.captures(filterSpec.name, 'rsp'),
    }
  })
  return new CompiledPipeline(new Pipeline(name, nodes, log, { onFailure }), built)
}

interface Made {
  readonly kind: FilterKind
  readonly filterSpec: FilterSpec
  readonly filter: Filter | WrappingFilter
}

/** When one cannot be made, those before it give back what they hold. */
export function createAll<S, M extends { readonly filter: Filter | WrappingFilter }>(
  specs: readonly S[],
  create: (spec: S) => M,
): M[] {
  const made: M[] = []
  try {
    for (const spec of specs) made.push(create(spec))
    return made
  } catch (thrown) {
    for (const { filter } of made) filter.retire?.()
    throw thrown
  }
}

/** By result code: where the flow goes on after node `at`. */
function jumpTable(flow: readonly FlowSpec[], at: number, results: readonly string[]): number[] {
  const jumpIf = (flow[at] as FlowSpec).jumpIf
  const jump = [at + 1 < flow.length ? at + 1 : END]
  for (const result of results) {
    const label = Object.hasOwn(jumpIf, result) ? jumpIf[result] : undefined
    if (label === undefined) jump.push(STOP)
    else if (label === 'END') jump.push(END)
    else jump.push(flow.findIndex((step, index) => index > at && step.filter === label))
  }
  return jump
}

/** A pipeline with what the next generation may inherit. */
export class CompiledPipeline {
  readonly pipeline: Pipeline
  readonly #filters: ReadonlyMap<string, Filter | WrappingFilter>

  constructor(pipeline: Pipeline, filters: ReadonlyMap<string, Filter | WrappingFilter>) {
    this.pipeline = pipeline
    this.#filters = filters
  }

  inherit(name: string, kind: string): Filter | null {
    return (this.#filters.get(`${kind}\n${name}`) as Filter | undefined) ?? null
  }
}
