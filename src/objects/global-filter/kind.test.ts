import { expect, it } from 'vitest'
import { objectKinds } from '../../kinds/registry.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import { globalFilter, type Spec } from './kind.js'

const PART = '{filters: [{name: p, kind: Proxy, pools: [{servers: [{url: "http://a"}]}]}]}'

function decoded(fields: string): Spec {
  const result = decodeDocument(`name: guard\nkind: GlobalFilter\n${fields}`, objectKinds)
  if (!result.ok) throw new Error(formatProblems(result.problems))
  return result.object.spec as Spec
}

function problems(fields: string): string {
  const result = decodeDocument(`name: guard\nkind: GlobalFilter\n${fields}`, objectKinds)
  return result.ok ? '' : formatProblems(result.problems)
}

it('has a part before, a part after, and what is done when they end early', () => {
  expect(decoded(`beforePipeline: ${PART}\nlabels: {a: b}`)).toMatchObject({
    beforePipeline: { flow: [], filters: [{ name: 'p', kind: 'Proxy' }], resilience: [], data: {} },
    fallthrough: { beforePipeline: false, pipeline: false },
  })
})

it.each<[name: string, fields: string, problem: string]>([
  ['nothing at all', '', 'expected beforePipeline or afterPipeline'],
  ['a part without filters', 'afterPipeline: {}', 'afterPipeline/filters: is required'],
  [
    'a jump to nowhere',
    `beforePipeline: {flow: [{filter: p, jumpIf: {timeout: x}}], ${PART.slice(1)}`,
    'beforePipeline/flow/0/jumpIf/timeout: "x" does not come later in flow',
  ],
  ['a field that is none', `afterPipeline: ${PART}\nfallthru: {}`, 'did you mean "fallthrough"?'],
  ['text for yes', `afterPipeline: ${PART}\nfallthrough: {pipeline: "x"}`, 'true or false'],
])('refuses %s', (_name, fields, problem) => {
  expect(problems(fields)).toContain(problem)
})

it('needs the memory of the filters of both parts, apart from each other', () => {
  const spec = decoded(`beforePipeline: ${PART}\nafterPipeline: ${PART}`)
  expect(globalFilter.shared(spec, 'guard')).toMatchObject({
    words: [
      'pipeline/guard/beforePipeline/p/mainPool/turns/http://a',
      'pipeline/guard/afterPipeline/p/mainPool/turns/http://a',
    ],
    stats: [
      'pipeline/guard/beforePipeline/p/mainPool',
      'pipeline/guard/beforePipeline/failures',
      'pipeline/guard/afterPipeline/p/mainPool',
      'pipeline/guard/afterPipeline/failures',
    ],
  })
})

it('shows the status of its filters, and why it could not be put to work', () => {
  const view = {
    httpStat: (of: string) => ({ of }),
    count: () => 3,
    listener: null,
    topPaths: [],
    failure: 'no',
  }
  expect(globalFilter.status(decoded(`afterPipeline: ${PART}`), 'guard', view)).toEqual({
    health: 'no',
    afterPipeline: {
      failures: 3,
      filters: { p: { mainPool: { stat: { of: 'pipeline/guard/afterPipeline/p/mainPool' } } } },
    },
  })
})
