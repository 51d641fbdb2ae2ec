import type { PipelineSpecV2 } from '../../pipeline/compile-v2.js'
import type { SpecV2 } from './server-spec-v2.js'

/** A pipeline that a path with a `backendPool` has of its own. */
export interface OwnPipeline {
  readonly name: string
  readonly rule: number
  readonly path: number
  readonly spec: PipelineSpecV2
}

/** As Easegress calls them (compat/traffic-v2.md §3.7). */
export const ownName = (server: string, rule: number, path: number): string =>
  `GENERATED-${server}-${rule}-${path}`

/** The pipelines of all paths that name a pool instead of a pipeline. */
export function ownPipelines({ rules }: SpecV2, server: string): OwnPipeline[] {
  return rules.flatMap((each, rule) =>
    each.paths.flatMap(({ backend, backendPool }, path): OwnPipeline[] => {
      if (backend !== '' || backendPool === undefined) return []
      const proxy = {
        pools: [backendPool],
        maxIdleConns: 10_240,
        maxIdleConnsPerHost: 1024,
        maxRedirection: 0,
        serverMaxBodySize: 0,
      }
      const filters = [{ name: 'proxy', kind: 'Proxy', spec: proxy }]
      const spec = { flow: [], filters, resilience: [], data: {} }
      return [{ name: ownName(server, rule, path), rule, path, spec }]
    }),
  )
}
