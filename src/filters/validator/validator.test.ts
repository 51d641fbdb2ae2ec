import { expect, it } from 'vitest'
import { Headers } from '../../http/headers.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'
import { HeaderRules } from './headers.js'

const VALIDATOR = `
flow:
- {filter: validator, jumpIf: {invalid: END}}
- {filter: ok}
filters:
- name: validator
  kind: Validator
  headers:
    Content-Type: {values: [application/json, "", grün]}
    X-Id: {regexp: '^[0-9]+$', values: [none]}
- {name: ok, kind: Mock, rules: [{code: 299}]}
`

type Fields = [string, string][]

it.each<[name: string, headers: Fields, status: number]>([
  [
    'listed and matching',
    [
      ['content-type', 'application/json'],
      ['x-id', '12'],
    ],
    299,
  ],
  [
    'both listed',
    [
      ['content-type', 'application/json'],
      ['x-id', 'none'],
    ],
    299,
  ],
  [
    'an empty value that is listed',
    [
      ['content-type', ''],
      ['x-id', '12'],
    ],
    299,
  ],
  [
    'text beyond ASCII',
    [
      ['content-type', 'gr\xc3\xbcn'],
      ['x-id', '12'],
    ],
    299,
  ],
  ['no headers', [], 400],
  ['one missing', [['content-type', 'application/json']], 400],
  [
    'not listed',
    [
      ['content-type', 'text/plain'],
      ['x-id', '12'],
    ],
    400,
  ],
  [
    'another case',
    [
      ['content-type', 'Application/JSON'],
      ['x-id', '12'],
    ],
    400,
  ],
  [
    'more than the value',
    [
      ['content-type', 'application/json; a=b'],
      ['x-id', '12'],
    ],
    400,
  ],
  [
    'no match',
    [
      ['content-type', 'application/json'],
      ['x-id', '12a'],
    ],
    400,
  ],
  [
    'repeated, all valid',
    [
      ['content-type', ''],
      ['x-id', '1'],
      ['x-id', '2'],
    ],
    299,
  ],
  [
    'repeated, one not',
    [
      ['content-type', ''],
      ['x-id', '1'],
      ['x-id', 'b'],
    ],
    400,
  ],
  [
    'repeated, the first not',
    [
      ['x-id', 'b'],
      ['content-type', ''],
      ['x-id', '1'],
    ],
    400,
  ],
])('headers: %s', (_name, headers, status) =>
  withPipeline(VALIDATOR, (harness) => {
    const client = harness.start({ headers })
    expect([client.status, client.text]).toEqual([status, ''])
  }),
)

it('a 400 keeps fields that filters before have set, and no body', () =>
  withPipeline(
    `
filters:
- {name: before, kind: ResponseAdaptor, header: {set: {X-Before: "yes"}}, body: made}
- {name: validator, kind: Validator, headers: {A: {values: [b]}}}
`,
    (harness) => {
      const client = harness.start()
      expect([client.status, client.headers, client.text]).toEqual([400, ['x-before', 'yes'], ''])
    },
  ))

it('with nothing to check all requests pass', () =>
  withPipeline(
    'filters: [{name: v, kind: Validator}, {name: m, kind: Mock, rules: [{code: 299}]}]',
    (harness) => {
      expect(harness.start().status).toBe(299)
    },
  ))

it('a pattern takes time in proportion to the value', () =>
  withPipeline(
    'filters: [{name: v, kind: Validator, headers: {a: {regexp: "(a+)+$"}}}]',
    (harness) => {
      const startedMs = performance.now()
      expect(harness.start({ headers: [['a', `${'a'.repeat(8_000)}!`]] }).status).toBe(400)
      expect(performance.now() - startedMs).toBeLessThan(1_000)
    },
  ))

it.each<[name: string, fields: string, problem: string]>([
  ['neither', 'headers: {a: {}}', 'filters/0/headers/a: expected values or regexp'],
  ['nothing', 'headers: {a: {values: [], regexp: ""}}', 'expected values or regexp'],
  ['a bad pattern', 'headers: {a: {regexp: "(?=a)"}}', 'expected a regular expression'],
  ['values twice', 'headers: {a: {values: [x, x]}}', 'filters/0/headers/a/values/1'],
  ['a number', 'headers: {a: {values: [1]}}', 'put it in quotes: "1"'],
  ['a list', 'headers: [a]', 'filters/0/headers: expected a mapping'],
])('a spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Validator', fields)).toContain(problem)
})

it('fields that passed before pass again, and not what became of them', () => {
  const rules = new HeaderRules({ A: { values: ['b'], regexp: '^c+$' } })
  const passes = (flat: readonly string[]): boolean => {
    const headers = new Headers()
    headers.share(flat)
    return rules.allow(headers)
  }
  const [good, bad] = [
    ['a', 'ccc'],
    ['a', 'd'],
  ] as const
  const asked = [good, good, bad, bad, good, [], bad, good]
  expect(asked.map(passes)).toEqual(asked.map((flat) => flat === good))

  const own = new Headers()
  own.add('a', 'b')
  expect(rules.allow(own)).toBe(true)
  own.add('a', 'd')
  expect(rules.allow(own)).toBe(false)

  const lent = new Headers()
  lent.share(good)
  expect(rules.allow(lent)).toBe(true)
  lent.set('a', 'd')
  expect(rules.allow(lent)).toBe(false)
})
