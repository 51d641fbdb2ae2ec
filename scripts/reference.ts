/**
 * The reference pages and JSON Schemas, made from the schemas of the kinds and the README in each
 * kind's folder. `docs.ts` writes them; a tidy test compares them with what is committed.
 */
import { filterKinds, objectKinds } from '../src/kinds/registry.js'
import { docTables, renderTables } from '../src/spec/doc-table.js'
import { toJsonSchema } from '../src/spec/json-schema.js'
import type { Schema } from '../src/spec/schema.js'

/** A kind as the reference sees it. */
export interface ReferenceKind {
  readonly kind: string
  readonly summary: string
  readonly spec: Schema<unknown>
  /** Null for objects, which have none. */
  readonly results: readonly string[] | null
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
  const objects = [...objectKinds.values()].map(
    ({ kind, summary, spec }): ReferenceKind => ({
      kind,
      summary,
      spec: spec as Schema<unknown>,
      results: null,
      folder: `src/objects/${folderOf(kind)}`,
    }),
  )
  const filters = [...filterKinds.values()].map(
    ({ kind, summary, spec, results }): ReferenceKind => ({
      kind,
      summary,
      spec: spec as Schema<unknown>,
      results,
      folder: `src/filters/${folderOf(kind)}`,
    }),
  )
  return [objects, filters].flatMap((kinds) => kinds.sort((a, b) => (a.kind < b.kind ? -1 : 1)))
}

/** Every generated file by its path from the top of the repository. */
export function referenceFiles(readmeOf: (folder: string) => string): ReadonlyMap<string, string> {
  const kinds = referenceKinds()
  const files = new Map([['docs/reference/README.md', index(kinds)]])
  for (const kind of kinds) {
    files.set(`docs/reference/${kind.kind}.md`, page(kind, readmeOf(kind.folder)))
    files.set(`docs/schema/${kind.kind}.json`, schema(kind))
  }
  return files
}

const NOTE = '<!-- Made by `npm run docs`; change the schema or the README of the kind instead. -->'

function page({ kind, summary, spec, results, folder }: ReferenceKind, readme: string): string {
  const [, text = ''] = /^# [^\n]+\n+(.*)$/s.exec(readme.trim()) ?? []
  return [
    NOTE,
    `# ${kind}`,
    summary,
    text.trim(),
    '## Fields',
    results === null
      ? 'Beside `name` (unique in the cluster) and `kind`:'
      : 'Beside `name` (unique in the pipeline) and `kind`:',
    renderTables(docTables(spec)),
    `As JSON Schema: [${kind}.json](../schema/${kind}.json). Source: \`${folder}/\`.`,
  ]
    .join('\n\n')
    .concat('\n')
}

function index(kinds: readonly ReferenceKind[]): string {
  const rows = (isFilter: boolean): string =>
    kinds
      .filter(({ results }) => (results !== null) === isFilter)
      .map(({ kind, summary, results }) => {
        const codes =
          results === null ? '' : ` ${results.map((each) => `\`${each}\``).join(', ')} |`
        return `| [${kind}](${kind}.md) | ${summary} |${codes}`
      })
      .join('\n')
  return `${NOTE}

# Reference

What can be configured: every field, its type, default and bounds. What differs from Easegress
v1.0.0 is in [compatibility.md](../compatibility.md).

## Objects

| Kind | What it does |
| --- | --- |
${rows(false)}

## Filters

Entries of \`filters\` of an [HTTPPipeline](HTTPPipeline.md). A result is what \`jumpIf\` may name.

| Kind | What it does | Results |
| --- | --- | --- |
${rows(true)}
`
}

function schema({ kind, summary, spec }: ReferenceKind): string {
  return `${printed(toJsonSchema(spec, { title: kind, description: summary, kind }), '')}\n`
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
