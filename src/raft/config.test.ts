import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import {
  type ConfChange,
  type Config,
  changeConfig,
  configOf,
  describeConfig,
  EMPTY_CONFIG,
  isJoint,
  LEAVE_JOINT,
  members,
  type SingleChange,
} from './config.js'

const OPS = { '+': 'add-voter', '~': 'add-learner', '-': 'remove' } as const

/** `+1 ~2 -3`: voter, learner, removal. */
function change(text: string, transition: ConfChange['transition'] = 'auto'): ConfChange {
  const words = text.split(' ').filter((word) => word !== '')
  const changes = words.map((word) => ({
    op: OPS[word.charAt(0) as keyof typeof OPS],
    id: Number(word.slice(1)),
  }))
  return { changes, transition }
}

function after(start: Config, ...changes: ConfChange[]): string {
  let config = start
  for (const each of changes) {
    const next = changeConfig(config, each)
    if (typeof next === 'string') return next
    config = next
  }
  return describeConfig(config)
}

it.each<[name: string, start: Config, changes: ConfChange[], want: string]>([
  ['the first voter', EMPTY_CONFIG, [change('+1')], '(1)'],
  ['a voter more', configOf([1]), [change('+2')], '(1 2)'],
  ['a voter less', configOf([1, 2]), [change('-2')], '(1)'],
  ['a learner', configOf([1]), [change('~2')], '(1) learners=(2)'],
  ['a learner is promoted', configOf([1], [2]), [change('+2')], '(1 2)'],
  ['a voter is demoted', configOf([1, 2]), [change('~2')], '(1) learners=(2)'],
  ['a learner is removed', configOf([1], [2]), [change('-2')], '(1)'],
  ['what is so already', configOf([1, 2], [3]), [change('+2')], '(1 2) learners=(3)'],
  ['a stranger is removed', configOf([1]), [change('-9')], '(1)'],
  ['two at once', configOf([1]), [change('+2 +3')], '(1 2 3)&(1) auto-leave'],
  ['two at once, left', configOf([1]), [change('+2 +3'), LEAVE_JOINT], '(1 2 3)'],
  ['one, jointly', configOf([1]), [change('+2', 'joint-auto')], '(1 2)&(1) auto-leave'],
  ['one, jointly, held', configOf([1]), [change('+2', 'joint-explicit')], '(1 2)&(1)'],
  ['a replacement', configOf([1, 2, 3]), [change('-1 +4')], '(2 3 4)&(1 2 3) auto-leave'],
  [
    'a demotion, jointly: not both at once',
    configOf([1, 2, 3]),
    [change('~3', 'joint-explicit')],
    '(1 2)&(1 2 3) learners-next=(3)',
  ],
  [
    'a demotion, jointly, left',
    configOf([1, 2, 3]),
    [change('~3 +4'), LEAVE_JOINT],
    '(1 2 4) learners=(3)',
  ],
  ['the last word counts', configOf([1, 2]), [change('-2 +2')], '(1 2)&(1 2) auto-leave'],
  ['demoted and removed', configOf([1, 2, 3]), [change('~3 -3'), LEAVE_JOINT], '(1 2)'],
  [
    'the same again and again, jointly',
    configOf([1]),
    [change('-1 -2 -9 +2 +3 +4 +2 +3 +4 ~2 ~2 -4 -4 ~1 ~1', 'joint-explicit')],
    '(3)&(1) learners=(2) learners-next=(1)',
  ],
  [
    'the same again and again, left',
    configOf([1]),
    [change('-1 -2 -9 +2 +3 +4 +2 +3 +4 ~2 ~2 -4 -4 ~1 ~1', 'joint-explicit'), LEAVE_JOINT],
    '(3) learners=(1 2)',
  ],
  [
    'the only voter is replaced and demoted',
    configOf([1]),
    [change('+2 ~1', 'joint-explicit'), LEAVE_JOINT],
    '(2) learners=(1)',
  ],
  [
    'a learner that comes with a joint change stays one',
    configOf([1]),
    [change('-1 +2 +3 ~4'), LEAVE_JOINT, change('~9')],
    '(2 3) learners=(4 9)',
  ],
  [
    'step by step, each of them twice',
    configOf([1]),
    ['+1', '+2', '~1', '~1', '-1', '-1', '+3', '-3', '-3', '-4'].map((each) => change(each)),
    '(2)',
  ],
  ['demoted and promoted again', configOf([1, 2, 3]), [change('~2'), change('+2')], '(1 2 3)'],
  [
    'all voters but one are demoted at once',
    configOf([1, 2], [3]),
    [change('~2 ~3 ~4 ~5'), LEAVE_JOINT, change('-2 -3 -4 -5'), LEAVE_JOINT],
    '(1)',
  ],
])('%s', (_name, start, changes, want) => {
  expect(after(start, ...changes)).toBe(want)
})

