/** What `Links` needs, tells and shows. */
import type { Time } from '../lib/clock.js'
import type { ChunkHeader, ChunkReply, Message, NodeId } from '../raft/raft.js'
import type { Logger } from '../telemetry/log.js'
import type { BackOff } from './dial.js'
import type { Introduction, Peer, Refusal } from './identity.js'
import type { Membership } from './judge.js'
import type { SessionStats, SessionTiming } from './session.js'
import type { Forward } from './traffic.js'
import type { Transport } from './transport.js'

export interface LinkTiming extends SessionTiming, BackOff {
  readonly fallbackMs: number
  /** What is asked whether it is still there answers within this, or another takes its place. */
  readonly probeMs: number
}

export const LINK_TIMING: LinkTiming = {
  handshakeMs: 3000,
  pingMs: 1000,
  deadMs: 4000,
  firstMs: 50,
  lastMs: 2000,
  fallbackMs: 1000,
  probeMs: 500,
}

export interface LinksOptions {
  readonly time: Time
  /** A whole number in 0..below-1. */
  readonly random: (below: number) => number
  /** 32 bytes nobody can foresee. */
  readonly nonce: () => Uint8Array
  readonly transport: Transport
  readonly log: Logger
  /** What this node says of itself, as of now. */
  readonly local: () => Introduction
  /** What it knows of the cluster; `liveBoot` may name what is known beyond its own connections. */
  readonly membership: () => Membership
  /** `cluster-secret`; null: none. */
  readonly secret: Uint8Array | null
  /** `allow-insecure-peers`. */
  readonly allowInsecure: boolean
  readonly handler: LinksHandler
  readonly timing?: Partial<LinkTiming>
}

/** Calls come from within `accept`, handlers of connections and timers, never from within a send. */
export interface LinksHandler {
  /** The first connection to a peer stands. */
  onPeerUp(peer: Peer): void
  /** The last one is gone. */
  onPeerDown(peer: Peer): void
  /** `from` and `to` are checked: they are that peer and this node. */
  onRaft(message: Message, peer: Peer): void
  /** An append was lost on this side, or the connection that carried appends was. */
  onUnreachable(nodeId: NodeId): void
  onChunk(header: ChunkHeader, bytes: Uint8Array, peer: Peer): void
  onChunkReply(reply: ChunkReply, peer: Peer): void
  /** `sendChunk` takes chunks again, or for the first time. */
  onChunkRoom(peer: Peer): void
  onForward(traffic: Forward, peer: Peer): void
  onForwardUp(peer: Peer): void
  /** What was asked of it on this connection will not be answered. */
  onForwardDown(peer: Peer): void
  onRefused(event: RefusedEvent): void
  /** An attempt to dial that met nobody, or nobody that makes sense; another follows. */
  onDialFailed(event: DialFailedEvent): void
}

export interface DialFailedEvent {
  readonly address: string
  /** `refused`: nobody listens there. `unanswered`: no word in time. `other`: see the message. */
  readonly cause: 'refused' | 'unanswered' | 'other'
  readonly message: string
}

export interface RefusedEvent {
  readonly refusal: Refusal
  /** `peer`: this node was refused. */
  readonly by: 'us' | 'peer'
  /** It is proved that a member says so; see `handshake.ts`. */
  readonly trusted: boolean
  /** What the other side claimed to be; null if it did not come to that. */
  readonly claimed: Introduction | null
  /** The address dialed; null if the other side dialed. */
  readonly address: string | null
}

export interface MemberAddress {
  readonly name: string
  readonly incarnation: string
  /** 0: a reader, which is not dialed. */
  readonly nodeId: NodeId
  /** Peer URL; null: not known, it has to dial. */
  readonly address: string | null
}

export interface LinkStatus extends Readonly<SessionStats> {
  readonly channel: string
  readonly connected: boolean
  readonly queuedBytes: number
  /** Connections that stood, so far. */
  readonly connects: number
  /** Milliseconds since the last byte; null when not connected. */
  readonly silentMs: number | null
  /** Why it is not connected, or why it was not the last time; null if it never failed. */
  readonly failure: string | null
}

export interface PeerStatus {
  readonly name: string
  readonly incarnation: string
  readonly nodeId: NodeId
  readonly guest: boolean
  readonly links: readonly LinkStatus[]
}

export interface LinksStats {
  readonly halfOpen: number
  readonly peers: number
  /** Handshakes that failed, by code of the refusal. */
  readonly refused: Readonly<Record<string, number>>
  /** Connections cut because of what came over them, by code. */
  readonly faults: Readonly<Record<string, number>>
}

/** A way to somebody whose name is not known; see `Links.dialGuest`. */
export interface GuestDial {
  close(): void
}
