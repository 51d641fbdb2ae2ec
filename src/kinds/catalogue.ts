import type { Catalogue } from '../admin/catalogue.js'
import { toJsonSchema } from '../spec/json-schema.js'
import { filterKinds, objectKinds } from './registry.js'

/** What the admin API tells about kinds. */
export const catalogue: Catalogue = {
  objectKinds: () => [...objectKinds.keys()].sort(),
  filterKinds: () => [...filterKinds.keys()].sort(),
  filterKind(name) {
    const kind = filterKinds.get(name)
    if (kind === undefined) return null
    const schema = toJsonSchema(kind.spec, { title: kind.kind, description: kind.summary })
    return { description: kind.summary, schema, results: kind.results }
  },
}
