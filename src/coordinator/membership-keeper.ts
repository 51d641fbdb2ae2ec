import type { Time, Timer } from '../lib/clock.js'
import type { ClusterMember, MembershipChange, Replica } from '../store/cluster.js'
import type { Logger } from '../telemetry/log.js'

const LOOK_MS = 500
/** There are as many voters as there may be, or it is not near the leader's log yet. */
const RETRY_MS = 2_000

export interface MembershipKeeperOptions {
  readonly time: Time
  readonly log: Logger
  readonly replica: Pick<Replica, 'roster' | 'changeMembership' | 'consensus'>
  readonly incarnation: string
  /** Where this node is reached now, as its options say. */
  readonly peerUrl: string
}

/**
 * Makes a newcomer a voter once it has caught up, and tells the others when its address has
 * changed. Each node does it for itself, for as long as there is something to do.
 */
export class MembershipKeeper {
  readonly #options: MembershipKeeperOptions
  #timer: Timer | null = null
  #isAsking = false
  #said = ''

  constructor(options: MembershipKeeperOptions) {
    this.#options = options
  }

  /** The roster changed, or this node may have caught up. */
  look(): void {
    if (this.#timer !== null || this.#isAsking || this.#wanted() === null) return
    this.#lookIn(LOOK_MS)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #lookIn(delayMs: number): void {
    this.#timer = this.#options.time.after(delayMs, () => {
      this.#timer = null
      const change = this.#wanted()
      if (change === null) return
      if (this.#options.replica.consensus().hasQuorum) this.#ask(change)
      else this.#lookIn(LOOK_MS)
    })
  }

  #ask(change: MembershipChange): void {
    const { replica, log } = this.#options
    this.#isAsking = true
    replica.changeMembership(change, (outcome) => {
      this.#isAsking = false
      if (outcome.ok) {
        log.info('membership changed', { change: change.type })
        this.look()
        return
      }
      const { message } = outcome.error
      if (message !== this.#said) log.info('membership not changed yet', { reason: message })
      this.#said = message
      this.#lookIn(RETRY_MS)
    })
  }

  #wanted(): MembershipChange | null {
    const { replica, incarnation, peerUrl } = this.#options
    const own: ClusterMember | undefined = replica
      .roster()
      .members.find((member) => member.incarnation === incarnation)
    if (own === undefined) return null
    if (own.peerUrl !== peerUrl) return { type: 'move', incarnation, peerUrl }
    return own.suffrage === 'learner' ? { type: 'promote', incarnation } : null
  }
}
