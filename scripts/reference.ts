/**
 * The reference pages and JSON Schemas, made from the schemas of the kinds and the README in each
 * kind's folder. `docs.ts` writes them; a tidy test compares them with what is committed.
 */
import { policyKinds } from '../src/filters/policies.js'
import { filterKinds, filterKindsV2, objectKinds } from '../src/kinds/registry.js'
import { docTables, renderTables } from '../src/spec/doc-table.js'
import type { Schema } from '../src/spec/schema.js'
import { schemaFiles } from './schemas.js'

/** A kind in one dialect. */
interface KindIn {
  readonly summary: string
  readonly spec: Schema<unknown>
  /** Null for objects, which have none. */
  readonly results: readonly string[] | null
}

/** A kind as the reference sees it: at least one of the dialects has it. */
export interface ReferenceKind {
  readonly kind: string
  readonly isObject: boolean
  readonly v1: KindIn | null
  readonly v2: KindIn | null
  /** Of its sources, from the top of the repository. */
  readonly folder: string
}

/** `RequestAdaptor` lives in `request-adaptor`, `HTTPServer` in `http-server`. */
function folderOf(kind: string): string {
  return kind
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
}

/** Objects first, then filters, each in alphabetical order. */
export function referenceKinds(): readonly ReferenceKind[] {
  const objects = [...objectKinds.values()].map(({ kind, summary, spec, specV2, isV2Only }) => {
    const of = (schema: unknown): KindIn => ({
      summary,
      spec: schema as Schema<unknown>,
      results: null,
    })
    return {
      kind,
      isObject: true,
      v1: isV2Only === true ? null : of(spec),
      v2: isV2Only === true ? of(spec) : specV2 === undefined ? null : of(specV2),
      folder: `src/objects/${folderOf(kind)}`,
    }
  })
  const names = [...new Set([...filterKinds.keys(), ...filterKindsV2.keys()])]
  const filters = names.map((kind) => ({
    kind,
    isObject: false,
    v1: filterKinds.get(kind) ?? null,
    v2: filterKindsV2.get(kind) ?? null,
    folder: `src/filters/${folderOf(kind)}`,
  }))
  return [objects, filters].flatMap((kinds) => kinds.sort((a, b) => (a.kind < b.kind ? -1 : 1)))
}

/** All results of a kind, those of v1 first. */
export function resultsOf({ v1, v2 }: ReferenceKind): readonly string[] {
  return [...new Set([...(v1?.results ?? []), ...(v2?.results ?? [])])]
}

/** Every generated file by its path from the top of the repository. */
export function referenceFiles(readmeOf: (folder: string) => string): ReadonlyMap<string, string> {
  const kinds = referenceKinds()
  const files = new Map([
    ['docs/reference/README.md', index(kinds)],
    ['docs/reference/policies.md', policies()],
  ])
  for (const kind of kinds) {
    files.set(`docs/reference/${kind.kind}.md`, page(kind, readmeOf(kind.folder)))
    if (differs(kind)) files.set(`docs/reference/${kind.kind}-v2.md`, pageV2(kind))
  }
  for (const [path, schema] of schemaFiles(kinds)) files.set(path, `${printed(schema, '')}\n`)
  return files
}

const NOTE = '<!-- Made by `npm run docs`; change the schema or the README of the kind instead. -->'

function page(kind: ReferenceKind, readme: string): string {
  const [, text = ''] = /^# [^\n]+\n+(.*)$/s.exec(readme.trim()) ?? []
  const { v1, v2, folder } = kind
  const first = (v1 ?? v2) as KindIn
  const links = (['v1', 'v2'] as const)
    .filter((dialect) => kind[dialect] !== null)
    .map((dialect) => `[${dialect}](../schema/${dialect}/${kind.kind}.json)`)
  return [
    NOTE,
    `# ${kind.kind}`,
    first.summary,
    dialects(kind),
    text.trim(),
    differs(kind) ? '## Fields of v1' : '## Fields',
    beside(kind, v1 === null ? 'v2' : 'v1'),
    renderTables(docTables(first.spec)),
    `As JSON Schema: ${links.join(', ')}. Source: \`${folder}/\`.`,
  ]
    .join('\n\n')
    .concat('\n')
}

