import type { AnyFilterKind } from '../filters/contract.js'
import type { Policies } from '../filters/policies.js'
import type { FilterSpec } from '../pipeline/compile.js'
import type { ObjectReference, SharedKeys, StatusView } from './contract.js'

type Kinds = ReadonlyMap<string, AnyFilterKind>

/** Key of shared memory that a filter of a pipeline uses; `key` is the filter kind's own. */
export function filterKey(pipeline: string, filter: string, key: string): string {
  return `pipeline/${pipeline}/${filter}/${key}`
}

/** Key of the statistics row that counts exchanges for which a filter of a pipeline threw. */
export function failuresKey(pipeline: string): string {
  return `pipeline/${pipeline}/failures`
}

/** Shared memory that a pipeline and its filters need. */
export function filterKeys(
  kinds: Kinds,
  pipeline: string,
  filters: readonly FilterSpec[],
  policies: Policies,
): Required<SharedKeys> {
  const named = (which: 'shared' | 'permits' | 'stats'): string[] =>
    filters.flatMap(({ name, kind, spec }) => {
      const keys = kinds.get(kind)?.[which]?.(spec, policies) ?? []
      return keys.map((key) => filterKey(pipeline, name, key))
    })
  return {
    words: named('shared'),
    areas: filters.flatMap(({ name, kind, spec }) => {
      const areas = kinds.get(kind)?.areas?.(spec, policies) ?? []
      return areas.map(({ key, bytes }) => ({ key: filterKey(pipeline, name, key), bytes }))
    }),
    caps: [],
    permits: named('permits'),
    stats: [...named('stats'), failuresKey(pipeline)],
    data: filters.flatMap(({ kind, spec }) => kinds.get(kind)?.data?.(spec) ?? []),
  }
}

/** Other pipelines that the filters of a pipeline lead to. */
export function filterReferences(
  kinds: Kinds,
  filters: readonly FilterSpec[],
): readonly ObjectReference[] {
  return filters.flatMap(({ kind, spec }, index) =>
    (kinds.get(kind)?.flows?.(spec) ?? []).map(({ path, name }) => ({
      path: ['filters', index, ...path],
      name,
      kinds: ['HTTPPipeline', 'Pipeline'],
    })),
  )
}

/** Statuses of the filters of a pipeline by name; null for those that have none. */
export function filterStatuses(
  kinds: Kinds,
  pipeline: string,
  filters: readonly FilterSpec[],
  view: StatusView,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    filters.map(({ name, kind, spec }) => {
      const stat = (key: string): unknown => view.httpStat(filterKey(pipeline, name, key))
      const status = kinds.get(kind)?.status?.(spec, stat) ?? null
      const state = view.filterStates?.[name] ?? null
      return [name, status === null && state === null ? null : { ...status, ...state }]
    }),
  )
}
