import { expect, it } from 'vitest'
import { FakeResponseBody } from '../../http/fake-client.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (fields: string): string => `
filters:
- {name: first, kind: Mock, rules: [{path: /never, code: 200}]}
- {name: it, kind: ResponseAdaptor, ${fields}}
`

it.each<[fields: string, want: string[]]>([
  ['header: {del: [X-A]}', ['x-b', '2']],
  [
    'header: {set: {X-A: "9", X-C: "[[filter.first.req.method]]"}}',
    ['x-a', '9', 'x-b', '2', 'x-c', 'GET'],
  ],
  ['header: {add: {X-B: "3"}}', ['x-a', '1', 'x-b', '2', 'x-b', '3']],
  ['header: {}', ['x-a', '1', 'x-b', '2']],
])('%s', (fields, want) =>
  withPipeline(pipeline(fields), (harness) => {
    const client = harness.start({}, ({ ex }) => {
      ex.response.headers.add('x-a', '1')
      ex.response.headers.add('x-b', '2')
    })
    expect(client.headers).toEqual(want)
  }),
)

it('leaves a streaming body alone when it has none to set', () =>
  withPipeline(pipeline('header: {set: {X-A: b}}'), (harness) => {
    const source = new FakeResponseBody('streamed')
    const client = harness.start({}, ({ ex }) => {
      ex.response.source = source
      ex.response.headers.add('content-encoding', 'br')
    })
    expect([client.text, client.header('content-encoding')]).toEqual(['streamed', 'br'])
  }))

it('replaces the body, its length and its coding; the status stays', () =>
  withPipeline(pipeline("body: 'from [[filter.first.req.path]]'"), (harness) => {
    const source = new FakeResponseBody(null)
    const client = harness.start({ path: '/x' }, ({ ex }) => {
      ex.response.status = 404
      ex.response.source = source
      ex.response.headers.add('content-encoding', 'gzip')
      ex.response.headers.add('content-length', '12345')
    })
    expect([client.status, client.text, client.headers]).toEqual([404, 'from /x', []])
    expect([source.isOpen, source.cancels]).toEqual([false, 1])
  }))

it.each<[name: string, fields: string, problem: string]>([
  ['a text as header', 'header: x', 'filters/0/header: expected a mapping'],
  ['an unknown field', 'headers: {}', 'did you mean "header"?'],
  ['a variable', 'body: "[[:alpha:]]"', 'filters/0: [[:alpha:]]: expected filter.NAME'],
])('a spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('ResponseAdaptor', fields)).toContain(problem)
})

const named = (kind: string, times: number): string => `
filters:
- {name: first, kind: RequestAdaptor}
- {name: it, kind: ${kind}, header: {}, body: "${'[[filter.first.req.body]]'.repeat(times)}"}
- {name: end, kind: Mock, rules: [{pathPrefix: /mocked, code: 201}]}
`

it.each(['RequestAdaptor', 'ResponseAdaptor'])(
  'what variables make of a body has a bound: %s',
  (kind) =>
    withPipeline(named(kind, 419), (harness) => {
      const path = kind === 'RequestAdaptor' ? '/mocked' : '/'
      const fits = harness.start({ path, body: 'x'.repeat(10_010) })
      expect(fits.status).toBe(kind === 'RequestAdaptor' ? 201 : 200)
      const client = harness.start({ path, body: 'x'.repeat(10_011) })
      expect([client.status, client.text]).toEqual([500, 'the text of a template is too long\n'])
      expect(client.sends).toBe(1)
    }),
)
