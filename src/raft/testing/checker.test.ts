import { expect, it } from 'vitest'
import type { Entry } from '../raft.js'
import { configOf, Raft } from '../raft.js'
import { Checker } from './checker.js'

const entry = (index: number, term: number, data: number[] = []): Entry => {
  return { index, term, data: Uint8Array.from(data), change: null }
}

/** Its log holds one entry of each of `terms`. */
function core(...terms: number[]): Raft {
  return new Raft({
    id: 1,
    random: () => 0,
    start: {
      ballot: { term: 9, vote: 0 },
      commit: 0,
      snapshot: { index: 0, term: 0, config: configOf([1, 2, 3]) },
      entries: terms.map((term, at) => entry(at + 1, term)),
    },
  })
}

it.each<[string, (checker: Checker) => void]>([
  [
    'leaders of several terms',
    (checker) => {
      checker.leads(1, 2, core())
      checker.leads(2, 3, core())
      checker.leads(1, 2, core())
    },
  ],
  [
    'a leader with all that is committed',
    (checker) => {
      checker.commits(2, 1, 1, 1)
      checker.leads(1, 2, core(1, 2))
    },
  ],
  [
    'a leader of old, heard of late',
    (checker) => {
      checker.commits(2, 1, 3, 3)
      checker.leads(1, 2, core(1))
    },
  ],
  [
    'equal logs, and one that is replaced',
    (checker) => {
      checker.holds(1, [entry(1, 1), entry(2, 1)], 0)
      checker.holds(2, [entry(1, 1), entry(2, 2)], 0)
    },
  ],
])('what may be: %s', (_name, happens) => {
  expect(() => happens(new Checker())).not.toThrow()
})

it.each<[string, (checker: Checker) => void, string]>([
  [
    'two leaders of a term',
    (checker) => {
      checker.leads(1, 2, core())
      checker.leads(2, 2, core())
    },
    'election safety',
  ],
  [
    'a leader without what is committed',
    (checker) => {
      checker.commits(2, 1, 1, 1)
      checker.leads(1, 2, core())
    },
    'leader completeness',
  ],
  [
    'a leader with another entry there',
    (checker) => {
      checker.commits(2, 1, 1, 1)
      checker.leads(1, 3, core(2))
    },
    'leader completeness',
  ],
  [
    'another content',
    (checker) => {
      checker.holds(1, [entry(1, 1, [1])], 0)
      checker.holds(2, [entry(1, 1, [2])], 0)
    },
    'log matching',
  ],
  [
    'another past',
    (checker) => {
      checker.holds(1, [entry(1, 1), entry(2, 3)], 0)
      checker.holds(2, [entry(1, 2), entry(2, 3)], 0)
    },
    'log matching',
  ],
  [
    'two entries committed at one place',
    (checker) => {
      checker.commits(1, 1, 1, 1)
      checker.commits(2, 1, 2, 2)
    },
    'state machine safety',
  ],
  [
    'states that differ',
    (checker) => {
      checker.applied(1, 1, 7)
      checker.applied(2, 1, 8)
    },
    'state machine safety',
  ],
  [
    'a read of the past',
    (checker) => {
      checker.read(1, 3, 4)
    },
    'stale read',
  ],
  [
    'a candidate that nobody granted anything',
    (checker) => {
      checker.campaigns(1, 2, configOf([1, 2, 3]), new Set())
    },
    'without being granted',
  ],
  [
    'a candidate that is no voter',
    (checker) => {
      checker.campaigns(4, 2, configOf([1, 2, 3]), new Set([1, 2, 3]))
    },
    'is no voter',
  ],
])('what must not be: %s', (_name, happens, problem) => {
  expect(() => happens(new Checker())).toThrow(problem)
})
