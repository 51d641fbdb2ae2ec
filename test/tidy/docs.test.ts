import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { compatibilityPage, fieldList } from '../../scripts/compatibility.js'
import { referenceFiles, referenceKinds, resultsOf } from '../../scripts/reference.js'
import { policyKinds } from '../../src/filters/policies.js'
import { objectKinds } from '../../src/kinds/registry.js'
import { decodeDocument, formatProblems } from '../../src/spec/document.js'
import { fieldPaths } from '../../src/spec/field-paths.js'
import type { Schema } from '../../src/spec/schema.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const readmeOf = (folder: string): string => read(`${folder}/README.md`)

const FILES = referenceFiles(readmeOf)
const KINDS = referenceKinds()

it('finds the kinds that it judges', () => {
  expect(KINDS.length).toBeGreaterThanOrEqual(9)
})

it.each([...FILES.keys()])('%s is what `npm run docs` makes', (path) => {
  expect(existsSync(join(ROOT, path)), `${path} is missing: run npm run docs`).toBe(true)
  expect(read(path)).toBe(FILES.get(path))
})

it.each(['docs/reference', 'docs/schema'])('%s has no page of a kind that is gone', (folder) => {
  const made = [...FILES.keys()].filter((path) => path.startsWith(folder))
  const there = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
  expect(there.sort()).toEqual(made.sort())
})

it('docs/compatibility.md is what `npm run docs` makes', () => {
  expect(read('docs/compatibility.md')).toBe(compatibilityPage(read))
})

it('every folder of a kind is in a registry, and the other way round', () => {
  const folders = ['src/filters', 'src/objects'].flatMap((parent) =>
    readdirSync(join(ROOT, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'policies')
      .map(({ name }) => `${parent}/${name}`),
  )
  expect(folders.sort()).toEqual(KINDS.map(({ folder }) => folder).sort())
})

it.each(KINDS)('$folder has what a kind needs: kind.ts, README.md, an engine and tests', (kind) => {
  const names = readdirSync(join(ROOT, kind.folder))
  const engine = `${kind.folder.split('/').at(-1)}.ts`
  expect(names).toEqual(expect.arrayContaining(['kind.ts', 'README.md', engine]))
  expect(names.filter((name) => name.endsWith('.test.ts'))).not.toEqual([])
})

it.each(KINDS)('the README of $kind has its name, an example and its results', (kind) => {
  const readme = readmeOf(kind.folder)
  expect(readme.startsWith(`# ${kind.kind}\n\n`)).toBe(true)
  const examples = [...readme.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text as string)
  expect(examples).not.toEqual([])
  for (const text of examples) {
    const decoded = decodeDocument(text, objectKinds)
    expect(decoded.ok ? '' : formatProblems(decoded.problems)).toBe('')
    expect(text).toMatch(new RegExp(`kind: ${kind.kind}$`, 'm'))
  }
  for (const result of resultsOf(kind)) expect(readme).toContain(`\`${result}\``)
})

it.each(KINDS)('the page of $kind has all of its README', (kind) => {
  const lines = readmeOf(kind.folder).trim().split('\n')
  expect(FILES.get(`docs/reference/${kind.kind}.md`)).toContain(lines.slice(1).join('\n'))
})

it.each(KINDS)('every field of $kind that is one says what it is for', (kind) => {
  const pages = [`${kind.kind}.md`, `${kind.kind}-v2.md`].map(
    (name) => FILES.get(`docs/reference/${name}`) ?? '',
  )
  const rows = pages
    .join('\n')
    .split('\n')
    .filter((line) => /^\| `[^`]+` \| .+ \| (yes|no) \|/.test(line))
  expect(rows.length).toBeGreaterThan(0)
  for (const row of rows) expect(row).not.toMatch(/\|\s+\|$/)
})

/** What each dialect has, by kind: schema and results. */
interface Described {
  readonly spec: unknown
  readonly results: readonly string[] | null
}
const SCHEMAS = {
  v1: new Map<string, Described>(
    KINDS.flatMap(({ kind, v1 }) => (v1 === null ? [] : [[kind, v1] as const])),
  ),
  v2: new Map<string, Described>([
    ...[...policyKinds.values()].map(({ kind, spec }) => [kind, { spec, results: null }] as const),
    ...KINDS.flatMap(({ kind, v2 }) => (v2 === null ? [] : [[kind, v2] as const])),
  ]),
}
const LISTS = (['v1', 'v2'] as const).flatMap((dialect) => {
  const path = `docs/fields/${dialect}.yaml`
  return fieldList(path, read(path)).map((list) => ({ ...list, dialect }))
})

it('docs/fields names every kind of the registries', () => {
  for (const dialect of ['v1', 'v2'] as const) {
    const listed = LISTS.filter((list) => list.dialect === dialect).map(({ kind }) => kind)
    expect(listed).toEqual(expect.arrayContaining([...SCHEMAS[dialect].keys()]))
  }
})

it.each(LISTS)('docs/fields/$dialect.yaml says of $kind what its schema says', (list) => {
  const { dialect, kind, isMissing, fields, results } = list
  const schema = SCHEMAS[dialect].get(kind)
  expect(isMissing, `${kind} is there now: take its state away`).toBe(schema === undefined)
  if (schema === undefined) return
  const known = fieldPaths(schema.spec as Schema<unknown>)
  const listed = [...fields.keys()]
  expect(
    known.filter((path) => !fields.has(path)),
    'of the schema, but not in the list',
  ).toEqual([])
  const gone = listed.filter(
    (path) => fields.get(path)?.state !== 'not yet' && !known.includes(path),
  )
  expect(gone, 'in the list, but not of the schema').toEqual([])
  expect(schema.results ?? []).toEqual(expect.arrayContaining([...(results ?? [])]))
})
