import type * as z from 'zod'
import type { ObjectNode, Path, SchemaNode, UnionNode } from './node.js'
import type { Finding } from './problem.js'
import { didYouMean, shown } from './wording.js'

type Issue = z.core.$ZodRawIssue

/** Puts what zod found into our words: `value` is what it was given, `node` what it was to be. */
export function problemOf(root: SchemaNode, value: unknown, issue: Issue): Finding {
  const path = (issue.path ?? []) as Path
  const { node, value: got } = meet(root, value, path)
  if (issue.code === 'invalid_key') {
    const around = meet(root, value, path.slice(0, -1)).node
    const expected = around?.type === 'map' ? around.key.expected : 'another key'
    const key = shown(String(path[path.length - 1]))
    return { path, isKey: true, message: `as a key: expected ${expected}, got ${key}`, expected }
  }
  const expected = node?.expected ?? 'something else'
  if (got === undefined) {
    return { path, message: `is required: expected ${expected}`, expected }
  }
  const detail = issue.code === 'custom' && issue.message ? ` (${issue.message})` : ''
  return {
    path,
    message: `expected ${expected}, got ${shown(got)}${detail}`,
    expected,
    got: shown(got),
    ...hinted(hintFor(node, got)),
  }
}

/** Where there are keys that no schema knows. `nulls`: what `prune` took away from zod's eyes. */
export function unknownKeysOf(
  node: SchemaNode,
  value: unknown,
  issues: readonly Issue[],
  nulls: readonly Path[],
): Path[] {
  const paths = nulls.filter((path) => isUnknown(node, value, path))
  for (const issue of issues) {
    if (!isAboutKeys(issue)) continue
    for (const key of issue.keys) paths.push([...((issue.path ?? []) as Path), key])
  }
  return paths
}

/** Zod found keys that the schema does not know; all else about the mapping may be well. */
export function isAboutKeys(issue: Issue): issue is Issue & { readonly keys: readonly string[] } {
  return issue.code === 'unrecognized_keys'
}

export function unknownKeyAt(root: SchemaNode, value: unknown, path: Path): Finding {
  const around = meet(root, value, path.slice(0, -1))
  const known = [...fieldsAt(around.node, around.value).keys()]
  const nearest = didYouMean(String(path[path.length - 1]), known)
  const all = known.length === 0 ? 'there are none' : `known are ${known.join(', ')}`
  return { path, isKey: true, message: 'there is no such field', hint: nearest ?? all }
}

/** Whether the schema has a key for one to be passed over. */
export function isIgnored(root: SchemaNode, value: unknown, path: Path): boolean {
  const { node, value: around } = meet(root, value, path.slice(0, -1))
  const owner = node?.type === 'union' ? kindAt(node, around) : node
  return owner?.type === 'object' && owner.ignored.has(String(path[path.length - 1]))
}

function hintFor(node: SchemaNode | null, got: unknown): string | null {
  if (node?.type === 'leaf') return node.hint(got)
  const isScalar = typeof got !== 'object'
  if (node?.type === 'list' && isScalar) return 'write each item on a line of its own after "- "'
  return null
}

function hinted(hint: string | null): { hint?: string } {
  return hint === null ? {} : { hint }
}

/** Follows `path` through schema and value together; the node is null where the schema ends. */
function meet(
  node: SchemaNode,
  value: unknown,
  path: Path,
): { node: SchemaNode | null; value: unknown } {
  let at: { node: SchemaNode | null; value: unknown } = { node, value }
  for (const step of path) {
    at = { node: childOf(at.node, at.value, step), value: memberOf(at.value, step) }
  }
  return at
}

function childOf(
  node: SchemaNode | null,
  value: unknown,
  step: string | number,
): SchemaNode | null {
  if (node?.type === 'list') return node.item
  if (node?.type === 'map') return node.value
  return fieldsAt(node, value).get(String(step)) ?? null
}

const NO_FIELDS: ReadonlyMap<string, SchemaNode> = new Map()

/** The fields that a mapping of this schema may have; for a tagged one its kind decides. */
function fieldsAt(node: SchemaNode | null, value: unknown): ReadonlyMap<string, SchemaNode> {
  if (node?.type === 'object') return node.fields
  if (node?.type !== 'union') return NO_FIELDS
  const own = kindAt(node, value)
  return own === undefined ? node.head : new Map([...node.head, ...own.fields])
}

function memberOf(value: unknown, step: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<string | number, unknown>)[step]
    : undefined
}

function isUnknown(root: SchemaNode, value: unknown, path: Path): boolean {
  const around = meet(root, value, path.slice(0, -1))
  if (around.node?.type === 'object') return !around.node.fields.has(String(path[path.length - 1]))
  // Without its kind nobody knows the fields of a tagged object.
  if (around.node?.type !== 'union' || kindAt(around.node, around.value) === undefined) return false
  return !fieldsAt(around.node, around.value).has(String(path[path.length - 1]))
}

function kindAt(node: UnionNode, value: unknown): ObjectNode | undefined {
  const kind = memberOf(value, node.tag)
  return typeof kind === 'string' ? node.kinds.get(kind) : undefined
}
