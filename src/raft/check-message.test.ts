import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { messageProblem } from './check-message.js'
import { configOf } from './config.js'
import { type Message, RaftAssertionError } from './raft.js'
import { accept, append, drain, leader, node, reject, vote, voteReply } from './testing/lab.js'

const snapshot: Message = {
  type: 'snapshot',
  from: 2,
  to: 1,
  term: 5,
  snapshot: { index: 9, term: 3, config: configOf([1, 2, 3], [4]) },
}
const change = { changes: [{ op: 'add-voter', id: 4 }], transition: 'auto' } as const
const proposal: Message = {
  type: 'propose',
  from: 2,
  to: 1,
  term: 0,
  data: new Uint8Array(3),
  change,
}

const sound: Message[] = [
  vote(2, 2, 3, 1),
  { ...(vote(2, 2, 3, 1) as Message & { type: 'vote' }), type: 'pre-vote' },
  voteReply(2, 2),
  append(2, 1, 1, [1, 1, 2], 3),
  accept(2, 2, 2),
  reject(2, 2, 5, 3, 1),
  { type: 'heartbeat', from: 2, to: 1, term: 2, commit: 1, round: 4 },
  { type: 'heartbeat-reply', from: 2, to: 1, term: 2, round: 4 },
  snapshot,
  { type: 'timeout-now', from: 2, to: 1, term: 2 },
  { type: 'read-index', from: 2, to: 1, term: 0, boot: 7, seq: 1 },
  { type: 'read-index-reply', from: 2, to: 1, term: 0, boot: 7, seq: 1, index: 3 },
  proposal,
  { type: 'transfer', from: 2, to: 1, term: 0, target: 3 },
]

it.each(sound.map((message) => [message.type, message] as const))('takes %s', (_type, message) => {
  expect(messageProblem(message)).toBeNull()
})

it.each<[value: unknown, problem: string]>([
  [null, 'expected an object'],
  ['append', 'expected an object'],
  [[], 'expected an object'],
  [{}, 'type: expected a known one'],
  [{ type: 'toString' }, 'type: expected a known one'],
  [{ ...append(2, 1, 1), from: 0 }, 'from: expected a node number'],
  [{ ...append(2, 1, 1), to: '1' }, 'to: expected a node number'],
  [{ ...append(2, 1, 1), term: -1 }, 'term: expected a whole number from 0 on'],
  [{ ...append(2, 1, 1), term: 2 ** 53 }, 'term: expected a whole number from 0 on'],
  [{ ...append(2, 1, 1), commit: Number.NaN }, 'commit: expected a whole number from 0 on'],
  [{ ...append(2, 1, 1), entries: {} }, 'entries: expected a list'],
  [{ ...append(2, 1, 1), entries: [7] }, 'entries: expected an object'],
  [
    { ...append(2, 1, 1), entries: [{ index: 2, term: 1, data: 'x' }] },
    'entries: data: expected bytes',
  ],
  [append(2, 1, 1, [1, 3]), 'entries: expected a term in 1..2, got 3'],
  [append(3, 1, 2, [1]), 'entries: expected a term in 2..3, got 1'],
  [{ ...append(2, 1, 1, [1]), prevIndex: 4 }, 'entries: expected index 5, got 2'],
  [{ ...vote(2, 2, 3, 1), transfer: 1 }, 'transfer: expected a boolean'],
  [{ ...vote(2, 2, 3, 1), commit: 5 }, 'commit: expected an object'],
  [{ ...voteReply(2, 2), granted: 'yes' }, 'granted: expected a boolean'],
  [{ ...snapshot, snapshot: { index: 9, term: 3 } }, 'snapshot: config: expected an object'],
  [
    { ...snapshot, snapshot: { index: 9, term: 3, config: { ...configOf([1]), voters: [2, 1] } } },
    'snapshot: config: voters: expected rising numbers',
  ],
  [
    { ...proposal, change: { ...change, transition: 'later' } },
    'change: transition: expected one of auto, joint-auto, joint-explicit',
  ],
  [
    { ...proposal, change: { ...change, changes: [{ op: 'add-voter', id: 0 }] } },
    'change: changes: id: expected a node number',
  ],
])('refuses %j', (value, problem) => {
  expect(messageProblem(value)).toBe(problem)
})

/** Changes one number, flag or part somewhere in it. */
function spoil(value: unknown, prng: Prng): unknown {
  if (Array.isArray(value) && value.length > 0 && prng.chance(80)) {
    const at = prng.below(value.length)
    return value.map((item, index) => (index === at ? spoil(item, prng) : item))
  }
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    const keys = Object.keys(value)
    const key = keys[prng.below(keys.length)]
    if (key !== undefined && prng.chance(90)) {
      return { ...value, [key]: spoil((value as Record<string, unknown>)[key], prng) }
    }
  }
  const { pick } = prng
  return pick.call(prng, [0, 1, 2, 3, 5, 99, -1, 0.5, 2 ** 60, null, undefined, true, '', [], {}])
}

it('whatever passes, the core takes or names the broken rule; it never stumbles', () => {
  const prng = new Prng(0xfee1)
  let passed = 0
  for (let round = 0; round < 20_000; round++) {
    const message = spoil(prng.pick(sound), prng) as Message
    if (messageProblem(message) !== null) continue
    passed += 1
    const raft = prng.pick([() => leader({ log: [1, 1] }), () => node({ log: [1, 1], term: 2 })])()
    try {
      raft.step(message)
      drain(raft)
      for (let tick = 0; tick < 30; tick++) raft.tick()
      drain(raft)
    } catch (error) {
      expect(error, JSON.stringify(message)).toBeInstanceOf(RaftAssertionError)
    }
  }
  expect(passed).toBeGreaterThan(1000)
})
