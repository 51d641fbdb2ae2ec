/** The modes of the bench for those who work on the gateway. */
import type { Bench } from './bench.js'
import { ratioTable, throughputTable } from './figures.js'
import { growthForSlowReader, growthOverRequests } from './memory.js'
import { BenchOptionError, type Options } from './options.js'
import { measurePath } from './path.js'
import { measureTables } from './path-tables.js'
import { gateway, OUR_NAME } from './peers/gateway.js'
import { type Table, tableText } from './result.js'
import { interleave } from './rounds.js'
import { variantsOf } from './scenarios/routes.js'
import { allPeers, endSides, origin, type SidesOptions, startSides } from './scenarios/scenario.js'
import { type ComparedScenario, comparedNamed } from './scenarios/table.js'
import { PLAIN_SITE } from './site.js'
import { surroundingsLines, surroundingsOf } from './surroundings.js'

const MEGABYTE = 1_048_576
const GROWTH_MB_MAX = { memory: 8, 'slow-reader': 32 } as const
const COMPARE_SECONDS = 4
const SLICE_SECONDS = 1

const print = (text: string): void => void process.stdout.write(`${text}\n`)

function onlyScenario(options: Options, standard: string): ComparedScenario {
  const [name = standard, ...more] = options.scenarios
  const scenario = more.length === 0 ? comparedNamed(name) : undefined
  if (scenario !== undefined) return scenario
  throw new BenchOptionError(`--scenario: this mode takes one that compares, not ${name}`)
}

/** What the sides of one compared scenario are started with. */
export function sidesOptions(
  bench: Bench,
  scenario: ComparedScenario,
  ports: readonly number[],
  options: Pick<Options, 'workers' | 'accessLog'>,
): SidesOptions {
  const { workers, accessLog } = options
  const { connections } = bench
  const tls = scenario.overTls === true ? bench.tls : null
  const own = { ...scenario.site, workers, accessLog, tls }
  return {
    peers: allPeers(bench),
    site: { ...PLAIN_SITE, connections, backEnds: ports, ...own },
    load: { connections, ...scenario.load, ...scenario.prepare?.(bench) },
    answerBytes: scenario.answerBytes,
  }
}

/** One scenario beside nginx and other builds, in slices of a second that take turns. */
export async function compare(
  bench: Bench,
  options: Options,
  args: readonly string[],
): Promise<void> {
  const scenario = onlyScenario(options, 'proxy')
  const backEnd = await origin(bench, scenario.backEnds)
  const { sides, notes } = await startSides(
    bench,
    sidesOptions(bench, scenario, backEnd.ports, options),
  )
  const seconds = options.seconds ?? COMPARE_SECONDS
  const slices = Math.max(1, Math.round(seconds / SLICE_SECONDS))
  const plan = { count: bench.effort.rounds, slices, seconds: seconds / slices }
  const series = await interleave(bench, scenario.name, sides, plan)
  await endSides(bench.place, sides, backEnd)
  bench.progress.end()
  const tables: Table[] = [throughputTable(scenario.title, series)]
  if (series.length > 1) tables.push(ratioTable(series))
  for (const table of tables) print(tableText(table))
  for (const note of notes) print(`note: ${note}`)
  print(`\n${surroundingsLines(surroundingsOf(bench, args, new Date())).join('\n')}`)
}

/** One of the two modes that look at resident memory. Gives whether the bound holds. */
export async function growth(bench: Bench, options: Options): Promise<boolean> {
  const mode = options.mode === 'memory' ? 'memory' : 'slow-reader'
  const scenario = onlyScenario(options, 'proxy')
  const backEnd = await origin(bench, scenario.backEnds)
  const peers = [gateway({ ...bench.builds[0], name: OUR_NAME })]
  const given = sidesOptions(bench, scenario, backEnd.ports, options)
  const { sides } = await startSides(bench, { ...given, peers })
  const [side] = sides
  if (side === undefined) throw new Error('the gateway cannot do that')
  const bytes =
    mode === 'memory'
      ? await growthOverRequests(bench, side, options.from, options.to)
      : await growthForSlowReader({
          subject: side.subject,
          bytes: options.bytes,
          bytesPerSecond: options.bytesPerSecond,
          say: (text) => bench.progress.say(text),
        })
  await endSides(bench.place, sides, backEnd)
  const bound = GROWTH_MB_MAX[mode]
  const megabytes = bytes / MEGABYTE
  print(`resident memory grew by ${megabytes.toFixed(1)} MB (bound ${bound} MB)`)
  return megabytes < bound
}

/** What our own code costs, without any system call. */
export async function path(options: Options): Promise<void> {
  const variants = options.scenarios.length === 1 ? variantsOf(options.scenarios[0] as string) : []
  if (variants.length > 0) {
    for (const { name, coldNanos, warmNanos } of await measureTables(variants)) {
      const costs = `${coldNanos.toFixed(0)} ns with empty caches, ${warmNanos.toFixed(0)} ns else`
      print(`${name}: ${costs}; our own code only`)
    }
    return
  }
  const { name, title } = onlyScenario(options, 'proxy')
  if (!['proxy', 'mock'].includes(name))
    throw new BenchOptionError('path measures proxy, mock, routes or pipelines')
  print(`${name}: ${title}; our own code only`)
  for (const { request, lowNanos, medianNanos, bytes } of await measurePath(name === 'mock')) {
    const costs = `${lowNanos.toFixed(0)} ns in quiet rounds, ${medianNanos.toFixed(0)} ns median`
    print(`a request as of ${request}: ${costs}, ${bytes.toFixed(0)} bytes of garbage`)
  }
}
