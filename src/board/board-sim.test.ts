import { expect, it } from 'vitest'
import { ClusterSim } from '../store/sim/cluster-sim.js'
import { BOARD_PLANTS } from './testing/board-plants.js'
import { BoardSim } from './testing/board-sim.js'

/** More of them: `npm run sim`. */
const SEEDS = Number(process.env['SIM_SEEDS'] ?? 8)
/** A planted bug must show within so many seeds. */
const SEEDS_TO_CATCH = 15
const SECONDS = 8

it('what is read of the board is what was said, however bad the times are', () => {
  const read = { leader: 0, local: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const companion = new BoardSim(seed)
    new ClusterSim({ seed, companion, peers: seed % 4 === 0, seconds: SECONDS }).run()
    read.leader += companion.readings.leader
    read.local += companion.readings.local
  }
  expect(read.leader).toBeGreaterThan(SEEDS * 20)
  expect(read.local).toBeGreaterThan(SEEDS)
}, 120_000)

it.each(BOARD_PLANTS)(
  'the simulation notices when $name',
  ({ plant, from, shows }) => {
    for (let seed = from; seed < from + SEEDS_TO_CATCH; seed++) {
      const companion = new BoardSim(seed, plant)
      try {
        new ClusterSim({ seed, companion, peers: false, seconds: SECONDS }).run()
      } catch (thrown) {
        expect((thrown as Error).message).toMatch(shows)
        return
      }
    }
    expect.fail(`not caught in ${SEEDS_TO_CATCH} seeds`)
  },
  120_000,
)
