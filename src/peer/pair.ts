import type { Dial } from './dial.js'
import { CHANNELS, type Channel, type Peer } from './identity.js'
import type { MemberAddress } from './links-contract.js'
import { newSessionStats, type Session, type SessionStats } from './session.js'

/** Somebody to be dialed on one channel. */
export interface Target {
  readonly address: string
  readonly expect: { readonly name: string; readonly incarnation: string | null } | null
  readonly channel: Channel
  readonly dial: Dial
  /** The attempt under way, or, for a guest dial, the connection that came of it. */
  session: Session | null
  lastFailure: string | null
  /** Incarnation of whom a guest dial found. */
  metBefore: string | null
}

/** One channel of a pair. */
export class Slot {
  session: Session | null = null
  target: Target | null = null
  connects = 0
  failure: string | null = null
  /** Of earlier connections. */
  readonly past: SessionStats = newSessionStats()
}

/** This node and one peer: the connections that stand between them, and those that should. */
export class Pair {
  readonly incarnation: string
  readonly slots: readonly Slot[] = CHANNELS.map(() => new Slot())
  member: MemberAddress | null = null
  /** As it introduced itself last; kept for `onPeerDown`. */
  peer: Peer | null = null
  /** Of connections that are over. */
  lastHeardMs: number | null = null

  constructor(incarnation: string) {
    this.incarnation = incarnation
  }

  get isConnected(): boolean {
    return this.slots.some((slot) => slot.session !== null)
  }
}
