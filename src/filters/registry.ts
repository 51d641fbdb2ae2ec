import { circuitBreaker } from './circuit-breaker/kind.js'
import type { AnyFilterKind } from './contract.js'
import { corsAdaptor } from './cors-adaptor/kind.js'
import { fallback } from './fallback/kind.js'
import { mock } from './mock/kind.js'
import { proxy } from './proxy/kind.js'
import { rateLimiter } from './rate-limiter/kind.js'
import { requestAdaptor } from './request-adaptor/kind.js'
import { responseAdaptor } from './response-adaptor/kind.js'
import { retryer } from './retryer/kind.js'
import { timeLimiter } from './time-limiter/kind.js'
import { validator } from './validator/kind.js'

/** Every filter kind there is: one folder and one line each. */
const KINDS: readonly AnyFilterKind[] = [
  circuitBreaker,
  corsAdaptor,
  fallback,
  mock,
  proxy,
  rateLimiter,
  requestAdaptor,
  responseAdaptor,
  retryer,
  timeLimiter,
  validator,
]

export const filterKinds: ReadonlyMap<string, AnyFilterKind> = new Map(
  KINDS.map((kind) => [kind.kind, kind]),
)
