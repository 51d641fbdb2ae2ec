import type { StoredObject } from '../protocol/coordinator.js'
import type { Catalogue } from './catalogue.js'
import { parseStored } from './yaml.js'

/** What `version` says of objects in the dialect of current releases, and of Easegress 1.0. */
const VERSIONS = { v1: 'easegress.megaease.com/v1', v2: 'easegress.megaease.com/v2' } as const

/** Says who made an object; what comes over the API is made by its users. */
const OWNER_LABEL = 'easegress/owner'
const OWNER = 'user-api'

/** The one namespace that objects made over the API are in. */
export const DEFAULT_NAMESPACE = 'default'

/** An object as v2 shows it: metadata first, then its fields with every default written out. */
export function shownV2(catalogue: Catalogue, object: StoredObject): Record<string, unknown> {
  const { name, kind, dialect } = object
  const document = (parseStored(name, object.text) ?? {}) as Record<string, unknown>
  const { name: _name, kind: _kind, version: _version, labels, createdAt, ...fields } = document
  const spec = catalogue.completed(kind, dialect, fields) as Record<string, unknown>
  return {
    name,
    kind,
    version: VERSIONS[dialect],
    labels: { ...(isMapping(labels) ? labels : {}), [OWNER_LABEL]: OWNER },
    createdAt: typeof createdAt === 'string' ? createdAt : rfc3339(object.createdMs),
    ...spec,
  }
}

/** A document to begin with: metadata and every default of `kind`. */
export function templateV2(
  catalogue: Catalogue,
  kind: string,
  name: string,
): Record<string, unknown> {
  const spec = catalogue.completed(kind, 'v2', {}) as Record<string, unknown>
  return { name, kind, version: VERSIONS.v2, ...spec }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whole seconds, as Go's RFC 3339 writes them. */
function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
}
