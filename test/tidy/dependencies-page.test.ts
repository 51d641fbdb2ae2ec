import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/dependencies.md')
const manifest = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>

/** Rows of the table under a heading: package, version, licence, and that there is a reason. */
function rowsOf(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const rows = [...section.matchAll(/^\| `([^`]+)` \| (\S+) \| ([^|]+) \| (\S[^|]*) \|$/gm)]
  return rows.map(([, name = '', version = '', licence = '']) => [name, version, licence])
}

/** The same out of package.json and of what is installed. `npm:other@1.2.3` stands for 1.2.3. */
function installed(kind: keyof typeof manifest): string[][] {
  return Object.entries(manifest[kind]).map(([name, range]) => {
    const { license } = JSON.parse(read(`node_modules/${name}/package.json`)) as { license: string }
    return [name, range.replace(/^npm:.*@/, ''), LICENCE_IN_FACT[name] ?? license]
  })
}

/** Where package.json says something else than the licence file beside it. */
const LICENCE_IN_FACT: Readonly<Record<string, string>> = { 'uWebSockets.js': 'Apache-2.0' }

it.each([
  ['At run time', 'dependencies'],
  ['For building and testing', 'devDependencies'],
] as const)('docs/dependencies.md, "%s", is what package.json has', (heading, kind) => {
  expect(rowsOf(heading)).toEqual(installed(kind))
})

it('every dependency is pinned to one version', () => {
  const ranges = [manifest.dependencies, manifest.devDependencies].flatMap(Object.values)
  expect(ranges.filter((range) => !/^(npm:[\w.-]+@)?\d+\.\d+\.\d+$/.test(range))).toEqual([])
})
