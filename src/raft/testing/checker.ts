import { isVoter } from '../config.js'
import { jointVoteResult } from '../quorum.js'
import type { Config, Entry, NodeId, Raft } from '../raft.js'

/** A promise of Raft was broken. */
export class SafetyViolation extends Error {
  override readonly name = 'SafetyViolation'
}

function demand(condition: boolean, message: () => string): void {
  if (!condition) throw new SafetyViolation(message())
}

/** Knows what every node of a cluster has said, and holds it against Raft's promises (Figure 3). */
export class Checker {
  readonly #leaders = new Map<number, NodeId>()
  readonly #entries = new Map<string, { data: string; prevTerm: number }>()
  readonly #committed: { term: number; by: NodeId; in: number }[] = []
  readonly #digests = new Map<number, number>()
  /** Highest index whose effect a client has seen. */
  visible = 0

  get commitMax(): number {
    return Math.max(0, this.#committed.length - 1)
  }

  /** Election safety and leader completeness. */
  leads(id: NodeId, leaderTerm: number, raft: Raft): void {
    const other = this.#leaders.get(leaderTerm) ?? id
    demand(other === id, () => `election safety: ${other} and ${id} lead term ${leaderTerm}`)
    this.#leaders.set(leaderTerm, id)
    for (let index = raft.status().firstIndex; index <= this.commitMax; index++) {
      const known = this.#committed[index]
      // One that was elected long ago may hear of it late, when others have gone on.
      if (known === undefined || known.in >= leaderTerm) continue
      const term = raft.termAtForTest(index)
      demand(
        term === known.term,
        () => `leader completeness: ${id} has ${index}@${term}, committed is @${known.term}`,
      )
    }
  }

  /** Log matching, by induction: equal positions have equal contents and equal predecessors. */
  holds(id: NodeId, entries: readonly Entry[], termBefore: number): void {
    let prevTerm = termBefore
    for (const entry of entries) {
      const key = `${entry.index}@${entry.term}`
      const data = `${entry.data.join()}${JSON.stringify(entry.change)}`
      const known = this.#entries.get(key)
      if (known === undefined) this.#entries.set(key, { data, prevTerm })
      else {
        demand(
          known.data === data && known.prevTerm === prevTerm,
          () => `log matching: ${id} holds another ${key}`,
        )
      }
      prevTerm = entry.term
    }
  }

  /** `inTerm`: of the node that says so; the entry may be older. */
  commits(id: NodeId, index: number, term: number, inTerm: number): void {
    const known = this.#committed[index]
    if (known === undefined) this.#committed[index] = { term, by: id, in: inTerm }
    else {
      demand(
        known.term === term,
        () =>
          `state machine safety: ${id} commits ${index}@${term}, ${known.by} did @${known.term}`,
      )
    }
  }

  /** `digest` of the state after `index` was applied, or installed as a snapshot. */
  applied(id: NodeId, index: number, digest: number): void {
    const known = this.#digests.get(index) ?? digest
    demand(known === digest, () => `state machine safety: ${id} differs after ${index}`)
    this.#digests.set(index, digest)
  }

  read(id: NodeId, applied: number, expected: number): void {
    demand(
      applied >= expected,
      () => `stale read: ${id} at ${applied}, ${expected} was seen before`,
    )
    this.visible = Math.max(this.visible, applied)
  }

  /** An election by timeout needs a majority that was asked first (§9.6). */
  campaigns(id: NodeId, term: number, config: Config, asked: ReadonlySet<NodeId>): void {
    if (!isVoter(config, id)) throw new SafetyViolation(`${id} campaigns and is no voter`)
    const granted = jointVoteResult(config, (voter) => voter === id || asked.has(voter))
    demand(granted === 'won', () => `pre-vote: ${id} campaigns for ${term} without being granted`)
  }

  claim(condition: boolean, message: () => string): void {
    demand(condition, message)
  }
}
