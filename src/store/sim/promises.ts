import { type LogPosition, lostAcknowledged, type Message, type Raft } from '../../raft/raft.js'
import { HistoryViolation } from './history.js'

/** What one node has told others, and must therefore find on its disk whenever it begins again. */
interface Promised {
  term: number
  /** Whom it voted for, by term. */
  readonly votes: Map<number, number>
  /** The furthest that it acknowledged. */
  acknowledged: LogPosition
}

/**
 * What a node says binds it over its lives (§3.8): it goes back to no older term, votes once in
 * each, and keeps what it acknowledged until a later leader has it otherwise.
 */
export class Promises {
  readonly #of = new Map<number, Promised>()

  /** `raft`: of whom says it. Throws when it has said otherwise before. */
  said(message: Message, raft: Raft): void {
    const { from, term, type } = message
    const isBinding =
      type === 'vote' || type === 'vote-reply' || type === 'append-reply' || type === 'append'
    if (!isBinding) return
    const promised = this.#promised(from)
    // What a leader said may have waited here, as it may on its way.
    if (type === 'append' && term < promised.term) return
    if (term < promised.term) {
      throw new HistoryViolation(`promise: ${from} said term ${term} after ${promised.term}`)
    }
    promised.term = term
    if (type === 'vote') this.#votes(promised, from, term, from)
    else if (type === 'vote-reply' && message.granted) this.#votes(promised, from, term, message.to)
    else if (type === 'append-reply' && message.accepted) {
      const { index } = message
      const at = { index, term: raft.termAtForTest(index) }
      // Replaced meanwhile, by a later leader's too, or behind a snapshot.
      const isHeld = at.term >= 0 && at.term <= term
      if (isHeld && lostAcknowledged(at, promised.acknowledged)) promised.acknowledged = at
    }
  }

  /**
   * It is told to write something else behind `before`: what it acknowledged from there on is
   * another leader's to replace, and may be gone before what comes instead is acknowledged.
   */
  replaces(id: number, before: LogPosition): void {
    const promised = this.#of.get(id)
    if (promised === undefined || promised.acknowledged.index <= before.index) return
    promised.acknowledged = before
  }

  /** It begins again with what its disk gave back. */
  begins(raft: Raft): void {
    const { id, term, vote, lastIndex } = raft.status()
    const promised = this.#of.get(id)
    if (promised === undefined) return
    if (term < promised.term) {
      throw new HistoryViolation(
        `promise: ${id} begins in term ${term}, it has spoken in ${promised.term}`,
      )
    }
    const voted = promised.votes.get(term)
    if (voted !== undefined && voted !== vote) {
      throw new HistoryViolation(`promise: ${id} has forgotten its vote for ${voted} in ${term}`)
    }
    const end = { index: lastIndex, term: raft.termAtForTest(lastIndex) }
    if (lostAcknowledged(promised.acknowledged, end)) {
      const { acknowledged } = promised
      throw new HistoryViolation(
        `promise: ${id} has ${end.index}@${end.term}, it acknowledged ${acknowledged.index}@${acknowledged.term}`,
      )
    }
  }

  #votes(promised: Promised, from: number, term: number, candidate: number): void {
    const before = promised.votes.get(term)
    if (before !== undefined && before !== candidate) {
      throw new HistoryViolation(
        `promise: ${from} votes for ${before} and for ${candidate} in term ${term}`,
      )
    }
    promised.votes.set(term, candidate)
  }

  #promised(id: number): Promised {
    const known = this.#of.get(id)
    if (known !== undefined) return known
    const fresh: Promised = { term: 0, votes: new Map(), acknowledged: { index: 0, term: 0 } }
    this.#of.set(id, fresh)
    return fresh
  }
}
