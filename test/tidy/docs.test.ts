import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { referenceFiles, referenceKinds } from '../../scripts/reference.js'
import { objectKinds } from '../../src/kinds/registry.js'
import { decodeDocument, formatProblems } from '../../src/spec/document.js'

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
  expect(
    readdirSync(join(ROOT, folder))
      .map((name) => `${folder}/${name}`)
      .sort(),
  ).toEqual(made.sort())
})

it('every folder of a kind is in a registry, and the other way round', () => {
  const folders = ['src/filters', 'src/objects'].flatMap((parent) =>
    readdirSync(join(ROOT, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
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
  for (const result of kind.results ?? []) expect(readme).toContain(`\`${result}\``)
})

it.each(KINDS)('the page of $kind has all of its README', (kind) => {
  const lines = readmeOf(kind.folder).trim().split('\n')
  expect(FILES.get(`docs/reference/${kind.kind}.md`)).toContain(lines.slice(1).join('\n'))
})

it.each(KINDS)('every field of $kind that is one says what it is for', (kind) => {
  const page = FILES.get(`docs/reference/${kind.kind}.md`) as string
  const rows = page.split('\n').filter((line) => /^\| `[^`]+` \| .+ \| (yes|no) \|/.test(line))
  expect(rows.length).toBeGreaterThan(0)
  for (const row of rows) expect(row).not.toMatch(/\|\s+\|$/)
})
