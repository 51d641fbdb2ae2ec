/**
 * `npm run sim`: seeds of a cluster's life in virtual time (docs/consensus.md). Prints what each
 * seed that fails found, whether it does so again, and how fast it went.
 *
 *     npm run sim                       # two minutes: seeds that failed once, then fresh ones
 *     npm run sim -- --seconds 40       # another budget
 *     npm run sim -- --seeds 10000      # so many, however long
 *     npm run sim -- --from 7           # fresh ones begin there
 *     npm run sim -- --seed 1234        # one again, with what happened in it
 *     npm run sim -- --plot sleeper     # all with this plot (src/store/sim/adversary.ts)
 *     npm run sim -- --links            # all over the real connections of src/peer, not a fifth
 *     npm run sim -- --keep             # what fails goes to failed-seeds.txt
 *     npm run sim -- --plants           # which seeds find the planted bugs
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BOARD_PLANTS } from '../src/board/testing/board-plants.js'
import { BoardSim } from '../src/board/testing/board-sim.js'
import { PLOTS } from '../src/store/sim/adversary.js'
import { ClusterSim, type SimOptions, type SimReport } from '../src/store/sim/cluster-sim.js'
import { PLANTS } from '../src/store/sim/plants.js'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const FAILED_SEEDS = join(ROOT, 'src', 'store', 'sim', 'failed-seeds.txt')
const LINES_SHOWN = 400
const PLANT_SEEDS = 2000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    nodes: { type: 'string' },
    plot: { type: 'string' },
    links: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    plants: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

type Shape = Omit<SimOptions, 'seed' | 'companion'>

function shapeOf(): Shape {
  const plot = PLOTS.find((each) => each === values.plot)
  if (values.plot !== undefined && plot === undefined) {
    process.stderr.write(`no plot ${values.plot}; there are ${PLOTS.join(', ')}\n`)
    process.exit(2)
  }
  return {
    ...(values.nodes === undefined ? {} : { nodes: Number(values.nodes) }),
    ...(plot === undefined ? {} : { plot }),
    ...(values.links ? { peers: true } : {}),
  }
}

const shape = shapeOf()

/** What the seed found wrong, or how it went. */
function live(seed: number, options: Shape = shape, companion = new BoardSim(seed)) {
  try {
    return new ClusterSim({ seed, companion, ...options }).run()
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

function replay(seed: number): void {
  const lines: string[] = []
  const result = live(seed, { ...shape, trace: (line) => lines.push(line) })
  say(lines.slice(-LINES_SHOWN).join('\n'))
  say(typeof result === 'string' ? result : JSON.stringify(result, null, 2))
  if (typeof result === 'string') process.exitCode = 1
}

function findPlants(): void {
  const first = Number(values.from ?? 1)
  const last = first + Number(values.seeds ?? PLANT_SEEDS)
  const find = (name: string, run: (seed: number) => SimReport | string): void => {
    for (let seed = first; seed < last; seed++) {
      const result = run(seed)
      if (typeof result !== 'string') continue
      say(`${name}: ${result}`)
      return
    }
    say(`${name}: not found`)
    process.exitCode = 1
  }
  for (const { name, plant, plot } of PLANTS) {
    const options = { plant, peers: false, ...(plot === undefined ? {} : { plot }), ...shape }
    find(name, (seed) => live(seed, options))
  }
  for (const { name, plant } of BOARD_PLANTS) {
    find(name, (seed) => live(seed, { peers: false, ...shape }, new BoardSim(seed, plant)))
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

function report(seed: number, message: string): void {
  say(message)
  const isSame = live(seed) === message
  say(isSame ? 'a second run says the same' : 'A SECOND RUN DIFFERS: something is not simulated')
  say(`again: npm run sim -- --seed ${seed}`)
  if (values.keep) appendFileSync(FAILED_SEEDS, `${seed} # ${message.replace(/^.*? s: /, '')}\n`)
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
    const result = live(seed)
    if (typeof result === 'string') {
      failures += 1
      report(seed, result)
    } else {
      virtualSeconds += result.virtualSeconds
      acks += result.acks
    }
  }
  const tookS = (performance.now() - startedMs) / 1000
  const cpuS = process.cpuUsage().user / 1e6
  say(
    `${seeds} seeds, ${failures} failed; ${acks} writes and reads acknowledged; ` +
      `${virtualSeconds.toFixed(0)} cluster-seconds in ${tookS.toFixed(1)} s: ` +
      `${(virtualSeconds / tookS).toFixed(0)} a second, ` +
      `${(virtualSeconds / cpuS).toFixed(0)} a second of CPU`,
  )
  if (failures > 0) process.exitCode = 1
}

if (values.seed !== undefined) replay(Number(values.seed))
else if (values.plants) findPlants()
else search()
