import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseYaml } from '../src/spec/yaml.js'
import { isValid } from './json-schema.fixture.js'
import { referenceKinds } from './reference.js'
import { schemaFiles } from './schemas.js'

const KINDS = referenceKinds()
const FILES = schemaFiles(KINDS)
const ANY = FILES.get('docs/schema/easegress.json')

/** The examples of the kinds' READMEs. */
const EXAMPLES = KINDS.flatMap(({ kind, folder }) => {
  const url = new URL(`../${folder}/README.md`, import.meta.url)
  const readme = existsSync(url) ? readFileSync(url, 'utf8') : ''
  return [...readme.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => {
    const parsed = parseYaml(text)
    const document = parsed.ok ? parsed.documents[0]?.value : null
    return { kind, document: document as Record<string, unknown> }
  })
})

it('there are schemas for each kind of each dialect', () => {
  const wanted = KINDS.flatMap(({ kind, v1, v2 }) => [
    ...(v1 === null ? [] : [`docs/schema/v1/${kind}.json`]),
    ...(v2 === null ? [] : [`docs/schema/v2/${kind}.json`]),
  ])
  expect([...FILES.keys()].sort()).toEqual([...wanted, 'docs/schema/easegress.json'].sort())
})

it.each(EXAMPLES)('an editor finds nothing wrong with an example of $kind', ({ document }) => {
  expect(isValid(ANY, document)).toBe(true)
  const { version: _, ...plain } = document
  // What only one dialect has needs no version to be understood.
  expect(isValid(ANY, plain)).toBe(true)
})

it.each(EXAMPLES)('an editor finds what is wrong with an example of $kind', ({ document }) => {
  const { name: _name, ...nameless } = document
  const { kind: _kind, ...kindless } = document
  for (const wrong of [
    nameless,
    kindless,
    { ...document, nonsense: 1 },
    { ...document, name: 7 },
    { ...document, name: 'a b' },
    { ...document, kind: 'Nonsense' },
    { ...document, version: 'v3' },
    { ...document, filters: 'all', rules: 7, beforePipeline: 7 },
  ]) {
    expect(isValid(ANY, wrong), JSON.stringify(wrong)).toBe(false)
  }
})

const SERVER = { name: 's', kind: 'HTTPServer', port: 80 }
const V1 = 'easegress.megaease.com/v1'
const V2 = 'easegress.megaease.com/v2'

it.each<[name: string, document: object, isGood: boolean]>([
  ['without a version', SERVER, true],
  ['of v1', { ...SERVER, version: V1 }, true],
  ['of v2', { ...SERVER, version: V2 }, true],
  ['a field of v2 without a version', { ...SERVER, routerKind: 'RadixTree' }, true],
  ['a field of v2 in v1', { ...SERVER, version: V1, routerKind: 'RadixTree' }, false],
  ['a field of v2 in v2', { ...SERVER, version: V2, routerKind: 'RadixTree' }, true],
  ['a wrong word', { ...SERVER, version: V2, routerKind: 'Order' }, false],
  ['with labels', { ...SERVER, version: V2, labels: { a: 'b' } }, true],
  ['with a list of labels', { ...SERVER, version: V2, labels: ['a'] }, false],
  ['a port as text', { ...SERVER, port: '80' }, false],
])('an HTTPServer %s', (_name, document, isGood) => {
  expect(isValid(ANY, document)).toBe(isGood)
})

it('a filter has a schema of its own', () => {
  const mock = { name: 'm', kind: 'Mock', rules: [{ code: 200 }] }
  expect(isValid(FILES.get('docs/schema/v1/Mock.json'), mock)).toBe(true)
  expect(isValid(FILES.get('docs/schema/v1/Mock.json'), { ...mock, kind: 'Proxy' })).toBe(false)
  expect(isValid(FILES.get('docs/schema/v2/Mock.json'), { ...mock, labels: {} })).toBe(true)
})
