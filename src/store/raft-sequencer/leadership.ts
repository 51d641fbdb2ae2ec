import type { Time, Timer } from '../../lib/clock.js'
import type { GatewayError } from '../../lib/errors.js'
import type { Peer } from '../../peer/peer.js'
import { lostAcknowledged, NONE, type NodeId } from '../../raft/raft.js'
import type { Logger } from '../../telemetry/log.js'
import { type Done, failure, storeUnavailable, success } from '../contract.js'
import type { Standing } from './standing.js'

/** How long a stop waits for somebody else to lead. */
const HAND_OVER_MS = 1_000

export interface LeadershipOptions {
  readonly standing: Standing
  readonly time: Time
  readonly random: (below: number) => number
  readonly log: Logger
  readonly electionMs: number
  readonly wake: () => void
  readonly pump: () => void
}

interface Transfer {
  readonly done: Done<NodeId>
  readonly deadlineMs: number
}

/** Who leads: handing it over on purpose, and not waiting when the leader is seen to be gone. */
export class Leadership {
  readonly #options: LeadershipOptions
  readonly #standing: Standing
  #transfer: Transfer | null = null
  #campaign: Timer | null = null
  #handOverMs = 0

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#standing = options.standing
  }

  /** Of a leader; null: to the best there is. */
  transfer(to: NodeId | null, done: Done<NodeId>): void {
    const { raft, self } = this.#standing
    if (to === self) {
      done(success(self))
      return
    }
    const target = to ?? this.#standing.bestSuccessor()
    if (target === NONE || this.#transfer !== null || raft?.transferLeadership(target) !== true) {
      const message = target === NONE ? 'nobody else could lead' : 'leadership cannot go there now'
      done(failure(storeUnavailable(message, 'none')))
      return
    }
    const deadlineMs = this.#options.time.monotonicMs() + this.#options.electionMs
    this.#transfer = { done, deadlineMs }
    this.#options.wake()
  }

  /** Of a leader that stops. False: nobody could take it over. */
  handOver(): boolean {
    const target = this.#standing.bestSuccessor()
    if (target === NONE || this.#standing.raft?.transferLeadership(target) !== true) return false
    this.#handOverMs = this.#options.time.monotonicMs() + HAND_OVER_MS
    return true
  }

  /** Nobody has taken it over in time. */
  isHandOverLate(nowMs: number): boolean {
    return this.#handOverMs <= nowMs
  }

  /** Somebody leads. */
  onLeader(leader: NodeId): void {
    if (leader === this.#standing.self) return
    const transfer = this.#transfer
    this.#transfer = null
    transfer?.done(success(leader))
  }

  tick(nowMs: number): void {
    if (this.#transfer === null || this.#transfer.deadlineMs > nowMs) return
    this.drop(storeUnavailable('leadership was not taken over in time', 'none'))
  }

  /** Whoever waits for a transfer is told why there is none. */
  drop(error: GatewayError): void {
    const transfer = this.#transfer
    this.#transfer = null
    transfer?.done(failure(error))
  }

  /** Who lost what it acknowledged must not vote (paper §5.4.1): another could lead without it. */
  onPeerUp(peer: Peer): void {
    const { raft } = this.#standing
    const acknowledged = raft?.acknowledgedBy(peer.nodeId) ?? null
    if (acknowledged === null) return
    const lost = lostAcknowledged(acknowledged, peer.logEnd)
    raft?.refuseVoter(peer.nodeId, lost)
    if (!lost) return
    this.#options.log.error('a member has lost what it had acknowledged; its vote does not count', {
      peer: peer.name,
      acknowledged: acknowledged.index,
      logEnd: peer.logEnd.index,
    })
  }

  /**
   * A leader whose connections are all gone is most likely dead: no need to wait for the time that
   * it takes to be sure, as nobody follows this node into an election who still hears the leader.
   */
  onPeerDown(peer: Peer): void {
    const { raft, soft, leads } = this.#standing
    if (raft === null || peer.nodeId !== soft.leader || leads) return
    raft.forgetLeader()
    this.#options.wake()
    const { time, random, electionMs } = this.#options
    this.#campaign?.cancel()
    this.#campaign = time.after(random(Math.ceil(electionMs / 4)), () => {
      this.#campaign = null
      if (!this.#standing.isListening || this.#standing.soft.leader !== NONE) return
      raft.campaign()
      this.#options.pump()
    })
  }

  cancelCampaign(): void {
    this.#campaign?.cancel()
    this.#campaign = null
  }
}
