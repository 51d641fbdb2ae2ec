import { expect, it } from 'vitest'
import { defineFilterKind, type FilterKind } from '../filters/contract.js'
import { object } from '../spec/schema.js'
import { checkFlow, checkNames, checkTemplates } from './check.js'
import { effectiveFlow, type PipelineSpec } from './compile.js'

const kind = (name: string, results: string[], more: Partial<FilterKind> = {}): FilterKind =>
  defineFilterKind({
    kind: name,
    summary: '',
    results,
    spec: object({}),
    load: () => Promise.reject(new Error('not loaded by checks')),
    ...more,
  }) as FilterKind

const KINDS: ReadonlyMap<string, FilterKind> = new Map([
  ['Proxy', kind('Proxy', ['fallback', 'serverError'])],
  ['Plain', kind('Plain', [])],
  ['Text', kind('Text', [], { templates: (spec) => spec as string[] })],
])

const filter = (name: string, of = 'Plain', spec: unknown = {}) => ({ name, kind: of, spec })
const step = (name: string, jumpIf: Record<string, string> = {}) => ({ filter: name, jumpIf })

const spec = (flow: PipelineSpec['flow'], filters: PipelineSpec['filters']): PipelineSpec => ({
  flow,
  filters,
})

it.each<[name: string, flow: PipelineSpec['flow']]>([
  ['empty', []],
  ['every filter', [step('a'), step('p', { serverError: 'b' }), step('b')]],
  ['jump to END', [step('p', { fallback: 'END', serverError: 'END' })]],
  ['a filter left out', [step('b')]],
  ['a filter twice, jump to its later place', [step('p', { fallback: 'p' }), step('p')]],
])('a flow that is fine: %s', (_name, flow) => {
  const filters = [filter('a'), filter('p', 'Proxy'), filter('b')]
  expect(checkFlow(spec(flow, filters), KINDS)).toEqual([])
})

it.each<[name: string, flow: PipelineSpec['flow'], path: string, message: string, hint?: string]>([
  [
    'a missing filter',
    [step('other')],
    'flow/0/filter',
    'no filter "other" in filters (there are a, proxy, b)',
  ],
  [
    'a filter misspelt',
    [step('a'), step('prox')],
    'flow/1/filter',
    'no filter "prox" in filters (there are a, proxy, b)',
    'did you mean "proxy"?',
  ],
  [
    'a result its kind has not',
    [step('proxy', { clientError: 'END' })],
    'flow/0/jumpIf/clientError',
    'Proxy has no result "clientError" (it has fallback, serverError)',
  ],
  [
    'a result of a kind without any',
    [step('a', { ok: 'END' })],
    'flow/0/jumpIf/ok',
    'Plain has no result "ok" (it has none)',
  ],
  [
    'a jump backwards',
    [step('a'), step('proxy', { fallback: 'a' }), step('b')],
    'flow/1/jumpIf/fallback',
    '"a" does not come after "proxy" in flow; expected one of END, b',
  ],
  [
    'a jump to itself',
    [step('proxy', { fallback: 'proxy' })],
    'flow/0/jumpIf/fallback',
    '"proxy" does not come after "proxy" in flow; expected one of END',
  ],
  [
    'a jump to a filter that is not in the flow',
    [step('proxy', { fallback: 'b' })],
    'flow/0/jumpIf/fallback',
    '"b" does not come after "proxy" in flow; expected one of END',
  ],
  [
    'END in another case',
    [step('proxy', { fallback: 'end' })],
    'flow/0/jumpIf/fallback',
    '"end" does not come after "proxy" in flow; expected one of END',
  ],
])('a flow with %s', (_name, flow, path, message, hint) => {
  const problems = checkFlow(
    spec(flow, [filter('a'), filter('proxy', 'Proxy'), filter('b')]),
    KINDS,
  )
  expect(problems.map((each) => ({ ...each, path: each.path.join('/') }))).toEqual([
    { path, message, ...(hint === undefined ? {} : { hint }) },
  ])
})

it('names are missed also where there are no filters at all', () => {
  expect(checkFlow(spec([step('a')], []), KINDS)).toEqual([
    { path: ['flow', 0, 'filter'], message: 'no filter "a" in filters (there are none)' },
  ])
})

it('every problem of a flow is told at once', () => {
  const flow = [step('x'), step('proxy', { no: 'x', fallback: 'x' }), step('y')]
  const problems = checkFlow(spec(flow, [filter('proxy', 'Proxy')]), KINDS)
  expect(problems.map(({ path }) => path.join('/'))).toEqual([
    'flow/0/filter',
    'flow/1/jumpIf/no',
    'flow/1/jumpIf/no',
    'flow/1/jumpIf/fallback',
    'flow/2/filter',
  ])
})

it('names are unique and not END', () => {
  const names = ['a', 'END', 'a', 'b', 'a'].map((name) => filter(name))
  expect(checkNames(spec([], names))).toEqual([
    {
      path: ['filters', 1, 'name'],
      message: 'END is the label of the end of the flow; choose another name',
    },
    { path: ['filters', 2, 'name'], message: '"a" is the name of another filter above' },
    { path: ['filters', 4, 'name'], message: '"a" is the name of another filter above' },
  ])
})

it.each<[name: string, flow: string[], text: string, want: string[]]>([
  ['a filter before', [], '[[filter.a.req.path]]', []],
  ['the request as it meets it', [], '[[filter.text.req.path]]', []],
  [
    'its own answer',
    [],
    '[[filter.text.rsp.statuscode]]',
    ['a template reads filter "text", which does not run before "text"'],
  ],
  [
    'a later one',
    [],
    '[[filter.z.req.path]]',
    ['a template reads filter "z", which does not run before "text"'],
  ],
  [
    'one that is not there',
    [],
    '[[filter.q.req.path]]',
    ['a template reads filter "q", which does not run before "text"'],
  ],
  ['one that the flow puts before', ['z', 'text'], '[[filter.z.req.path]]', []],
  [
    'one that the flow leaves out',
    ['z', 'text'],
    '[[filter.a.req.path]]',
    ['a template reads filter "a", which does not run before "text"'],
  ],
  ['a filter that the flow leaves out reads what it likes', ['a'], '[[filter.z.req.path]]', []],
  [
    'no variable at all',
    ['a'],
    '[[oops]]',
    [
      '[[oops]]: expected filter.NAME.req.method|scheme|path|proto|host|header.KEY|body|' +
        'body.GJSON or filter.NAME.rsp.statuscode|body|body.GJSON',
    ],
  ],
])('templates: %s', (_name, flow, text, want) => {
  const filters = [filter('a'), filter('text', 'Text', ['fine', text]), filter('z')]
  const problems = checkTemplates(
    spec(
      flow.map((name) => step(name)),
      filters,
    ),
    KINDS,
  )
  expect(problems.map(({ message }) => message)).toEqual(want)
  for (const { path } of problems) expect(path).toEqual(['filters', 1])
})

it('without a flow all filters run in the order they are listed', () => {
  const filters = [filter('b'), filter('a')]
  expect(effectiveFlow(spec([], filters))).toEqual([step('b'), step('a')])
  expect(effectiveFlow(spec([step('a')], filters))).toEqual([step('a')])
})
