import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { decodePath, encodePath } from './path.js'

it.each<[raw: string, want: string]>([
  ['/', '/'],
  ['/a+b', '/a+b'],
  ['/a%20b', '/a b'],
  ['/a%2Fb', '/a/b'],
  ['/a%2fb', '/a/b'],
  ['/%C3%A9', '/é'],
  ['/%F0%9F%98%80', '/\u{1f600}'],
  ['/%00', '/\0'],
  ['/%2541', '/%41'],
  // Stray or broken: as written.
  ['/%', '/%'],
  ['/%4', '/%4'],
  ['/%zz', '/%zz'],
  ['/%FF', '/%FF'],
  ['/%C3', '/%C3'],
  ['/%41%FF', '/%41%FF'],
  ['/%41/%FF', '/A/%FF'],
  ['/%C3%A9/%', '/é/%'],
  // Overlong, a surrogate, above U+10FFFF: not UTF-8.
  ['/%C0%AF', '/%C0%AF'],
  ['/%ED%A0%80', '/%ED%A0%80'],
  ['/%F4%90%80%80', '/%F4%90%80%80'],
])('decodePath %s is %j', (raw, want) => {
  expect(decodePath(raw)).toBe(want)
})

it.each<[path: string, want: string]>([
  ['/', '/'],
  ['', '/'],
  ['a', '/a'],
  ['/a b', '/a%20b'],
  ['/a?b#c', '/a%3Fb%23c'],
  ['/100%', '/100%25'],
  ['/é', '/%C3%A9'],
  ['/\u{1f600}', '/%F0%9F%98%80'],
  ['/\r\n', '/%0D%0A'],
  ['/\0', '/%00'],
  ["/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"],
  ['/a\\b"<>^`{|}', '/a%5Cb%22%3C%3E%5E%60%7B%7C%7D'],
])('encodePath %j is %s', (path, want) => {
  expect(encodePath(path)).toBe(want)
})

it('what is encoded decodes to the same, and is clean on a request line', () => {
  const prng = new Prng(0xace)
  const units = ['a', '%', '/', ' ', 'é', '\u{1f600}', '\n', '?', '%41', '\u00ff', '中']
  for (let round = 0; round < 3000; round++) {
    const path = `/${prng
      .ints(prng.below(8), units.length)
      .map((i) => units[i])
      .join('')}`
    const encoded = encodePath(path)
    expect(encoded).toMatch(/^\/[!-"$->@-~]*$/)
    expect(decodePath(encoded), path).toBe(path)
  }
})
