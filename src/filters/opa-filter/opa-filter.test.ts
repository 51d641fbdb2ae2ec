import { expect, it } from 'vitest'
import type { FakeRequest } from '../../http/fake-client.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (policy: string, more = ''): string => `
filters:
- name: policy
  kind: OPAFilter
  ${more}
  policy: |
    package http
    ${policy.replaceAll('\n', '\n    ')}
- name: mock
  kind: Mock
  rules: [{code: 200, body: passed}]
`

const POLICY = `default allow = false
allow { input.request.method == "DELETE"; input.request.headers["X-Role"] == "admin" }
allow { input.request.path_parts == ["a", "b"] }
allow { input.request.query.n == ["1", "2"] }
allow { input.request.raw_query == "raw" }
allow { input.request.scheme == "https" }
allow { input.request.realIP == "7.7.7.7" }`

it.each<[FakeRequest, number]>([
  [{ path: '/' }, 403],
  [{ path: '/a/b' }, 200],
  [{ path: '/a/b/' }, 200],
  [{ path: '/a/b/c' }, 403],
  [{ path: '/', query: 'n=1&n=2' }, 200],
  [{ path: '/', query: 'n=1' }, 403],
  [{ path: '/', query: 'raw' }, 200],
  [{ path: '/', headers: [['x-forwarded-proto', 'https']] }, 200],
  [{ path: '/', headers: [['x-real-ip', '7.7.7.7']] }, 200],
  [{ path: '/', method: 'DELETE', headers: [['x-role', 'admin']] }, 200],
  [
    {
      path: '/',
      method: 'DELETE',
      headers: [
        ['x-role', 'admin'],
        ['x-role', 'other'],
      ],
    },
    403,
  ],
  [{ path: '/', method: 'DELETE', headers: [['x-secret', 'admin']] }, 403],
  [{ path: '/', query: '__proto__=1&constructor=2' }, 403],
])('%j gets %i', (request, status) =>
  withPipeline(
    pipeline(POLICY, 'includedHeaders: "X-Role, x-team"'),
    async (harness) => {
      const client = await harness.ask(request)
      expect(client.status).toBe(status)
      expect(client.text).toBe(status === 200 ? 'passed' : '')
    },
    'v2',
  ),
)

it.each<[string, string]>([
  ['allow { input.request.method == "PUT" }', 'the policy gives no value to data.http.allow'],
  ['allow = "yes"', 'data.http.allow is neither true nor false'],
  ['allow = 1\nallow = 2', 'allow has more than one value'],
  ['allow { count(numbers.range(1, 1000000)) > 0 }', 'the policy takes too many steps'],
])('a policy without an answer denies and says why: %j', (policy, why) =>
  withPipeline(
    pipeline(policy, 'defaultStatus: 451'),
    async (harness) => {
      const client = await harness.ask({})
      expect([client.status, client.text]).toEqual([451, why])
      expect(client.headers).toContain('x-eg-opa-error')
    },
    'v2',
  ),
)

it.each([
  ['readBody: true', 200],
  ['readBody: false', 403],
])('the body, when it is asked for: %s', (more, status) =>
  withPipeline(
    pipeline('default allow = false\nallow { json.unmarshal(input.request.body).n == 3 }', more),
    async (harness) => {
      const client = await harness.ask({ method: 'POST', body: '{"n": 3}' })
      expect(client.status).toBe(status)
    },
    'v2',
  ),
)

it.each([
  ['', 'policy'],
  ['policy: ""', 'policy'],
  ['policy: "package http\\nallow { x }"', 'line 2:9: nothing gives a value to "x"'],
  ['policy: "package http\\nallow { sart(1) }"', 'did you mean "sort"?'],
  ['policy: "package http"\ndefaultStatus: 99', 'defaultStatus'],
  ['policy: "package http"\nreadBody: maybe', 'readBody'],
  ['policy: "package http"\nincludedHeaders: [a]', 'includedHeaders'],
])('refuses %j', (fields, problem) => {
  expect(problemsOf('OPAFilter', fields, 'v2')).toContain(problem)
})
