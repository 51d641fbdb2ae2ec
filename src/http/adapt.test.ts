import { expect, it } from 'vitest'
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
