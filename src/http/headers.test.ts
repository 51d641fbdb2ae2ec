import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { fromLatin1, Headers, isFieldName, isFieldValue, toLatin1 } from './headers.js'

it.each<[text: string, want: boolean]>([
  ['x', true],
  ['X-Forwarded-For', true],
  ["!#$%&'*+-.^_`|~09azAZ", true],
  ['', false],
  ['a b', false],
  ['a:', false],
  ['a\n', false],
  ['\na', false],
  ['a\r', false],
  ['a\0', false],
  ['é', false],
  ['a(b)', false],
  ['"a"', false],
  ['a/b', false],
])('isFieldName %j: %s', (text, want) => {
  expect(isFieldName(text)).toBe(want)
})

it('isFieldValue: every unit on its own, in the middle and at the end', () => {
  for (let unit = 0; unit < 0x300; unit++) {
    const char = String.fromCharCode(unit)
    const want = unit === 9 || (unit >= 0x20 && unit !== 0x7f && unit <= 0xff)
    for (const text of [char, `a${char}b`, `a${char}`]) {
      expect(isFieldValue(text), JSON.stringify(text)).toBe(want)
    }
  }
  expect(isFieldValue('')).toBe(true)
})

it.each([
  ['plain', 'plain'],
  ['', ''],
  ['é', '\u00c3\u00a9'],
  // U+010D U+010A cut to bytes would be CR LF.
  ['\u010d\u010a', '\u00c4\u008d\u00c4\u008a'],
  ['\u{1f600}', '\u00f0\u009f\u0098\u0080'],
])('toLatin1 %j is %j, and back', (text, latin1) => {
  expect(toLatin1(text)).toBe(latin1)
  expect(fromLatin1(latin1)).toBe(text)
})

it('names are kept apart, values in order', () => {
  const headers = new Headers()
  headers.add('a', '1')
  headers.add('b', '2')
  headers.add('a', '3')
  expect(headers.get('a')).toBe('1')
  expect(headers.get('c')).toBeNull()
  expect(headers.has('b')).toBe(true)
  expect(headers.values('a')).toEqual(['1', '3'])
  expect(headers.values('c')).toEqual([])
  headers.set('a', '4')
  expect(headers.flat).toEqual(['a', '4', 'b', '2'])
})

it('a name that equals a value is not mistaken for it', () => {
  const headers = new Headers()
  headers.add('a', 'b')
  headers.add('b', 'a')
  expect(headers.get('b')).toBe('a')
  headers.delete('b')
  expect(headers.flat).toEqual(['a', 'b'])
})

it('behaves as a list of pairs', () => {
  const prng = new Prng(0x4ead)
  const headers = new Headers()
  let pairs: [string, string][] = []
  for (let step = 0; step < 5000; step++) {
    const name = prng.pick(['a', 'b', 'c'])
    const value = String(step)
    const kind = prng.below(10)
    if (kind < 5) {
      headers.add(name, value)
      pairs.push([name, value])
    } else if (kind < 7) {
      headers.set(name, value)
      const first = pairs.findIndex((pair) => pair[0] === name)
      if (first < 0) pairs.push([name, value])
      else {
        pairs[first] = [name, value]
        pairs = pairs.filter((pair, i) => i === first || pair[0] !== name)
      }
    } else if (kind < 9) {
      headers.delete(name)
      pairs = pairs.filter((pair) => pair[0] !== name)
    } else if (prng.chance(5)) {
      headers.clear()
      pairs = []
    }
    expect(headers.flat, `step ${step}`).toEqual(pairs.flat())
  }
})

it('what was lent or shared is not changed by anybody', () => {
  const prng = new Prng(0x51a2e)
  let headers = new Headers()
  const held: { readonly flat: readonly string[]; readonly was: readonly string[] }[] = []
  const hold = (flat: readonly string[]): void => {
    held.push({ flat, was: [...flat] })
  }
  for (let step = 0; step < 5_000; step++) {
    const name = prng.pick(['a', 'b', 'etag'])
    const value = String(step)
    const kind = prng.below(12)
    if (kind < 3) headers.add(name, value)
    else if (kind < 5) headers.set(name, value)
    else if (kind === 5) headers.addAll([name, value, 'd', value])
    else if (kind === 6) headers.setAll([name, value, 'd', value])
    else if (kind === 7) headers.delete(name)
    else if (kind === 8) headers.deleteOfContent()
    else if (kind === 9) hold(headers.lend())
    else if (kind === 10) {
      const before = headers.lend()
      hold(before)
      headers = new Headers()
      headers.share(before)
    } else if (prng.chance(10)) headers.clear()
    if (held.length > 20) held.splice(0, 10)
    for (const { flat, was } of held) expect(flat, `step ${step}`).toEqual(was)
  }
})

it('addAll adds behind, setAll replaces', () => {
  const headers = new Headers()
  headers.addAll(['a', '1', 'b', '2'])
  headers.addAll(['a', '3'])
  expect(headers.flat).toEqual(['a', '1', 'b', '2', 'a', '3'])
  headers.setAll(['a', '4', 'c', '5'])
  expect(headers.flat).toEqual(['a', '4', 'b', '2', 'c', '5'])
  headers.clear()
  headers.setAll(['x', '1'])
  expect(headers.flat).toEqual(['x', '1'])
})
