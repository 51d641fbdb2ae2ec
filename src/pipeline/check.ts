import type { FilterKind } from '../filters/contract.js'
import { suggest } from '../lib/suggest.js'
import type { SpecProblem } from '../spec/schema.js'
import { effectiveFlow, type FilterSpec, type FlowSpec, type PipelineSpec } from './compile.js'
import { scanVariables, type Variable } from './variables.js'

/** Every entry of `flow` names a filter, and jumps forward on results that it has. */
export function checkFlow(
  spec: PipelineSpec,
  kinds: ReadonlyMap<string, FilterKind>,
): SpecProblem[] {
  const byName = new Map(spec.filters.map((filter) => [filter.name, filter]))
  return spec.flow.flatMap((step, at) => {
    const filter = byName.get(step.filter)
    if (filter === undefined) {
      const path = ['flow', at, 'filter']
      return [{ path, ...nameProblem(step.filter, [...byName.keys()]) }]
    }
    return checkJumps(spec.flow, at, filter, kinds.get(filter.kind)?.results ?? [])
  })
}

function nameProblem(name: string, known: readonly string[]): { message: string; hint?: string } {
  const close = suggest(name, known)
  const listed = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`
  const message = `no filter "${name}" in filters (${listed})`
  return close === null ? { message } : { message, hint: `did you mean "${close}"?` }
}

function checkJumps(
  flow: readonly FlowSpec[],
  at: number,
  filter: FilterSpec,
  results: readonly string[],
): SpecProblem[] {
  return Object.entries((flow[at] as FlowSpec).jumpIf).flatMap(([result, target]) => {
    const path = ['flow', at, 'jumpIf', result]
    const problems: SpecProblem[] = []
    if (!results.includes(result)) {
      const known = results.length === 0 ? 'it has none' : `it has ${results.join(', ')}`
      problems.push({ path, message: `${filter.kind} has no result "${result}" (${known})` })
    }
    const ahead = flow.slice(at + 1).map((step) => step.filter)
    if (target !== 'END' && !ahead.includes(target)) {
      const known = ['END', ...ahead].join(', ')
      problems.push({
        path,
        message: `"${target}" does not come after "${filter.name}" in flow; expected one of ${known}`,
      })
    }
    return problems
  })
}

/** Names are unique, and none is the label END. */
export function checkNames(spec: PipelineSpec): SpecProblem[] {
  const seen = new Set<string>()
  return spec.filters.flatMap((filter, index): SpecProblem[] => {
    const path = ['filters', index, 'name']
    if (filter.name === 'END') {
      return [{ path, message: 'END is the label of the end of the flow; choose another name' }]
    }
    if (seen.has(filter.name)) {
      return [{ path, message: `"${filter.name}" is the name of another filter above` }]
    }
    seen.add(filter.name)
    return []
  })
}

/**
 * Template variables are well formed and read filters that come before their user, or the request
 * as their user meets it.
 */
export function checkTemplates(
  spec: PipelineSpec,
  kinds: ReadonlyMap<string, FilterKind>,
): SpecProblem[] {
  const flow = effectiveFlow(spec)
  return spec.filters.flatMap((filter, index) => {
    const templates = kinds.get(filter.kind)?.templates
    if (templates === undefined) return []
    const first = flow.findIndex((step) => step.filter === filter.name)
    const before = new Set((first < 0 ? [] : flow.slice(0, first)).map((step) => step.filter))
    return templates(filter.spec).flatMap((text) => {
      const { variables, problems } = scanVariables(text)
      const path = ['filters', index]
      const isOwn = ({ filter: read, side }: Variable): boolean =>
        read === filter.name && side === 'req'
      const late = variables.filter((each) => !before.has(each.filter) && !isOwn(each))
      return [
        ...problems.map((message) => ({ path, message })),
        ...(first < 0 ? [] : late).map((variable) => ({
          path,
          message: `a template reads filter "${variable.filter}", which does not run before "${filter.name}"`,
        })),
      ]
    })
  })
}
