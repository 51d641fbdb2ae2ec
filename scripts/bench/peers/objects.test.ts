import { expect, it } from 'vitest'
import { objectKinds } from '../../../src/kinds/registry.js'
import { decodeDocument, formatProblems } from '../../../src/spec/document.js'
import { PLAIN_SITE, type Site } from '../site.js'
import { reasonOf } from './gateway.js'
import { filtersFor, objectsFor } from './objects.js'

const SITES: readonly (readonly [name: string, site: Site])[] = [
  ['one back end', { ...PLAIN_SITE, backEnds: [4001] }],
  ['three back ends', { ...PLAIN_SITE, backEnds: [4001, 4002, 4003] }],
  ['a mock', { ...PLAIN_SITE, mockBytes: 64 }],
  ['nine fields', { ...PLAIN_SITE, backEnds: [4001], fieldsSet: 9 }],
  ['big bodies', { ...PLAIN_SITE, backEnds: [4001], bigBodies: true }],
]

for (const dialect of ['v1', 'v2'] as const) {
  it.each(SITES)(`objects of ${dialect} for %s are taken by this gateway too`, (_name, site) => {
    const problems = objectsFor(dialect, site, 23_456).map((object) => {
      const decoded = decodeDocument(JSON.stringify(object), objectKinds, { dialect })
      return decoded.ok ? '' : formatProblems(decoded.problems)
    })
    expect(problems).toEqual(['', ''])
  })
}

it('nine fields and a proxy are a pipeline of ten filters', () => {
  expect(filtersFor('v1', { ...PLAIN_SITE, backEnds: [1], fieldsSet: 9 })).toHaveLength(10)
})

it('big bodies stream in the second dialect only when it is told so', () => {
  const site = { ...PLAIN_SITE, backEnds: [1] }
  expect(JSON.stringify(objectsFor('v2', site, 2))).not.toContain('BodySize')
  const text = JSON.stringify(objectsFor('v2', { ...site, bigBodies: true }, 2))
  expect(text).toContain('"clientMaxBodySize":-1')
  expect(text).toContain('"serverMaxBodySize":-1')
})

it.each([
  ['code: 400\nmessage: "line 1, column 104: https: not yet"\n', 'https: not yet'],
  ['{"code": 400, "message": "no such kind"}', 'no such kind'],
  ['plain words', 'plain words'],
  ['{broken', '{broken'],
])('the reason of a refusal: %j', (body, want) => {
  expect(reasonOf(body)).toBe(want)
})
