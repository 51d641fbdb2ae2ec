import { expect, it } from 'vitest'
import { encodeBody } from '../../peer/peer.js'
import type { Roster } from '../cluster.js'
import {
  decodeLeader,
  decodeRequest,
  decodeRoster,
  decodeTtl,
  decodeVerdicts,
  encodeLeader,
  encodeRequest,
  encodeRoster,
  encodeTtl,
  encodeVerdicts,
  type LeaderRequest,
} from './requests.js'

const member = { name: 'eg-1', incarnation: 'abc', peerUrl: 'http://10.0.0.1:2380' }

it.each<[name: string, request: LeaderRequest]>([
  ['no proposal', { ask: 'propose', boot: 1, items: [] }],
  [
    'proposals',
    {
      ask: 'propose',
      boot: 2 ** 32 - 1,
      items: [
        [1, Uint8Array.of(1, 2)],
        [2, Uint8Array.of(3)],
      ],
    },
  ],
  ['a keep-alive', { ask: 'keep-alive', lease: '17' }],
  ['a learner', { ask: 'change', change: { type: 'add-learner', member } }],
  [
    'a learner that dials',
    { ask: 'change', change: { type: 'add-learner', member: { ...member, peerUrl: null } } },
  ],
  ['a promotion', { ask: 'change', change: { type: 'promote', incarnation: 'abc' } }],
  ['a removal', { ask: 'change', change: { type: 'remove', incarnation: 'abc' } }],
  ['a move', { ask: 'change', change: { type: 'move', incarnation: 'abc', peerUrl: null } }],
  ['a transfer to somebody', { ask: 'transfer', to: 2 ** 52 }],
  ['a transfer to anybody', { ask: 'transfer', to: null }],
])('what is asked of a leader survives the way: %s', (_name, request) => {
  expect(decodeRequest(encodeRequest(request))).toEqual(request)
})

const proposal = (item: unknown): unknown => ({ ask: 'propose', boot: 1, items: [item] })
const change = (fields: unknown): unknown => ({ ask: 'change', change: fields })

it.each<[name: string, value: unknown]>([
  ['nothing', null],
  ['a list', []],
  ['an unknown question', { ask: 'burn' }],
  ['proposals without a life', { ask: 'propose', items: [] }],
  ['a negative life', { ask: 'propose', boot: -1, items: [] }],
  ['items that are no list', { ask: 'propose', boot: 1, items: 7 }],
  ['an item that is no pair', proposal(7)],
  ['a ticket that is no number', proposal(['1', Uint8Array.of(1)])],
  ['half a ticket', proposal([1.5, Uint8Array.of(1)])],
  ['a command that is no bytes', proposal([1, 'x'])],
  [
    'a command of no bytes, which would be the first entry of a term',
    proposal([1, new Uint8Array(0)]),
  ],
  ['a mark of an origin in place of a command', proposal([1, Uint8Array.of(64, 1)])],
  ['a change of the roster in place of a command', proposal([1, Uint8Array.of(65, 123)])],
  ['a lease that is a number', { ask: 'keep-alive', lease: 17 }],
  ['a lease of many digits', { ask: 'keep-alive', lease: '1'.repeat(300) }],
  ['no change', { ask: 'change' }],
  ['an unknown change', change({ type: 'crown', incarnation: 'abc' })],
  ['a learner without a name', change({ type: 'add-learner', member: { ...member, name: '' } })],
  [
    'a learner without an incarnation',
    change({ type: 'add-learner', member: { ...member, incarnation: 7 } }),
  ],
  [
    'a learner whose address is a number',
    change({ type: 'add-learner', member: { ...member, peerUrl: 7 } }),
  ],
  ['a move without an address', change({ type: 'move', incarnation: 'abc' })],
  ['a transfer to a name', { ask: 'transfer', to: 'eg-1' }],
])('what makes no sense is not taken: %s', (_name, value) => {
  expect(decodeRequest(encodeBody(value))).toBeNull()
})

it('bytes that are no body are not taken', () => {
  for (const bytes of [[], [0xc1], [0xde, 0xff], [0xff, 0xff]]) {
    const body = Uint8Array.from(bytes)
    expect(decodeRequest(body)).toBeNull()
    expect(decodeVerdicts(body, 0)).toBeNull()
    expect(decodeTtl(body)).toBeNull()
    expect(decodeRoster(body)).toBeNull()
    expect(decodeLeader(body)).toBeNull()
  }
})

it('answers survive the way', () => {
  const roster: Roster = {
    clusterId: 'c',
    members: [{ ...member, nodeId: 7, suffrage: 'learner', admittedAt: 3 }],
    removed: [{ name: 'eg-2', incarnation: 'def', nodeId: 8, removedAt: 9 }],
    isChanging: false,
  }
  expect(decodeRoster(encodeRoster(roster))).toEqual(roster)
  expect(decodeTtl(encodeTtl(5000))).toBe(5000)
  expect(decodeLeader(encodeLeader(7))).toBe(7)
  expect(decodeVerdicts(encodeVerdicts(['accepted', 'full', 'later']), 3)).toEqual([
    'accepted',
    'full',
    'later',
  ])
})

it.each<[name: string, body: Uint8Array]>([
  ['too few', encodeVerdicts(['accepted'])],
  ['too many', encodeVerdicts(['accepted', 'accepted', 'accepted'])],
  ['unknown', encodeBody({ verdicts: ['accepted', 'perhaps'] })],
])('verdicts that do not fit what was asked are none: %s', (_name, body) => {
  expect(decodeVerdicts(body, 2)).toBeNull()
})

it.each<[name: string, roster: unknown]>([
  ['no members', { clusterId: 'c', removed: [], isChanging: false }],
  [
    'a member without a number',
    { clusterId: 'c', members: [member], removed: [], isChanging: false },
  ],
  [
    'a vote of an unknown kind',
    {
      clusterId: 'c',
      members: [{ ...member, nodeId: 7, suffrage: 'king', admittedAt: 1 }],
      removed: [],
      isChanging: false,
    },
  ],
  [
    'a removed one without a place',
    { clusterId: 'c', members: [], removed: [{ name: 'x' }], isChanging: false },
  ],
  ['a cluster without an id', { members: [], removed: [], isChanging: false }],
])('a roster that makes no sense is none: %s', (_name, roster) => {
  expect(decodeRoster(encodeBody({ roster }))).toBeNull()
})
