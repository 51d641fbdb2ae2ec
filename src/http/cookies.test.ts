import { expect, it } from 'vitest'
import { cookieValue, setsCookie } from './cookies.js'
import { Headers } from './headers.js'

it.each<[fields: string[], name: string, value: string | null]>([
  [[], 'a', null],
  [['a=1'], 'a', '1'],
  [['b=2; a=1'], 'a', '1'],
  [['a=1; a=2'], 'a', '1'],
  [['b=2', 'a=1'], 'a', '1'],
  [['a="x y"'], 'a', 'x y'],
  [['a='], 'a', ''],
  [['a'], 'a', null],
  [['xa=1'], 'a', null],
  [['A=1'], 'a', null],
  [['a=b=c'], 'a', 'b=c'],
  [['a="'], 'a', '"'],
  [['a=gr\xc3\xbcn'], 'a', 'grün'],
])('cookies %j: %s', (fields, name, value) => {
  const headers = new Headers()
  for (const field of fields) headers.add('cookie', field)
  expect(cookieValue(headers, name)).toBe(value)
})

it.each<[fields: string[], sets: boolean]>([
  [[], false],
  [['set-cookie', 'a=1; Path=/'], true],
  [['set-cookie', 'b=1; a=2'], false],
  [['set-cookie', 'b=1', 'set-cookie', 'a=2'], true],
  [['x-set-cookie', 'a=1'], false],
  [['set-cookie', '=1'], false],
])('answers with %j set a: %s', (fields, sets) => {
  expect(setsCookie(fields, 'a')).toBe(sets)
})
