/**
 * JSON Schemas for editors: one for each kind and dialect, and one that takes any document, told
 * apart by its `kind` and `version`.
 */
import { METADATA_V2, VERSION_V1, VERSION_V2 } from '../src/spec/document.js'
import { type JsonSchema, toJsonSchema } from '../src/spec/json-schema.js'
import { object } from '../src/spec/schema.js'
import { hoisted } from './hoist.js'
import type { ReferenceKind } from './reference.js'

type Dialect = 'v1' | 'v2'
const DIALECTS: readonly Dialect[] = ['v1', 'v2']
const VERSIONS: Readonly<Record<Dialect, string>> = { v1: VERSION_V1, v2: VERSION_V2 }

/** By path from the top of the repository. */
export function schemaFiles(kinds: readonly ReferenceKind[]): ReadonlyMap<string, JsonSchema> {
  const files = new Map<string, JsonSchema>()
  for (const kind of kinds) {
    for (const dialect of DIALECTS) {
      const schema = schemaOf(kind, dialect)
      if (schema !== null) files.set(`docs/schema/${dialect}/${kind.kind}.json`, hoisted(schema))
    }
  }
  const objects = kinds.filter(({ isObject }) => isObject)
  files.set('docs/schema/easegress.json', hoisted(combined(objects)))
  return files
}

/** Null when the dialect does not have the kind. */
function schemaOf(kind: ReferenceKind, dialect: Dialect): JsonSchema | null {
  const of = kind[dialect]
  if (of === null) return null
  const schema = toJsonSchema(of.spec, {
    title: kind.kind,
    description: of.summary,
    kind: kind.kind,
  })
  const { properties, ...rest } = schema as { properties: Readonly<Record<string, unknown>> }
  const { name, kind: word, ...fields } = properties
  return { ...rest, properties: { name, kind: word, ...metadataOf(kind, dialect), ...fields } }
}

/** Documents that were read over v2 have it also where they are of v1. */
function metadataOf(kind: ReferenceKind, dialect: Dialect): Readonly<Record<string, unknown>> {
  if (dialect === 'v1' && !kind.isObject) return {}
  const { properties } = toJsonSchema(object(METADATA_V2)) as { properties: object }
  return kind.isObject
    ? { ...properties, version: { const: VERSIONS[dialect] } }
    : { ...properties }
}

/**
 * Conditions rather than alternatives, so that an editor complains about the fields of the kind
 * that was meant, and not that none of all kinds fits.
 */
function combined(kinds: readonly ReferenceKind[]): JsonSchema {
  const defs: Record<string, unknown> = {}
  const conditions: unknown[] = []
  for (const kind of kinds) {
    const refs = DIALECTS.flatMap((dialect) => {
      const schema = schemaOf(kind, dialect)
      if (schema === null) return []
      const { $schema: _, ...body } = schema
      const key = `${kind.kind}.${dialect}`
      defs[key] = body
      return [{ dialect, ref: { $ref: `#/$defs/${key}` } }]
    })
    const isKind = { kind: { const: kind.kind } }
    const [only, other] = refs
    if (only !== undefined && other === undefined) {
      conditions.push(when({ required: ['kind'], properties: isKind }, only.ref))
      continue
    }
    const fits = (dialect: Dialect): unknown => ({
      required: ['kind', 'version'],
      properties: { ...isKind, version: { const: VERSIONS[dialect] } },
    })
    for (const { dialect, ref } of refs) conditions.push(when(fits(dialect), ref))
    // Without a version a document may be of either dialect.
    const isOpen = { required: ['kind'], properties: isKind, not: { required: ['version'] } }
    conditions.push(when(isOpen, { anyOf: refs.map(({ ref }) => ref) }))
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Easegress object',
    description: 'Any object of the gateway, in v1 or v2.',
    type: 'object',
    required: ['name', 'kind'],
    properties: {
      name: { type: 'string' },
      kind: { enum: kinds.map(({ kind }) => kind).sort() },
      version: { enum: DIALECTS.map((dialect) => VERSIONS[dialect]) },
    },
    allOf: conditions,
    $defs: defs,
  }
}

function when(condition: unknown, consequence: unknown): unknown {
  // biome-ignore lint/suspicious/noThenProperty: it is the word of JSON Schema
  return { if: condition, then: consequence }
}
