/**
 * `npm run sim`: seeds of a cluster's life in virtual time (docs/consensus.md). Prints what each
 * seed that fails found, and how fast it went.
 *
 *     npm run sim                       # two minutes: seeds that failed once, then fresh ones
 *     npm run sim -- --seconds 40       # another budget
 *     npm run sim -- --seeds 10000      # so many, however long
 *     npm run sim -- --seed 1234        # one again, with what happened in it
 *     npm run sim -- --plants           # which seeds find the planted bugs
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ClusterSim } from '../src/store/sim/cluster-sim.js'
import { PLANTS } from '../src/store/sim/plants.js'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const FAILED_SEEDS = join(ROOT, 'src', 'store', 'sim', 'failed-seeds.txt')
const LINES_SHOWN = 400

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    nodes: { type: 'string' },
    plants: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
const shape = values.nodes === undefined ? {} : { nodes: Number(values.nodes) }

function replay(seed: number): void {
  const lines: string[] = []
  try {
    const report = new ClusterSim({ seed, ...shape, trace: (line) => lines.push(line) }).run()
    say(lines.slice(-LINES_SHOWN).join('\n'))
    say(JSON.stringify(report, null, 2))
  } catch (thrown) {
    say(lines.slice(-LINES_SHOWN).join('\n'))
    say(messageOf(thrown))
    process.exitCode = 1
  }
}

function findPlants(): void {
  for (const { name, plant } of PLANTS) {
    let seed = 1
    let found: string | null = null
    for (; found === null && seed <= 2000; seed++) {
      try {
        new ClusterSim({ seed, plant, peers: false, ...shape }).run()
      } catch (thrown) {
        found = messageOf(thrown)
      }
    }
    say(`${name}: ${found ?? 'not found'}`)
    if (found === null) process.exitCode = 1
  }
}

function* seedsToRun(): Generator<number> {
  for (const line of readFileSync(FAILED_SEEDS, 'utf8').split('\n')) {
    const seed = line.replace(/#.*/, '').trim()
    if (seed !== '') yield Number(seed)
  }
  // Fresh ones differ from run to run; what fails names its seed.
  const from = values.from === undefined ? Date.now() % 1_000_000_000 : Number(values.from)
  for (let seed = from; ; seed++) yield seed
}

function search(): void {
  const budgetMs = values.seeds === undefined ? Number(values.seconds) * 1000 : Infinity
  const seedsMax = values.seeds === undefined ? Infinity : Number(values.seeds)
  const startedMs = performance.now()
  let seeds = 0
  let failures = 0
  let virtualSeconds = 0
  let acks = 0
  for (const seed of seedsToRun()) {
    if (seeds >= seedsMax || performance.now() - startedMs >= budgetMs) break
    seeds += 1
    try {
      const report = new ClusterSim({ seed, ...shape }).run()
      virtualSeconds += report.virtualSeconds
      acks += report.acks
    } catch (thrown) {
      failures += 1
      say(messageOf(thrown))
      say(`again: npm run sim -- --seed ${seed}`)
    }
  }
  const tookS = (performance.now() - startedMs) / 1000
  say(
    `${seeds} seeds, ${failures} failed; ${acks} writes and reads acknowledged; ` +
      `${virtualSeconds.toFixed(0)} cluster-seconds in ${tookS.toFixed(1)} s: ` +
      `${(virtualSeconds / tookS).toFixed(0)} a second`,
  )
  if (failures > 0) process.exitCode = 1
}

if (values.seed !== undefined) replay(Number(values.seed))
else if (values.plants) findPlants()
else search()
