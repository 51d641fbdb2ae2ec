import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const FILTERS = `
filters:
- {name: answer, kind: Mock, rules: [{code: 500, headers: {X-A: stays, Content-Type: old}, body: old}]}
- {name: it, kind: Fallback, mockCode: 203, mockHeaders: {Content-Type: text/plain}, mockBody: instead}
- {name: none, kind: Mock, rules: [{code: 299}]}
`

it('replaces the answer; other fields stay', () =>
  withPipeline(
    `flow: [{filter: answer, jumpIf: {mocked: it}}, {filter: it}]${FILTERS}`,
    (harness) => {
      const client = harness.start()
      expect([client.status, client.headers, client.text]).toEqual([
        203,
        ['x-a', 'stays', 'content-type', 'text/plain'],
        'instead',
      ])
    },
    'v2',
  ))

it('responseNotFound where there is none', () =>
  withPipeline(
    `flow: [{filter: it, jumpIf: {responseNotFound: none}}, {filter: none}]${FILTERS}`,
    (harness) => void expect(harness.start().status).toBe(299),
    'v2',
  ))

it('a spec is refused', () => {
  expect(problemsOf('Fallback', 'mockBody: a', 'v2')).toContain('mockCode: is required')
})
