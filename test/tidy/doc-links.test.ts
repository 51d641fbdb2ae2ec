import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...pagesUnder('docs'),
  'native-bench/README.md',
]
/** Walks through the code, where every function named must be where the text says it is. */
const WALKS = ['docs/one-request.md', 'docs/one-change.md']

function pagesUnder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return pagesUnder(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The text without its fenced blocks, in which nothing is a link or a name. */
const prose = (page: string): string => page.replace(/^```.*?^```$/gms, '')

/** As GitHub makes them of headings. */
function anchorsOf(page: string): Set<string> {
  const headings = [...prose(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, text]) => text as string)
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** What a link of `page` points at that is not there; null when it is. */
function deadLink(page: string, link: string): string | null {
  const [path = '', anchor = ''] = link.split('#')
  const target = path === '' ? page : posix.join(dirname(page), decodeURIComponent(path))
  if (!existsSync(join(ROOT, target))) return `${link}: no such file`
  if (anchor === '' || statSync(join(ROOT, target)).isDirectory()) return null
  return anchorsOf(read(target)).has(anchor) ? null : `${link}: no such heading`
}

it.each(PAGES)('%s links to what is there', (page) => {
  const links = [...prose(read(page)).matchAll(/\]\(<?([^)>\s]+)>?\)/g)].map(([, to]) => to ?? '')
  const dead = links
    .filter((link) => !/^[a-z]+:/i.test(link))
    .map((link) => deadLink(page, link))
    .filter((problem) => problem !== null)
  expect(dead).toEqual([])
})

it.each(PAGES)('%s names paths of the repository that are there', (page) => {
  const named = [...read(page).matchAll(/(?<![\w./-])(?:src|test|scripts)\/[\w./*-]+/g)]
  const words = named.map(([word]) => word.replace(/[.-]+$/, ''))
  const paths = new Set(words.filter((path) => !path.includes('*')))
  expect([...paths].filter((path) => !isThere(path))).toEqual([])
})

/** A file or folder, or (as test commands take it) the name of a file without its endings. */
function isThere(path: string): boolean {
  if (existsSync(join(ROOT, path))) return true
  const folder = join(ROOT, dirname(path))
  const name = `${path.slice(path.lastIndexOf('/') + 1)}.`
  return existsSync(folder) && readdirSync(folder).some((file) => file.startsWith(name))
}

interface Section {
  readonly heading: string
  readonly sources: readonly string[]
  /** As in `route()`, `Router.route()`, `Call.#flush()`. */
  readonly functions: readonly string[]
}

/** A section is a heading with the text up to the next; its files are those it names. */
function sectionsOf(page: string): Section[] {
  return prose(page)
    .split(/^(?=#{1,6} )/m)
    .map((text) => ({
      heading: text.slice(0, text.indexOf('\n')),
      sources: [...new Set([...text.matchAll(/src\/[\w./-]+\.ts/g)].map(([path]) => path))],
      functions: [...text.matchAll(/`([A-Za-z_]\w*(?:\.#?\w+)?)\(\)`/g)].map(
        ([, name]) => name ?? '',
      ),
    }))
}

/** True when `source` defines a function, method, getter or arrow function of that name. */
function defines(source: string, name: string): boolean {
  const [owner, member] = name.includes('.') ? name.split('.') : [null, name]
  if (owner !== null && !new RegExp(`\\b(class|interface|const) ${owner}\\b`).test(source)) {
    return false
  }
  const modifiers = '(?:export |private |override |readonly |static |async |get |set |\\*)*'
  const asFunction = `${modifiers}(?:function\\*? |const )${member}\\b`
  const asMember = `${modifiers}${member}\\??(?:<[^(]*>)?(?:\\(| = \\(|: )`
  return new RegExp(`^\\s*(?:${asFunction}|${asMember})`, 'm').test(source)
}

it.each([
  ['export function route(x: number): void {', 'route', true],
  ['class Router {\n  route(input: Input): Route {', 'Router.route', true],
  ['class Router {\n  #walk(input: Input): Route {', 'Router.#walk', true],
  ['class Rooter {\n  route(input: Input): Route {', 'Router.route', false],
  ['const other = route(1)', 'route', false],
  ['  this.route(1)', 'route', false],
])('%j defines %s: %s', (source, name, want) => {
  expect(defines(source, name)).toBe(want)
})

it.each(WALKS)('%s names functions that are in the files it names beside them', (page) => {
  const sections = sectionsOf(read(page)).filter((section) => section.functions.length > 0)
  expect(sections.length).toBeGreaterThan(5)
  const missing = sections.flatMap(({ heading, sources, functions }) => {
    const texts = sources.filter((path) => existsSync(join(ROOT, path))).map(read)
    return functions
      .filter((name) => !texts.some((text) => defines(text, name)))
      .map((name) => `${heading}: ${name}() is in none of ${sources.join(', ')}`)
  })
  expect(missing).toEqual([])
})