/** The fields of v2 where they are not those of v1. */
function pageV2(kind: ReferenceKind): string {
  const { summary, spec } = kind.v2 as KindIn
  return [
    NOTE,
    `# ${kind.kind} of v2`,
    summary,
    `What it is for is in [${kind.kind}](${kind.kind}.md). ${beside(kind, 'v2')}`,
    renderTables(docTables(spec), 2),
  ]
    .join('\n\n')
    .concat('\n')
}

/** Both dialects have it, each with fields of its own. */
function differs({ v1, v2 }: ReferenceKind): boolean {
  return v1 !== null && v2 !== null && v1.spec !== v2.spec
}

function beside({ isObject }: ReferenceKind, dialect: 'v1' | 'v2'): string {
  const where = isObject ? 'unique in the cluster' : 'unique in the pipeline'
  const more = dialect === 'v1' ? '' : ', and `version`, `labels` and `createdAt` if need be'
  return `Beside \`name\` (${where}) and \`kind\`${more}:`
}

function dialects(kind: ReferenceKind): string {
  const { v1, v2, isObject } = kind
  if (v1 === null) {
    return isObject ? 'In v2 only.' : 'In v2 only: for a [Pipeline](Pipeline.md).'
  }
  if (v2 === null) {
    return isObject ? 'In v1 only.' : 'In v1 only: for an [HTTPPipeline](HTTPPipeline.md).'
  }
  return differs(kind)
    ? `In v1, and in v2 with [fields of its own](${kind.kind}-v2.md).`
    : 'The same in v1 and v2.'
}

function index(kinds: readonly ReferenceKind[]): string {
  const mark = (each: KindIn | null): string => (each === null ? '' : 'yes')
  const rows = (isObject: boolean): string =>
    kinds
      .filter((kind) => kind.isObject === isObject)
      .map((kind) => {
        const { summary } = (kind.v1 ?? kind.v2) as KindIn
        const codes = isObject
          ? ''
          : ` ${resultsOf(kind)
              .map((each) => `\`${each}\``)
              .join(', ')} |`
        const link = `[${kind.kind}](${kind.kind}.md)`
        return `| ${link} | ${summary} | ${mark(kind.v1)} | ${mark(kind.v2)} |${codes}`
      })
      .join('\n')
  return `${NOTE}

# Reference

What can be configured: every field, its type, default and bounds. v1 is what Easegress 1.0 writes,
v2 what its current releases write; both may be used side by side. What differs from them is in
[compatibility.md](../compatibility.md); how an editor checks these files while you type is in
[editors.md](../editors.md).

## Objects

| Kind | What it does | v1 | v2 |
| --- | --- | --- | --- |
${rows(true)}

## Filters

Entries of \`filters\` of an [HTTPPipeline](HTTPPipeline.md) (v1) or a [Pipeline](Pipeline.md) (v2).
A result is what \`jumpIf\` may name.

| Kind | What it does | v1 | v2 | Results |
| --- | --- | --- | --- | --- |
${rows(false)}

## Policies

Entries of \`resilience\` of a [Pipeline](Pipeline.md): see [policies.md](policies.md).
`
}

function policies(): string {
  const parts = [...policyKinds.values()].flatMap(({ kind, summary, spec }) => [
    `## ${kind}`,
    summary,
    'Beside `name` and `kind`:',
    renderTables(docTables(spec)),
  ])
  return [
    NOTE,
    '# Policies',
    'Entries of `resilience` of a [Pipeline](Pipeline.md), which filters refer to by name: v2 only.',
    ...parts,
  ]
    .join('\n\n')
    .concat('\n')
}

const WIDTH = 100

/** JSON as the formatter of this repository leaves it: short lists of values on one line. */
function printed(value: unknown, indent: string, before = 0): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = `${indent}  `
  const isList = Array.isArray(value)
  const parts = isList
    ? value.map((each) => printed(each, inner))
    : Object.entries(value).map(([key, each]) => {
        const head = `${JSON.stringify(key)}: `
        return head + printed(each, inner, inner.length + head.length)
      })
  if (parts.length === 0) return isList ? '[]' : '{}'
  if (isList && value.every((each) => typeof each !== 'object')) {
    const line = `[${parts.join(', ')}]`
    // A comma may follow it.
    if (Math.max(before, indent.length) + line.length < WIDTH) return line
  }
  const [open, close] = isList ? '[]' : '{}'
  return `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${indent}${close}`
}
