import type { Time } from '../../lib/clock.js'
import type { Peer, Rpc } from '../../peer/peer.js'
import type { ConsensusStatus, Roster } from '../cluster.js'
import type { SimNode } from './sim-node.js'

/**
 * What else runs on every node, over the same requests between them and beside the same store: the
 * simulation knows it by this alone, as the store does not know who stands on it.
 */
export interface Companion {
  /** A process begins; its replica is there a moment later. */
  start(node: SimNode, time: Time, rpc: Rpc): CompanionLife
  /** Called once, before the first node starts. */
  begin(world: SimWorld): void
  /** All faults are over and all have caught up. Throws what is not as it must be. */
  end(world: CalmWorld): void
}

/** It gets what the owner of a replica gets. */
export interface CompanionLife {
  onConsensus(status: ConsensusStatus): void
  onMembers(roster: Roster): void
  onForwardUp(peer: Peer): void
  /** With the process. */
  ended(): void
}

/** What a seed is made of, for those who bring it trouble or watch it. */
export interface SimWorld {
  readonly nodes: readonly SimNode[]
  readonly nowMs: number
  /** Messages lose their way, are late, come twice; see `SimOptions.peers`. */
  readonly isOverLinks: boolean
  /** `fire` happens then, whoever lives. */
  at(delayMs: number, fire: () => void): void
  /** As code of that node: not while it is stopped, never in another life. */
  on(node: SimNode, fire: () => void): void
  say(node: SimNode, what: string): void
  /** The seed has found something. */
  fail(error: Error): void
}

/** Everything works, and only what is asked for here happens. */
export interface CalmWorld extends SimWorld {
  /** When the last fault was over. */
  readonly calmSinceMs: number
  run(ms: number): void
  /** Until it is so; throws that it did not come to `what`. */
  runUntil(what: string, isSo: () => boolean, ms: number): void
  /** It stays away until it is started. */
  kill(node: SimNode): void
  start(node: SimNode): void
}
