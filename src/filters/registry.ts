import { apiAggregator } from './api-aggregator/kind.js'
import { bridge } from './bridge/kind.js'
import { certExtractor } from './cert-extractor/kind.js'
import { circuitBreaker } from './circuit-breaker/kind.js'
import type { AnyFilterKind } from './contract.js'
import { corsAdaptor } from './cors-adaptor/kind.js'
import { corsAdaptorV2 } from './cors-adaptor/kind-v2.js'
import { dataBuilder } from './data-builder/kind.js'
import { fallback } from './fallback/kind.js'
import { fallbackV2 } from './fallback/kind-v2.js'
import { fileServer } from './file-server/kind.js'
import { headerLookup } from './header-lookup/kind.js'
import { headerToJson } from './header-to-json/kind.js'
import { mock } from './mock/kind.js'
import { mockV2 } from './mock/kind-v2.js'
import { oidcAdaptor } from './oidc-adaptor/kind.js'
import { opaFilter } from './opa-filter/kind.js'
import { proxy } from './proxy/kind.js'
import { proxyV2 } from './proxy/kind-v2.js'
import { rateLimiter } from './rate-limiter/kind.js'
import { rateLimiterV2 } from './rate-limiter/kind-v2.js'
import { redirector } from './redirector/kind.js'
import { redirectorV2 } from './redirector-v2/kind.js'
import { remoteFilter } from './remote-filter/kind.js'
import { remoteFilterV2 } from './remote-filter/kind-v2.js'
import { requestAdaptor } from './request-adaptor/kind.js'
import { requestAdaptorV2 } from './request-adaptor/kind-v2.js'
import { requestBuilder } from './request-builder/kind.js'
import { responseAdaptor } from './response-adaptor/kind.js'
import { responseAdaptorV2 } from './response-adaptor/kind-v2.js'
import { responseBuilder } from './response-builder/kind.js'
import { resultBuilder } from './result-builder/kind.js'
import { retryer } from './retryer/kind.js'
import { simpleHttpProxy } from './simple-http-proxy/kind.js'
import { timeLimiter } from './time-limiter/kind.js'
import { validator } from './validator/kind.js'
import { validatorV2 } from './validator/kind-v2.js'

/** What an HTTPPipeline (v1) may hold: one folder and one line each. */
const KINDS: readonly AnyFilterKind[] = [
  apiAggregator,
  bridge,
  circuitBreaker,
  corsAdaptor,
  fallback,
  mock,
  proxy,
  rateLimiter,
  remoteFilter,
  requestAdaptor,
  responseAdaptor,
  retryer,
  timeLimiter,
  validator,
]

/** What a Pipeline or GlobalFilter (v2) may hold. */
const KINDS_V2: readonly AnyFilterKind[] = [
  certExtractor,
  corsAdaptorV2,
  dataBuilder,
  fallbackV2,
  fileServer,
  headerLookup,
  headerToJson,
  mockV2,
  oidcAdaptor,
  opaFilter,
  proxyV2,
  rateLimiterV2,
  redirector,
  redirectorV2,
  remoteFilterV2,
  requestAdaptorV2,
  requestBuilder,
  responseAdaptorV2,
  responseBuilder,
  resultBuilder,
  simpleHttpProxy,
  validatorV2,
]

const byName = (kinds: readonly AnyFilterKind[]): ReadonlyMap<string, AnyFilterKind> =>
  new Map(kinds.map((kind) => [kind.kind, kind]))

export const filterKinds = byName(KINDS)
export const filterKindsV2 = byName(KINDS_V2)
