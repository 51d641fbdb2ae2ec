import type * as z from 'zod'
import { zod } from './zod.js'

/**
 * What is wrong with a JSON Schema (draft 2020-12, draft 7 or OpenAPI 3.0) that items are to be
 * checked by; null when it can be used.
 */
export function itemSchemaProblem(schema: unknown): string | null {
  try {
    compile(schema)
    return null
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

/** The first problem of each item that does not fit, with its place; at most ten. */
export function itemProblems(schema: unknown, items: readonly unknown[]): readonly string[] {
  const compiled = compile(schema)
  const problems: string[] = []
  for (const [index, item] of items.entries()) {
    if (problems.length >= 10) break
    const issue = compiled.safeParse(item).error?.issues[0]
    if (issue === undefined) continue
    const path = [`item ${index + 1}`, ...issue.path.map(String)].join('/')
    problems.push(`${path}: ${issue.message}`)
  }
  return problems
}

function compile(schema: unknown): z.ZodType {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new Error('expected a JSON Schema: a mapping')
  }
  const { fromJSONSchema } = zod()
  // Items are objects, whether the schema says so or not.
  const whole = { type: 'object', ...spelledOut(schema as Json) }
  return fromJSONSchema(whole as Parameters<typeof fromJSONSchema>[0])
}

type Json = Readonly<Record<string, unknown>>

/** Keywords whose value is a schema, a list of schemas, or a mapping with schemas in it. */
const OF_ONE = ['items', 'additionalProperties', 'not', 'propertyNames', 'contains']
const OF_LIST = ['allOf', 'anyOf', 'oneOf', 'prefixItems']
const OF_MAP = ['properties', 'patternProperties', '$defs', 'definitions']

/** zod looks at `required` only for what is under `properties`: there it is put. */
function spelledOut(schema: Json): Json {
  const spelled: Record<string, unknown> = { ...schema }
  for (const key of OF_ONE) if (isMapping(schema[key])) spelled[key] = spelledOut(schema[key])
  for (const key of OF_LIST) {
    const list = schema[key]
    if (Array.isArray(list))
      spelled[key] = list.map((each) => (isMapping(each) ? spelledOut(each) : each))
  }
  for (const key of OF_MAP) {
    const map = schema[key]
    if (!isMapping(map)) continue
    const entries = Object.entries(map)
    spelled[key] = Object.fromEntries(
      entries.map(([name, each]) => [name, isMapping(each) ? spelledOut(each) : each]),
    )
  }
  const { required, properties } = spelled
  if (!Array.isArray(required)) return spelled
  const unnamed = required.map((name): [string, Json] => [String(name), {}])
  const named = isMapping(properties) ? properties : {}
  return { ...spelled, properties: { ...Object.fromEntries(unnamed), ...named } }
}

function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