it.each<[name: string, start: Config, changes: ConfChange[], want: string]>([
  ['no voter left', configOf([1]), [change('-1')], 'no voter would be left'],
  ['only learners left', configOf([1]), [change('~1')], 'no voter would be left'],
  ['no voter left, jointly', configOf([1, 2]), [change('-1 -2')], 'no voter would be left'],
  ['nothing to leave', configOf([1]), [LEAVE_JOINT], 'there is no joint configuration to leave'],
  [
    'a change within',
    configOf([1]),
    [change('+2 +3'), change('+4')],
    'the joint configuration must be left first',
  ],
  [
    'jointly out of nothing',
    EMPTY_CONFIG,
    [change('+1 +2')],
    'a configuration without voters cannot be changed jointly',
  ],
  [
    'a change within, that would leave by itself',
    configOf([1]),
    [change('+2 +3', 'joint-auto'), change('+4', 'joint-explicit')],
    'the joint configuration must be left first',
  ],
  [
    'left twice',
    configOf([1]),
    [change('+2 +3'), LEAVE_JOINT, LEAVE_JOINT],
    'there is no joint configuration to leave',
  ],
  [
    'a learner within',
    configOf([1]),
    [change('+2 +3'), change('~15')],
    'the joint configuration must be left first',
  ],
  ['all voters are demoted', configOf([1, 2]), [change('~1 ~2')], 'no voter would be left'],
  ['the last of many is removed', configOf([1], [2, 3]), [change('-1')], 'no voter would be left'],
  ['nobody', configOf([1]), [change('+0')], '0 is not a node number'],
  ['half a node', configOf([1]), [change('+1.5')], '1.5 is not a node number'],
  ['less than nobody', configOf([1]), [change('--3')], '-3 is not a node number'],
])('refused: %s', (_name, start, changes, want) => {
  expect(after(start, ...changes)).toBe(want)
})

it('whatever is changed, the parts fit together', () => {
  const prng = new Prng(0x5eed)
  for (let round = 0; round < 500; round++) {
    let config = configOf([1, 2, 3])
    for (let step = 0; step < 10; step++) {
      const changes: SingleChange[] = prng.ints(prng.below(4), 7).map((id) => ({
        op: prng.pick(['add-voter', 'add-learner', 'remove'] as const),
        id: id + 1,
      }))
      const transition = prng.pick(['auto', 'joint-auto', 'joint-explicit'] as const)
      const next = changeConfig(config, { changes, transition })
      if (typeof next === 'string') continue
      const { voters, outgoing, learners, learnersNext } = next
      expect(voters.length).toBeGreaterThan(0)
      // Nobody is voter and learner at once; who becomes one next still is a voter.
      for (const id of learners) expect([...voters, ...outgoing]).not.toContain(id)
      for (const id of learnersNext) {
        expect(outgoing).toContain(id)
        expect(voters).not.toContain(id)
      }
      if (!isJoint(next)) expect([learnersNext, next.autoLeave]).toEqual([[], false])
      // One step changes one voter at most; a joint one keeps the old voters.
      if (isJoint(next)) expect(outgoing).toEqual(config.voters)
      else if (!isJoint(config)) {
        const changed = [...voters, ...config.voters].filter(
          (id) => !voters.includes(id) || !config.voters.includes(id),
        )
        expect(changed.length).toBeLessThanOrEqual(1)
      }
      expect(members(next)).toEqual([...new Set(members(next))].sort((a, b) => a - b))
      config = next
    }
  }
})
