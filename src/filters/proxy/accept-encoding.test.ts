import { expect, it } from 'vitest'
import { Headers } from '../../http/headers.js'
import { CodingChoice } from './accept-encoding.js'

it.each<[values: string[], want: 'br' | 'gzip' | null]>([
  [[], 'gzip'],
  [[''], null],
  [['gzip'], 'gzip'],
  [['GZip'], 'gzip'],
  [['x-gzip'], 'gzip'],
  [['br'], 'br'],
  [['gzip, deflate, br'], 'br'],
  [['gzip', 'br'], 'br'],
  [['gzip;q=1.0, br;q=0.8'], 'gzip'],
  [['gzip ; q=0.5 , br ; Q=0.8'], 'br'],
  [['gzip;q=0'], null],
  [['gzip;q=0.000, br;q=0'], null],
  [['br;q=0, gzip;q=0.001'], 'gzip'],
  [['deflate, zstd'], null],
  [['identity'], null],
  [['identity, gzip'], 'gzip'],
  [['identity;q=1, gzip;q=0.5'], null],
  [['identity;q=0.5, gzip;q=0.5'], 'gzip'],
  [['identity;q=0'], null],
  [['*'], 'gzip'],
  [['*/*'], 'gzip'],
  [['*;q=0'], null],
  [['*;q=0, gzip'], 'gzip'],
  [['*, gzip;q=0'], null],
  [['gzip;q=2'], null],
  [['gzip;q=-1'], null],
  [['gzip;q=0.1234'], null],
  [['gzip;q='], null],
  [['gzip;level=9'], null],
  [['gzip;q=1;q=0'], null],
  [['gzip;q=x, br'], 'br'],
  [[',,gzip,,'], 'gzip'],
  [['notgzip'], null],
  [[`${'x,'.repeat(500)}gzip`], 'gzip'],
])('%j: %s', (values, want) => {
  const headers = new Headers()
  for (const value of values) headers.add('accept-encoding', value)
  const choice = new CodingChoice()
  expect([choice.of(headers), choice.of(headers)]).toEqual([want, want])
})

it('goes on when there have been many texts', () => {
  const choice = new CodingChoice()
  for (let i = 0; i < 1000; i++) {
    const headers = new Headers()
    headers.add('accept-encoding', i % 2 === 0 ? `x${i}, gzip` : `x${i}`)
    expect(choice.of(headers)).toBe(i % 2 === 0 ? 'gzip' : null)
  }
})
