import { expect, it } from 'vitest'
import { itemProblems, itemSchemaProblem } from './item-schema.js'

it.each<[name: string, schema: object, good: object, bad: object]>([
  [
    'a property of a type',
    { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
    { a: 'x' },
    { a: 1 },
  ],
  ['required, and nothing else said of it', { type: 'object', required: ['a'] }, { a: null }, {}],
  ['without a type', { required: ['a'] }, { a: 1 }, { b: 1 }],
  [
    'required beside other properties',
    { properties: { a: { type: 'number' } }, required: ['a', 'b'] },
    { a: 1, b: 'x' },
    { a: 1 },
  ],
  [
    'inside a property',
    { properties: { a: { type: 'object', required: ['b'] } } },
    { a: { b: 1 } },
    { a: {} },
  ],
  [
    'inside the items of a list',
    { properties: { a: { type: 'array', items: { type: 'object', required: ['b'] } } } },
    { a: [{ b: 1 }] },
    { a: [{ b: 1 }, {}] },
  ],
  [
    'inside one of several',
    {
      anyOf: [
        { type: 'object', required: ['a'] },
        { type: 'object', required: ['b'] },
      ],
    },
    { b: 1 },
    { c: 1 },
  ],
  [
    'a value that looks like a schema',
    { properties: { a: { const: { required: ['b'] } } } },
    {},
    { a: { required: ['c'] } },
  ],
  [
    'required and not allowed beside others',
    { required: ['a'], additionalProperties: false },
    { a: 1 },
    { a: 1, b: 2 },
  ],
])('items are checked: %s', (_name, schema, good, bad) => {
  expect(itemSchemaProblem(schema)).toBeNull()
  expect(itemProblems(schema, [good])).toEqual([])
  expect(itemProblems(schema, [good, bad])).toEqual([expect.stringMatching(/^item 2/)])
})

it.each([[null], [[]], ['text'], [{ type: 'nothing' }], [{ required: ['a'], type: 7 }]])(
  'a schema is refused: %j',
  (schema) => {
    expect(itemSchemaProblem(schema)).toEqual(expect.any(String))
  },
)
