import { isIP } from 'node:net'
import type { Exchange } from '../../http/exchange.js'
import type { TimerWheel } from '../../lib/timer-wheel.js'
import type { StatsRow } from '../../shared/contract.js'
import {
  type BalancePolicy,
  type Balancer,
  createBalancer,
  fnv132,
} from '../../upstream/balance.js'
import type { ServerOptions, ServerTls, UpstreamClient } from '../../upstream/contract.js'
import { HealthTable, healthBytes } from '../../upstream/health.js'
import { parseServerUrl, type ServerUrl } from '../../upstream/server-url.js'
import type { FilterContext } from '../contract.js'
import type { CallServer } from '../upstream-call.js'
import { HealthChecks } from './health-checks.js'
import {
  healthKey,
  healthOf,
  POLICIES_V2,
  type PoolSpecV2,
  pemOf,
  turnsKeyV2,
} from './pool-spec-v2.js'
import { createStickySession, type StickySession } from './sticky-session.js'

/** One back end of a v2 pool. */
export interface PoolServerV2 extends CallServer {
  /** As configured. */
  readonly url: string
}

/** The servers of one pool of a v2 Proxy: who is well, and who gets the next request. */
export class PoolV2 {
  /** As error messages call it. */
  readonly title: string
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
  readonly sticky: StickySession | null
  readonly #all: readonly PoolServerV2[]
  readonly #weights: readonly number[]
  readonly #balancerOf: (weights: readonly number[]) => Balancer
  readonly #health: HealthTable | null
  readonly #checks: HealthChecks | null
  #version = 0
  #up: readonly PoolServerV2[]
  #balancer: Balancer

  constructor(
    name: string,
    spec: PoolSpecV2,
    tls: ServerTls,
    context: FilterContext,
    options: Partial<ServerOptions> = {},
  ) {
    this.title = `${context.pipeline}/${context.name}/${name}`
    this.client = context.upstream
    this.timers = context.timers
    this.stats = context.stats(name)
    const origins = spec.servers.map(({ url }) => parseServerUrl(url) as ServerUrl) // checked
    this.#all = spec.servers.map(({ url, keepHost }, index) => {
      const origin = origins[index] as ServerUrl
      return {
        server: this.client.acquire(origin, { tls, ...options }),
        pathPrefix: origin.pathPrefix,
        keepsHost: keepHost || (!spec.setUpstreamHost && isIP(origin.host) !== 0),
        url,
      }
    })
    this.#weights = spec.servers.map(({ weight }) => weight)
    const { words, base } = context.words(turnsKeyV2(name, spec))
    const { policy, headerHashKey, stickySession } = spec.loadBalance
    const isKnown = (POLICIES_V2 as readonly string[]).includes(policy)
    this.#balancerOf = (weights) =>
      createBalancer({
        policy: isKnown ? (policy as BalancePolicy) : 'roundRobin',
        weights,
        headerName: headerHashKey.toLowerCase(),
        words,
        wordIndex: base,
        random: (limit) => Math.floor(Math.random() * limit),
        hash: fnv132,
      })
    this.sticky = stickySession === undefined ? null : createStickySession(stickySession, Date.now)
    const health = healthOf(spec)
    if (health === null) {
      this.#health = null
      this.#checks = null
    } else {
      const key = healthKey(name, spec)
      const area = context.area({ key, bytes: healthBytes(spec.servers.length) })
      this.#health = new HealthTable(area, health.fails, health.passes)
      const around = {
        client: this.client,
        timers: this.timers,
        nodeMs: () => context.nodeMs(),
        log: context.log,
        title: this.title,
      }
      this.#checks = new HealthChecks(health, origins, tls, this.#health, around)
    }
    this.#up = this.#all
    this.#balancer = this.#balancerOf(this.#weights)
    this.#follow()
    this.#checks?.start()
  }

  /** The server that gets the request; null while none is well. */
  pick(ex: Exchange): PoolServerV2 | null {
    if (this.#health !== null && this.#health.version !== this.#version) this.#follow()
    const up = this.#up
    if (up.length === 0) return null
    if (this.sticky !== null) {
      const index = this.sticky.serverOf(ex)
      if (index >= 0) return up[index] as PoolServerV2
    }
    return up[this.#balancer.pick(ex)] as PoolServerV2
  }

  /** Where `ex` would go, for people. `server` is null where chance decides, or none is well. */
  forecast(ex: Exchange): Readonly<Record<string, unknown>> {
    if (this.#health !== null && this.#health.version !== this.#version) this.#follow()
    const up = this.#up
    const sticky = this.sticky?.serverOf(ex) ?? -1
    const next = sticky >= 0 ? sticky : up.length === 0 ? -1 : this.#balancer.peek(ex)
    const down = this.#all.filter((each) => !up.includes(each)).map(({ url }) => url)
    return {
      server: next < 0 ? null : (up[next] as PoolServerV2).url,
      servers: up.map(({ url }) => url),
      ...(down.length === 0 ? {} : { unhealthy: down }),
      ...(sticky >= 0 ? { isSticky: true } : {}),
    }
  }

  close(): void {
    this.#checks?.close()
    for (const { server } of this.#all) server.release()
  }

  /** Takes over what checks have found. */
  #follow(): void {
    const health = this.#health
    if (health !== null) {
      this.#version = health.version
      const indices = [...this.#all.keys()].filter((index) => health.isUp(index))
      this.#up = indices.map((index) => this.#all[index] as PoolServerV2)
      if (indices.length > 0) {
        this.#balancer = this.#balancerOf(indices.map((index) => this.#weights[index] as number))
      }
    }
    this.sticky?.setServers(this.#up.map(({ url }) => url))
  }
}

/** What the Proxy's `mtls` says; without it certificates are not verified, as in Easegress. */
export function tlsOf(
  mtls:
    | {
        readonly certBase64?: string | undefined
        readonly keyBase64?: string | undefined
        readonly rootCertBase64?: string | undefined
        readonly insecureSkipVerify: boolean
      }
    | undefined,
): ServerTls {
  if (mtls === undefined) return { verify: false, ca: '', cert: '', key: '', serverName: '' }
  return {
    verify: !mtls.insecureSkipVerify,
    ca: pemOf(mtls.rootCertBase64),
    cert: pemOf(mtls.certBase64),
    key: pemOf(mtls.keyBase64),
    serverName: '',
  }
}
