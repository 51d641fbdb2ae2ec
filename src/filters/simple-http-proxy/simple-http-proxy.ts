import { randomBytes } from 'node:crypto'
import { type Exchange, SUSPENDED } from '../../http/exchange.js'
import type { TimerWheel } from '../../lib/timer-wheel.js'
import type { StatsRow } from '../../shared/contract.js'
import type { UpstreamClient } from '../../upstream/contract.js'
import { OriginCache } from '../../upstream/origin-cache.js'
import type { Redirects } from '../../upstream/redirect.js'
import { INTERNAL_ERROR } from '../call-results.js'
import type { Filter, FilterContext } from '../contract.js'
import { idleLimits } from '../idle-limits.js'
import { retryNamed } from '../policies.js'
import { UnaskedCoding } from '../unasked-coding.js'
import {
  type CallPool,
  type CallRules,
  type CallServer,
  UpstreamExchange,
} from '../upstream-call.js'
import { ALL } from './keys.js'
import type { Spec } from './kind.js'

const BODY_BYTES_MAX = 4 * 1024 * 1024
const CONNECTIONS_MAX = 512
const REDIRECTS_MAX = 10

/** Names this process in `Via`, so that a request that comes back is known (RFC 9110 §7.6.3). */
const PSEUDONYM = `1.1 easegress-${randomBytes(6).toString('hex')}`

class SimpleHttpProxy implements Filter, CallRules, CallPool {
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
  readonly pool: CallPool = this
  readonly retry: CallRules['retry']
  readonly breaker = null
  readonly timeoutMs: number
  /** None: whatever an answer says, it is the answer. */
  readonly failureCodes: ReadonlySet<number> = new Set()
  readonly bodyBytesMax: number
  readonly redirects: Redirects
  readonly #unasked = new UnaskedCoding()
  readonly #context: FilterContext

  constructor(spec: Spec, context: FilterContext) {
    this.#context = context
    this.client = context.upstream
    this.timers = context.timers
    this.stats = context.stats(ALL)
    this.retry = retryNamed(context.policies, spec.retryPolicy)
    this.timeoutMs = spec.timeout ?? 0
    this.bodyBytesMax = spec.serverMaxBodySize || BODY_BYTES_MAX
    const limits = idleLimits(`${context.pipeline}/${context.name}`, spec, CONNECTIONS_MAX)
    const connectionsMax = Math.max(CONNECTIONS_MAX, limits.keptMax)
    const origins = new OriginCache(context.upstream, { ...limits, connectionsMax })
    this.redirects = { max: REDIRECTS_MAX, origins }
  }

  nodeMs(): number {
    return this.#context.nodeMs()
  }

  needsRequestBody(ex: Exchange): boolean {
    return this.retry !== null && ex.requestBodyMax > 0
  }

  handle(ex: Exchange): number {
    const { headers } = ex.request
    if (headers.values('via').some((value) => value.includes(PSEUDONYM))) {
      ex.response.status = 508
      return INTERNAL_ERROR
    }
    headers.add('via', PSEUDONYM)
    new UpstreamExchange(this, ex).start()
    return SUSPENDED
  }

  pick(ex: Exchange): CallServer | null {
    const url = `http://${ex.request.host}`
    if (ex.request.host === '' || !URL.canParse(url)) return null
    const { protocol, hostname, port, username, pathname } = new URL(url)
    if (username !== '' || pathname !== '/') return null
    const server = this.redirects.origins.get({ protocol, hostname, port })
    return { server, pathPrefix: '', keepsHost: true }
  }

  answered(ex: Exchange): void {
    this.#unasked.apply(ex, this.bodyBytesMax)
  }

  retire(): void {
    this.redirects.origins.close()
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new SimpleHttpProxy(spec, context)
