/**
 * `npm run bench`: what a request costs here and in nginx, on the same work in the same run. See
 * docs/performance.md for the method.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Household } from './bench/children.js'
import { growthForSlowReader, growthOverRequests, startBigBackEnd } from './bench/memory.js'
import { BenchOptionError, HELP, type Options, readOptions } from './bench/options.js'
import { measurePath } from './bench/path.js'
import { type Round, roundLine, summary } from './bench/report.js'
import { measure } from './bench/rounds.js'
import { PATH } from './bench/scenarios.js'
import type { BackEnd, Subject, SubjectOptions } from './bench/subjects.js'
import { startBackEnd, startGateway, startNginx } from './bench/subjects.js'
import { findProgram, versionOf } from './bench/tools.js'
import { runWrk } from './bench/wrk.js'

const DIST = join(dirname(fileURLToPath(import.meta.url)), '..')
const ROOT = join(DIST, '..')

const say = (text: string): void => void process.stderr.write(`${text}\n`)

const MEGABYTE = 1_048_576
const GROWTH_MB_MAX = { memory: 8, 'big-body': 32 } as const

async function compare(options: Options, household: Household, wrk: string): Promise<void> {
  const { scenario, connections, workers, accessLog } = options
  const backEnd = await startBackEnd(household, ROOT, scenario.answerBytes)
  const common: SubjectOptions = {
    household,
    scenario,
    backEndPort: backEnd.port,
    connections,
    workers,
    accessLog,
  }
  const subjects: Subject[] = []
  const nginx = await startNginx(common)
  if (nginx === null) say('nginx is not installed (Debian: apt-get install -y nginx): no peer')
  else subjects.push(nginx)
  subjects.push(await startGateway('easegress', DIST, [], common))
  for (const { name, dist, flags } of options.builds) {
    subjects.push(await startGateway(name, dist, flags, common))
  }
  say(`${scenario.name}: ${scenario.summary}; ${connections} connections, ${workers} worker(s)`)
  const rounds: Round[] = []
  await measure({ wrk, options, subjects, folder: household.folder }, (round) => {
    rounds.push(round)
    say(roundLine(round, options.rounds))
  })
  const text = summary(rounds, subjects)
  process.stdout.write(`${text}\n\n${surroundings(backEnd, wrk, subjects).join('\n')}\n`)
  if (options.json !== null) {
    const machine = surroundings(backEnd, wrk, subjects)
    const { builds: _builds, ...config } = options
    writeFileSync(options.json, `${JSON.stringify({ config, machine, rounds }, null, 2)}\n`)
  }
}

async function memory(options: Options, household: Household, wrk: string): Promise<number> {
  const { scenario, connections, workers, accessLog, from, to } = options
  const { port: backEndPort } = await startBackEnd(household, ROOT, scenario.answerBytes)
  const common = { household, scenario, backEndPort, connections, workers, accessLog }
  const subject = await startGateway('easegress', DIST, [], common)
  const { folder } = household
  return growthOverRequests({ wrk, subject, folder, connections, from, to, say })
}

async function bigBody(options: Options, household: Household, wrk: string): Promise<number> {
  const { scenario, connections, workers, accessLog, bytes, bytesPerSecond } = options
  const backEnd = await startBigBackEnd(bytes)
  try {
    const backEndPort = backEnd.port
    const common = { household, scenario, backEndPort, connections, workers, accessLog }
    const subject = await startGateway('easegress', DIST, [], common)
    // What is loaded and grown once by any traffic is not the big body's.
    const url = `http://127.0.0.1:${subject.port}${PATH}`
    const { folder } = household
    await runWrk({ program: wrk, url, connections, seconds: 3, bodyBytes: 0, folder })
    return await growthForSlowReader({ subject, bytes, bytesPerSecond, say })
  } finally {
    backEnd.close()
  }
}

async function path(options: Options): Promise<void> {
  const { scenario } = options
  say(`${scenario.name}: ${scenario.summary}; our own code only`)
  for (const { request, lowNanos, medianNanos, bytes } of await measurePath(scenario)) {
    const costs = `${lowNanos.toFixed(0)} ns in quiet rounds, ${medianNanos.toFixed(0)} ns median`
    process.stdout.write(
      `a request as of ${request}: ${costs}, ${bytes.toFixed(0)} bytes of garbage\n`,
    )
  }
}

/** One of the two modes that look at resident memory. */
async function growth(
  mode: 'memory' | 'big-body',
  options: Options,
  household: Household,
  wrk: string,
): Promise<void> {
  const measureGrowth = mode === 'memory' ? memory : bigBody
  const megabytes = (await measureGrowth(options, household, wrk)) / MEGABYTE
  const bound = GROWTH_MB_MAX[mode]
  process.stdout.write(`resident memory grew by ${megabytes.toFixed(1)} MB (bound ${bound} MB)\n`)
  if (megabytes >= bound) process.exitCode = 1
}

/** What the figures depend on besides the code. */
function surroundings(backEnd: BackEnd, wrk: string, subjects: readonly Subject[]): string[] {
  const cores = cpus()
  return [
    `machine: ${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, ${process.platform} ${process.arch}`,
    `back end: ${backEnd.kind}; load: ${versionOf(wrk, '-v')}`,
    ...subjects.map(({ name, version }) => `${name}: ${version}`),
  ]
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(HELP)
    return
  }
  if (options.mode === 'path') {
    await path(options)
    process.exit() // stand-ins for sockets leave timers behind
  }
  const wrk = findProgram('wrk')
  if (wrk === null) {
    throw new BenchOptionError('wrk is not installed (Debian: apt-get install -y wrk)')
  }
  const household = new Household()
  const interrupted = (): void => {
    say('interrupted')
    void household.stop().then(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    if (options.mode === 'compare') await compare(options, household, wrk)
    else await growth(options.mode, options, household, wrk)
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
