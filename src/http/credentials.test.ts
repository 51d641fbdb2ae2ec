import { expect, it } from 'vitest'
import { bearerToken, cookieValues } from './credentials.js'
import { Headers } from './headers.js'

function headersOf(fields: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i < fields.length; i += 2) {
    headers.add(fields[i] as string, fields[i + 1] as string)
  }
  return headers
}

it.each<[name: string, fields: string[], want: string | null]>([
  ['a token', ['a', 'b', 'authorization', 'Bearer abc'], 'abc'],
  ['all that follows', ['authorization', 'Bearer  a b'], ' a b'],
  ['none', ['cookie', 'a=b'], null],
  ['nothing', ['authorization', ''], null],
  ['nothing behind it', ['authorization', 'Bearer '], null],
  ['no blank', ['authorization', 'Bearer'], null],
  ['another case', ['authorization', 'bearer abc'], null],
  ['another scheme', ['authorization', 'Basic abc'], null],
  ['a blank in front', ['authorization', ' Bearer abc'], null],
  ['twice', ['authorization', 'Bearer a', 'authorization', 'Bearer a'], null],
  ['twice, one of another scheme', ['authorization', 'Bearer a', 'authorization', 'Basic b'], null],
  ['twice, the first empty', ['authorization', '', 'authorization', 'Bearer b'], null],
])('bearerToken: %s', (_name, fields, want) => {
  expect(bearerToken(headersOf(fields))).toBe(want)
})

it.each<[name: string, fields: string[], want: string[]]>([
  ['one', ['cookie', 'a=b'], ['b']],
  ['among others', ['cookie', 'x=y; a=b; aa=c'], ['b']],
  ['without blanks', ['cookie', 'x=y;a=b;z=z'], ['b']],
  ['equals signs in the value', ['cookie', 'a=b=c=='], ['b=c==']],
  ['empty', ['cookie', 'a='], ['']],
  ['in quotes', ['cookie', 'a="b"'], ['b']],
  ['a quote', ['cookie', 'a="'], ['"']],
  ['twice', ['cookie', 'a=b; a=c'], ['b', 'c']],
  ['in two fields', ['cookie', 'a=b', 'cookie', 'a=c'], ['b', 'c']],
  ['no value', ['cookie', 'a; x=a=1'], []],
  ['another case', ['cookie', 'A=b'], []],
  ['only the end of a name', ['cookie', 'ba=b'], []],
  ['no cookie', ['authorization', 'a=b'], []],
  ['semicolons', ['cookie', ';;;'], []],
])('cookieValues: %s', (_name, fields, want) => {
  expect(cookieValues(headersOf(fields), 'a')).toEqual(want)
})
