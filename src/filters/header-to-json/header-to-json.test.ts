import { expect, it } from 'vitest'
import { FakeBody } from '../../http/fake-client.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const PIPELINE = `
flow:
- {filter: it, jumpIf: {jsonEncodeDecodeErr: bad, bodyReadErr: bad}}
- {filter: show}
- {filter: END}
- {filter: bad}
filters:
- name: it
  kind: HeaderToJSON
  headerMap: [{header: X-User, json: user}, {header: X-Team, json: team}]
- {name: show, kind: ResponseBuilder, template: 'body: {{.req.Body | quote}}'}
- {name: bad, kind: Mock, rules: [{code: 299}]}
`

const USER = [
  ['x-user', 'gr\xc3\xbcn'],
  ['x-user', 'second'],
  ['x-team', ''],
] as const

it.each<[name: string, body: string | undefined, want: string]>([
  ['no body', undefined, '{"user":"grün"}'],
  ['an empty body', ' ', '{"user":"grün"}'],
  [
    'an object',
    '{"a":1.50,"user":"old","big":12345678901234567890}',
    '{"a":1.50,"big":12345678901234567890,"user":"grün"}',
  ],
  ['a list of objects', '[{"a":1},{}]', '[{"a":1,"user":"grün"},{"user":"grün"}]'],
  ['an empty list', '[]', '[]'],
  ['a key that is no key', '{"__proto__":1}', '{"__proto__":1,"user":"grün"}'],
])('%s', (_name, body, want) =>
  withPipeline(
    PIPELINE,
    (harness) => {
      const client = harness.start({ headers: USER, ...(body === undefined ? {} : { body }) })
      expect(Buffer.from(client.text, 'latin1').toString()).toBe(want)
      expect(client.ex.request.body?.length).toBe(Buffer.byteLength(want))
    },
    'v2',
  ),
)

it.each([
  ['[1]'],
  ['"text"'],
  ['null'],
  ['{"a":'],
  ['[{}, 1]'],
  ['no json'],
  ['['.repeat(100_000)],
])('jsonEncodeDecodeErr: %.20s', (body) =>
  withPipeline(
    PIPELINE,
    (harness) => void expect(harness.start({ headers: USER, body }).status).toBe(299),
    'v2',
  ),
)

it('without the headers the body is not touched, nor waited for', () =>
  withPipeline(
    PIPELINE.replace("template: 'body: {{.req.Body | quote}}'", "template: 'body: done'"),
    (harness) => {
      const body = new FakeBody()
      const client = harness.start({ headers: [['x-team', '']], body })
      expect([client.text, body.isOpen]).toEqual(['done', false])
      const waiting = harness.start({ headers: USER, body: new FakeBody(5_000_000) })
      expect(waiting.status).toBe(413)
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['other: 1', 'headerMap: is required'],
  ['headerMap: [{header: a}]', 'headerMap/0/json: is required'],
  ['headerMap: [{header: "", json: b}]', 'headerMap/0/header'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('HeaderToJSON', fields, 'v2')).toContain(problem)
})
