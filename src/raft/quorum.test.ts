import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import {
  committedIndex,
  jointCommittedIndex,
  jointVoteResult,
  majority,
  type VoteResult,
  voteResult,
} from './quorum.js'

/** All ways to pick `size` of `items`: slow, and plainly what a majority is. */
function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, at) =>
    subsets(items.slice(at + 1), size - 1).map((rest) => [item, ...rest]),
  )
}

/** The highest index for which some majority has reached it. */
function committedSlow(acked: readonly number[]): number {
  if (acked.length === 0) return Number.POSITIVE_INFINITY
  return Math.max(...subsets(acked, majority(acked.length)).map((some) => Math.min(...some)))
}

/** Won when some majority said yes; lost when none can any more. */
function voteSlow(votes: readonly (boolean | undefined)[]): VoteResult {
  if (votes.length === 0) return 'won'
  const majorities = subsets(votes, majority(votes.length))
  if (majorities.some((some) => some.every((vote) => vote === true))) return 'won'
  return majorities.some((some) => some.every((vote) => vote !== false)) ? 'pending' : 'lost'
}

it.each<[name: string, acked: number[], want: number]>([
  ['nobody limits nothing', [], Number.POSITIVE_INFINITY],
  ['one voter commits what it holds', [7], 7],
  ['of two, both must hold it', [9, 3], 3],
  ['of three, two', [9, 3, 7], 7],
  ['of four, three', [9, 3, 7, 5], 5],
  ['of five, three', [1, 2, 3, 4, 5], 3],
  ['a silent voter counts as zero', [9, 0, 0], 0],
  ['equal values', [4, 4, 4], 4],
])('committedIndex: %s', (_name, acked, want) => {
  expect(committedIndex(acked)).toBe(want)
})

it.each<[votes: (boolean | undefined)[], want: VoteResult]>([
  [[], 'won'],
  [[undefined], 'pending'],
  [[true], 'won'],
  [[false], 'lost'],
  [[true, undefined], 'pending'],
  [[true, false], 'lost'],
  [[true, true, undefined], 'won'],
  [[true, false, undefined], 'pending'],
  [[false, false, undefined], 'lost'],
  [[true, true, false, undefined], 'pending'],
  [[true, true, false, false], 'lost'],
  [[true, true, true, undefined], 'won'],
])('voteResult: %j is %s', (votes, want) => {
  const ids = votes.map((_, at) => at + 1)
  expect(voteResult(ids, (id) => votes[id - 1])).toBe(want)
})

it('agrees with slow, obvious twins', () => {
  const prng = new Prng(0xc0ffee)
  for (let round = 0; round < 5000; round++) {
    const acked = prng.ints(prng.below(8), 6)
    expect(committedIndex(acked), `round ${round}: ${acked}`).toBe(committedSlow(acked))
    const votes = acked.map((value) => [true, false, undefined][value % 3])
    const ids = acked.map((_, at) => at)
    const vote = (id: number) => votes[id]
    expect(voteResult(ids, vote), `round ${round}: ${votes}`).toBe(voteSlow(votes))
  }
})

it('joint: both halves must agree, each by its own majority', () => {
  const prng = new Prng(0xbeef)
  for (let round = 0; round < 5000; round++) {
    const acked = prng.ints(7, 6)
    const some = () => acked.map((_, at) => at).filter(() => prng.below(2) === 0)
    const config = { voters: some(), outgoing: some() }
    const of = (ids: number[]) => ids.map((id) => acked[id]!)
    const index = jointCommittedIndex(config, (id) => acked[id]!)
    const slow = Math.min(committedSlow(of(config.voters)), committedSlow(of(config.outgoing)))
    expect(index, `round ${round}`).toBe(slow)

    const vote = (id: number) => [true, false, undefined][acked[id]! % 3]
    const halves = [voteSlow(config.voters.map(vote)), voteSlow(config.outgoing.map(vote))]
    const want: VoteResult = halves.includes('lost')
      ? 'lost'
      : halves.includes('pending')
        ? 'pending'
        : 'won'
    expect(jointVoteResult(config, vote), `round ${round}`).toBe(want)
  }
})
