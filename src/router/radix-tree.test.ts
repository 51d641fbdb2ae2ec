import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { type PathPattern, parsePattern, parseTarget } from './path-pattern.js'
import { RadixTree } from './radix-tree.js'

function parsed(pattern: string): PathPattern {
  const result = parsePattern(pattern)
  if (typeof result === 'string') throw new Error(result)
  return result
}

function treeOf(patterns: readonly string[]): RadixTree<string> {
  const tree = new RadixTree<string>()
  for (const pattern of patterns) tree.add(parsed(pattern), pattern)
  return tree
}

const any = (): boolean => true

it.each<[patterns: string[], path: string, found: string | null, values?: string[]]>([
  [['/a'], '/a', '/a', []],
  [['/a'], '/a/', null],
  [['/a'], '/', null],
  [['/ab', '/ac', '/a'], '/ac', '/ac', []],
  [['/ab', '/ac', '/a'], '/a', '/a', []],
  [['/a/{id}'], '/a/1', '/a/{id}', ['1']],
  [['/a/{id}'], '/a/', '/a/{id}', ['']],
  [['/a/{id}'], '/a/1/2', null],
  [['/a/{id}/b'], '/a/1/b', '/a/{id}/b', ['1']],
  [['/a/{id}/b'], '/a//b', '/a/{id}/b', ['']],
  [['/a/{x}-{y}'], '/a/1-2-3', '/a/{x}-{y}', ['1', '2-3']],
  [['/a/{x}-{y}'], '/a/12', null],
  [['/a/{x}-b'], '/a/1/2-b', null],
  [['/a/{id:[0-9]+}'], '/a/12', '/a/{id:[0-9]+}', ['12']],
  [['/a/{id:[0-9]+}'], '/a/1x', null],
  [['/a/{id:[0-9]*}'], '/a/', null],
  [['/a/{id:[0-9]{2}}'], '/a/12', '/a/{id:[0-9]{2}}', ['12']],
  [['/a/{id:a|b}'], '/a/ab', null],
  [['/a/*'], '/a/b/c', '/a/*', ['b/c']],
  [['/a/*'], '/a/', '/a/*', ['']],
  [['/a/*'], '/a', null],
  [['*'], '/anything', '*', ['/anything']],
  // Text before regexps, those before parameters, `*` last, whatever the order they came in.
  [['/a/*', '/a/{x}', '/a/{x:[a-z]+}', '/a/b'], '/a/b', '/a/b', []],
  [['/a/*', '/a/{x}', '/a/{x:[a-z]+}', '/a/b'], '/a/c', '/a/{x:[a-z]+}', ['c']],
  [['/a/*', '/a/{x}', '/a/{x:[a-z]+}', '/a/b'], '/a/7', '/a/{x}', ['7']],
  [['/a/*', '/a/{x}', '/a/{x:[a-z]+}', '/a/b'], '/a/7/', '/a/*', ['7/']],
  [['/f/{x}', '/f/{x}.json'], '/f/a.json', '/f/{x}.json', ['a']],
  // What seemed to fit is gone back on.
  [['/a/b/c', '/a/{x}/d'], '/a/b/d', '/a/{x}/d', ['b']],
  [['/{x}/b', '/*'], '/a/c', '/*', ['a/c']],
])('%j: %s', (patterns, path, found, values) => {
  const tree = treeOf(patterns)
  expect(tree.find(path, any)).toBe(found)
  if (values !== undefined) expect(tree.values).toEqual(values)
})

it('goes on with what is not accepted', () => {
  const tree = treeOf(['/a', '/{x}', '/{y}', '/*'])
  const seen: string[] = []
  const found = tree.find('/a', (entry) => {
    seen.push(entry)
    return entry === '/*'
  })
  expect([found, seen, tree.values]).toEqual(['/*', ['/a', '/{x}', '/{y}', '/*'], ['a']])
})

it.each([
  ['/a/*/b', '"*" is only for the end'],
  ['/*{a}', '"*" is only for the end'],
  ['/{a', '"{" without "}"'],
  ['/{}', 'expected a name'],
  ['/{:a}', 'expected a name'],
  ['/{a}/{a}', '"a" stands twice'],
  ['/{a:(}', '"(": '],
  ['/{a}{b}', 'expected text between'],
  ['/{a}*', 'expected text between'],
])('refuses %s', (pattern, problem) => {
  expect(parsePattern(pattern)).toContain(problem)
})

it.each([
  ['/{a}/x', ['a'], ['/', 0, '/x']],
  ['/{b}{a}', ['a', 'b'], ['/', 1, 0]],
  ['/plain', [], ['/plain']],
  ['/{EG_WILDCARD}', ['EG_WILDCARD'], ['/', 0]],
  ['/{c}', ['a'], 'no parameter "c"'],
  ['/*', ['a'], 'expected no "*"'],
])('target %s', (target, names, parts) => {
  const result = parseTarget(target, names)
  if (typeof parts === 'string') expect(result).toContain(parts)
  else expect(result).toEqual(parts)
})

/** What a pattern is as one regular expression, for patterns whose parameters are whole segments. */
function slow(pattern: string, path: string): boolean {
  const source = pattern
    .replace(/\*$/, '.{0,}')
    .replaceAll(/\{[a-z]+:([^}]*)\}/g, '(?:$1)')
    .replaceAll(/\{[a-z]+\}/g, '[^/]*')
  return new RegExp(`^${source}$`).test(path)
}

it('finds something just where one of the patterns fits', () => {
  const prng = new Prng(0x7ee5)
  const segments = ['a', 'b', 'ab', '{x}', '{y:[ab]+}', '{z:b}']
  for (let round = 0; round < 2_000; round++) {
    const patterns = Array.from({ length: 1 + prng.below(6) }, () => {
      const names = ['p', 'q', 'r', 's']
      const parts = Array.from({ length: 1 + prng.below(3) }, () =>
        prng.pick(segments).replace(/[xyz]/, () => names.pop() as string),
      )
      return `/${parts.join('/')}${prng.chance(20) ? '/*' : ''}`
    })
    const path = `/${Array.from({ length: 1 + prng.below(4) }, () => prng.pick(['a', 'b', 'ab', 'c', ''])).join('/')}`
    const found = treeOf(patterns).find(path, any)
    const fitting = patterns.filter((pattern) => slow(pattern, path))
    const where = `round ${round}: ${patterns.join(' ')} for ${path}`
    expect(found === null, where).toBe(fitting.length === 0)
    if (found !== null) expect(fitting, where).toContain(found)
  }
})
