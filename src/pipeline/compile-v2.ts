import type { Filter, WrappingFilter } from '../filters/contract.js'
import { type PolicySpec, policiesOf } from '../filters/policies.js'
import { namespaceIndex } from '../http/namespaces.js'
import { Template } from '../http/template.js'
import type { Logger } from '../telemetry/log.js'
import {
  CompiledPipeline,
  type ContextOf,
  createAll,
  type FilterSpec,
  type LoadedKind,
} from './compile.js'
import { EARLY, END, type Node, Pipeline, STOP } from './pipeline.js'

/** Name of the filter of a node that ends the flow, and of the end itself. */
export const END_LABEL = 'END'

/** One entry of a v2 `flow`. */
export interface FlowSpecV2 {
  /** END ends the flow. */
  readonly filter: string
  /** What jumps call it; empty: `filter`. */
  readonly alias: string
  /** Empty: DEFAULT. */
  readonly namespace: string
  /** By result, '' included: where to go on. */
  readonly jumpIf: Readonly<Record<string, string>>
}

/** A v2 Pipeline, decoded. */
export interface PipelineSpecV2 {
  /** Empty: all filters in the order of `filters`. */
  readonly flow: readonly FlowSpecV2[]
  readonly filters: readonly FilterSpec[]
  readonly resilience: readonly PolicySpec[]
  readonly data: Readonly<Record<string, unknown>>
}

/** What jumps call a node. */
export const labelOf = (step: FlowSpecV2): string => step.alias || step.filter

/** The flow in force: as written, or all filters in their order. */
function effectiveFlow(spec: PipelineSpecV2): readonly FlowSpecV2[] {
  if (spec.flow[0]?.filter === END_LABEL) return [] // nothing behind it can be reached
  if (spec.flow.length > 0) return spec.flow
  return spec.filters.map(({ name }) => ({ filter: name, alias: '', namespace: '', jumpIf: {} }))
}

/**
 * The same as `compilePipeline` for v2: every filter has one instance, whichever nodes run it, and
 * is there also when none does; aliases, jumps and END nodes become indices.
 */
export function compilePipelineV2(
  name: string,
  spec: PipelineSpecV2,
  kinds: ReadonlyMap<string, LoadedKind>,
  contextOf: ContextOf,
  previous: CompiledPipeline | null,
  log: Logger,
  onFailure: () => void = () => {},
): CompiledPipeline {
  const policies = policiesOf(spec.resilience)
  const built = new Map<string, Filter | WrappingFilter>()
  const made = createAll(spec.filters, (filterSpec) => {
    const { kind, module } = kinds.get(filterSpec.kind) as LoadedKind
    const context = Object.freeze({
      ...contextOf(filterSpec),
      policies,
      template: (text: string) => new Template(text === '' ? [] : [text]),
    })
    const before = previous?.inherit(filterSpec.name, filterSpec.kind) ?? null
    const filter = module.create(filterSpec.spec, context, before)
    built.set(`${filterSpec.kind}\n${filterSpec.name}`, filter)
    return { kind, filterSpec, filter }
  })
  const byName = new Map(made.map((each) => [each.filterSpec.name, each]))
  const flow = effectiveFlow(spec)
  const places = placesOf(flow)
  const nodes = flow.flatMap((step, at): Node[] => {
    const each = byName.get(step.filter)
    if (each === undefined) return [] // an END node
    const { kind, filterSpec, filter } = each
    return [
      {
        name: filterSpec.name,
        kind,
        filter: kind.wraps ? null : (filter as Filter),
        wrapping: kind.wraps ? (filter as WrappingFilter) : null,
        namespace: namespaceIndex(step.namespace),
        jump: jumpTable(flow, at, places, kind.results),
        requestBodyBytes: kind.requestBodyBytes?.(filterSpec.spec) ?? 0,
        needsRequestBody: filter.needsRequestBody?.bind(filter) ?? null,
        responseBodyBytes: kind.responseBodyBytes?.(filterSpec.spec) ?? 0,
        before: null,
        after: null,
      },
    ]
  })
  const options = {
    startsEmpty: true,
    data: spec.data,
    filters: made.map(({ filter }) => filter),
    onFailure,
  }
  return new CompiledPipeline(new Pipeline(name, nodes, log, options), built)
}

/** Of each entry of the flow: index of its node, EARLY for one that ends it; END behind the last. */
function placesOf(flow: readonly FlowSpecV2[]): number[] {
  let count = 0
  const places = flow.map(({ filter }) => (filter === END_LABEL ? EARLY : count++))
  places.push(END)
  return places
}

function jumpTable(
  flow: readonly FlowSpecV2[],
  at: number,
  places: readonly number[],
  results: readonly string[],
): number[] {
  const { jumpIf } = flow[at] as FlowSpecV2
  const placeOf = (result: string, otherwise: number): number => {
    const label = Object.hasOwn(jumpIf, result) ? jumpIf[result] : undefined
    if (label === undefined) return otherwise
    if (label === END_LABEL) return EARLY
    const target = flow.findIndex((step, index) => index > at && labelOf(step) === label)
    return places[target] as number
  }
  const next = placeOf('', places[at + 1] as number)
  return [next, ...results.map((result) => placeOf(result, STOP))]
}
