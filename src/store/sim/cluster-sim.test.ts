import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ClusterSim } from './cluster-sim.js'
import { PLANTS } from './plants.js'

/** More for a night: `npm run sim -- --seeds 10000`; one again: `npm run sim -- --seed 1234`. */
const SEEDS = Number(process.env['SIM_SEEDS'] ?? 10)
/** A planted bug must show within so many seeds. */
const SEEDS_TO_CATCH = 25

/** Seeds that failed once. The part behind `#` says what of. */
const FAILED = readFileSync(new URL('./failed-seeds.txt', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.replace(/#.*/, '').trim())
  .filter((line) => line !== '')
  .map(Number)

it('acknowledged writes survive whatever happens to a cluster, in one order that all agree on', () => {
  let acks = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    acks += new ClusterSim({ seed, peers: false }).run().acks
  }
  // A simulation in which nothing is acknowledged proves nothing.
  expect(acks).toBeGreaterThan(SEEDS * 20)
}, 600_000)

it('and over the real connections between nodes', () => {
  for (const seed of [1, 2, 3]) {
    const { acks } = new ClusterSim({ seed, peers: true, seconds: 8 }).run()
    expect(acks).toBeGreaterThan(20)
  }
}, 60_000)

it.each(FAILED)(
  'seed %d, which failed once',
  (seed) => {
    new ClusterSim({ seed }).run()
  },
  60_000,
)

it('the same seed gives the same run', () => {
  const [first, second] = [3, 3].map((seed) => new ClusterSim({ seed, seconds: 5 }).run())
  expect(second).toEqual(first)
  expect(new ClusterSim({ seed: 4, seconds: 5 }).run()).not.toEqual(first)
}, 60_000)

it.each(PLANTS)(
  'the simulation notices when $name',
  ({ plant, from }) => {
    for (let seed = from; seed < from + SEEDS_TO_CATCH; seed++) {
      try {
        new ClusterSim({ seed, plant, peers: false }).run()
      } catch (thrown) {
        expect((thrown as Error).name).toBe('SimViolation')
        return
      }
    }
    expect.fail(`not caught in ${SEEDS_TO_CATCH} seeds`)
  },
  120_000,
)
