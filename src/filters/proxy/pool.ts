import type { Exchange } from '../../http/exchange.js'
import type { TimerWheel } from '../../lib/timer-wheel.js'
import type { StatsRow } from '../../shared/contract.js'
import { type Balancer, createBalancer } from '../../upstream/balance.js'
import type { ServerOptions, UpstreamClient, UpstreamServer } from '../../upstream/contract.js'
import { parseServerUrl, type ServerUrl } from '../../upstream/server-url.js'
import type { FilterContext } from '../contract.js'
import { type PoolSpec, taggedServers, turnsKey } from './pool-spec.js'
import { ProxyCall } from './proxy-call.js'

/** One back end of a pool. */
export interface PoolServer {
  readonly server: UpstreamServer
  /** In front of every path. */
  readonly pathPrefix: string
}

/** What else a Proxy does with the answer of a back end. */
export interface AfterHead {
  /**
   * Status and fields are in `ex.response`, so is the body's source; `headers`, lent until the call
   * returns, are those of the back end alone. Gives the Proxy's result.
   */
  answered(ex: Exchange, headers: readonly string[]): number
}

/** The servers of one pool and how requests are spread over them. */
export class Pool {
  /** As error messages call it. */
  readonly title: string
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
  readonly afterHead: AfterHead | null
  readonly #servers: readonly PoolServer[]
  readonly #balancer: Balancer

  constructor(
    name: string,
    spec: PoolSpec,
    context: FilterContext,
    afterHead: AfterHead | null = null,
    options: Partial<ServerOptions> = {},
  ) {
    this.title = `${context.pipeline}/${context.name}/${name}`
    this.client = context.upstream
    this.timers = context.timers
    this.stats = context.stats(name)
    this.afterHead = afterHead
    const specs = taggedServers(spec)
    this.#servers = specs.map(({ url }) => {
      const origin = parseServerUrl(url) as ServerUrl // the kind has checked it
      // As in Easegress, certificates of back ends are not verified in the v1 dialect.
      const server = this.client.acquire(origin, {
        responseTimeoutMs: spec.responseTimeout,
        tls: INSECURE,
        ...options,
      })
      return { server, pathPrefix: origin.pathPrefix }
    })
    const { words, base } = context.words(turnsKey(name, spec))
    this.#balancer = createBalancer({
      policy: spec.loadBalance.policy,
      weights: specs.map((each) => each.weight),
      headerName: spec.loadBalance.headerHashKey.toLowerCase(),
      words,
      wordIndex: base,
      random: (limit) => Math.floor(Math.random() * limit),
    })
  }

  /** The exchange goes on when the head of an answer is there, or when there is none to come. */
  send(ex: Exchange): void {
    const server = this.pick(ex)
    new ProxyCall(this, ex, server).start(server.server)
  }

  /** The server whose turn it is. */
  pick(ex: Exchange): PoolServer {
    return this.#servers[this.#balancer.pick(ex)] as PoolServer
  }

  /** Where `ex` would go, for people. `server` is null where chance decides. */
  forecast(ex: Exchange): Readonly<Record<string, unknown>> {
    const next = this.#balancer.peek(ex)
    const urls = this.#servers.map(urlOf)
    return { server: next < 0 ? null : (urls[next] ?? null), servers: urls }
  }

  close(): void {
    for (const { server } of this.#servers) server.release()
  }
}

function urlOf({ server, pathPrefix }: PoolServer): string {
  return `${server.origin.scheme}://${server.hostField}${pathPrefix}`
}

const INSECURE = { verify: false, ca: '', cert: '', key: '', serverName: '' } as const
