import { unreachable } from '../../lib/assert.js'
import { GatewayError } from '../../lib/errors.js'
import type { Answer, Peer, Rpc } from '../../peer/peer.js'
import type { NodeId, Raft } from '../../raft/raft.js'
import { CONSENSUS_SERVICE } from '../cluster.js'
import { type Done, failure, storeUnavailable, success } from '../contract.js'
import { encodeForwarded } from '../entries.js'
import type { SequencerSink } from '../sequencer.js'
import {
  decodeRequest,
  encodeLeader,
  encodeRequest,
  encodeRoster,
  encodeTtl,
  encodeVerdicts,
  type LeaderRequest,
  type Verdict,
} from './requests.js'
import type { Standing } from './standing.js'

export interface LeaderDeskOptions {
  readonly standing: Standing
  readonly rpc: Pick<Rpc, 'ask' | 'serve'>
  readonly transfer: (to: NodeId | null, done: Done<NodeId>) => void
  readonly keepAlive: SequencerSink['onKeepAlive']
  /** Proposals of a follower are in the log; it waits for the entries up to `index`. */
  readonly onTaken: (nodeId: NodeId, index: number) => void
  readonly wake: () => void
}

/** What followers ask of the leader, at both ends. */
export class LeaderDesk {
  readonly #options: LeaderDeskOptions
  readonly #standing: Standing

  constructor(options: LeaderDeskOptions) {
    this.#options = options
    this.#standing = options.standing
    options.rpc.serve(CONSENSUS_SERVICE, {
      onRequest: (body, peer, answer) => this.#onRequest(body, peer, answer),
    })
  }

  /** Asks whoever leads. `take` makes the value of the answer; null: it makes no sense. */
  ask<T>(
    request: LeaderRequest,
    timeoutMs: number,
    done: Done<T>,
    take: (body: Uint8Array) => T | null,
  ): void {
    const { stage, soft } = this.#standing
    const leader = this.#standing.incarnationOf(soft.leader)
    if (stage !== 'running' || leader === null) {
      const { standing } = this.#options
      done(failure(stage === 'running' ? standing.noLeader() : standing.unavailable()))
      return
    }
    const body = encodeRequest(request)
    this.#options.rpc.ask(leader, CONSENSUS_SERVICE, body, timeoutMs, (answer) => {
      const value = answer.ok ? take(answer.body) : null
      if (!answer.ok) done(answer)
      else if (value !== null) done(success(value))
      else done(failure(storeUnavailable('the leader gave no answer that makes sense', 'unknown')))
    })
  }

  #onRequest(body: Uint8Array, peer: Peer, answer: (answer: Answer) => void): void {
    const request = decodeRequest(body)
    const { raft, leads, isAlive } = this.#standing
    if (request === null) {
      answer({ ok: false, error: new GatewayError('REQUEST_INVALID', 'malformed request') })
    } else if (raft === null || !leads || !isAlive) {
      answer({ ok: false, error: storeUnavailable('this node does not lead', 'none') })
    } else if (request.ask === 'propose') {
      answer({ ok: true, body: this.#take(raft, request, peer) })
    } else if (request.ask === 'keep-alive') {
      this.#options.keepAlive(request.lease, (outcome) => {
        answer(outcome.ok ? { ok: true, body: encodeTtl(outcome.value.ttlMs) } : outcome)
      })
    } else if (request.ask === 'change') {
      this.#standing.changes?.change(request.change, (outcome) => {
        answer(outcome.ok ? { ok: true, body: encodeRoster(outcome.value) } : outcome)
      })
    } else if (request.ask === 'transfer') {
      this.#options.transfer(request.to, (outcome) => {
        answer(outcome.ok ? { ok: true, body: encodeLeader(outcome.value) } : outcome)
      })
    } else unreachable(request)
  }

  #take(raft: Raft, { boot, items }: LeaderRequest & { ask: 'propose' }, peer: Peer): Uint8Array {
    let last = 0
    const verdicts = items.map(([ticket, command]): Verdict => {
      const result = raft.propose(encodeForwarded({ nodeId: peer.nodeId, boot, ticket }, command))
      if (!result.ok) return result.reason === 'full' ? 'full' : 'later'
      last = result.index
      return 'accepted'
    })
    if (last > 0) this.#options.onTaken(peer.nodeId, last)
    this.#options.wake()
    return encodeVerdicts(verdicts)
  }
}
