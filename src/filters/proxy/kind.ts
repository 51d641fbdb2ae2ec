import {
  boolean,
  checked,
  httpCode,
  integer,
  list,
  object,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { answerHeaders, failureStatusCodes } from '../fields.js'
import {
  candidateName,
  candidatePool,
  MAIN_POOL,
  MIRROR_POOL,
  mainPool,
  mirrorPool,
  type PoolSpec,
  turnsKey,
} from './pool-spec.js'

const fallback = object(
  {
    forCodes: boolean({
      doc: 'Whether statuses in `failureCodes` are replaced; else none is.',
      default: false,
    }),
    mockCode: httpCode({ doc: 'Status of the answer.' }),
    mockHeaders: answerHeaders,
    mockBody: string({ doc: 'Body of the answer.', default: '' }),
  },
  {
    doc: 'Fixed answer in place of failures; needs `failureCodes`.',
    optional: true,
    // Of Easegress's own example, as `candidatePool` is.
    ignored: ['forCircuitBreaker', 'mockHeader'],
  },
)

const fields = object(
  {
    mainPool,
    candidatePools: list(candidatePool, {
      doc: 'Pools tried before the main one: the first whose `filter` matches takes the request.',
      default: [],
    }),
    mirrorPool,
    fallback,
    failureCodes: failureStatusCodes,
    compression: object(
      {
        minLength: integer({
          doc: 'Bodies known to have fewer bytes are sent as they are.',
          min: 0,
          max: 4_294_967_295,
        }),
      },
      { doc: 'Compression of answers by gzip or brotli, as the client likes.', optional: true },
    ),
  },
  { ignored: ['candidatePool'] },
)

const spec = checked(fields, (proxy): SpecProblem[] =>
  proxy.fallback !== undefined && proxy.failureCodes.length === 0
    ? [{ path: ['failureCodes'], message: 'expected at least one status, for fallback' }]
    : [],
)
export type Spec = SpecOf<typeof spec>

/** Every pool under the name that its statistics have. */
function poolsOf(proxy: Spec): readonly (readonly [name: string, pool: PoolSpec])[] {
  const { mainPool, candidatePools, mirrorPool } = proxy
  return [
    [MAIN_POOL, mainPool],
    ...candidatePools.map((pool, index) => [candidateName(index), pool] as const),
    ...(mirrorPool === undefined ? [] : [[MIRROR_POOL, mirrorPool] as const]),
  ]
}

export const proxy = defineFilterKind<Spec>({
  kind: 'Proxy',
  summary: 'Sends the request to a back end and brings back its response.',
  // "interalError" is how Easegress v1 spells it, and what `jumpIf` has to say.
  results: ['fallback', 'interalError', 'clientError', 'serverError'],
  spec,
  shared: (proxy) => poolsOf(proxy).map(([name, pool]) => turnsKey(name, pool)),
  stats: (proxy) => poolsOf(proxy).map(([name]) => name),
  status: ({ candidatePools, mirrorPool }, stat) => ({
    mainPool: { stat: stat(MAIN_POOL) },
    ...(candidatePools.length === 0
      ? {}
      : {
          candidatePool: candidatePools.map((_, index) => ({ stat: stat(candidateName(index)) })),
        }),
    ...(mirrorPool === undefined ? {} : { mirrorPool: { stat: stat(MIRROR_POOL) } }),
  }),
  load: () => import('./proxy.js'),
})
