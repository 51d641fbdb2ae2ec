import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SCENARIOS, type Scenario } from './scenarios.js'

/** Another build of the gateway to compare with. */
export interface Build {
  readonly name: string
  /** The folder that holds its `src/main.js`. */
  readonly dist: string
  /** For its node. */
  readonly flags: readonly string[]
}

export const MODES = ['compare', 'path', 'memory', 'big-body'] as const
export type Mode = (typeof MODES)[number]

export interface Options {
  readonly mode: Mode
  readonly scenario: Scenario
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly workers: number
  readonly accessLog: boolean
  readonly builds: readonly Build[]
  /** Mode memory: requests before the first and before the second reading. */
  readonly from: number
  readonly to: number
  /** Mode big-body: size of the body, and what its reader takes a second. */
  readonly bytes: number
  readonly bytesPerSecond: number
  /** Where to write all figures; null for nowhere. */
  readonly json: string | null
}

/** What is wrong with the command line, or missing on the machine. */
export class BenchOptionError extends Error {}

export const HELP = `Usage: npm run bench -- [MODE] [options]

compare (the default): CPU time per request, requests a second and latency beside nginx, in
interleaved rounds. path: what our own code costs, without any system call. memory: growth of
resident memory over requests; fails above 8 MB. big-body: the same while a slow reader takes one
large answer; fails above 32 MB.

  --scenario NAME     ${SCENARIOS.map(({ name }) => name).join(', ')} (default proxy)
  --rounds N          rounds, 1..100 (default 9)
  --seconds N         of load for each side in each round, 1..60 (default 4)
  --connections N     kept alive, 1..4096 (default 64)
  --workers N         of the gateway, and worker processes of nginx, 1..64 (default 1)
  --access-log        write access logs, both sides
  --build NAME=DIR[,FLAG…]  compare another build of the gateway too, or the same with other
                      flags of node; DIR holds its src/main.js; repeatable
  --from N, --to N    memory: requests before the two readings (default 2000000, 10000000)
  --bytes N           big-body: of the answer (default 2147483648)
  --rate N            big-body: bytes a second of the reader (default 134217728)
  --json FILE         write every figure of every round to FILE
  --help              print this
`

/** Null when help is asked for. Throws {@link BenchOptionError}. */
export function readOptions(args: readonly string[]): Options | null {
  const { values, positionals } = parse(args)
  if (values.help === true) return null
  const [word = 'compare', ...more] = positionals
  const mode = MODES.find((each) => each === word)
  if (mode === undefined || more.length > 0) {
    throw new BenchOptionError(
      `expected one of ${MODES.join(', ')}, got "${positionals.join(' ')}"`,
    )
  }
  const name = values.scenario ?? 'proxy'
  const scenario = SCENARIOS.find((each) => each.name === name)
  if (scenario === undefined) throw new BenchOptionError(`--scenario: there is no ${name}`)
  const from = wholeNumber('from', values.from ?? '2000000', 1e9)
  return {
    mode,
    scenario,
    rounds: wholeNumber('rounds', values.rounds ?? '9', 100),
    seconds: wholeNumber('seconds', values.seconds ?? '4', 60),
    connections: wholeNumber('connections', values.connections ?? '64', 4096),
    workers: wholeNumber('workers', values.workers ?? '1', 64),
    accessLog: values['access-log'] === true,
    builds: (values.build ?? []).map(readBuild),
    from,
    to: Math.max(from, wholeNumber('to', values.to ?? '10000000', 1e9)),
    bytes: wholeNumber('bytes', values.bytes ?? '2147483648', 2 ** 40),
    bytesPerSecond: wholeNumber('rate', values.rate ?? '134217728', 2 ** 40),
    json: values.json ?? null,
  }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const texts = { type: 'string', multiple: true } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        scenario: text,
        rounds: text,
        seconds: text,
        connections: text,
        workers: text,
        'access-log': flag,
        build: texts,
        from: text,
        to: text,
        bytes: text,
        rate: text,
        json: text,
        help: flag,
      },
      allowPositionals: true,
    })
  } catch (thrown) {
    throw new BenchOptionError((thrown as Error).message)
  }
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  throw new BenchOptionError(`--${name}: expected 1..${most}, got "${text}"`)
}

function readBuild(text: string): Build {
  const [, name, rest] = /^([\w-]+)=(.+)$/.exec(text) ?? []
  const [dist, ...flags] = rest?.split(',') ?? []
  if (name !== undefined && dist !== undefined) return { name, dist: resolve(dist), flags }
  throw new BenchOptionError(`--build: expected NAME=DIR, got "${text}"`)
}
