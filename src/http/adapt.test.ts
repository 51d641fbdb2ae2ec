import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { HeaderAdaptor, PathAdaptor, StringMatcher, UrlRule } from './adapt.js'
import { Exchange } from './exchange.js'
import { Headers } from './headers.js'
import { Template } from './template.js'

it.each<[spec: { exact?: string; prefix?: string; regex?: string }, text: string, want: boolean]>([
  [{ exact: '/a' }, '/a', true],
  [{ exact: '/a' }, '/a/', false],
  [{ prefix: '/a' }, '/ab', true],
  [{ prefix: '/a' }, '/b/a', false],
  [{ regex: 'b+$' }, '/abb', true],
  [{ regex: '^b' }, '/ab', false],
  [{ exact: '/x', prefix: '/y', regex: 'z' }, '/x', true],
  [{ exact: '/x', prefix: '/y', regex: 'z' }, '/y/1', true],
  [{ exact: '/x', prefix: '/y', regex: 'z' }, '/1/z', true],
  [{ exact: '/x', prefix: '/y', regex: 'z' }, '/1', false],
  [{}, '', false],
  [{}, '/', false],
])('%j matches %s: %s', (spec, text, want) => {
  expect(new StringMatcher({ exact: '', prefix: '', ...spec }).test(text)).toBe(want)
})

it.each<[methods: string[], method: string, path: string, want: boolean]>([
  [[], 'GET', '/a', true],
  [[], 'PATCH', '/b', false],
  [['GET', 'PUT'], 'PUT', '/a', true],
  [['GET', 'PUT'], 'POST', '/a', false],
  [['GET'], 'GET', '/b', false],
  [['GET'], 'GET', '/%61', true],
])('a rule for %j %s %s: %s', (methods, method, path, want) => {
  const ex = new Exchange()
  ex.request.method = method
  ex.request.rawPath = path
  const rule = new UrlRule({ methods, url: { exact: '/a', prefix: '' } })
  expect(rule.matches(ex)).toBe(want)
})

it('only one change of a path is made, the first that is there', () => {
  const all = {
    replace: '/r',
    addPrefix: '/p',
    trimPrefix: '/a',
    regexpReplace: { regexp: '.', replace: 'x' },
  }
  const { addPrefix, trimPrefix, regexpReplace } = all
  const adapt = (spec: object): string => new PathAdaptor({ replace: '', ...spec }).adapt('/a/b')
  expect(adapt(all)).toBe('/r')
  expect(adapt({ addPrefix, trimPrefix, regexpReplace })).toBe('/p/a/b')
  expect(adapt({ trimPrefix, regexpReplace })).toBe('/b')
  expect(adapt({ regexpReplace })).toBe('xxxx')
  expect(adapt({})).toBe('/a/b')
})

it.each<[name: string, value: string, want: string[]]>([
  ['x', 'fine', ['x', 'fine']],
  ['X-Up', 'Case', ['x-up', 'Case']],
  ['x', 'grün', ['x', 'gr\xc3\xbcn']],
  ['x', '', ['x', '']],
  ['', 'no name', []],
  ['a b', 'no token', []],
  ['x', 'a\r\nb: c', []],
  ['x', 'a\0b', []],
  ['x\n', 'a', []],
])('what a template renders is checked: %j: %j', (name, value, want) => {
  const compile = (text: string): Template => new Template([text])
  for (const spec of [
    { del: [], set: { [name]: value }, add: {} },
    { del: [], set: {}, add: { [name]: value } },
  ]) {
    const headers = new Headers()
    new HeaderAdaptor(spec, compile).apply(new Exchange(), headers)
    expect(headers.flat).toEqual(want)
  }
})

const SPEC = { del: ['d'], set: { s: '1' }, add: { a: '2' } }
const plain = (text: string): Template => new Template([text])

it('a run of messages with the same fields gets one array, which nobody changes', () => {
  const adaptor = new HeaderAdaptor(SPEC, plain)
  const fields = ['x', 'y', 'd', 'z', 's', '0']
  const want = ['x', 'y', 's', '1', 'a', '2']
  const results = Array.from({ length: 5 }, () => {
    const headers = new Headers()
    headers.share(fields)
    adaptor.apply(new Exchange(), headers)
    expect(headers.flat).toEqual(want)
    const { flat } = headers
    headers.set('s', 'of this one')
    return flat
  })
  expect(results[2]).toEqual(want)
  expect(results[3]).toBe(results[2])
  expect(results[4]).toBe(results[2])
  expect(fields).toEqual(['x', 'y', 'd', 'z', 's', '0'])
})

it('what a text with a variable becomes is never taken over', () => {
  const compile = (text: string): Template => new Template(text === 'v' ? [0] : [text])
  for (const spec of [
    { del: [], set: { s: 'v' }, add: {} },
    { del: [], set: {}, add: { s: 'v' } },
    { del: [], set: { v: '1' }, add: {} },
    { del: ['v'], set: {}, add: {} },
  ]) {
    const adaptor = new HeaderAdaptor(spec, compile)
    const fields = ['a', '1', 'b', '2']
    const results = ['a', 'a', 'a', 'b'].map((value) => {
      const ex = new Exchange()
      ex.captured = [value]
      const headers = ex.request.headers
      headers.share(fields)
      adaptor.apply(ex, headers)
      return headers.flat
    })
    expect(results[2]).toEqual(results[0])
    expect(results[3], JSON.stringify(spec)).not.toEqual(results[0])
  }
})

it('what came before makes no difference', () => {
  const prng = new Prng(0xada9)
  const adaptor = new HeaderAdaptor(SPEC, plain)
  const shared = [[], ['s', '0'], ['d', '0', 'x', '1'], ['s', '0', 's', '1', 'a', '0', 'd', '1']]
  for (let step = 0; step < 2_000; step++) {
    const flat = prng.pick(shared)
    const apply = (each: HeaderAdaptor): readonly string[] => {
      const headers = new Headers()
      if (prng.chance(50)) headers.share(flat)
      else for (let i = 0; i < flat.length; i += 2) headers.add(flat[i] ?? '', flat[i + 1] ?? '')
      each.apply(new Exchange(), headers)
      const result = [...headers.flat]
      if (prng.chance(50)) headers.set(prng.pick(['s', 'd', 'a', 'x']), String(step))
      return result
    }
    expect(apply(adaptor), `step ${step}`).toEqual(apply(new HeaderAdaptor(SPEC, plain)))
  }
})

it.each([
  [65_536, ['x', 'a'.repeat(65_536)]],
  [65_537, []],
])('what variables make of a field has a bound: %d', (length, want) => {
  const ex = new Exchange()
  ex.captured = ['a'.repeat(length)]
  const headers = new Headers()
  const compile = (text: string): Template => new Template(text === 'v' ? [0] : [text])
  new HeaderAdaptor({ del: [], set: { x: 'v' }, add: {} }, compile).apply(ex, headers)
  expect(headers.flat).toEqual(want)
})
