import { expect, it } from 'vitest'
import { mergeBodies } from './merge.js'

const run = (bodies: readonly string[], intoOne: boolean): string | null => {
  const merged = mergeBodies(
    bodies.map((body) => Buffer.from(body, 'latin1')),
    intoOne,
  )
  return merged === null ? null : Buffer.from(merged).toString('latin1')
}

it.each<[bodies: string[], one: string | null, list: string | null]>([
  [[], '{}', '[]'],
  [['{}'], '{}', '[{}]'],
  [['{"a":1}', '{"b":2}'], '{"a":1,"b":2}', '[{"a":1},{"b":2}]'],
  [['{"a":1,"b":1}', '{"b":2}'], '{"a":1,"b":2}', '[{"a":1,"b":1},{"b":2}]'],
  // Only the top level is merged.
  [['{"a":{"x":1}}', '{"a":{"y":2}}'], '{"a":{"y":2}}', '[{"a":{"x":1}},{"a":{"y":2}}]'],
  [[' {"a" : 1}\n', '{}'], '{"a":1}', '[ {"a" : 1}\n,{}]'],
  // Numbers beyond a double keep their digits where nothing is taken apart.
  [['{"id":12345678901234567890}'], '{"id":12345678901234567000}', '[{"id":12345678901234567890}]'],
  [
    ['{"__proto__":{"x":1}}', '{"x":2}'],
    '{"__proto__":{"x":1},"x":2}',
    '[{"__proto__":{"x":1}},{"x":2}]',
  ],
  [['{"constructor":1}'], '{"constructor":1}', '[{"constructor":1}]'],
  [['{"a":"\xc3\xa9"}'], '{"a":"\xc3\xa9"}', '[{"a":"\xc3\xa9"}]'],
  [[''], null, null],
  [['[]'], null, null],
  [['null'], null, null],
  [['"text"'], null, null],
  [['1'], null, null],
  [['{"a":1'], null, null],
  [['{"a":1}{"b":2}'], null, null],
  [['{"a":1}', 'oops'], null, null],
  [['{"a":"\xff"}'], null, null],
  [['\xef\xbb\xbf{}'], null, null],
])('%j: %j as one, %j as a list', (bodies, one, list) => {
  expect([run(bodies, true), run(bodies, false)]).toEqual([one, list])
})

it('what is nested beyond measure is no crash', () => {
  const deep = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
  const merged = run([deep], true)
  expect(merged === null || merged === deep).toBe(true)
})
