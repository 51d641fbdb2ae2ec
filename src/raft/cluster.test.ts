import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { ROUGH, SimCluster, type Weather } from './testing/cluster.js'

/**
 * `SEED=123` replays one run exactly; `SEEDS=5000 SEED_FROM=1` tries that many others. 500 ticks
 * are some fifty election timeouts.
 */
const one = process.env['SEED']
const from = Number(process.env['SEED_FROM'] ?? 1000)
const count = Number(process.env['SEEDS'] ?? 50)
const seeds =
  one === undefined ? Array.from({ length: count }, (_, at) => from + at) : [Number(one)]

/** Every sort of trouble may be absent, mild, as usual or bad. */
function weatherOf(prng: Prng): Weather {
  const some = (usual: number) => Math.round(usual * prng.pick([0, 0.3, 1, 1, 1, 3]))
  return {
    dropPercent: some(ROUGH.dropPercent),
    doublePercent: some(ROUGH.doublePercent),
    delayTicksMax: some(ROUGH.delayTicksMax),
    diskTicksMax: some(ROUGH.diskTicksMax),
    crash: some(ROUGH.crash),
    downTicksMax: 1 + some(ROUGH.downTicksMax),
    partition: some(ROUGH.partition),
    heal: ROUGH.heal,
    propose: some(ROUGH.propose),
    read: some(ROUGH.read),
    confChange: some(ROUGH.confChange),
    snapshot: some(ROUGH.snapshot),
    transfer: some(ROUGH.transfer),
    meddle: some(ROUGH.meddle),
  }
}

it('keeps its promises in rough weather and recovers when it calms down', () => {
  const sum = { writes: 0, reads: 0, transfers: 0, changes: 0 }
  for (const seed of seeds) {
    const prng = new Prng(seed)
    const cluster = new SimCluster({
      random: (below) => prng.below(below),
      nodes: 1 + prng.below(7),
      weather: weatherOf(prng),
      appendBytesMax: prng.pick([1, 150, 150, 10_000]),
      preVote: prng.chance(80),
      checkQuorum: prng.chance(80),
    })
    try {
      for (let tick = 0; tick < 500; tick++) cluster.tick()
      cluster.heal()
      // Who is far behind catches up with three entries a round trip at worst.
      cluster.recover(400 + 2 * cluster.counts.commitMax)
    } catch (error) {
      throw new Error(`SEED=${seed}: ${error} [${cluster.describe()}]`, { cause: error })
    }
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += cluster.counts[key]
  }
  // The weather must not be so rough that nothing happens any more.
  if (one !== undefined) return
  expect(sum.writes).toBeGreaterThan(seeds.length * 100)
  expect(sum.reads).toBeGreaterThan(seeds.length * 20)
  expect(sum.transfers).toBeGreaterThan(seeds.length / 2)
  expect(sum.changes).toBeGreaterThan(seeds.length * 5)
}, 3_600_000)
