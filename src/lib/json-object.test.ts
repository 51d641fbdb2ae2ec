import { expect, it } from 'vitest'
import { parseJsonObject } from './json-object.js'

it.each<[text: string, want: object | null]>([
  ['{}', {}],
  [' {"a": [1]} ', { a: [1] }],
  ['{"a":1,"a":2}', { a: 2 }],
  ['{"a":"\xc3\xbc"}', { a: 'ü' }],
  ['', null],
  ['[]', null],
  ['null', null],
  ['1', null],
  ['"a"', null],
  ['{"a":1', null],
  ['{}{}', null],
  ['{a:1}', null],
  ['\xef\xbb\xbf{}', null],
  ['{"a":"\xff"}', null],
  ['['.repeat(50_000), null],
])('parseJsonObject: %#', (text, want) => {
  expect(parseJsonObject(Buffer.from(text, 'latin1'))).toEqual(want)
})
