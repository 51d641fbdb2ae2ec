import { expect, it } from 'vitest'
import type { StoreEvent } from '../contract.js'
import { type ClientOp, History } from './history.js'

const kv = (key: string, value: string, revision: number) => ({
  key,
  value: Uint8Array.from(Buffer.from(value)),
  createRevision: revision,
  modRevision: revision,
  version: 1,
  lease: null,
})

function put(key: string, value: string, revision: number): StoreEvent {
  return { type: 'put', kv: kv(key, value, revision) } as StoreEvent
}

/** Two writes of `a` and one of `b`, applied by one node; `then` is what else happened. */
function lived(then: (history: History) => void): History {
  const history = new History()
  write(history, ['a'], 'v1', 1)
  history.applied('n1', 1, [put('a', 'v1', 1)])
  write(history, ['b'], 'v2', 2)
  history.applied('n1', 2, [put('b', 'v2', 2)])
  write(history, ['a'], 'v3', 3)
  history.applied('n1', 3, [put('a', 'v3', 3)])
  then(history)
  return history
}

function write(history: History, keys: string[], value: string, revision: number): ClientOp {
  const op = history.begin(keys, value, undefined)
  op.revision = revision
  op.held = true
  op.found = []
  history.end(op, 'ok')
  return op
}

function read(history: History, key: string, found: string | null, revision: number): void {
  const op = history.begin([key], null, undefined)
  op.revision = revision
  op.found = [found]
  history.end(op, 'ok')
}

function end(history: History): void {
  const revision = history.revisionMax + 1
  history.applied('n1', revision, [put('z', 'last', revision)])
  write(history, ['z'], 'last', revision)
  history.check(revision, revision - 1)
}

it.each<[string, (history: History) => void]>([
  ['nothing else', () => {}],
  ['reads of the present', (history) => read(history, 'a', 'v3', 3)],
  [
    'another node that applies the same',
    (history) => history.applied('n2', 2, [put('b', 'v2', 2)]),
  ],
  [
    'a snapshot of what was',
    (history) => history.restored('n2', 2, [kv('a', 'v1', 1), kv('b', 'v2', 2)]),
  ],
  [
    'a write without an answer, done',
    (history) => {
      history.end(history.begin(['a'], 'v4', undefined), 'unknown')
      history.applied('n1', 4, [put('a', 'v4', 4)])
    },
  ],
  [
    'a write without an answer, not done',
    (history) => history.end(history.begin(['a'], 'v4', undefined), 'unknown'),
  ],
])('a history that may be: %s', (_name, then) => {
  expect(() => end(lived(then))).not.toThrow()
})

it.each<[string, (history: History) => void, string]>([
  ['a read of the past', (history) => read(history, 'a', 'v1', 2), 'real time'],
  ['a write in the past', (history) => write(history, ['a'], 'v1', 2), 'real time'],
  ['a read of what was not there', (history) => read(history, 'a', 'v9', 3), 'found v9'],
  ['a read that missed a key', (history) => read(history, 'b', null, 3), 'found null'],
  [
    'a lost write',
    (history) => {
      history.applied('n1', 4, [put('b', 'v5', 4)])
      write(history, ['a'], 'v4', 4)
    },
    'it is at undefined',
  ],
  [
    'a write that is not where it was said to be',
    (history) => {
      history.applied('n1', 4, [put('a', 'v5', 4)])
      history.applied('n1', 5, [put('a', 'v4', 5)])
      write(history, ['a'], 'v4', 4)
    },
    'lost',
  ],
  [
    'a write that was refused, and done',
    (history) => {
      history.end(history.begin(['a'], 'v4', undefined), 'none')
      history.applied('n1', 4, [put('a', 'v4', 4)])
    },
    'came to nothing',
  ],
  ['a write done twice', (history) => history.applied('n1', 4, [put('a', 'v1', 4)]), 'written at'],
  [
    'nodes that differ',
    (history) => history.applied('n2', 2, [put('b', 'v9', 2)]),
    'state machine safety',
  ],
  [
    'a snapshot that lacks something',
    (history) => history.restored('n2', 2, [kv('a', 'v1', 1)]),
    'state machine safety',
  ],
  [
    'a snapshot of another past',
    (history) => history.restored('n2', 2, [kv('a', 'v3', 1), kv('b', 'v2', 2)]),
    'state machine safety',
  ],
])('a history that must not be: %s', (_name, then, problem) => {
  expect(() => end(lived(then))).toThrow(problem)
})

it('what was applied anywhere is there in the end', () => {
  const history = lived(() => {})
  expect(() => history.check(3, 3)).toThrow('in the end there is 3')
})
