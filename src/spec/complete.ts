import { nodeOf, type Schema, type SchemaNode } from './node.js'

/**
 * A document that decodes by `schema`, with every default written out as its author would write it:
 * durations stay text. Fields come in the order of the schema, those that it does not know last;
 * nulls count as left out. Shares what it does not change with `value`.
 */
export function complete(schema: Schema<unknown>, value: unknown): unknown {
  return completed(nodeOf(schema), value)
}

function completed(node: SchemaNode, value: unknown): unknown {
  if (node.type === 'list') {
    return Array.isArray(value) ? value.map((item) => completed(node.item, item)) : value
  }
  if (!isMapping(value)) return value
  if (node.type === 'object') return fieldsOf(node.fields, value)
  if (node.type === 'union') {
    const kind = node.kinds.get(String(value[node.tag]))
    return fieldsOf(new Map([...node.head, ...(kind?.fields ?? [])]), value)
  }
  if (node.type === 'leaf') return value
  const entries = Object.entries(value).map(([key, each]) => [key, completed(node.value, each)])
  return Object.fromEntries(entries)
}

function fieldsOf(
  fields: ReadonlyMap<string, SchemaNode>,
  value: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, node] of fields) {
    const given = Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined
    if (given !== undefined) result[name] = completed(node, given)
    else if (node.presence.type === 'default') result[name] = completed(node, node.presence.input)
  }
  for (const [name, given] of Object.entries(value)) if (!fields.has(name)) result[name] = given
  return result
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
