import type { Exchange } from '../../http/exchange.js'
import type { TimerWheel } from '../../lib/timer-wheel.js'
import type { StatsRow } from '../../shared/contract.js'
import type { UpstreamClient, UpstreamServer } from '../../upstream/contract.js'

/** A server that gets a copy. */
export interface MirrorServer {
  readonly server: UpstreamServer
  readonly pathPrefix: string
  /** Whether it gets the Host of the request; its own without. */
  readonly keepsHost?: boolean
}

/** What a mirror needs of a pool, of either dialect. */
export interface MirrorPool {
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  readonly stats: StatsRow
  /** Null: there is nobody to send to. */
  pick(ex: Exchange): MirrorServer | null
  close(): void
}
