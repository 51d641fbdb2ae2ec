import type { LogPosition, NodeId } from '../raft/raft.js'

/** Part of the wire format. */
export const PROTOCOL_MIN = 1
export const PROTOCOL_MAX = 1

/**
 * The three connections of a pair, so that a bulk transfer delays no heartbeat and a flood of
 * requests no vote.
 */
export const CHANNEL = {
  /** Everything Raft says. */
  RAFT: 0,
  /** Snapshots, in chunks. */
  BULK: 1,
  /** Requests, answers, notices: forwarding, remote stores, the board. */
  FORWARD: 2,
} as const

export type Channel = (typeof CHANNEL)[keyof typeof CHANNEL]
export const CHANNELS: readonly Channel[] = [CHANNEL.RAFT, CHANNEL.BULK, CHANNEL.FORWARD]
export const CHANNEL_NAMES: readonly string[] = ['raft', 'bulk', 'forward']

/** What a node says about itself when it meets another. */
export interface Introduction {
  readonly name: string
  /** Made with the data directory; see `store/identity.ts`. */
  readonly incarnation: string
  /** Random, made at every start of the process's coordinator. */
  readonly bootId: string
  /** Its number in Raft, or 0: not a voter or learner (yet). */
  readonly nodeId: NodeId
  readonly clusterName: string
  /** Null: it belongs to no cluster yet. */
  readonly clusterId: string | null
  /** Raft index of the entry that made it a member; 0 when it is none. */
  readonly admittedAt: number
  /** Highest and lowest cluster level that its binary can work at. */
  readonly level: number
  readonly levelMin: number
  /** The level that its cluster is at; 0: not known. */
  readonly clusterLevel: number
  /** Where its durable log ends; 0@0 without one. For `lostAcknowledged` of `raft/`. */
  readonly logEnd: LogPosition
}

/** A peer that has proved who it is, as far as the cluster asks for proof. */
export interface Peer extends Introduction {
  /** Not a member: it may send requests, nothing else. */
  readonly guest: boolean
}

/** Why two nodes do not talk. Codes are part of the wire format: append only. */
export type RefusalCode =
  | 'malformed'
  | 'protocol'
  | 'cluster-name'
  | 'cluster-id'
  | 'insecure'
  | 'secret-missing'
  | 'secret-unexpected'
  | 'secret-wrong'
  | 'certificate'
  | 'unexpected-member'
  | 'self'
  | 'copied'
  | 'name-in-use'
  | 'node-id-in-use'
  | 'purged'
  | 'unknown-member'
  | 'level-too-old'
  | 'level-too-new'
  | 'channel'
  | 'duplicate'
  | 'overloaded'

export interface Refusal {
  readonly code: RefusalCode
  /** A sentence for the person who set it up, from the point of view of who refuses. */
  readonly message: string
}

export const refusal = (code: RefusalCode, message: string): Refusal => ({ code, message })
