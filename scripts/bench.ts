/**
 * `npm run bench` and `egctl bench`: what a request costs here and in other gateways, on the same
 * work in the same run. See docs/performance.md for the method.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench } from './bench/bench.js'
import { Household } from './bench/children.js'
import { measureFilters } from './bench/filters.js'
import { guard } from './bench/guard.js'
import { compare, growth, path } from './bench/modes.js'
import { buildNativeBench } from './bench/native.js'
import { BenchOptionError, effortOf, HELP, type Options, readOptions } from './bench/options.js'
import { OUR_NAME } from './bench/peers/gateway.js'
import { installedPeers } from './bench/peers/installed.js'
import { clock, newProgress, type Progress, type Screen } from './bench/progress.js'
import { barTable, resultText, type ScenarioResult, tableText } from './bench/result.js'
import { writeResults } from './bench/results-file.js'
import { runScenarios } from './bench/run-all.js'
import { SCENARIOS } from './bench/scenarios/all.js'
import type { Scenario } from './bench/scenarios/scenario.js'
import { makeTlsFiles } from './bench/site.js'
import { surroundingsLines, surroundingsOf } from './bench/surroundings.js'
import { ANY_CORES, splitCores } from './bench/tools.js'

const DIST = join(dirname(fileURLToPath(import.meta.url)), '..')
const ROOT = join(DIST, '..')

/** Starting and stopping servers, and loads that settle, beside what the plan counts. */
const OVERHEAD = 1.3

const say = (text: string): void => void process.stderr.write(`${text}\n`)
const print = (text: string): void => void process.stdout.write(`${text}\n`)

const screen: Screen = {
  isTerminal: process.stderr.isTTY === true && process.env['CI'] === undefined,
  columns: process.stderr.columns || 80,
  write: (text) => process.stderr.write(text),
}

function chosenScenarios({ scenarios }: Options): readonly Scenario[] {
  const unknown = scenarios.filter((name) => !SCENARIOS.some((each) => each.name === name))
  if (unknown.length > 0) {
    const known = SCENARIOS.map(({ name }) => name).join(', ')
    throw new BenchOptionError(`--scenario: there is no ${unknown.join(', ')}; there are ${known}`)
  }
  return SCENARIOS.filter(({ name }) => scenarios.length === 0 || scenarios.includes(name))
}

/** What modes that compare with other servers look for; the others need none of them. */
function peersOf(options: Options) {
  if (options.mode === 'all') return installedPeers(options, say)
  if (options.mode !== 'compare') return []
  return installedPeers(
    { ...options, peers: options.peers.length > 0 ? options.peers : ['nginx'] },
    say,
  )
}

function newBench(options: Options, household: Household, progress: Progress): Bench {
  return {
    place: { household, cores: options.pinned ? splitCores() : ANY_CORES },
    native: buildNativeBench(ROOT, say),
    progress,
    effort: effortOf(options),
    peers: peersOf(options),
    builds: [{ name: OUR_NAME, dist: DIST, flags: [] }, ...options.builds],
    tls: makeTlsFiles(household),
    connections: options.connections,
  }
}

async function all(bench: Bench, options: Options, args: readonly string[]): Promise<void> {
  const scenarios = chosenScenarios(options)
  const planned = scenarios.reduce((sum, scenario) => sum + scenario.plannedSeconds(bench), 0)
  const progress = newProgress(screen, planned)
  const surroundings = surroundingsOf(bench, args, new Date())
  for (const line of surroundingsLines(surroundings)) progress.say(line)
  progress.say(`${scenarios.length} scenarios, about ${clock(planned * OVERHEAD)} min`)
  const results: ScenarioResult[] = []
  const write = () =>
    writeResults(options.out, { surroundings, effort: bench.effort, scenarios: results })
  await runScenarios({ ...bench, progress }, scenarios, (result, seconds) => {
    results.push(result)
    write() // what is there already outlives an interruption
    progress.end()
    print(resultText(result))
    progress.say(`${result.name} took ${seconds.toFixed(0)} s`)
  })
  progress.end()
  const bars = results.flatMap((result) => result.bars)
  if (bars.length > 0) print(`${tableText(barTable(bars))}\n`)
  const { html, json } = write()
  print(`written: ${html} and ${json}`)
  const failed = results.filter(({ failure }) => failure !== null).map(({ name }) => name)
  if (failed.length === 0) return
  say(`bench: failed: ${failed.join(', ')}`)
  process.exitCode = 1
}

async function run(options: Options, household: Household, args: readonly string[]): Promise<void> {
  const bench = newBench(options, household, newProgress({ ...screen, isTerminal: false }, 1))
  switch (options.mode) {
    case 'all':
      return all(bench, options, args)
    case 'compare':
      return compare(bench, options, args)
    case 'guard':
      return guard(bench, options, ROOT)
    case 'filters':
      return measureFilters(bench, options, ROOT)
    default:
      if (!(await growth(bench, options))) process.exitCode = 1
  }
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const options = readOptions(args)
  if (options === null) {
    process.stdout.write(HELP)
    return
  }
  if (options === 'list') {
    for (const { name, title } of SCENARIOS) print(`${name.padEnd(18)} ${title}`)
    return
  }
  if (options.mode === 'all') chosenScenarios(options) // before anything is built or started
  if (options.mode === 'path') {
    await path(options)
    process.exit() // stand-ins for sockets leave timers behind
  }
  const household = new Household()
  const interrupted = (): void => {
    say('interrupted')
    void household.stop().then(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    await run(options, household, args)
  } finally {
    await household.stop()
  }
}

try {
  await main()
} catch (thrown) {
  say(`bench: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  process.exitCode = thrown instanceof BenchOptionError ? 2 : 1
}
