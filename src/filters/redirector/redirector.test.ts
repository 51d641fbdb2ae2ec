import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const redirector = (fields: string): string => `
flow: [{filter: it, jumpIf: {redirected: END}}, {filter: ok}]
filters:
- {name: it, kind: Redirector, ${fields}}
- {name: ok, kind: Mock, rules: [{code: 210}]}
`

it.each<[fields: string, target: string, status: number, location: string | null]>([
  [
    "match: '^/users/(\\d+)', replacement: 'http://u.test/$1'",
    '/users/7?a=b',
    301,
    'http://u.test/7?a=b',
  ],
  ["match: '^/users/(\\d+)', replacement: 'http://u.test/$1'", '/other', 210, null],
  ["match: '\\?.*$', replacement: '?', statusCode: 308", '/a?b=c', 308, '/a?'],
  [
    "match: '^(.*)$', matchPart: path, replacement: 'https://h.test$1', statusCode: 302",
    '/a%20b?c',
    302,
    'https://h.test/a%20b',
  ],
  ["match: '^/é', matchPart: PATH, replacement: '/ü'", '/%C3%A9', 301, '/%C3%BC'],
  ["match: '^/a', matchPart: full, replacement: /b", '/a?x', 301, '/b?x'],
  [
    "match: '(^.*//)([^/]*)/(.*)$', matchPart: full, replacement: 'https://new.$2/$3'",
    '/a//b?x=1',
    301,
    'https://new.gateway.test/a//b?x=1',
  ],
  ["match: '^http://other', matchPart: full, replacement: 'https://o'", '/http://other', 210, null],
  ['match: /a, replacement: /a', '/a', 210, null],
  ['match: a, replacement: b', '/banana', 301, '/bbnbnb'],
  // A client must not choose the host.
  ["match: '^/old', replacement: '$9'", '/old//evil.test/x', 301, '/evil.test/x'],
  ["match: '^/old', matchPart: path, replacement: '$9'", '/old/%5Cevil.test', 301, '/evil.test'],
  ["match: '^/old', replacement: '//new.test'", '/old/x', 301, '//new.test/x'],
])('{%s} sends %s to %s', (fields, target, status, location) =>
  withPipeline(
    redirector(fields),
    (harness) => {
      const [path = '', query = ''] = target.split('?')
      const client = harness.start({ path, query })
      expect([client.status, client.header('location')]).toEqual([status, location])
    },
    'v2',
  ),
)

it('the answer says what it is, and is new', () =>
  withPipeline(
    `
flow: [{filter: before, jumpIf: {mocked: it}}, {filter: it}]
filters:
- {name: before, kind: Mock, rules: [{code: 200, headers: {X-A: b}, body: old}]}
- {name: it, kind: Redirector, match: a, replacement: b, statusCode: 307}
`,
    (harness) => {
      const client = harness.start({ path: '/a' })
      expect([client.status, client.text, client.header('x-a')]).toEqual([
        307,
        'Temporary Redirect',
        null,
      ])
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['match: ""\nreplacement: a', 'match: expected a pattern, got ""'],
  ['match: "("\nreplacement: a', 'expected a regular expression'],
  ['match: a', 'replacement: is required'],
  ['match: a\nreplacement: ""', 'replacement'],
  [
    'match: a\nreplacement: b\nstatusCode: 300',
    'expected one of 301, 302, 303, 304, 307, 308, got 300',
  ],
  ['match: a\nreplacement: b\nmatchPart: host', 'matchPart: expected one of uri, path, full'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Redirector', fields, 'v2')).toContain(problem)
})
