import { GatewayError } from '../../lib/errors.js'
import type { ConfChange, ProposeResult, Raft } from '../../raft/raft.js'
import { type MembershipChange, type Roster, VOTERS_MAX } from '../cluster.js'
import { type Done, failure, storeUnavailable, success } from '../contract.js'
import { encodeRosterEntry } from '../entries.js'
import { nodeIdOf } from '../node-id.js'
import { encodeRosterChange, type RosterChange } from '../roster.js'

/** A learner may be this many entries behind when it becomes a voter. */
const LAG_MAX = 4096
const WAITING_MAX = 64

interface Waiting {
  readonly change: MembershipChange
  readonly done: Done<Roster>
}

export interface MembershipOptions {
  readonly raft: Raft
  readonly roster: () => Roster
  /** The core has something to do. */
  readonly wake: () => void
}

/** Changes of who belongs to the cluster, on the leader: one at a time, others wait. */
export class MembershipChanges {
  readonly #options: MembershipOptions
  #waiting: Waiting[] = []
  #underway: (Waiting & { readonly index: number; readonly term: number }) | null = null

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  change(change: MembershipChange, done: Done<Roster>): void {
    if (this.#waiting.length >= WAITING_MAX) {
      const message = 'too many changes of the membership wait'
      done(failure(new GatewayError('OVERLOADED', message, { outcome: 'none' })))
      return
    }
    this.#waiting.push({ change, done })
    this.next()
  }

  /** Tries the next one; call it now and then, as an earlier entry may be in the way. */
  next(): void {
    while (this.#underway === null) {
      const first = this.#waiting[0]
      if (first === undefined) return
      const verdict = this.#begin(first)
      if (verdict === 'later') return
      this.#waiting.shift()
      if (verdict !== 'underway') first.done(verdict)
    }
  }

  /** An entry is applied, and the roster is the one after it. */
  applied(index: number, term: number): void {
    const underway = this.#underway
    if (underway === null || index < underway.index) return
    this.#underway = null
    if (underway.index === index && underway.term === term) {
      underway.done(success(this.#options.roster()))
    } else underway.done(failure(storeUnavailable('another leader decided otherwise', 'none')))
    this.next()
  }

  /** This node does not lead any more. */
  clear(): void {
    const underway = this.#underway
    const waiting = this.#waiting
    this.#underway = null
    this.#waiting = []
    const message = 'the leader changed'
    underway?.done(failure(storeUnavailable(message, 'unknown')))
    for (const { done } of waiting) done(failure(storeUnavailable(message, 'none')))
  }

  #begin(waiting: Waiting): 'later' | 'underway' | Parameters<Done<Roster>>[0] {
    const { change, done } = waiting
    const plan = this.#plan(change)
    if (plan === null) return success(this.#options.roster())
    if (plan instanceof GatewayError) return failure(plan)
    const result = this.#propose(plan.conf, plan.roster)
    if (!result.ok) return this.#refused(result)
    const { index, term } = result
    this.#underway = { change, done, index, term }
    this.#options.wake()
    return 'underway'
  }

  #propose(conf: ConfChange | null, roster: RosterChange): ProposeResult {
    const { raft } = this.#options
    if (conf === null) return raft.propose(encodeRosterEntry(roster))
    return raft.proposeConfChange(conf, encodeRosterChange(roster))
  }

  #refused(result: ProposeResult & { ok: false }): 'later' | Parameters<Done<Roster>>[0] {
    const { reason, detail } = result
    if (reason === 'conf-pending' || reason === 'transferring' || reason === 'full') return 'later'
    if (reason === 'conf-invalid') return failure(invalid(detail))
    return failure(storeUnavailable('this node does not lead any more', 'none'))
  }

  /** Null: it is so already. */
  #plan(
    change: MembershipChange,
  ): { conf: ConfChange | null; roster: RosterChange } | GatewayError | null {
    const { members } = this.#options.roster()
    if (change.type === 'add-learner') return this.#planLearner(change.member)
    const member = members.find(({ incarnation }) => incarnation === change.incarnation)
    if (member === undefined) {
      if (change.type === 'remove') return null
      return invalid(`no member has the incarnation ${change.incarnation}`)
    }
    const { nodeId, suffrage } = member
    if (change.type === 'move') {
      if (member.peerUrl === change.peerUrl) return null
      return { conf: null, roster: { do: 'move', nodeId, peerUrl: change.peerUrl } }
    }
    const voters = members.filter((each) => each.suffrage === 'voter').length
    if (change.type === 'remove') {
      if (suffrage === 'voter' && voters === 1) return invalid('the last voter cannot be removed')
      return { conf: one('remove', nodeId), roster: { do: 'remove', nodeId } }
    }
    if (suffrage === 'voter') return null
    if (voters >= VOTERS_MAX) return invalid(`a cluster has at most ${VOTERS_MAX} voters`)
    const problem = this.#lag(nodeId)
    if (problem !== null) return storeUnavailable(problem, 'none')
    return { conf: one('add-voter', nodeId), roster: { do: 'promote', nodeId } }
  }

  #planLearner(member: Extract<MembershipChange, { type: 'add-learner' }>['member']) {
    const { members, removed } = this.#options.roster()
    const { name, incarnation, peerUrl } = member
    const nodeId = nodeIdOf(incarnation)
    const known = members.find((each) => each.nodeId === nodeId)
    if (known !== undefined) {
      if (known.peerUrl === peerUrl) return null
      return { conf: null, roster: { do: 'move', nodeId, peerUrl } } as const
    }
    if (removed.some((each) => each.nodeId === nodeId)) {
      return invalid(`member "${name}" (incarnation ${incarnation}) was removed from the cluster`)
    }
    const other = members.find((each) => each.name === name)
    if (other !== undefined) {
      return invalid(
        `the name "${name}" belongs to another member (incarnation ${other.incarnation}); purge it first`,
      )
    }
    const added = { name, incarnation, peerUrl }
    return {
      conf: one('add-learner', nodeId),
      roster: { do: 'add-learner', member: added },
    } as const
  }

  #lag(nodeId: number): string | null {
    const { members, lastIndex } = this.#options.raft.status()
    const follower = members.find(({ id }) => id === nodeId)
    if (follower === undefined || !follower.active) return 'the learner is not connected'
    const behind = lastIndex - follower.match
    if (follower.state === 'replicate' && behind <= LAG_MAX) return null
    return `the learner is ${behind} entries behind; try again`
  }
}

function one(op: 'add-voter' | 'add-learner' | 'remove', id: number): ConfChange {
  return { changes: [{ op, id }], transition: 'auto' }
}

function invalid(message: string): GatewayError {
  return new GatewayError('REQUEST_INVALID', message, { outcome: 'none' })
}
