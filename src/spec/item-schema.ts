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
  return fromJSONSchema(schema as Parameters<typeof fromJSONSchema>[0])
}
