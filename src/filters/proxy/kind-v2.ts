import { breakerBytes } from '../../resilience/circuit-breaker.js'
import { healthBytes } from '../../upstream/health.js'
import { CALL_RESULTS } from '../call-results.js'
import { defineFilterKind } from '../contract.js'
import { breakerNamed } from '../policies.js'
import { healthKey, healthOf, MAIN, MIRROR, policyUses, turnsKeyV2 } from './pool-spec-v2.js'
import { allPools, breakerKey, type SpecV2, spec, trafficPools } from './proxy-spec-v2.js'

/** Request bodies that a retry may have to send again are held whole up to this at least. */
const REPLAY_BYTES = 4 * 1024 * 1024

export const proxyV2 = defineFilterKind<SpecV2>({
  kind: 'Proxy',
  summary: 'Sends the request to a back end and brings back its response.',
  results: CALL_RESULTS,
  spec,
  requestBodyBytes: ({ pools }) =>
    pools.some(({ retryPolicy }) => retryPolicy !== '') ? REPLAY_BYTES : 0,
  shared: (proxy) => allPools(proxy).map(({ name, pool }) => turnsKeyV2(name, pool)),
  areas: (proxy, policies) =>
    allPools(proxy).flatMap(({ name, pool }) => {
      const policy = breakerNamed(policies, pool.circuitBreakerPolicy)
      return [
        ...(policy === null || name === MIRROR
          ? []
          : [{ key: breakerKey(name, pool, policies), bytes: breakerBytes(policy) }]),
        ...(healthOf(pool) === null
          ? []
          : [{ key: healthKey(name, pool), bytes: healthBytes(pool.servers.length) }]),
      ]
    }),
  permits: (proxy, policies) =>
    trafficPools(proxy).flatMap(({ name, pool }) =>
      breakerNamed(policies, pool.circuitBreakerPolicy) === null
        ? []
        : [breakerKey(name, pool, policies)],
    ),
  policies: ({ pools }) => pools.flatMap((each, index) => policyUses(each, ['pools', index])),
  stats: (proxy) => allPools(proxy).map(({ name }) => name),
  status: (proxy, stat) => {
    const candidates = trafficPools(proxy).slice(0, -1)
    return {
      mainPool: { stat: stat(MAIN) },
      ...(candidates.length === 0
        ? {}
        : { candidatePools: candidates.map(({ name }) => ({ stat: stat(name) })) }),
      ...(proxy.mirrorPool === undefined ? {} : { mirrorPool: { stat: stat(MIRROR) } }),
    }
  },
  load: () => import('./proxy-v2.js'),
})
