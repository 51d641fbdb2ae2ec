import { expect, it } from 'vitest'
import { docTables, renderTables } from './doc-table.js'
import * as s from './schema.js'

const match = s.object(
  { exact: s.string({ doc: 'The same.', default: '' }) },
  { doc: 'How to compare.' },
)
const rule = s.object({
  host: s.string({ doc: 'Whose\nrule | rules.', optional: true }),
  match,
  methods: s.list(s.httpCode({ doc: '' }), { doc: 'Which.', default: [], unique: true }),
})
const schema = s.object({
  port: s.integer({ doc: 'Where to listen.', min: 1, max: 65_535 }),
  timeout: s.duration({ doc: 'How long.', default: '60s', min: '1ms' }),
  rules: s.list(rule, { doc: 'In order.', min: 1 }),
  byName: s.map(match, { doc: 'By name.', optional: true }),
  filters: s.list(s.taggedUnion('kind', { Mock: s.object({}), Proxy: s.object({}) }), {
    doc: 'All.',
  }),
})

it('has a table for each object, met once', () => {
  expect(docTables(schema).map(({ path, rows }) => [path, rows.map((row) => row.path)])).toEqual([
    ['', ['port', 'timeout', 'rules', 'byName', 'filters']],
    ['rules[]', ['rules[].host', 'rules[].match', 'rules[].methods']],
    ['rules[].match', ['rules[].match.exact']],
    ['filters[]', ['filters[].name', 'filters[].kind']],
  ])
})

it('says of each field what a user has to know', () => {
  const rows = new Map(docTables(schema).flatMap(({ rows }) => rows.map((row) => [row.path, row])))
  expect(rows.get('timeout')).toEqual({
    path: 'timeout',
    field: 'timeout',
    type: 'duration',
    table: null,
    required: false,
    default: '60s',
    doc: 'How long.',
    constraints: 'at least 1ms',
  })
  expect(rows.get('rules')).toMatchObject({ required: true, default: null, table: 'rules[]' })
  expect(rows.get('rules[].methods')).toMatchObject({
    type: 'list of HTTP status code',
    default: '[]',
    constraints: 'no two equal; each: 100..599',
  })
  expect(rows.get('rules[].match.exact')).toMatchObject({ default: '""' })
  expect(rows.get('rules[].host')).toMatchObject({ required: false, default: null })
  expect(rows.get('byName')).toMatchObject({ type: 'map of object', table: 'rules[].match' })
  expect(rows.get('filters[].kind')).toMatchObject({ constraints: 'one of Mock, Proxy' })
})

it('renders Markdown', () => {
  expect(renderTables(docTables(rule), 4)).toBe(
    [
      '| Field | Type | Required | Default | Constraints | Meaning |',
      '| --- | --- | --- | --- | --- | --- |',
      '| `host` | string | no |  |  | Whose rule \\| rules. |',
      '| `match` | [object](#match) | yes |  |  | How to compare. |',
      '| `methods` | list of HTTP status code | no | `[]` | no two equal; each: 100..599 | Which. |',
      '',
      '#### `match`',
      '',
      'How to compare.',
      '',
      '| Field | Type | Required | Default | Constraints | Meaning |',
      '| --- | --- | --- | --- | --- | --- |',
      '| `exact` | string | no | `""` |  | The same. |',
    ].join('\n'),
  )
  expect(renderTables(docTables(s.object({})))).toBe('No fields.')
})
