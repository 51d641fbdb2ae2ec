import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import type { Faults } from './faults.js'
import { RaftAssertionError } from './raft.js'
import { SafetyViolation } from './testing/checker.js'
import { type ClusterOptions, SimCluster, type Weather } from './testing/cluster.js'
import type { DiskFault } from './testing/sim-disk.js'

type Shape = Partial<Omit<ClusterOptions, 'random' | 'weather' | 'faults' | 'diskFault'>>

type Bug = { faults?: Faults; diskFault?: DiskFault }

/** What was noticed in one run, or null. */
function run(seed: number, bug: Bug, weather: Partial<Weather>, shape: Shape): string | null {
  const prng = new Prng(seed)
  const random = (below: number) => prng.below(below)
  const cluster = new SimCluster({
    nodes: 3 + prng.below(3),
    ...shape,
    ...bug,
    random,
    weather,
  })
  try {
    for (let tick = 0; tick < 500; tick++) cluster.tick()
    cluster.heal()
    cluster.recover(400)
  } catch (error) {
    if (error instanceof SafetyViolation || error instanceof RaftAssertionError) {
      return error.message
    }
    throw error
  }
  return null
}

const still: Partial<Weather> = { confChange: 0, snapshot: 0, transfer: 0 }
const unasked: Shape = { nodes: 3, preVote: false, checkQuorum: false }

/**
 * `first` is a seed that shows the bug; when the core or the cluster changes, others are tried.
 * Most bugs need no special weather to come out.
 */
it.each<[bug: keyof Faults, first: number, weather: Partial<Weather>, shape: Shape]>([
  ['voteNotPersisted', 118, { ...still, crash: 150, downTicksMax: 1, diskTicksMax: 0 }, unasked],
  ['voteTwice', 1, {}, {}],
  ['voteForStaleLog', 5, {}, {}],
  ['preVoteIgnored', 1, {}, {}],
  ['stickinessIgnored', 2, { meddle: 60 }, {}],
  ['quorumOffByOne', 22, {}, {}],
  ['commitOldTerm', 1, { ...still, partition: 60, propose: 900 }, { appendBytesMax: 1 }],
  ['commitUnmatched', 1, {}, {}],
  ['replyBeforeDurable', 1, {}, {}],
  ['selfAckBeforeDurable', 24, { ...still, crash: 20, downTicksMax: 1, diskTicksMax: 20 }, unasked],
  ['keepConflictingSuffix', 2, {}, {}],
  ['snapshotOverNewerLog', 3, {}, {}],
  ['staleRead', 15, { ...still, crash: 0, partition: 40, read: 900, propose: 900 }, unasked],
  ['readBeforeOwnCommit', 13, { ...still, crash: 40, read: 900, propose: 900 }, {}],
  ['oldTermObeyed', 74, {}, {}],
  ['learnerVotes', 4, {}, {}],
  ['jointNewHalfOnly', 57, {}, {}],
  ['confChangeOverlap', 9, {}, {}],
])('a bug is noticed: %s', (bug, first, weather, shape) => {
  expectNoticed({ faults: { [bug]: true } }, first, weather, shape)
})

const stormy: Partial<Weather> = { crash: 60, downTicksMax: 3, diskTicksMax: 8 }

it.each<[fault: DiskFault, first: number, weather: Partial<Weather>, shape: Shape]>([
  ['commit-first', 4, stormy, {}],
  ['ballot-last', 282, { ...stormy, meddle: 200 }, unasked],
  ['sync-lies', 1, stormy, {}],
])(
  'a caller that breaks its duty to the disk is noticed: %s',
  (diskFault, first, weather, shape) => {
    expectNoticed({ diskFault }, first, weather, shape)
  },
)

function expectNoticed(bug: Bug, first: number, weather: Partial<Weather>, shape: Shape): void {
  for (let seed = first; seed < first + 300; seed++) {
    const noticed = run(seed, bug, weather, shape)
    if (noticed === null) continue
    if (process.env['SHOW'] !== undefined) {
      console.log(`${JSON.stringify(bug)} seed ${seed}: ${noticed}`)
    }
    // And it was the bug that was noticed, not something else.
    expect(run(seed, {}, weather, shape)).toBeNull()
    return
  }
  expect.fail(`${JSON.stringify(bug)} was not noticed`)
}
