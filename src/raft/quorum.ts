import type { NodeId } from './message.js'

export type VoteResult = 'won' | 'lost' | 'pending'

/** The two halves of a joint configuration; `outgoing` is empty outside of one (§4.3). */
export interface Voters {
  readonly voters: readonly NodeId[]
  readonly outgoing: readonly NodeId[]
}

/** The smallest number of `count` voters that is more than half of them. */
export function majority(count: number): number {
  return (count >> 1) + 1
}

/**
 * The highest number that a majority has reached, given what each voter has reached (0: nothing
 * heard). Infinity without voters, so that an absent half of a joint configuration never limits.
 */
export function committedIndex(acked: readonly number[]): number {
  return nthHighest(acked, majority(acked.length))
}

/** The `n`-th highest of `values` (1 is the highest); Infinity when there are none. */
export function nthHighest(values: readonly number[], n: number): number {
  if (values.length === 0) return Number.POSITIVE_INFINITY
  // Insertion sort: seven voters at most in practice, and Array.sort compares by a closure.
  const sorted = values.slice()
  for (let i = 1; i < sorted.length; i++) {
    const value = sorted[i]!
    let j = i - 1
    while (j >= 0 && sorted[j]! < value) {
      sorted[j + 1] = sorted[j]!
      j -= 1
    }
    sorted[j + 1] = value
  }
  return sorted[n - 1] ?? 0
}

/**
 * What is agreed upon in a configuration that may be joint: both halves must have reached it
 * (dissertation §4.3). `acked` tells what one voter has reached.
 */
export function jointCommittedIndex(config: Voters, acked: (id: NodeId) => number): number {
  return Math.min(
    committedIndex(config.voters.map(acked)),
    committedIndex(config.outgoing.map(acked)),
  )
}

/** Result of a vote among `voters`; `vote` is undefined for who has not answered. */
export function voteResult(
  voters: readonly NodeId[],
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return 'won'
  let yes = 0
  let no = 0
  for (const id of voters) {
    const answer = vote(id)
    if (answer === true) yes += 1
    else if (answer === false) no += 1
  }
  const need = majority(voters.length)
  if (yes >= need) return 'won'
  return no > voters.length - need ? 'lost' : 'pending'
}

/** A joint vote is won when both halves are won, and lost as soon as one is lost (§4.3). */
export function jointVoteResult(
  config: Voters,
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  const incoming = voteResult(config.voters, vote)
  const outgoing = voteResult(config.outgoing, vote)
  if (incoming === outgoing) return incoming
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
}
