import { expect, it } from 'vitest'
import { queryValue } from './query.js'

it.each<[query: string, key: string, value: string | null]>([
  ['', 'a', null],
  ['a=1', 'a', '1'],
  ['a=1&a=2', 'a', '1'],
  ['b=1&a=2', 'a', '2'],
  ['ab=1', 'a', null],
  ['a', 'a', ''],
  ['a=', 'a', ''],
  ['a=b=c', 'a', 'b=c'],
  ['a=b+c%20d', 'a', 'b c d'],
  ['%61=1', 'a', '1'],
  ['a=%C3%A9', 'a', 'é'],
  ['a=%zz&a=2', 'a', '2'],
  ['a=%ff&a=2', 'a', '2'],
  ['a=1;b=2&a=3', 'a', '3'],
  ['&&a=1', 'a', '1'],
  ['=1', '', '1'],
])('%s: %s', (query, key, value) => {
  expect(queryValue(query, key)).toBe(value)
})
