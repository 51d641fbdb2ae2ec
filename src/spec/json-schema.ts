import { nodeOf, type Schema } from './node.js'
import { zod } from './zod.js'

export interface JsonSchemaOptions {
  readonly title?: string
  readonly description?: string
  /** Describes a whole document of this kind: `name` and `kind` come before the fields. */
  readonly kind?: string
}

export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * JSON Schema (draft 2020-12) of what users write, for editors: durations are text in it, fields
 * with defaults are not required. It is a little wider than the decoder, which also compiles
 * regular expressions and checks fields against each other.
 */
export function toJsonSchema(
  schema: Schema<unknown>,
  { title, description, kind }: JsonSchemaOptions = {},
): JsonSchema {
  const { $schema, ...body } = zod().toJSONSchema(nodeOf(schema).zod(), {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => dropNoise(jsonSchema),
  })
  return {
    $schema,
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    ...(kind === undefined ? body : withHead(body, kind)),
  }
}

/** Empty descriptions, and limits that only say what a double can hold. */
function dropNoise(jsonSchema: Record<string, unknown>): void {
  if (jsonSchema['description'] === '') delete jsonSchema['description']
  if (jsonSchema['minimum'] === Number.MIN_SAFE_INTEGER) delete jsonSchema['minimum']
  if (jsonSchema['maximum'] === Number.MAX_SAFE_INTEGER) delete jsonSchema['maximum']
}

function withHead(body: Readonly<Record<string, unknown>>, kind: string): JsonSchema {
  const { properties, required, ...rest } = body as {
    properties: Readonly<Record<string, unknown>>
    required?: readonly string[]
  }
  const name = { type: 'string', pattern: '^[\\p{L}0-9\\-_.~]{1,253}$' }
  return {
    ...rest,
    properties: { name, kind: { const: kind }, ...properties },
    required: ['name', 'kind', ...(required ?? [])],
  }
}
