import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { objectKinds } from '../../src/kinds/registry.js'
import { decodeDocument, formatProblems } from '../../src/spec/document.js'
import { fragmentPipeline, kindsWithout } from './filters.js'
import { readFragment, readFragments, withOrigin } from './fragments.js'

const FRAGMENTS = readFragments(fileURLToPath(new URL('filters', import.meta.url)))

it.each(FRAGMENTS)('the gateway takes $name', (fragment) => {
  const pipeline = JSON.stringify(fragmentPipeline(fragment, 'case-1', 4001))
  const decoded = decodeDocument(pipeline, objectKinds, { dialect: fragment.dialect })
  expect(decoded.ok ? '' : formatProblems(decoded.problems)).toBe('')
  expect(fragment.name.split('-')[0]).toBe(fragment.kind)
  expect(fragment.summary).not.toBe('')
})

it('says which kinds nobody has written a file for', () => {
  const without = kindsWithout(FRAGMENTS)
  for (const { kind } of FRAGMENTS) expect(without).not.toContain(kind)
  expect(kindsWithout([]).length).toBe(without.length + new Set(FRAGMENTS.map((f) => f.kind)).size)
})

it('a file that says little gets the defaults', () => {
  expect(readFragment('Mock', 'filter: { kind: Mock }')).toEqual({
    name: 'Mock',
    kind: 'Mock',
    summary: '',
    dialect: 'v1',
    jumpIf: {},
    copies: 8,
    microsMax: null,
    request: { method: 'GET', headers: {}, body: '', status: '2xx' },
    filter: { kind: 'Mock' },
  })
})

it.each([
  ['filter: {}', 'filter.kind'],
  ['', 'filter.kind'],
  ['filter: [', 'line'],
])('refuses %j', (text, want) => {
  expect(() => readFragment('X', text)).toThrow(want)
})

it('puts the address of the back end in', () => {
  const filter = { kind: 'Proxy', mainPool: { servers: [{ url: 'http://origin' }] } }
  expect(withOrigin(filter, 4001)).toEqual({
    kind: 'Proxy',
    mainPool: { servers: [{ url: 'http://127.0.0.1:4001' }] },
  })
})
