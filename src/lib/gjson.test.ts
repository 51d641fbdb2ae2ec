import fc from 'fast-check'
import { expect, it } from 'vitest'
import { gjson } from './gjson.js'

const DOCUMENT = `{
  "name": {"first": "Tom", "last": "Anderson"},
  "age": 37,
  "id": 12345678901234567890,
  "price": 1.50,
  "children": ["Sara", "Alex", "Jack"],
  "fav.movie": "Deer Hunter",
  "a*b": "star", "a?b": "question", "axb": "letter",
  "esc\\u0061ped": "line\\nbreak \\"quoted\\"",
  "yes": true, "no": false, "nothing": null, "empty": "", "list": [ ], "map": { },
  "friends": [
    {"first": "Dale", "age": 44, "nets": ["ig", "fb"]},
    {"first": "Roger", "nets": ["fb"]},
    {"last": "Craig", "nets": []},
    7
  ],
  "matrix": [[1, 2], [3]],
  "__proto__": "own"
}`

it.each<[path: string, want: string]>([
  ['name.first', 'Tom'],
  ['name', '{"first":"Tom","last":"Anderson"}'],
  ['age', '37'],
  ['id', '12345678901234567890'],
  ['price', '1.50'],
  ['yes', 'true'],
  ['no', 'false'],
  ['nothing', ''],
  ['empty', ''],
  ['list', '[]'],
  ['map', '{}'],
  ['children', '["Sara","Alex","Jack"]'],
  ['children.0', 'Sara'],
  ['children.2', 'Jack'],
  ['children.3', ''],
  ['children.-1', ''],
  ['children.x', ''],
  ['children.#', '3'],
  ['list.#', '0'],
  ['list.0', ''],
  ['list.#.x', '[]'],
  ['age.#', ''],
  ['name.#', ''],
  ['fav\\.movie', 'Deer Hunter'],
  ['fav.movie', ''],
  ['escaped', 'line\nbreak "quoted"'],
  ['friends.#.first', '["Dale","Roger"]'],
  ['friends.#.nets.0', '["ig","fb"]'],
  ['friends.#.nets.#', '[2,1,0]'],
  ['friends.0.nets.1', 'fb'],
  ['friends.3', '7'],
  ['friends.3.first', ''],
  ['matrix.#.0', '[1,3]'],
  ['matrix.#.#', '[2,1]'],
  ['matrix.1', '[3]'],
  ['child*.1', 'Alex'],
  ['*e.last', 'Anderson'],
  ['na?e.first', 'Tom'],
  ['n*e*.first', 'Tom'],
  ['x*', ''],
  ['a\\*b', 'star'],
  ['a\\?b', 'question'],
  ['a?b', 'star'],
  ['ax?', 'letter'],
  ['a\\**', 'star'],
  ['name.first.x', ''],
  ['name.', ''],
  ['', ''],
  ['.', ''],
  ['missing.deep.path', ''],
  ['__proto__', 'own'],
  ['constructor', ''],
  ['toString', ''],
])('gjson %j', (path, want) => {
  expect(gjson(DOCUMENT, path)).toBe(want)
})

it.each<[json: string, path: string, want: string]>([
  ['', 'a', ''],
  ['{', 'a', ''],
  ['{"a":1}x', 'a', ''],
  ["{'a':1}", 'a', ''],
  ['7', 'a', ''],
  ['"text"', 'a', ''],
  ['null', 'a', ''],
  ['[1,[2,{"a":3}]]', '1.1.a', '3'],
  ['{"a":1,"a":2}', 'a', '1'],
  ['{"":5}', '', '5'],
  ['{"a":-1e+9}', 'a', '-1e+9'],
  ['{"a":{"b":"x]y}z,"},"c":4}', 'c', '4'],
  ['{"a":"\\\\","b":2}', 'b', '2'],
  ['{"a":[ {"b" : "two  spaces" , "c":[ 1 ] } ]}', 'a', '[{"b":"two  spaces","c":[1]}]'],
])('gjson of %s at %j', (json, path, want) => {
  expect(gjson(json, path)).toBe(want)
})

it('finds what plain property reads find', () => {
  const key = fc.constantFrom('a', 'b', 'c d', 'ü"\\', '0', '1')
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }))
  const path = fc.array(key, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(value, path, fc.constantFrom(undefined, 2), (document, keys, indent) => {
      let want: unknown = document
      for (const each of keys) {
        const isIn = typeof want === 'object' && want !== null && Object.hasOwn(want, each)
        want = isIn ? (want as Record<string, unknown>)[each] : undefined
      }
      const text =
        typeof want === 'string' ? want : want === null ? '' : (JSON.stringify(want) ?? '')
      const escaped = keys.map((each) => each.replace(/[.*?\\]/g, '\\$&')).join('.')
      expect(gjson(JSON.stringify(document, null, indent), escaped)).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})

it('takes time in proportion to the text, whatever the pattern', () => {
  const json = JSON.stringify({ ['a'.repeat(20_000)]: 1 })
  const startedMs = performance.now()
  expect(gjson(json, `${'*a'.repeat(20)}b`)).toBe('')
  const nested = '['.repeat(5_000) + ']'.repeat(5_000)
  expect(gjson(nested, '0.0.#')).toBe('1')
  expect(performance.now() - startedMs).toBeLessThan(1_000)
})
