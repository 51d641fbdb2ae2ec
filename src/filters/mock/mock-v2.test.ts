import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const mock = (match: string): string => `
filters:
- name: it
  kind: Mock
  rules:
  - {match: ${match}, code: 210}
  - {code: 211}
`

const HEADERS = [
  ['x-a', '1'],
  ['x-a', '2'],
  ['x-e', ''],
] as const

it.each<[match: string, status: number]>([
  ['{}', 210],
  ['{path: /a/b}', 210],
  ['{path: /a}', 211],
  ['{pathPrefix: /a}', 210],
  ['{path: /x, pathPrefix: /a}', 210],
  ['{pathPrefix: /x}', 211],
  ['{headers: {X-A: {exact: "2"}}}', 210],
  ['{headers: {X-A: {exact: "3"}}}', 211],
  ['{headers: {X-A: {prefix: "2"}}}', 210],
  ['{headers: {X-A: {regex: "^[12]$"}}}', 210],
  ['{headers: {X-N: {empty: true}}}', 210],
  ['{headers: {X-A: {empty: true}}}', 211],
  ['{headers: {X-E: {empty: true}}}', 211],
  ['{headers: {X-N: {regex: ".*"}}}', 211],
  ['{headers: {X-N: {exact: n}, X-A: {exact: "1"}}}', 210],
  ['{headers: {X-N: {exact: n}, X-A: {exact: "1"}}, matchAllHeaders: true}', 211],
  ['{headers: {X-N: {empty: true}, X-A: {exact: "1"}}, matchAllHeaders: true}', 210],
  ['{headers: {X-A: {exact: "1"}}, path: /x}', 211],
])('%s', (match, status) =>
  withPipeline(
    mock(match),
    (harness) => void expect(harness.start({ path: '/a/b', headers: HEADERS }).status).toBe(status),
    'v2',
  ),
)

it('a new answer takes the place of the old, after its delay', () =>
  withPipeline(
    `
flow: [{filter: one, jumpIf: {mocked: two}}, {filter: two}]
filters:
- {name: one, kind: Mock, rules: [{code: 200, headers: {X-One: "1"}, body: one}]}
- {name: two, kind: Mock, rules: [{code: 201, headers: {X-Two: "2"}, delay: 20ms}]}
`,
    (harness) => {
      const client = harness.start()
      harness.pass(16)
      expect(client.sends).toBe(0)
      harness.pass(12)
      expect([client.status, client.headers, client.text]).toEqual([201, ['x-two', '2'], ''])
      const gone = harness.start()
      gone.abort()
      expect(harness.timers.runningCount).toBe(0)
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['rules: [{path: /a, code: 200}]', 'rules/0/path'],
  ['rules: [{match: {path: a}, code: 200}]', 'a path that starts with "/"'],
  [
    'rules: [{match: {headers: {a: {}}}, code: 200}]',
    'expected at least one of exact, prefix, regex and empty',
  ],
  ['rules: [{match: {headers: {a: {empty: true, exact: b}}}, code: 200}]', 'empty: excludes exact'],
  ['rules: [{match: {headers: {a: {regex: "("}}}, code: 200}]', 'expected a regular expression'],
  ['rules: [{code: 99}]', 'expected a status code in 100..599'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Mock', fields, 'v2')).toContain(problem)
})
