import { expect, it } from 'vitest'
import { objectKinds } from '../../kinds/registry.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import { httpPipeline, type Spec } from './kind.js'

const HEAD = 'name: demo\nkind: HTTPPipeline\n'
const FILTERS = `
filters:
- {name: v, kind: Validator}
- {name: p, kind: Proxy, mainPool: {servers: [{url: "http://a"}]}}
- {name: f, kind: Fallback, mockCode: 500}
`

function decoded(fields: string): Spec {
  const result = decodeDocument(HEAD + fields, objectKinds)
  if (!result.ok) throw new Error(formatProblems(result.problems))
  return result.object.spec as Spec
}

function problems(fields: string): string {
  const result = decodeDocument(HEAD + fields, objectKinds)
  return result.ok ? '' : formatProblems(result.problems)
}

it('takes a flow with jumps, and filters of all kinds', () => {
  const spec = decoded(`
flow:
- {filter: v, jumpIf: {invalid: f}}
- {filter: p, jumpIf: {serverError: f, interalError: END, clientError: END, fallback: END}}
- {filter: f}
${FILTERS}`)
  expect(spec.flow.map(({ filter }) => filter)).toEqual(['v', 'p', 'f'])
  expect(spec.filters.map(({ name, kind }) => [name, kind])).toEqual([
    ['v', 'Validator'],
    ['p', 'Proxy'],
    ['f', 'Fallback'],
  ])
  expect(spec.filters[2]?.spec).toEqual({ mockCode: 500, mockHeaders: {}, mockBody: '' })
})

it.each<[name: string, fields: string, problem: string]>([
  ['no filters', 'flow: []', 'line 1, column 1: filters: is required: expected a list'],
  ['filters as text', 'filters: x', 'filters: expected a list, got "x"'],
  ['a filter as text', 'filters: [x]', 'filters/0: expected a mapping'],
  ['no name', 'filters: [{kind: Validator}]', 'filters/0/name: is required'],
  [
    'a name with a space',
    'filters: [{kind: Validator, name: a b}]',
    'filters/0/name: expected a name',
  ],
  ['no kind', 'filters: [{name: a}]', 'filters/0/kind'],
  ['a kind misspelt', 'filters: [{name: a, kind: Proxi}]', 'did you mean "Proxy"?'],
  [
    'a name twice',
    'filters:\n- {name: a, kind: Validator}\n- {name: a, kind: Validator}',
    'line 5, column 10: filters/1/name: "a" is the name of another filter above',
  ],
  ['a filter called END', 'filters: [{name: END, kind: Validator}]', 'END is the label of the end'],
  [
    'a flow with a missing filter',
    `flow: [{filter: vv}]${FILTERS}`,
    'line 3, column 17: flow/0/filter: no filter "vv" in filters (there are v, p, f)',
  ],
  ['a flow without names', `flow: [{}]${FILTERS}`, 'flow/0/filter: is required'],
  [
    'a jump on what its kind has not',
    `flow: [{filter: p, jumpIf: {internalError: END}}]${FILTERS}`,
    'Proxy has no result "internalError" (it has fallback, interalError, clientError, serverError)',
  ],
  [
    'a jump backwards',
    `flow: [{filter: f}, {filter: v, jumpIf: {invalid: f}}]${FILTERS}`,
    '"f" does not come after "v" in flow; expected one of END',
  ],
  ['jumps as a list', `flow: [{filter: v, jumpIf: [END]}]${FILTERS}`, 'jumpIf: expected a mapping'],
  [
    'a target that is no text',
    `flow: [{filter: v, jumpIf: {invalid: 1}}]${FILTERS}`,
    'put it in quotes',
  ],
  [
    'an unknown field',
    `flows: []${FILTERS}`,
    'flows: there is no such field; did you mean "flow"?',
  ],
  [
    'an unknown field of a filter',
    'filters: [{name: f, kind: Fallback, mockCode: 500, mockbody: a}]',
    'did you mean "mockBody"?',
  ],
  [
    'a field of another kind',
    'filters: [{name: v, kind: Validator, mainPool: {}}]',
    'filters/0/mainPool: there is no such field; known are name, kind, headers',
  ],
  [
    'a template that reads a later filter',
    'filters:\n- {name: a, kind: RequestAdaptor, body: "[[filter.b.req.path]]"}\n- {name: b, kind: Validator}',
    'filters/0: a template reads filter "b", which does not run before "a"',
  ],
])('refuses %s', (_name, fields, problem) => {
  expect(problems(fields)).toContain(problem)
})

it('problems in filters do not hide those of the flow, nor make up others', () => {
  const text = problems(`
flow: [{filter: f, jumpIf: {fallback: END}}, {filter: other}]
filters:
- {name: f, kind: Fallback, mockCode: 7}
`)
  expect(text.split('\n').map((line) => line.split(': ')[1])).toEqual([
    'flow/1/filter',
    'filters/0/mockCode',
  ])
})

it('needs the memory of its filters, under its name and theirs', () => {
  expect(httpPipeline.shared(decoded(FILTERS), 'demo')).toMatchObject({
    words: ['pipeline/demo/p/mainPool/turns/http://a'],
    caps: [],
    stats: ['pipeline/demo/p/mainPool', 'pipeline/demo/failures'],
  })
})

it('shows the status of its filters, null for those that have none', () => {
  const httpStat = (key: string): Record<string, unknown> => ({ of: key })
  const view = { httpStat, count: () => 3, listener: null, topPaths: [], failure: '' }
  expect(httpPipeline.status(decoded(FILTERS), 'demo', view)).toEqual({
    failures: 3,
    filters: { v: null, p: { mainPool: { stat: { of: 'pipeline/demo/p/mainPool' } } }, f: null },
  })
})

it('and what goes on in them, of those that say', () => {
  const httpStat = (): Record<string, unknown> => ({})
  const filterStates = { v: { state: 'open' }, p: { copies: 1 }, gone: { a: 1 } }
  const view = { httpStat, count: () => 3, listener: null, topPaths: [], failure: '', filterStates }
  expect(httpPipeline.status(decoded(FILTERS), 'demo', view)).toEqual({
    failures: 3,
    filters: { v: { state: 'open' }, p: { mainPool: { stat: {} }, copies: 1 }, f: null },
  })
})

it('names the pipelines that its filters lead to', () => {
  const spec = decoded(`
filters:
- {name: v, kind: Validator}
- {name: b, kind: Bridge, destinations: [one, two]}
- {name: a, kind: APIAggregator, apiProxies: [{httpProxyName: three}]}
`)
  const kinds = ['HTTPPipeline', 'Pipeline']
  expect(httpPipeline.references?.(spec)).toEqual([
    { path: ['filters', 1, 'destinations', 0], name: 'one', kinds },
    { path: ['filters', 1, 'destinations', 1], name: 'two', kinds },
    { path: ['filters', 2, 'apiProxies', 0, 'httpProxyName'], name: 'three', kinds },
  ])
})
