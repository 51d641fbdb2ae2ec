import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseYaml } from '../spec/yaml.js'
import { NOT_SIMPLE, readSimpleYaml } from './simple-yaml.js'

/** What the parser of the whole language makes of it. */
function parsed(text: string): unknown {
  const result = parseYaml(text)
  return result.ok ? (result.documents[0]?.value ?? null) : 'refused'
}

it.each<[text: string]>([
  [''],
  ['  \n'],
  ['result1'],
  ['statusCode: 200\nbody: hello'],
  ['statusCode: 200\nheaders:\n  X-A: ["a", "b"]\n  X-B:\n  - c\n  - d\nbody: "a\\n\\u00e9\\"b"'],
  ['url: http://a.test:80/p?q=1&r=2\nmethod: get'],
  ['body: |\n  {"a": 1}\n  second\n\n  third\n'],
  ['body: |\n  {"a": 1}'],
  ['body: |-\n  a\n   b\n\n\nmethod: PUT\n'],
  ['body: |\n  a\n\nmethod: PUT'],
  ["body: 'it''s'\nx: null\nv: true\nz:\nw: -5"],
  ['{"a": [1, 2, {"b": null}], "c": "d"}'],
  ['[1, "a"]'],
  ['- a\n- 1\n- "x"'],
  ['a:\n  b:\n    c: d\n  e: f'],
  ['a:\n- b\nc: d'],
  ['headers:\n  "X-A b": ["c"]\n  \'X-B\': d'],
])('reads %j as the parser does', (text) => {
  const simple = readSimpleYaml(text)
  expect(simple).not.toBe(NOT_SIMPLE)
  expect(simple).toEqual(parsed(text))
})

it.each<[text: string]>([
  ['a: 1.5'],
  ['a: 0x1f'],
  ['a: yes'],
  ['a: ~'],
  ['a: b # c'],
  ['a: &x b'],
  ['a: *x'],
  ['a: !!str 1'],
  ['a: [b, c]'],
  ['a: {b: c}'],
  ['a: >\n  b'],
  ['a: "b'],
  ['a: b\n c'],
  ['a: b\na: c'],
  ['{"a": 1, "a": 2}'],
  ['{"__proto__": 1}'],
  ['a:\tb'],
  ['a: 2026-01-01'],
  ['---\na: b'],
  ['a: b: c'],
  ['"__proto__": b'],
  ['"<<": b'],
  ["'a'b: c"],
  ['"a\\n": b'],
  ['? a'],
  ['a: 12345678901234567890'],
])('leaves %j to the parser', (text) => {
  expect(readSimpleYaml(text)).toBe(NOT_SIMPLE)
})

it('what it reads is what the parser reads', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    'X-A',
    'true',
    'null',
    '1',
    '-2',
    '007',
    'yes',
    'http://x/y',
    'a b',
    '"q"',
    "'s'",
    "'it''s'",
    '"\\n"',
    '[1]',
    '["a"]',
    '{"k":1}',
    '{}',
    '[]',
    '|',
    '|-',
    '',
    ' ',
    ':',
    ': ',
    ':',
    '- ',
    '-',
    '\n',
    '\n',
    '\n  ',
    '\n    ',
    '\n- ',
    '\n  - ',
    '  ',
    '~',
    '.',
    '/',
    '"',
    "'",
    '[',
    '}',
    '%',
    '@',
    '`',
    'a:',
    'b: ',
    'c:\n',
    '"k": ',
    "'k': ",
    '"k":',
    '"<<": ',
    'x: y',
    '\n\n',
    'é',
    '=',
    ',',
    '?',
    '&',
    '*',
    '!',
    '>',
    '0',
    '1e3',
    '.5',
    '+1',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
      const text = pieces.join('')
      const simple = readSimpleYaml(text)
      if (simple !== NOT_SIMPLE) expect(simple).toEqual(parsed(text))
    }),
    { seed: 3, numRuns: 10_000 },
  )
})
