import { expect, it } from 'vitest'
import { objectKinds } from '../../kinds/registry.js'
import type { PipelineSpecV2 } from '../../pipeline/compile-v2.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import { pipeline } from './kind.js'

function decode(fields: string) {
  return decodeDocument(`name: demo\nkind: Pipeline\n${fields}`, objectKinds)
}

function decoded(fields: string): PipelineSpecV2 {
  const result = decode(fields)
  if (!result.ok) throw new Error(formatProblems(result.problems))
  return result.object.spec as PipelineSpecV2
}

function problems(fields: string): string {
  const result = decode(fields)
  return result.ok ? '' : formatProblems(result.problems)
}

const FILTERS = `
filters:
- {name: p, kind: Proxy, version: any, labels: {a: b}, createdAt: now, pools: [{servers: [{url: "http://a"}], circuitBreakerPolicy: cb}]}
- {name: v, kind: Validator, headers: {A: {regexp: a}}}
resilience:
- {name: cb, kind: CircuitBreaker, labels: {a: b}}
`

it('takes what v2 has, and keeps metadata out of the spec', () => {
  const spec = decoded(`
version: easegress.megaease.com/v2
labels: {owner: me}
createdAt: "2026-01-01T00:00:00Z"
flow:
- {filter: p, alias: again, namespace: n, jumpIf: {"": END, timeout: v}}
- {filter: END}
- {filter: v}
data: {region: eu, list: [1, {a: b}]}
${FILTERS}`)
  expect(Object.keys(spec).sort()).toEqual(['data', 'filters', 'flow', 'resilience'])
  expect(spec.flow[0]).toEqual({
    filter: 'p',
    alias: 'again',
    namespace: 'n',
    jumpIf: { '': 'END', timeout: 'v' },
  })
  expect(spec.data).toEqual({ region: 'eu', list: [1, { a: 'b' }] })
  expect(Object.keys(spec.filters[0]?.spec as object)).not.toContain('labels')
  expect(spec.resilience[0]).toMatchObject({
    name: 'cb',
    kind: 'CircuitBreaker',
    spec: { slidingWindowSize: 100, failureRateThreshold: 50, waitDurationInOpenState: 60_000 },
  })
})

it.each<[name: string, fields: string, problem: string]>([
  ['no filters', 'flow: []', 'filters: is required'],
  ['a filter of v1 alone', 'filters: [{name: a, kind: Retryer}]', 'filters/0/kind'],
  ['a filter called END', 'filters: [{name: END, kind: Validator}]', 'END is the label of the end'],
  [
    'a name twice',
    'filters: [{name: a, kind: Validator}, {name: a, kind: Validator}]',
    'filters/1/name: "a" is the name of another filter above',
  ],
  ['a policy of no kind', `${FILTERS}- {name: x, kind: TimeLimiter}`, 'resilience/1/kind'],
  ['no attempts', `${FILTERS}- {name: x, kind: Retry, maxAttempts: 0}`, 'maxAttempts'],
  ['a share above one', `${FILTERS}- {name: x, kind: Retry, randomizationFactor: 1.5}`, '0..1'],
  [
    'a threshold above all',
    `${FILTERS}- {name: x, kind: CircuitBreaker, failureRateThreshold: 101}`,
    'failureRateThreshold',
  ],
  [
    'a policy that is not there',
    FILTERS.replace('name: cb', 'name: other'),
    'circuitBreakerPolicy: no CircuitBreaker "cb" in resilience (there are other)',
  ],
])('refuses %s', (_name, fields, problem) => {
  expect(problems(fields)).toContain(problem)
})

it('of policies of one name the last holds', () => {
  const fields = `${FILTERS}- {name: cb, kind: Retry}`
  expect(problems(fields)).toContain('"cb" in resilience is a Retry, expected a CircuitBreaker')
})

it('needs the memory of its filters and of the policies that they name', () => {
  const { words, areas, permits, stats } = pipeline.shared(decoded(FILTERS), 'demo')
  expect(words).toEqual(['pipeline/demo/p/mainPool/turns/http://a'])
  expect(areas?.map(({ key }) => key.slice(0, 34))).toEqual(['pipeline/demo/p/mainPool/breaker/{'])
  expect(permits).toEqual(areas?.map(({ key }) => key))
  expect(stats).toEqual(['pipeline/demo/p/mainPool', 'pipeline/demo/failures'])
})

it('shows health and the status of its filters', () => {
  const view = {
    httpStat: (of: string) => ({ of }),
    count: () => 3,
    listener: null,
    topPaths: [],
    failure: '',
  }
  expect(pipeline.status(decoded(FILTERS), 'demo', view)).toEqual({
    health: '',
    failures: 3,
    filters: { p: { mainPool: { stat: { of: 'pipeline/demo/p/mainPool' } } }, v: null },
  })
})

it('specs are plain data: they survive JSON, as they have to between threads', () => {
  const spec = decoded(FILTERS)
  expect(JSON.parse(JSON.stringify(spec))).toEqual(spec)
})
