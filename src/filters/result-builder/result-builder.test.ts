import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (template: string): string => `
flow:
- {filter: it, jumpIf: {result0: zero, result9: nine, unknown: other, buildErr: failed}}
- {filter: next, jumpIf: {mocked: END}}
- {filter: zero, jumpIf: {mocked: END}}
- {filter: nine, jumpIf: {mocked: END}}
- {filter: other, jumpIf: {mocked: END}}
- {filter: failed}
filters:
- {name: it, kind: ResultBuilder, template: ${JSON.stringify(template)}}
- {name: next, kind: Mock, rules: [{code: 210}]}
- {name: zero, kind: Mock, rules: [{code: 211}]}
- {name: nine, kind: Mock, rules: [{code: 212}]}
- {name: other, kind: Mock, rules: [{code: 213}]}
- {name: failed, kind: Mock, rules: [{code: 214}]}
`

it.each<[template: string, status: number]>([
  ['', 210],
  ['{{/* nothing */}}', 210],
  ['result0', 211],
  ['result9', 212],
  ['{{if eq (.req.Header.Get "x-a") "1"}}result0{{else}}result9{{end}}', 211],
  ['{{if eq (.req.Header.Get "x-a") "2"}}result0{{else}}result9{{end}}', 212],
  ['{{.req.JSONBody.to}}', 212],
  ['  result0\n', 211],
  ['result10', 213],
  ['Result0', 213],
  ['7', 213],
  ['buildErr', 214],
  ['[result0]', 214],
  ['{{.req.JSONBody.x.y.z.w}}{{index .nothing 1}}', 214],
])('%j', (template, status) =>
  withPipeline(
    pipeline(template),
    (harness) => {
      const request = { headers: [['x-a', '1']] as const, body: '{"to":"result9"}' }
      expect(harness.start(request).status).toBe(status)
    },
    'v2',
  ),
)

it('a result without a jump ends the flow', () =>
  withPipeline(
    pipeline('result5'),
    (harness) => void expect(harness.start().status).toBe(503),
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['template: "{{"', 'unclosed action'],
  ['template: [a]', 'template: expected a string'],
  ['templates: a', 'did you mean "template"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('ResultBuilder', fields, 'v2')).toContain(problem)
})
