import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const LIMITED = `
flow: [{filter: it, jumpIf: {rateLimited: over}}, {filter: ok}, {filter: END}, {filter: over, namespace: x}]
filters:
- name: it
  kind: RateLimiter
  policies: [{name: one, limitForPeriod: 1, limitRefreshPeriod: 1s, timeoutDuration: 0s}]
  defaultPolicyRef: one
  urls:
  - {methods: [POST], url: {prefix: /a}}
  - {url: {empty: true}}
- {name: ok, kind: Mock, rules: [{code: 200}]}
- {name: over, kind: Mock, rules: [{match: {path: /never}, code: 200}]}
`

it('limits what its rules match, and makes the answer', () =>
  withPipeline(
    LIMITED,
    (harness) => {
      const ask = (method: string, path: string): number => harness.start({ method, path }).status
      expect([ask('POST', '/a'), ask('POST', '/a/b'), ask('GET', '/a'), ask('GET', '/a')]).toEqual([
        200, 429, 200, 200,
      ])
      const client = harness.start({ method: 'POST', path: '/a' })
      expect(client.header('x-eg-rate-limiter')).toBe('too-many-requests')
      harness.pass(1_000)
      expect(ask('POST', '/a')).toBe(200)
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['policies: []\nurls: [{url: {}}]', 'expected at least one of exact, prefix, regex and empty'],
  [
    'policies: [{name: a}]\nurls: [{url: {empty: true, prefix: /}, policyRef: a}]',
    'empty: excludes',
  ],
  ['policies: [{name: a}]\nurls: [{url: {prefix: /}, policyRef: b}]', 'no policy "b" in policies'],
  ['policies: [{name: a, limitForPeriod: 0}]\nurls: []', 'limitForPeriod'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('RateLimiter', fields, 'v2')).toContain(problem)
})
