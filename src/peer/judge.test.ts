import { expect, it } from 'vitest'
import type { Introduction } from './identity.js'
import { judge, type Membership } from './judge.js'

function node(name: string, changes: Partial<Introduction> = {}): Introduction {
  return {
    name,
    incarnation: `inc-${name}`,
    bootId: `boot-${name}`,
    nodeId: name.charCodeAt(0) - 96,
    clusterName: 'prod',
    clusterId: 'c1',
    admittedAt: 5,
    level: 4,
    levelMin: 2,
    clusterLevel: 3,
    logEnd: { index: 9, term: 2 },
    ...changes,
  }
}

const NAMES = ['a', 'b', 'c']

/** Node `a` of a, b and c. */
function membership(changes: Partial<Membership> = {}): Membership {
  return {
    self: node('a'),
    knownUpTo: 100,
    member: (name) =>
      NAMES.includes(name) ? { incarnation: `inc-${name}`, nodeId: name.charCodeAt(0) - 96 } : null,
    nameOf: (nodeId) => NAMES[nodeId - 1] ?? null,
    isPurged: (incarnation) => incarnation === 'inc-old',
    liveBoot: () => null,
    ...changes,
  }
}

/** Knows nobody: before there is a cluster, or just joining. */
const NEWCOMER = membership({
  self: node('a', { clusterId: null, nodeId: 0, admittedAt: 0, clusterLevel: 0 }),
  knownUpTo: 0,
  member: () => null,
  nameOf: () => null,
  isPurged: () => false,
})

const fresh = (name: string, changes: Partial<Introduction> = {}): Introduction =>
  node(name, {
    clusterId: null,
    nodeId: 0,
    admittedAt: 0,
    clusterLevel: 0,
    logEnd: { index: 0, term: 0 },
    ...changes,
  })

it.each<[string, Introduction, Membership, string]>([
  ['a member', node('b'), membership(), 'member'],
  ['a member after its restart', node('b', { bootId: 'boot-2' }), membership(), 'member'],
  ['a newcomer', fresh('d'), membership(), 'guest'],
  ['a member to a newcomer', node('b'), NEWCOMER, 'guest'],
  ['a newcomer to a newcomer', fresh('b'), NEWCOMER, 'guest'],
  ['a newcomer that was admitted and does not know yet', fresh('b'), membership(), 'guest'],
  ['a member not heard of yet', node('d', { admittedAt: 101 }), membership(), 'member'],
  [
    'a successor of a purged member, both not heard of yet',
    node('b', { incarnation: 'inc-b2', nodeId: 7, admittedAt: 120 }),
    membership(),
    'member',
  ],
  [
    'a reader',
    node('r', { nodeId: 0 }),
    membership({ member: () => ({ incarnation: 'inc-r', nodeId: 0 }) }),
    'member',
  ],
  [
    'a member alive under the same boot',
    node('b'),
    membership({ liveBoot: () => 'boot-b' }),
    'member',
  ],
  ['a member that can do more', node('b', { level: 9 }), membership(), 'member'],

  ['itself', node('a'), membership(), 'self'],
  ['a copy of itself', node('a', { bootId: 'boot-2' }), membership(), 'copied'],
  [
    'a copy of itself under another name',
    node('x', { incarnation: 'inc-a' }),
    membership(),
    'copied',
  ],
  [
    'a newcomer with its own name',
    fresh('a', { incarnation: 'inc-2' }),
    membership(),
    'name-in-use',
  ],
  [
    'its own name, before there is a cluster',
    fresh('a', { incarnation: 'inc-2' }),
    NEWCOMER,
    'name-in-use',
  ],
  [
    'an emptied disk under an old name',
    fresh('b', { incarnation: 'inc-2' }),
    membership(),
    'name-in-use',
  ],
  [
    'another incarnation of a member',
    node('b', { incarnation: 'inc-2' }),
    membership(),
    'name-in-use',
  ],
  ['another cluster of the same name', node('b', { clusterId: 'c2' }), membership(), 'cluster-id'],
  ['another cluster, unknown there', node('d', { clusterId: 'c2' }), membership(), 'cluster-id'],
  ['a purged member', node('d', { incarnation: 'inc-old' }), membership(), 'purged'],
  [
    'a purged member whose name is taken',
    node('b', { incarnation: 'inc-old' }),
    membership(),
    'purged',
  ],
  [
    'a copied data directory',
    node('b', { bootId: 'boot-2' }),
    membership({ liveBoot: () => 'boot-b' }),
    'copied',
  ],
  [
    'a copied directory of a newcomer',
    fresh('d', { bootId: 'boot-2' }),
    membership({ liveBoot: () => 'boot-d' }),
    'copied',
  ],
  [
    'a member of long ago that nobody knows',
    node('d', { admittedAt: 50 }),
    membership(),
    'unknown-member',
  ],
  [
    "a number that is another member's",
    node('d', { nodeId: 2, admittedAt: 101 }),
    membership(),
    'node-id-in-use',
  ],
  ['a member with another number', node('b', { nodeId: 9 }), membership(), 'unknown-member'],
  ['a binary that is too old', node('b', { level: 2 }), membership(), 'level-too-old'],
  ['a newcomer that is too old', fresh('d', { level: 2 }), membership(), 'level-too-old'],
  [
    'a binary that left the level behind',
    node('b', { levelMin: 4 }),
    membership(),
    'level-too-new',
  ],
])('%s', (_name, peer, view, wanted) => {
  const verdict = judge(peer, view)
  const got = verdict.ok ? (verdict.guest ? 'guest' : 'member') : verdict.refusal.code
  expect(got).toBe(wanted)
  if (!verdict.ok) expect(verdict.refusal.message).toContain(`"${peer.name}"`)
})
