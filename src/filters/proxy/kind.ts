import { checked, object, type SpecOf, type SpecProblem } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { later, notYet } from '../fields.js'
import { MAIN_POOL, pool, turnsKey } from './pool-spec.js'

const spec = checked(
  object({
    mainPool: checked(pool, (main): SpecProblem[] =>
      main.filter === undefined
        ? []
        : [{ path: ['filter'], message: 'the main pool takes every request; it has no filter' }],
    ),
    candidatePools: later('Pools tried before the main one.'),
    mirrorPool: later('Pool that gets copies of requests.'),
    fallback: later('Answer in place of failures.'),
    failureCodes: later('Statuses that count as failures, for `fallback`.'),
    compression: later('Compression of responses.'),
  }),
  (proxy) =>
    notYet(proxy, ['candidatePools', 'mirrorPool', 'fallback', 'failureCodes', 'compression']),
)
export type Spec = SpecOf<typeof spec>

export const proxy = defineFilterKind<Spec>({
  kind: 'Proxy',
  summary: 'Sends the request to a back end and brings back its response.',
  // "interalError" is how Easegress v1 spells it, and what `jumpIf` has to say.
  results: ['fallback', 'interalError', 'clientError', 'serverError'],
  spec,
  shared: ({ mainPool }) => [turnsKey(MAIN_POOL, mainPool)],
  stats: () => [MAIN_POOL],
  status: (_spec, stat) => ({ mainPool: { stat: stat(MAIN_POOL) } }),
  load: () => import('./proxy.js'),
})
