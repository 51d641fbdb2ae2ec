import { expect, it } from 'vitest'
import { complete } from './complete.js'
import { decode } from './decode.js'
import {
  boolean,
  duration,
  integer,
  list,
  map,
  object,
  type Schema,
  string,
  taggedUnion,
} from './schema.js'

const POOL = object({
  url: string({ doc: '' }),
  weight: integer({ doc: '', default: 0 }),
  timeout: duration({ doc: '', optional: true }),
})

const SCHEMA: Schema<unknown> = object({
  port: integer({ doc: '' }),
  keepAlive: boolean({ doc: '', default: true }),
  wait: duration({ doc: '', default: '500ms' }),
  limits: object({ max: integer({ doc: '', default: 7 }) }, { doc: '', default: {} }),
  pools: list(POOL, { doc: '', default: [] }),
  byName: map(POOL, { doc: '', default: {} }),
  filters: list(
    taggedUnion('kind', {
      Mock: object({ code: integer({ doc: '', default: 200 }) }),
      Fallback: object({ body: string({ doc: '', default: '' }) }),
    }),
    { doc: '', default: [] },
  ),
})

it.each<[name: string, value: unknown, want: unknown]>([
  [
    'nothing but what is required',
    { port: 1 },
    {
      port: 1,
      keepAlive: true,
      wait: '500ms',
      limits: { max: 7 },
      pools: [],
      byName: {},
      filters: [],
    },
  ],
  [
    'null is nothing',
    { port: 1, keepAlive: null, limits: { max: null } },
    { keepAlive: true, limits: { max: 7 } },
  ],
  [
    'what is given stays',
    { port: 1, keepAlive: false, wait: '1m', limits: { max: 0 } },
    { keepAlive: false, wait: '1m', limits: { max: 0 } },
  ],
  ['inside of lists', { pools: [{ url: 'a' }] }, { pools: [{ url: 'a', weight: 0 }] }],
  ['inside of maps', { byName: { x: { url: 'a' } } }, { byName: { x: { url: 'a', weight: 0 } } }],
  [
    'by kind',
    {
      filters: [
        { kind: 'Mock', name: 'm' },
        { name: 'f', kind: 'Fallback', body: 'x' },
      ],
    },
    {
      filters: [
        { name: 'm', kind: 'Mock', code: 200 },
        { name: 'f', kind: 'Fallback', body: 'x' },
      ],
    },
  ],
  ['a field of an object that is inherited', { toString: 1 }, { toString: 1 }],
  ['unknown fields', { port: 1, more: [1] }, { port: 1, more: [1] }],
  ['what is of no use', { limits: 'x', pools: 3, byName: [] }, { limits: 'x', pools: 3 }],
])('%s', (_name, value, want) => {
  expect(complete(SCHEMA, value)).toMatchObject(want as object)
})

it('fields come in the order of the schema', () => {
  const value = complete(SCHEMA, { more: 1, wait: '1s', port: 1 }) as object
  expect(Object.keys(value).slice(0, 3)).toEqual(['port', 'keepAlive', 'wait'])
  expect(Object.keys(value).at(-1)).toBe('more')
})

it('what was completed decodes to the same, and is complete', () => {
  const given = {
    port: 1,
    pools: [{ url: 'a', timeout: '1s' }],
    filters: [{ name: 'm', kind: 'Mock' }],
  }
  const whole = complete(SCHEMA, given)
  const [before, after] = [decode(SCHEMA, given), decode(SCHEMA, whole)]
  if (!before.ok || !after.ok) throw new Error('refused')
  expect(after.value).toEqual(before.value)
  expect(complete(SCHEMA, whole)).toEqual(whole)
})

it.each([null, 1, 'x', [[]], undefined])('%j is left as it is', (value) => {
  expect(complete(SCHEMA, value)).toEqual(value)
})
