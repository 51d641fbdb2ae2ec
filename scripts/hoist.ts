import type { JsonSchema } from '../src/spec/json-schema.js'

/** What is shorter than this is better read where it stands. */
const LENGTH_MIN = 400

type Json = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The same schema with what it says several times said once, under `$defs`, by the name of the
 * field where it is met first.
 */
export function hoisted(schema: JsonSchema): JsonSchema {
  const counts = new Map<string, number>()
  count(schema, counts)
  const hoist = new Hoist(counts, Object.keys((schema['$defs'] ?? {}) as Json))
  const { $defs, ...body } = hoist.inside(schema)
  const defs = { ...($defs as Json | undefined), ...hoist.defs }
  return Object.keys(defs).length === 0 ? body : { ...body, $defs: defs }
}

/** Calls `visit` for each schema right inside of `schema`, and puts in its place what that gives. */
function mapInside(schema: Json, visit: (inner: Json, name: string) => Json): Json {
  const one = (value: unknown, name: string): unknown =>
    isMapping(value) ? visit(value, name) : value
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (keyword === 'properties' || keyword === '$defs') {
        const entries = Object.entries(value as Json).map(([key, each]) => [key, one(each, key)])
        return [keyword, Object.fromEntries(entries)]
      }
      if (keyword === 'items' || keyword === 'additionalProperties')
        return [keyword, one(value, '')]
      if (keyword === 'oneOf' || keyword === 'anyOf') {
        return [keyword, (value as unknown[]).map((each) => one(each, ''))]
      }
      return [keyword, value]
    }),
  )
}

function count(schema: Json, counts: Map<string, number>): void {
  mapInside(schema, (inner) => {
    const text = JSON.stringify(inner)
    if (text.length >= LENGTH_MIN) counts.set(text, (counts.get(text) ?? 0) + 1)
    count(inner, counts)
    return inner
  })
}

class Hoist {
  readonly defs: Record<string, unknown> = {}
  readonly #counts: ReadonlyMap<string, number>
  readonly #taken: Set<string>
  readonly #names = new Map<string, string>()

  constructor(counts: ReadonlyMap<string, number>, taken: readonly string[]) {
    this.#counts = counts
    this.#taken = new Set(taken)
  }

  inside(schema: Json, field = 'item'): Json {
    return mapInside(schema, (inner, name) => this.#replaced(inner, name || field))
  }

  #replaced(schema: Json, field: string): Json {
    const text = JSON.stringify(schema)
    if ((this.#counts.get(text) ?? 0) < 2) return this.inside(schema, field)
    let name = this.#names.get(text)
    if (name === undefined) {
      name = this.#free(field)
      this.#names.set(text, name)
      // The place is taken before those inside take theirs.
      this.defs[name] = null
      this.defs[name] = this.inside(schema, field)
    }
    return { $ref: `#/$defs/${name}` }
  }

  #free(field: string): string {
    let name = field
    for (let i = 2; this.#taken.has(name); i++) name = `${field}${i}`
    this.#taken.add(name)
    return name
  }
}
