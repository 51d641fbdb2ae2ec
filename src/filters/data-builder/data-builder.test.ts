import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (template: string, shown: string): string => `
flow:
- {filter: it, jumpIf: {buildErr: failed}}
- {filter: show}
- {filter: END}
- {filter: failed}
filters:
- name: it
  kind: DataBuilder
  dataKey: made
  template: |
${template.replace(/^/gm, '    ')}
- {name: show, kind: ResponseBuilder, template: 'body: {{${shown} | quote}}'}
- {name: failed, kind: Mock, rules: [{code: 299}]}
`

it.each<[template: string, shown: string, want: string]>([
  ['name: {{.req.Method}}\nlist: [1, 2]', '.data.made.name', 'GET'],
  ['name: {{.req.Method}}\nlist: [1, 2]', 'index .data.made.list 1', '2'],
  ['[a, b]', 'join "-" .data.made', 'a-b'],
  ['hello', '.data.made', 'hello'],
  ['{{toJson (dict "a" 1.5)}}', '.data.made', 'map[a:1.5]'],
  ['{{range until 3}}- {{.}}\n{{end}}', '.data.made', '[0 1 2]'],
  ['{{/* nothing */}}', '.data.made | default "none"', 'none'],
])('%s', (template, shown, want) =>
  withPipeline(
    pipeline(template, shown),
    (harness) => void expect(harness.start().text).toBe(want),
    'v2',
  ),
)

it('a value is for one exchange alone', () =>
  withPipeline(
    pipeline('{{if .data.made}}again{{else}}first{{end}}', '.data.made'),
    (harness) => {
      expect([harness.start().text, harness.start().text]).toEqual(['first', 'first'])
    },
    'v2',
  ))

it.each([['a: ['], ['{{.req.Nope}}'], ['{{fail "x"}}']])('buildErr: %s', (template) =>
  withPipeline(
    pipeline(template, '1'),
    (harness) => void expect(harness.start().status).toBe(299),
    'v2',
  ),
)

it.each<[fields: string, problem: string]>([
  ['template: a', 'dataKey: is required'],
  ['dataKey: a', 'template: is required'],
  ['dataKey: ""\ntemplate: a', 'filters/0/dataKey'],
  ['dataKey: PIPELINE\ntemplate: a', 'expected a key other than PIPELINE'],
  ['dataKey: a\ntemplate: "{{end}}"', 'line 1, column 6 of the template: unexpected {{end}}'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('DataBuilder', fields, 'v2')).toContain(problem)
})
