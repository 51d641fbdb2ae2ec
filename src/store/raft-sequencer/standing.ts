import type { GatewayError } from '../../lib/errors.js'
import {
  type Config,
  EMPTY_CONFIG,
  type LogPosition,
  NONE,
  type NodeId,
  type Raft,
  type SoftState,
} from '../../raft/raft.js'
import type { ConsensusStatus, FollowerStatus, Roster } from '../cluster.js'
import { storeUnavailable } from '../contract.js'
import { EMPTY_ROSTER, type RosterState } from '../roster.js'
import type { MembershipChanges } from './membership.js'

export type LifeStage =
  | 'recovering'
  | 'blank'
  | 'running'
  | 'handing-over'
  | 'closing'
  | 'failed'
  | 'stopped'

/**
 * What this node is, and what it knows of the cluster. `RaftSequencer` writes, the modules beside it
 * read.
 */
export class Standing {
  readonly self: NodeId
  stage: LifeStage = 'recovering'
  /** Null until it is known what the log holds. */
  raft: Raft | null = null
  soft: SoftState = { role: 'follower', term: 0, leader: NONE }
  config: Config = EMPTY_CONFIG
  roster: RosterState = EMPTY_ROSTER
  /** Changes of the membership, for when this node leads; there is one with the core. */
  changes: MembershipChanges | null = null
  applied: LogPosition = { index: 0, term: 0 }
  /** Where the log on the disk ends, whatever is being written to it. */
  logEnd: LogPosition = { index: 0, term: 0 }
  /** Monotonic: when the leader was heard last, and since when there has been none. */
  heardMs: number
  leaderlessMs: number

  constructor(self: NodeId, nowMs: number) {
    this.self = self
    this.heardMs = nowMs
    this.leaderlessMs = nowMs
  }

  /** Messages of others are heard. */
  get isListening(): boolean {
    return this.stage === 'running' || this.stage === 'handing-over'
  }

  get isAlive(): boolean {
    return this.isListening || this.stage === 'closing'
  }

  get leads(): boolean {
    return this.soft.role === 'leader'
  }

  /** The only member there is. */
  get isAlone(): boolean {
    const { voters, outgoing, learners } = this.config
    return (
      voters.length === 1 &&
      voters[0] === this.self &&
      outgoing.length === 0 &&
      learners.length === 0
    )
  }

  incarnationOf(nodeId: NodeId): string | null {
    if (nodeId === NONE) return null
    const member = this.roster.members.find((each) => each.nodeId === nodeId)
    return member?.incarnation ?? null
  }

  /** The voter with the longest log, best one that answers; NONE when there is no other. */
  bestSuccessor(): NodeId {
    let best = { id: NONE, match: -1, active: false }
    for (const { id, match, active } of this.raft?.status().members ?? []) {
      if (id === this.self || !this.config.voters.includes(id)) continue
      const isBetter = active === best.active ? match > best.match : active
      if (isBetter) best = { id, match, active }
    }
    return best.id
  }

  members(): Roster {
    return { ...this.roster, isChanging: this.config.outgoing.length > 0 }
  }

  /** `snapshotTo` tells of the snapshots on their way to followers. */
  consensus(
    nowMs: number,
    snapshotTo: (nodeId: NodeId) => FollowerStatus['snapshot'],
  ): ConsensusStatus {
    const status = this.raft?.status()
    const { role, term, leader } = status ?? this.soft
    const member = this.roster.members.find(({ nodeId }) => nodeId === this.self)
    return {
      nodeId: status === undefined ? 0 : this.self,
      clusterId: this.roster.clusterId,
      admittedAt: member?.admittedAt ?? 0,
      role: this.#suffrage(role),
      term,
      leader,
      leaderIncarnation: this.incarnationOf(leader),
      hasQuorum: leader !== NONE,
      staleMs: role === 'leader' ? 0 : nowMs - this.heardMs,
      lastIndex: status?.lastIndex ?? 0,
      committedIndex: status?.commit ?? 0,
      appliedIndex: this.applied.index,
      logEnd: this.logEnd,
      isVoting: status?.voting ?? false,
      isTransferring: status !== undefined && status.transferee !== NONE,
      logBytes: status?.logBytes ?? 0,
      followers: (status?.members ?? [])
        .filter(({ id }) => id !== this.self)
        .map(({ id, state, match, active }) => ({
          nodeId: id,
          state,
          matchIndex: match,
          isActive: active,
          snapshot: snapshotTo(id),
        })),
    }
  }

  noLeader(): GatewayError {
    return storeUnavailable('no member leads: most voters are out of reach', 'none')
  }

  unavailable(): GatewayError {
    const why = {
      recovering: 'the store is starting',
      blank: 'the node belongs to no cluster yet',
      running: 'the store is in service',
      'handing-over': 'the store is stopping',
      closing: 'the store is stopping',
      failed: 'the store has failed; see its status',
      stopped: 'the store is stopped',
    }[this.stage]
    return storeUnavailable(why, 'none')
  }

  #suffrage(role: SoftState['role']): ConsensusStatus['role'] {
    const { voters, outgoing, learners } = this.config
    if (voters.includes(this.self) || outgoing.includes(this.self)) return role
    return learners.includes(this.self) ? 'learner' : 'outsider'
  }
}
