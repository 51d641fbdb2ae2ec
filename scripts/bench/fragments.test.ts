import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { objectKinds } from '../../src/kinds/registry.js'
import { JwtVerifier } from '../../src/lib/jwt.js'
import { decodeDocument, formatProblems } from '../../src/spec/document.js'
import { fragmentPipeline, kindsWithout } from './filters.js'
import { issued, readFragment, readFragments, withOrigin } from './fragments.js'

const FRAGMENTS = readFragments(fileURLToPath(new URL('filters', import.meta.url)))

it.each(FRAGMENTS)('the gateway takes $name', (fragment) => {
  const tokens = fragment.tokens === null ? null : { ...fragment.tokens, count: 1 }
  const { filter } = issued({ ...fragment, tokens }, 4001)
  const pipeline = JSON.stringify(fragmentPipeline({ ...fragment, filter }, 'case-1', 4001, '/tmp'))
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
    tokens: null,
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

it.each(['HS256', 'RS256', 'ES256'] as const)(
  'tokens of %s are different, and good',
  (algorithm) => {
    const fragment = readFragment(
      'Validator',
      `tokens: {algorithm: ${algorithm}, count: 3}
request: {headers: {Host: origin.test}}
filter: {kind: Validator}`,
    )
    const { filter, headers } = issued(fragment, 4001)
    const jwt = filter['jwt'] as { secret?: string; publicKey?: string }
    const key = {
      algorithm,
      secret: jwt.secret ?? '',
      publicKey: Buffer.from(jwt.publicKey ?? '', 'base64').toString(),
    }
    const verifier = new JwtVerifier(key, 0)
    const subjects = headers.map(({ Authorization = '' }) => {
      return verifier.verify(Authorization.slice('Bearer '.length), 1_800_000_000_000)?.['sub']
    })
    expect(subjects).toEqual(['bench-0', 'bench-1', 'bench-2'])
    expect(headers.map(({ Host }) => Host)).toEqual(Array(3).fill('127.0.0.1:4001'))
  },
)
