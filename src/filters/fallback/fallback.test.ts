import { expect, it } from 'vitest'
import { FakeResponseBody } from '../../http/fake-client.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const FALLBACK = `
filters:
- name: fallback
  kind: Fallback
  mockCode: 203
  mockHeaders: {X-Why: fallback, Content-Type: text/plain}
  mockBody: instead
- {name: after, kind: Mock, rules: [{code: 500}]}
`

it('answers with what it was told, and stops the flow', () =>
  withPipeline(FALLBACK, (harness) => {
    const client = harness.start()
    expect([client.status, client.text]).toEqual([203, 'instead'])
    expect(client.headers).toEqual(['x-why', 'fallback', 'content-type', 'text/plain'])
  }))

it('replaces the answer that is there; other fields stay', () =>
  withPipeline(FALLBACK, (harness) => {
    const source = new FakeResponseBody(null)
    const client = harness.start({}, ({ ex: { response } }) => {
      response.status = 500
      response.headers.add('x-why', 'back end')
      response.headers.add('x-other', 'stays')
      response.headers.add('content-length', '99')
      response.headers.add('content-encoding', 'gzip')
      response.source = source
    })
    expect([client.status, client.text, source.cancels]).toEqual([203, 'instead', 1])
    expect(client.headers).toEqual([
      'x-why',
      'fallback',
      'x-other',
      'stays',
      'content-type',
      'text/plain',
    ])
  }))

it('without a body it answers with none', () =>
  withPipeline('filters: [{name: f, kind: Fallback, mockCode: 204}]', (harness) => {
    const source = new FakeResponseBody(null)
    const client = harness.start({}, ({ ex }) => {
      ex.response.source = source
    })
    expect([client.status, client.text, source.cancels]).toEqual([204, '', 1])
  }))

it('its answer is the result "fallback"', () =>
  withPipeline(
    `
flow: [{filter: f, jumpIf: {fallback: m}}, {filter: m}]
filters:
- {name: f, kind: Fallback, mockCode: 200}
- {name: m, kind: Mock, rules: [{code: 299}]}
`,
    (harness) => {
      expect(harness.start().status).toBe(299)
    },
  ))

it.each<[fields: string, problem: string]>([
  ['mockBody: a', 'filters/0/mockCode: is required: expected a status code in 100..599'],
  ['mockCode: "200"', 'write 200 without quotes'],
  ['mockCode: 200\nmockBody: 7', 'put it in quotes: "7"'],
  ['mockCode: 200\nmockHeaders: [a]', 'mockHeaders: expected a mapping'],
  ['mockCode: 200\nmockHeaders: {"x:": a}', 'expected the name of a header'],
  ['mockCode: 200\nmockHeader: {a: b}', 'did you mean "mockHeaders"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Fallback', fields)).toContain(problem)
})
