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
  // First what each request reads: of a thousand pools none is in a cache.
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
  /** Null: the answer goes on as it came. */
  afterHead: AfterHead | null
  /** Where there is one. */
  readonly #only: PoolServer | null
  readonly #servers: readonly PoolServer[]
  readonly #balancer: Balancer
  /** As error messages call it. */
  readonly title: string

  constructor(
    name: string,
    spec: PoolSpec,
    context: FilterContext,
    afterHead: AfterHead | null = null,
    options: Partial<ServerOptions> = {},
  ) {
    this.client = context.upstream
    this.timers = context.timers
    this.stats = context.stats(name)
    this.afterHead = afterHead
    const specs = taggedServers(spec)
    const servers = specs.map(({ url }) => {
      const origin = parseServerUrl(url) as ServerUrl // the kind has checked it
      // As in Easegress, certificates of back ends are not verified in the v1 dialect.
      const server = this.client.acquire(origin, {
        responseTimeoutMs: spec.responseTimeout,
        tls: INSECURE,
        ...options,
      })
      return poolServer(server, origin.pathPrefix)
    })
    this.#only = servers.length === 1 ? (servers[0] as PoolServer) : null
    this.#servers = servers
    const { words, base } = context.words(turnsKey(name, spec))
    this.#balancer = createBalancer({
      policy: spec.loadBalance.policy,
      weights: specs.map((each) => each.weight),
      headerName: spec.loadBalance.headerHashKey.toLowerCase(),
      words,
      wordIndex: base,
      random: (limit) => Math.floor(Math.random() * limit),
    })
    this.title = `${context.pipeline}/${context.name}/${name}`
  }

  /** The exchange goes on when the head of an answer is there, or when there is none to come. */
  send(ex: Exchange): void {
    const server = this.pick(ex)
    new ProxyCall(this, ex, server).start(server.server)
  }

  /** The server whose turn it is. */
  pick(ex: Exchange): PoolServer {
    return this.#only ?? (this.#servers[this.#balancer.pick(ex)] as PoolServer)
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

/** Pools that ask the same server share what they know of it, as they share its connections. */
const bare = new WeakMap<UpstreamServer, PoolServer>()

function poolServer(server: UpstreamServer, pathPrefix: string): PoolServer {
  if (pathPrefix !== '') return { server, pathPrefix }
  const known = bare.get(server) ?? { server, pathPrefix }
  bare.set(server, known)
  return known
}

function urlOf({ server, pathPrefix }: PoolServer): string {
  return `${server.origin.scheme}://${server.hostField}${pathPrefix}`
}

const INSECURE = { verify: false, ca: '', cert: '', key: '', serverName: '' } as const
