import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { compileRegexp } from '../lib/regexp.js'
import { NO_ENTRY, PathIndex } from './path-index.js'

type Condition = readonly [kind: 'exact' | 'prefix' | 'pattern', text: string]

function meets([kind, text]: Condition, path: string): boolean {
  if (kind === 'exact') return path === text
  return kind === 'prefix' ? path.startsWith(text) : new RegExp(text, 'u').test(path)
}

/** Every order that `next` gives, one after the other. */
function all(index: PathIndex, path: string): number[] {
  const orders: number[] = []
  for (let at = index.next(path, -1); at !== NO_ENTRY; at = index.next(path, at)) orders.push(at)
  return orders
}

it('an empty index has nothing', () => {
  const index = new PathIndex()
  for (const _ of index.freeze());
  expect(all(index, '/a')).toEqual([])
  expect(all(index, '')).toEqual([])
})

it('gives what a list would give, in order, whatever the conditions share', () => {
  const prng = new Prng(0x7ee)
  const letters = ['a', 'b', '/', 'é', '中']
  const text = (): string =>
    Array.from({ length: prng.below(6) }, () => prng.pick(letters)).join('')
  const condition = (): Condition => {
    const kind = prng.pick(['exact', 'prefix', 'pattern'] as const)
    if (kind !== 'pattern') return [kind, text()]
    return [
      kind,
      `${prng.pick(['^', '^', ''])}${text()}${prng.pick(['', '$', '[ab]', '.*/', '/?a'])}`,
    ]
  }
  for (let round = 0; round < 400; round++) {
    const entries = Array.from({ length: prng.below(30) }, () =>
      Array.from({ length: 1 + prng.below(2) }, condition),
    )
    const index = new PathIndex()
    for (const [order, conditions] of entries.entries()) {
      for (const [kind, each] of conditions) {
        if (kind === 'exact') index.addExact(each, order)
        else if (kind === 'prefix') index.addPrefix(each, order)
        else index.addPattern(compileRegexp(each), order)
      }
    }
    for (const _ of index.freeze());
    for (let i = 0; i < 20; i++) {
      const path = text() + text()
      const want = [...entries.entries()]
        .filter(([, conditions]) => conditions.some((each) => meets(each, path)))
        .map(([order]) => order)
      expect(all(index, path), `round ${round} on ${path}`).toEqual(want)
    }
  }
})

it('ten thousand prefixes, each beginning the next, need no deep stack', () => {
  const index = new PathIndex()
  for (let i = 10_000; i > 0; i--) index.addPrefix('a'.repeat(i), 10_000 - i)
  for (const _ of index.freeze());
  expect(index.next('a'.repeat(5000), -1)).toBe(5000)
  expect(index.next('a'.repeat(20_000), 9_998)).toBe(9_999)
  expect(index.next('b', -1)).toBe(NO_ENTRY)
})

it('finds each of very many siblings, and none that is not there', () => {
  const index = new PathIndex()
  const path = (unit: number): string => `/${String.fromCharCode(unit)}x`
  for (let unit = 1; unit < 0x1_0000; unit += 2) index.addExact(path(unit), unit)
  for (const _ of index.freeze());
  const wrong: number[] = []
  for (let unit = 0; unit < 0x1_0000; unit++) {
    const want = unit % 2 === 1 ? unit : NO_ENTRY
    if (index.next(path(unit), -1) !== want) wrong.push(unit)
  }
  expect(wrong).toEqual([])
  expect(index.next('/', -1)).toBe(NO_ENTRY)
  expect(index.next('/\u0001xx', -1)).toBe(NO_ENTRY)
})

it('labels of any length are found, and told apart at their ends', () => {
  const index = new PathIndex()
  const long = '/'.repeat(100_000)
  index.addExact(`${long}a`, 0)
  index.addPrefix(`${long}b`, 1)
  index.addPrefix(long.slice(0, 50_000), 2)
  for (const _ of index.freeze());
  expect(all(index, `${long}a`)).toEqual([0, 2])
  expect(all(index, `${long}bc`)).toEqual([1, 2])
  expect(all(index, `${long}ab`)).toEqual([2])
  expect(all(index, long.slice(0, 40_000))).toEqual([])
})
