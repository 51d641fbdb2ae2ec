import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { BoardSim } from '../../board/testing/board-sim.js'
import { PLOTS } from './adversary.js'
import { ClusterSim, type SimOptions } from './cluster-sim.js'
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
  let acks = 0
  for (const seed of [1, 2, 3]) {
    acks += new ClusterSim({ seed, peers: true, seconds: 8 }).run().acks
  }
  expect(acks).toBeGreaterThan(60)
}, 60_000)

it.each(FAILED)(
  'seed %d, which failed once',
  (seed) => {
    new ClusterSim({ seed, companion: new BoardSim(seed) }).run()
  },
  60_000,
)

it.each<[string, Partial<SimOptions>]>([
  ['over a network worse than any', { peers: false }],
  ['over the real connections', { peers: true }],
  ['with a plot', { plot: 'second-vote' }],
  ['with a play', { plot: 'figure-eight' }],
])(
  'the same seed gives the same run, to the last message: %s',
  (_name, options) => {
    const run = (seed: number) => {
      const companion = new BoardSim(seed)
      const lines: string[] = []
      const trace = (line: string): void => {
        lines.push(line)
      }
      const report = new ClusterSim({ seed, seconds: 5, ...options, companion, trace }).run()
      return { report, readings: companion.readings, lines }
    }
    const first = run(3)
    expect(run(3)).toEqual(first)
    expect(run(4).report.digest).not.toBe(first.report.digest)
  },
  60_000,
)

it('a seed that fails fails again with the same words', () => {
  const fails = (): string => {
    try {
      const plant = { faults: { voteNotPersisted: true } }
      new ClusterSim({ seed: 1, plant, plot: 'second-vote' }).run()
    } catch (thrown) {
      return (thrown as Error).message
    }
    return 'nothing'
  }
  const first = fails()
  expect(first).toContain('seed 1')
  expect(fails()).toBe(first)
}, 60_000)

it('every plot and play is one that a cluster survives', () => {
  for (const plot of PLOTS) {
    const { elections } = new ClusterSim({ seed: 5, plot, seconds: 10, peers: false }).run()
    expect(elections, plot).toBeGreaterThan(0)
  }
}, 60_000)

it.each(PLANTS)(
  'the simulation notices when $name',
  ({ plant, from, plot, shows }) => {
    const chosen = plot === undefined ? {} : { plot }
    for (let seed = from; seed < from + SEEDS_TO_CATCH; seed++) {
      try {
        new ClusterSim({ seed, plant, peers: false, ...chosen }).run()
      } catch (thrown) {
        expect((thrown as Error).name).toBe('SimViolation')
        expect((thrown as Error).message).toMatch(shows)
        return
      }
    }
    expect.fail(`not caught in ${SEEDS_TO_CATCH} seeds`)
  },
  120_000,
)
