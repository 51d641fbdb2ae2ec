import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const cors = (fields: string): string => `
flow: [{filter: it, jumpIf: {rejected: END}}, {filter: ok}]
filters:
- {name: it, kind: CORSAdaptor, ${fields}}
- {name: ok, kind: Mock, rules: [{code: 210, headers: {Access-Control-Allow-Origin: 'http://back.end'}}]}
`

const FIELDS = 'allowedOrigins: ["https://*.a.test"], allowedMethods: [GET, PUT], maxAge: 60'

type Headers = readonly (readonly [string, string])[]

it.each<
  [name: string, fields: string, method: string, headers: Headers, status: number, want: string[]]
>([
  ['no page asks', FIELDS, 'GET', [], 210, ['access-control-allow-origin', 'http://back.end']],
  [
    'an allowed page',
    FIELDS,
    'GET',
    [['origin', 'https://x.a.test']],
    210,
    ['access-control-allow-origin', 'https://x.a.test', 'vary', 'Origin'],
  ],
  ['a page from elsewhere', FIELDS, 'GET', [['origin', 'https://b.test']], 200, ['vary', 'Origin']],
  ['another method', FIELDS, 'POST', [['origin', 'https://x.a.test']], 200, ['vary', 'Origin']],
  [
    'all pages',
    'allowedOrigins: []',
    'GET',
    [['origin', 'https://b.test']],
    210,
    ['access-control-allow-origin', '*'],
  ],
  [
    'a preflight',
    FIELDS,
    'OPTIONS',
    [
      ['origin', 'https://x.a.test'],
      ['access-control-request-method', 'PUT'],
    ],
    204,
    [
      'vary',
      'Origin',
      'vary',
      'Access-Control-Request-Method',
      'vary',
      'Access-Control-Request-Headers',
      'access-control-allow-origin',
      'https://x.a.test',
      'access-control-allow-methods',
      'PUT',
      'access-control-max-age',
      '60',
    ],
  ],
  [
    'a preflight from elsewhere',
    FIELDS,
    'OPTIONS',
    [
      ['origin', 'https://b.test'],
      ['access-control-request-method', 'PUT'],
    ],
    204,
    [
      'vary',
      'Origin',
      'vary',
      'Access-Control-Request-Method',
      'vary',
      'Access-Control-Request-Headers',
    ],
  ],
  [
    'OPTIONS that is no preflight',
    FIELDS,
    'OPTIONS',
    [['origin', 'https://x.a.test']],
    210,
    ['access-control-allow-origin', 'https://x.a.test', 'vary', 'Origin'],
  ],
  [
    'two origins',
    FIELDS,
    'GET',
    [
      ['origin', 'https://x.a.test'],
      ['origin', 'https://x.a.test'],
    ],
    200,
    ['vary', 'Origin'],
  ],
])('%s', (_name, fields, method, headers, status, want) =>
  withPipeline(
    cors(fields),
    (harness) => {
      const client = harness.start({ method, headers })
      expect([client.status, client.headers]).toEqual([status, want])
    },
    'v2',
  ),
)

it.each([
  [-1, '0'],
  [5, '5'],
])('maxAge %d', (maxAge, want) =>
  withPipeline(
    cors(`maxAge: ${maxAge}`),
    (harness) => {
      const client = harness.start({
        method: 'OPTIONS',
        headers: [
          ['origin', 'https://b.test'],
          ['access-control-request-method', 'GET'],
        ],
      })
      expect(client.header('access-control-max-age')).toBe(want)
    },
    'v2',
  ),
)

it.each<[fields: string, problem: string]>([
  ['maxAge: 1.5', 'maxAge: expected a whole number'],
  ['maxAge: "5"', 'write 5 without quotes'],
  ['allowedMethods: [get]', 'did you mean "GET"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('CORSAdaptor', fields, 'v2')).toContain(problem)
})
