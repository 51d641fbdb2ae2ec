import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Effort } from './bench.js'
import type { Build } from './peers/gateway.js'

export const MODES = [
  'all',
  'compare',
  'guard',
  'filters',
  'path',
  'memory',
  'slow-reader',
] as const
export type Mode = (typeof MODES)[number]

export interface Options {
  readonly mode: Mode
  /** Names; empty for every one that the mode has. */
  readonly scenarios: readonly string[]
  readonly quick: boolean
  /** Null: as much as the mode takes by default. */
  readonly rounds: number | null
  readonly seconds: number | null
  readonly connections: number
  readonly workers: number
  readonly accessLog: boolean
  readonly pinned: boolean
  /** Names; empty for every peer that is installed. */
  readonly peers: readonly string[]
  /** Binaries, null for none. */
  readonly easegress: readonly string[]
  readonly envoy: string | null
  readonly builds: readonly Build[]
  /** Mode guard: what to compare with; null for the last release tag. */
  readonly base: string | null
  /** Mode filters: kinds; empty for all. */
  readonly kinds: readonly string[]
  /** Mode memory: requests before the first and before the second reading. */
  readonly from: number
  readonly to: number
  /** Mode slow-reader: size of the body, and what its reader takes a second. */
  readonly bytes: number
  readonly bytesPerSecond: number
  /** Folder for the page and the JSON file. */
  readonly out: string
}

/** What is wrong with the command line. */
export class BenchOptionError extends Error {}

export const HELP = `Usage: npm run bench -- [MODE] [options]

Modes:
  all          (the default) every scenario, beside nginx, HAProxy and Caddy where they are
               installed: CPU time per request, requests a second, latency, memory. Writes JSON
               and a page with percentile curves. Some 40 minutes, with --quick five to ten.
  compare      one scenario, closed loop, beside nginx and other builds: for development
  guard        this work tree beside a commit: slower, faster, or no difference found
               (npm run bench:guard)
  filters      CPU time that each kind of filter adds (npm run bench:filters)
  path         what our own code costs, without any system call
  memory       growth of resident memory over requests; fails above 8 MB
  slow-reader  the same while one large answer is read slowly; fails above 32 MB

Options:
  --scenario NAME     only this one; repeatable (see --list; compare and guard: default proxy;
                      path: proxy, mock, routes, pipelines)
  --list              list the scenarios
  --quick             fewer, shorter rounds: for a first look, not for judging
  --rounds N          interleaved rounds, 1..100 (default 9; fewer where nothing is judged)
  --seconds N         load on each side in each round, 0.1..60 (default 1; compare 4)
  --connections N     kept alive, 1..4096 (default 64)
  --peer NAME         only this peer: nginx, haproxy, caddy, envoy, easegress; repeatable
  --easegress PATH    easegress-server of 1.0 or 2, to be compared too; repeatable
  --envoy PATH        envoy, to be compared too
  --build NAME=DIR[,FLAG…]  another build of this gateway too, or the same with other flags of
                      node; DIR holds its src/main.js; repeatable
  --no-pin            leave the cores to the system; else the server that is measured has the
                      first one for itself, and load and back end the others
  --workers N         compare, memory, slow-reader: workers, 1..64 (default 1)
  --access-log        compare: write access logs, where both sides can
  --base COMMIT       guard: compare with this (default: the last release tag)
  --filter KIND       filters: only this kind; repeatable
  --from N, --to N    memory: requests before the two readings (default 2000000, 10000000)
  --bytes N           slow-reader: of the answer (default 2147483648)
  --rate N            slow-reader: bytes a second of the reader (default 134217728)
  --out DIR           where results are written (default bench-results)
  --help              print this

nginx, HAProxy, Caddy (Debian): apt-get install -y nginx haproxy caddy
`

/** Null when help is asked for, `list` for the list. Throws {@link BenchOptionError}. */
export function readOptions(args: readonly string[]): Options | 'list' | null {
  const { values, positionals } = parse(args)
  if (values.help === true) return null
  if (values.list === true) return 'list'
  const [word = 'all', ...more] = positionals
  const mode = MODES.find((each) => each === word)
  if (mode === undefined || more.length > 0) {
    throw new BenchOptionError(
      `expected one of ${MODES.join(', ')}, got "${positionals.join(' ')}"`,
    )
  }
  const from = wholeNumber('from', values.from ?? '2000000', 1e9)
  return {
    mode,
    scenarios: values.scenario ?? [],
    quick: values.quick === true,
    rounds: values.rounds === undefined ? null : wholeNumber('rounds', values.rounds, 100),
    seconds: values.seconds === undefined ? null : someSeconds('seconds', values.seconds),
    connections: wholeNumber('connections', values.connections ?? '64', 4096),
    workers: wholeNumber('workers', values.workers ?? '1', 64),
    accessLog: values['access-log'] === true,
    pinned: values['no-pin'] !== true,
    peers: values.peer ?? [],
    easegress: values.easegress ?? [],
    envoy: values.envoy ?? null,
    builds: (values.build ?? []).map(readBuild),
    base: values.base ?? null,
    kinds: values.filter ?? [],
    from,
    to: Math.max(from, wholeNumber('to', values.to ?? '10000000', 1e9)),
    bytes: wholeNumber('bytes', values.bytes ?? '2147483648', 2 ** 40),
    bytesPerSecond: wholeNumber('rate', values.rate ?? '134217728', 2 ** 40),
    out: values.out ?? 'bench-results',
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
        scenario: texts,
        list: flag,
        quick: flag,
        rounds: text,
        seconds: text,
        connections: text,
        workers: text,
        'access-log': flag,
        'no-pin': flag,
        peer: texts,
        easegress: texts,
        envoy: text,
        build: texts,
        base: text,
        filter: texts,
        from: text,
        to: text,
        bytes: text,
        rate: text,
        out: text,
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

function someSeconds(name: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (value >= 0.1 && value <= 60) return value
  throw new BenchOptionError(`--${name}: expected 0.1..60, got "${text}"`)
}

function readBuild(text: string): Build {
  const [, name, rest] = /^([\w-]+)=(.+)$/.exec(text) ?? []
  const [dist, ...flags] = rest?.split(',') ?? []
  if (name !== undefined && dist !== undefined) return { name, dist: resolve(dist), flags }
  throw new BenchOptionError(`--build: expected NAME=DIR, got "${text}"`)
}

/** How long and how often, for a full or a quick look, unless the user says otherwise. */
export function effortOf({ quick, rounds, seconds }: Options): Effort {
  const full = quick
    ? { rounds: 3, roundsBeside: 2, sliceSeconds: 0.3, warmUpSeconds: 0.6 }
    : { rounds: 9, roundsBeside: 5, sliceSeconds: 1, warmUpSeconds: 5 }
  return {
    quick,
    ...full,
    ...(rounds === null ? {} : { rounds, roundsBeside: rounds }),
    ...(seconds === null ? {} : { sliceSeconds: seconds }),
  }
}
