import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { SimCluster } from './testing/cluster.js'

/**
 * `SEED=123` replays one run exactly; `SEEDS=5000 SEED_FROM=1` tries that many others. 500 ticks
 * are some fifty election timeouts.
 */
const one = process.env['SEED']
const from = Number(process.env['SEED_FROM'] ?? 1000)
const count = Number(process.env['SEEDS'] ?? 60)
const seeds =
  one === undefined ? Array.from({ length: count }, (_, at) => from + at) : [Number(one)]

it('keeps its promises in rough weather and recovers when it calms down', () => {
  const sum = { writes: 0, reads: 0, transfers: 0, changes: 0 }
  for (const seed of seeds) {
    const prng = new Prng(seed)
    const cluster = new SimCluster({
      random: (below) => prng.below(below),
      nodes: 1 + prng.below(7),
      preVote: prng.chance(80),
      checkQuorum: prng.chance(80),
    })
    try {
      for (let tick = 0; tick < 500; tick++) cluster.tick()
      cluster.heal()
      cluster.recover(400)
    } catch (error) {
      throw new Error(`SEED=${seed}: ${error} [${cluster.describe()}]`, { cause: error })
    }
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += cluster.counts[key]
  }
  // The weather must not be so rough that nothing happens any more.
  if (one !== undefined) return
  expect(sum.writes).toBeGreaterThan(seeds.length * 100)
  expect(sum.reads).toBeGreaterThan(seeds.length * 20)
  expect(sum.transfers).toBeGreaterThan(seeds.length)
  expect(sum.changes).toBeGreaterThan(seeds.length * 10)
}, 3_600_000)
