/** `npm run bench:guard`: is the work tree slower than a commit, on this machine? */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from './bench.js'
import type { Household } from './children.js'
import { throughputTable } from './figures.js'
import { sidesOptions } from './modes.js'
import { BenchOptionError, type Options } from './options.js'
import { type Build, gateway } from './peers/gateway.js'
import { tableText } from './result.js'
import { interleave } from './rounds.js'
import { cpuMicros, figuresOf, type Sample, type Series } from './sample.js'
import { endSides, origin, startSides } from './scenarios/scenario.js'
import { type ComparedScenario, comparedNamed } from './scenarios/table.js'
import { pairedRatio, type Spread } from './statistics.js'

const WATCHED = ['proxy', 'mock', 'post1k'] as const
/** Fresh processes each time: two starts of one build differ by a per cent or so. */
const STARTS = 5
const SLICES = 3

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** The verdict on a ratio of CPU time a request, new over old. */
export function verdictOf({ median, low, high }: Spread): string {
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
  const size = `${(Math.abs(median - 1) * 100).toFixed(1)} %`
  const interval = `(95 % interval ${percent(low)} … ${percent(high)})`
  if (low > 1) return `slower by ${size} ${interval}`
  if (high < 1) return `faster by ${size} ${interval}`
  return `no difference found ${interval}`
}

/** What a git command prints; throws {@link BenchOptionError} with `otherwise` when it fails. */
function git(root: string, args: readonly string[], otherwise: string): string {
  const done = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' })
  if (done.status !== 0) throw new BenchOptionError(otherwise)
  return done.stdout.trim()
}

/** The full name of the commit to compare with. */
export function baseCommit(root: string, base: string | null): string {
  const named =
    base ??
    git(
      root,
      ['describe', '--tags', '--abbrev=0', '--match', 'v[0-9]*'],
      'there is no release tag to compare with yet: name a commit, as in --base HEAD~5',
    )
  const commit = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${named}^{commit}`]
  return git(root, commit, `--base: there is no commit ${named}`)
}

/**
 * Builds `commit` in a folder of its own, with the packages that are installed here, and leaves
 * this tree alone. Gives its `dist`.
 */
function buildCommit(household: Household, root: string, commit: string): Build {
  const folder = household.newFolder('base')
  const script = 'git -C "$1" archive "$2" | tar -x -C "$3"'
  if (spawnSync('sh', ['-c', script, 'sh', root, commit, folder]).status !== 0) {
    throw new Error(`${commit} cannot be unpacked`)
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const done = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  const dist = join(folder, 'dist')
  if (!existsSync(join(dist, 'src', 'main.js'))) {
    throw new Error(`${commit} does not build:\n${done.stdout}${done.stderr}`)
  }
  return { name: 'base', dist, flags: [] }
}

/** Whether both want the same packages: those of this tree serve both. */
function samePackages(root: string, build: Build): boolean {
  const lock = (folder: string): string => readFileSync(join(folder, 'package-lock.json'), 'utf8')
  return lock(root) === lock(join(build.dist, '..'))
}

/** One scenario over several starts, each with fresh processes, in an order that turns round. */
async function measureBoth(
  bench: Bench,
  options: Options,
  scenario: ComparedScenario,
  builds: readonly Build[],
): Promise<Series[]> {
  const rounds = new Map<string, Sample[]>(builds.map(({ name }) => [name, []]))
  const starts = options.quick ? 2 : STARTS
  for (let start = 1; start <= starts; start++) {
    const order = start % 2 === 1 ? builds : builds.toReversed()
    const backEnd = await origin(bench, scenario.backEnds)
    const given = sidesOptions(bench, scenario, backEnd.ports, options)
    const { sides } = await startSides(bench, { ...given, peers: order.map(gateway) })
    const count = Math.max(3, Math.round(bench.effort.rounds / 3))
    const plan = { count, slices: SLICES, seconds: bench.effort.sliceSeconds / SLICES }
    const what = `${scenario.name}, start ${start} of ${starts}`
    for (const { name, rounds: more } of await interleave(bench, what, sides, plan)) {
      rounds.get(name)?.push(...more)
    }
    await endSides(bench.place, sides, backEnd)
  }
  return builds.map(({ name }) => ({ name, rounds: rounds.get(name) ?? [] }))
}

/** Compares this build with a commit; a difference for the worse sets the exit code 1. */
export async function guard(bench: Bench, options: Options, root: string): Promise<void> {
  const names = options.scenarios.length > 0 ? options.scenarios : WATCHED
  const scenarios = names.map((name) => {
    const scenario = comparedNamed(name)
    if (scenario !== undefined) return scenario
    throw new BenchOptionError(`--scenario: guard does not know ${name}`)
  })
  const commit = baseCommit(root, options.base)
  bench.progress.say(`building ${commit.slice(0, 12)} beside this work tree …`)
  const base = buildCommit(bench.place.household, root, commit)
  const tree: Build = { ...bench.builds[0], name: 'work tree' }
  if (!samePackages(root, base)) print('note: the commit wants other packages; it runs with ours')
  for (const scenario of scenarios) {
    const series = await measureBoth(bench, options, scenario, [base, tree])
    const [old, now] = series as [Series, Series]
    const ratio = pairedRatio(figuresOf(now, cpuMicros), figuresOf(old, cpuMicros))
    print(tableText(throughputTable(`${scenario.name}: ${scenario.title}`, series)))
    print(
      `${scenario.name}: CPU time a request, beside ${commit.slice(0, 12)}: ${verdictOf(ratio)}\n`,
    )
    if (ratio.low > 1) process.exitCode = 1
  }
}
