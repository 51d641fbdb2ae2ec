import type { Catalogue } from '../admin/catalogue.js'
import type { AnyObjectKind } from '../objects/contract.js'
import { complete } from '../spec/complete.js'
import { toJsonSchema } from '../spec/json-schema.js'
import { filterKinds, filterKindsV2, objectKinds } from './registry.js'

/** Other names that v2 gives to kinds on the command line; ours has one for what v2 has not. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  HTTPServer: ['httpservers', 'hs'],
  HTTPPipeline: ['httppipelines', 'hpl'],
  Pipeline: ['pipelines', 'pl'],
  GlobalFilter: ['globalfilters'],
}

const CATEGORIES = {
  business: 'BusinessController',
  pipeline: 'Pipeline',
  gate: 'TrafficGate',
} as const

/** What the admin API tells about kinds. */
export const catalogue: Catalogue = {
  objectKinds: () => [...objectKinds.keys()].sort(),
  objectKind(name) {
    const kind = objectKinds.get(name)
    if (kind === undefined) return null
    const { category, summary } = kind
    return {
      kind: name,
      category: CATEGORIES[category],
      aliases: ALIASES[name] ?? [],
      description: summary,
    }
  },
  objectSchema(name, dialect) {
    const kind = objectKinds.get(name) as AnyObjectKind
    return toJsonSchema(specOf(kind, dialect), {
      title: name,
      description: kind.summary,
      kind: name,
    })
  },
  completed(name, dialect, document) {
    const kind = objectKinds.get(name)
    return kind === undefined ? document : complete(specOf(kind, dialect), document)
  },
  filterKinds: (dialect) => [...filtersOf(dialect).keys()].sort(),
  filterKind(name, dialect) {
    const kind = filtersOf(dialect).get(name)
    if (kind === undefined) return null
    const schema = toJsonSchema(kind.spec, { title: kind.kind, description: kind.summary })
    return { description: kind.summary, schema, results: kind.results }
  },
}

const filtersOf = (dialect: 'v1' | 'v2'): typeof filterKinds =>
  dialect === 'v2' ? filterKindsV2 : filterKinds

function specOf(kind: AnyObjectKind, dialect: 'v1' | 'v2'): AnyObjectKind['spec'] {
  return (dialect === 'v2' ? kind.specV2 : undefined) ?? kind.spec
}
