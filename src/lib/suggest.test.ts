import { expect, it } from 'vitest'
import { suggest } from './suggest.js'

const FIELDS = ['port', 'keepAlive', 'keepAliveTimeout', 'maxConnections', 'rules', 'https']

it.each<[name: string, want: string]>([
  ['prot', 'port'], // a swap is one step
  ['por', 'port'],
  ['Port', 'port'],
  ['KEEPALIVE', 'keepAlive'],
  ['keepAliveTimeuot', 'keepAliveTimeout'],
  ['maxConnection', 'maxConnections'],
  ['http', 'https'],
])('suggest: %s was meant to be %s', (name, want) => {
  expect(suggest(name, FIELDS)).toBe(want)
})

it.each<[what: string, name: string, candidates: string[]]>([
  ['nothing is near', 'backend', FIELDS],
  ['there are none', 'port', []],
  ['one letter tells nothing', 'a', ['b']],
  ['the name is empty', '', ['a', 'port']],
])('suggests nothing when %s', (_what, name, candidates) => {
  expect(suggest(name, candidates)).toBeNull()
})

it('does not compare endless names letter by letter', () => {
  const long = 'x'.repeat(1_000_000)
  expect(suggest(long, [`${long}y`, ...FIELDS])).toBeNull()
  expect(suggest(long.toUpperCase(), [long])).toBe(long)
})
