import type { FilterKind } from '../filters/contract.js'
import { policiesOf } from '../filters/policies.js'
import { suggest } from '../lib/suggest.js'
import type { SpecProblem } from '../spec/schema.js'
import { END_LABEL, type FlowSpecV2, labelOf, type PipelineSpecV2 } from './compile-v2.js'

type Kinds = ReadonlyMap<string, FilterKind>

/** Every node names a filter or END, and jumps forward to one label on results that it has. */
export function checkFlowV2(
  { flow, filters }: Pick<PipelineSpecV2, 'flow' | 'filters'>,
  kinds: Kinds,
): SpecProblem[] {
  const kindOf = new Map(filters.map(({ name, kind }) => [name, kind]))
  return flow.flatMap((step, at): SpecProblem[] => {
    const problems: SpecProblem[] = []
    if (step.alias === END_LABEL) {
      const message = 'END is the label of the end of the flow; choose another alias'
      problems.push({ path: ['flow', at, 'alias'], message })
    }
    if (step.filter === END_LABEL) return problems
    const kind = kindOf.get(step.filter)
    if (kind === undefined) {
      const path = ['flow', at, 'filter']
      return [...problems, { path, ...nameProblem(step.filter, [...kindOf.keys()]) }]
    }
    return [...problems, ...checkJumps(flow, at, kind, kinds.get(kind)?.results ?? [])]
  })
}

function nameProblem(name: string, known: readonly string[]): { message: string; hint?: string } {
  const close = suggest(name, [...known, END_LABEL])
  const listed = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`
  const message = `no filter "${name}" in filters (${listed})`
  return close === null ? { message } : { message, hint: `did you mean "${close}"?` }
}

function checkJumps(
  flow: readonly FlowSpecV2[],
  at: number,
  kind: string,
  results: readonly string[],
): SpecProblem[] {
  const ahead = flow.slice(at + 1).map(labelOf)
  return Object.entries((flow[at] as FlowSpecV2).jumpIf).flatMap(([result, target]) => {
    const path = ['flow', at, 'jumpIf', result]
    const problems: SpecProblem[] = []
    if (result !== '' && !results.includes(result)) {
      const known = results.length === 0 ? 'it has none but ""' : `it has ${results.join(', ')}`
      problems.push({ path, message: `${kind} has no result "${result}" (${known})` })
    }
    if (target === END_LABEL) return problems
    const count = ahead.filter((label) => label === target).length
    if (count === 0) {
      const known = [...new Set([END_LABEL, ...ahead])].join(', ')
      const message = `"${target}" does not come later in flow; expected one of ${known}`
      problems.push({ path, message })
    } else if (count > 1) {
      const message = `"${target}" comes ${count} times later in flow`
      problems.push({ path, message, hint: 'tell them apart by alias' })
    }
    return problems
  })
}

/** What filters name of `resilience` is there, and of the kind they need. */
export function checkPolicyUse(
  { filters, resilience }: Pick<PipelineSpecV2, 'filters' | 'resilience'>,
  kinds: Kinds,
): SpecProblem[] {
  const policies = policiesOf(resilience)
  return filters.flatMap((filter, index) => {
    const uses = kinds.get(filter.kind)?.policies?.(filter.spec) ?? []
    return uses.flatMap(({ path, name, kind }): SpecProblem[] => {
      const policy = policies.get(name)
      if (policy?.kind === kind) return []
      const known = resilience.filter((each) => each.kind === kind).map((each) => each.name)
      const listed = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`
      const message =
        policy === undefined
          ? `no ${kind} "${name}" in resilience (${listed})`
          : `"${name}" in resilience is a ${policy.kind}, expected a ${kind} (${listed})`
      return [{ path: ['filters', index, ...path], message }]
    })
  })
}
