import { parseArgs } from 'node:util'
import { SCENARIOS, type Scenario } from './scenarios.js'

/** Another build of the gateway to compare with. */
export interface Build {
  readonly name: string
  /** The folder that holds its `src/main.js`. */
  readonly dist: string
}

export interface Options {
  readonly scenario: Scenario
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly workers: number
  readonly accessLog: boolean
  readonly builds: readonly Build[]
  readonly nodeFlags: readonly string[]
  /** Where to write all figures; null for nowhere. */
  readonly json: string | null
}

/** What is wrong with the command line, or missing on the machine. */
export class BenchOptionError extends Error {}

export const HELP = `Usage: npm run bench -- [options]

Compares CPU time per request, requests a second and latency with nginx, in interleaved rounds.

  --scenario NAME     ${SCENARIOS.map(({ name }) => name).join(', ')} (default proxy)
  --rounds N          rounds, 1..100 (default 9)
  --seconds N         of load for each side in each round, 1..60 (default 4)
  --connections N     kept alive, 1..4096 (default 64)
  --workers N         of the gateway, and worker processes of nginx, 1..64 (default 1)
  --access-log        write access logs, both sides
  --build NAME=DIR    compare another build of the gateway too; DIR holds its src/main.js
  --node-flag FLAG    start this build's node with FLAG; repeatable
  --json FILE         write every figure of every round to FILE
  --help              print this
`

/** Null when help is asked for. Throws {@link BenchOptionError}. */
export function readOptions(args: readonly string[]): Options | null {
  const values = parse(args)
  if (values.help === true) return null
  const name = values.scenario ?? 'proxy'
  const scenario = SCENARIOS.find((each) => each.name === name)
  if (scenario === undefined) throw new BenchOptionError(`--scenario: there is no ${name}`)
  return {
    scenario,
    rounds: wholeNumber('rounds', values.rounds ?? '9', 100),
    seconds: wholeNumber('seconds', values.seconds ?? '4', 60),
    connections: wholeNumber('connections', values.connections ?? '64', 4096),
    workers: wholeNumber('workers', values.workers ?? '1', 64),
    accessLog: values['access-log'] === true,
    builds: (values.build ?? []).map(readBuild),
    nodeFlags: values['node-flag'] ?? [],
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
        'node-flag': texts,
        json: text,
        help: flag,
      },
    }).values
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
  const [, name, dist] = /^([\w-]+)=(.+)$/.exec(text) ?? []
  if (name !== undefined && dist !== undefined) return { name, dist }
  throw new BenchOptionError(`--build: expected NAME=DIR, got "${text}"`)
}
