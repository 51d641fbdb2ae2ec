import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { MAY_IMPORT, ONE_DOOR } from './layers.js'

const SRC = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src')

interface Import {
  readonly file: string
  readonly folder: string
  readonly specifier: string
  /** `import type`, which leaves nothing at run time. */
  readonly typeOnly: boolean
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sources(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

const IMPORT =
  /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\(\s*'([^']+)'\s*\)/gm

function importsOf(path: string): Import[] {
  const file = relative(SRC, path)
  const folder = file.includes('/') ? (file.split('/')[0] as string) : ''
  return [...readFileSync(path, 'utf8').matchAll(IMPORT)].map((match) => ({
    file,
    folder,
    specifier: (match[2] ?? match[3] ?? match[4]) as string,
    typeOnly: match[1] !== undefined,
  }))
}

const all = sources(SRC).flatMap(importsOf)
const isTest = (file: string): boolean => /\.(test|fixture)\.ts$/.test(file)

it('finds the imports that it judges', () => {
  expect(all.length).toBeGreaterThan(300)
})

it('every folder imports only what the map allows', () => {
  const wrong = all.flatMap(({ file, folder, specifier }) => {
    if (folder === '' || isTest(file) || !specifier.startsWith('.')) return []
    const target = normalize(join(dirname(file), specifier))
    const to = target.includes('/') ? (target.split('/')[0] as string) : ''
    const allowed = [folder, ...(folder === 'raft' ? [] : ['lib', 'telemetry', ''])]
    return allowed.includes(to) || (MAY_IMPORT[folder] ?? []).includes(to)
      ? []
      : [`${file} imports ${to}`]
  })
  expect([...new Set(wrong)]).toEqual([])
})

it('every folder is on the map', () => {
  const folders = [...new Set(all.map((each) => each.folder))].filter((folder) => folder !== '')
  expect(folders.filter((folder) => MAY_IMPORT[folder] === undefined)).toEqual([])
})

it('raft imports nothing from node', () => {
  const wrong = all.filter(
    ({ file, folder, specifier }) =>
      folder === 'raft' &&
      !isTest(file) &&
      !file.includes('/testing/') &&
      !specifier.startsWith('.'),
  )
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([])
})

it('packages come in through their one door', () => {
  const wrong = all.flatMap(({ file, folder, specifier }) => {
    const doors = ONE_DOOR[specifier]
    return doors === undefined || doors.includes(folder) || isTest(file)
      ? []
      : [`${file} imports ${specifier}`]
  })
  expect(wrong).toEqual([])
})

it('filters never import each other', () => {
  const wrong = all.flatMap(({ file, folder, specifier }) => {
    const own = file.split('/')[1] ?? ''
    if (folder !== 'filters' || !file.includes('/', 8) || isTest(file)) return []
    const target = normalize(join(dirname(file), specifier)).split('/')
    const crosses = target[0] === 'filters' && target.length > 2 && target[1] !== own
    return crosses && specifier.startsWith('.') ? [`${file} imports ${specifier}`] : []
  })
  expect(wrong).toEqual([])
})

it('no thread but a worker loads an engine: kinds reach them by dynamic import alone', () => {
  const wrong = all.flatMap(({ file, specifier, typeOnly }) => {
    const isKind = /^(filters|objects)\/[^/]+\/kind(-v2)?\.ts$/.test(file)
    const text = readFileSync(join(SRC, file), 'utf8')
    const isDynamic = text.includes(`import('${specifier}')`)
    if (!isKind || typeOnly || isDynamic || !specifier.startsWith('./')) return []
    return /^\.\/(kind|keys|[a-z-]+-spec)(-v2)?\.js$/.test(specifier)
      ? []
      : [`${file} imports ${specifier}`]
  })
  expect(wrong).toEqual([])
})
