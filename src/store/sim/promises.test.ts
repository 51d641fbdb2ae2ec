import { expect, it } from 'vitest'
import { configOf, type Message, Raft } from '../../raft/raft.js'
import { Promises } from './promises.js'

/** A core that begins so; its log holds one entry of each of `terms`, from index 1 on. */
function core(term: number, vote: number, terms: readonly number[]): Raft {
  return new Raft({
    id: 1,
    random: () => 0,
    start: {
      ballot: { term, vote },
      commit: 0,
      snapshot: { index: 0, term: 0, config: configOf([1, 2, 3]) },
      entries: terms.map((each, at) => {
        return { index: at + 1, term: each, data: new Uint8Array(0), change: null }
      }),
    },
  })
}

const COMMIT = { index: 0, term: 0 }

function vote(term: number): Message {
  return {
    type: 'vote',
    from: 1,
    to: 2,
    term,
    lastIndex: 0,
    lastTerm: 0,
    transfer: false,
    commit: COMMIT,
  }
}

function grants(term: number, to: number, granted = true): Message {
  return { type: 'vote-reply', from: 1, to, term, granted, commit: COMMIT }
}

function accepts(term: number, index: number): Message {
  return {
    type: 'append-reply',
    ...{ from: 1, to: 2, term, accepted: true, index, hintIndex: 0, hintTerm: 0, commit: 0 },
  }
}

function says(messages: readonly Message[], terms: readonly number[] = [1, 1, 2]): Promises {
  const promises = new Promises()
  for (const message of messages) promises.said(message, core(9, 0, terms))
  return promises
}

it('what another leader replaces is promised no more, what lies before it is', () => {
  const promises = says([accepts(3, 3)])
  promises.replaces(1, { index: 2, term: 1 })
  expect(() => promises.begins(core(9, 0, [1, 1]))).not.toThrow()
  // A write behind all of it replaces nothing.
  promises.replaces(1, { index: 5, term: 4 })
  expect(() => promises.begins(core(9, 0, [1]))).toThrow('it acknowledged 2@1')
})

it('an answer to a leader of the past says nothing of what a later one put in that place', () => {
  const promises = says([accepts(2, 3)], [1, 1, 3])
  expect(() => promises.begins(core(3, 0, [1, 1]))).not.toThrow()
})

it.each<[string, Message[]]>([
  ['one vote in each term', [grants(3, 2), grants(4, 3)]],
  ['the same vote twice', [grants(3, 2), grants(3, 2)]],
  ['a vote for oneself alone', [vote(3), grants(3, 2, false)]],
  ['acknowledgements that grow', [accepts(3, 1), accepts(3, 3)]],
])('what a node may say: %s', (_name, messages) => {
  expect(() => says(messages)).not.toThrow()
})

it.each<[string, Message[], string]>([
  ['two votes in one term', [grants(3, 2), grants(3, 3)], 'votes for 2 and for 3'],
  ['a vote beside that for oneself', [vote(3), grants(3, 2)], 'votes for 1 and for 2'],
  ['an older term', [grants(4, 2), grants(3, 2)], 'said term 3 after 4'],
])('what a node must not say: %s', (_name, messages, problem) => {
  expect(() => says(messages)).toThrow(problem)
})

it.each<[string, Message[], Raft]>([
  ['nothing was said', [], core(0, 0, [])],
  ['its vote is kept', [grants(3, 2)], core(3, 2, [])],
  ['a later term has no vote', [grants(3, 2)], core(4, 0, [])],
  ['its log is kept', [accepts(2, 3)], core(2, 0, [1, 1, 2])],
  ['its log has grown', [accepts(2, 3)], core(2, 0, [1, 1, 2, 2])],
  ['a later leader had it otherwise', [accepts(2, 3)], core(3, 0, [1, 3])],
])('what a node may begin with: %s', (_name, messages, raft) => {
  expect(() => says(messages).begins(raft)).not.toThrow()
})

it.each<[string, Message[], Raft, string]>([
  ['an older term', [grants(3, 2)], core(2, 0, []), 'begins in term 2'],
  ['no vote', [grants(3, 2)], core(3, 0, []), 'forgotten its vote'],
  ['another vote', [grants(3, 2)], core(3, 3, []), 'forgotten its vote'],
  ['without its vote for itself', [vote(3)], core(3, 0, []), 'forgotten its vote'],
  ['a shorter log', [accepts(2, 3)], core(2, 0, [1, 1]), 'acknowledged 3@2'],
  ['nothing', [accepts(2, 3)], core(2, 0, []), 'acknowledged 3@2'],
])('what a node must not begin with: %s', (_name, messages, raft, problem) => {
  expect(() => says(messages).begins(raft)).toThrow(problem)
})
