/** `npm run bench:filters`: CPU time that a filter adds to a request. */
import { join } from 'node:path'
import { filterKinds, filterKindsV2 } from '../../src/kinds/registry.js'
import { type Bar, figureText, intervalText } from './bars.js'
import type { Bench } from './bench.js'
import { type Fragment, issued, readFragments, withOrigin } from './fragments.js'
import { type MixEntry, writeMix } from './mixes.js'
import { BenchOptionError, type Options } from './options.js'
import { putObjects, startGateway } from './peers/gateway.js'
import { type GatewayObject, pipelineObject, proxyFilter, serverObject } from './peers/objects.js'
import { barTable, type Table, tableText } from './result.js'
import { interleave, load as loadSide, type Side } from './rounds.js'
import { cpuMicros, figuresOf, type Series } from './sample.js'
import { endSides, origin } from './scenarios/scenario.js'
import { PLAIN_SITE, type Site, type Subject, UnsupportedError } from './site.js'
import { pairedDifference, pairedRatio } from './statistics.js'

const BYTES = 64
const ROUNDS = 15
const SLICE_SECONDS = 0.25
const WARM_UP_SECONDS = 1
const EMPTY = 'empty'
/** A pipeline of v2 has to make an answer, so there it is one that does nothing else. */
const EMPTY_V2 = 'empty, v2'
/** The empty pipeline, asked with tokens: a head that is another each time costs something by itself. */
const EMPTY_TOKENS = 'empty, tokens'
const ANSWER = { name: 'answer', kind: 'Mock', rules: [{ code: 200 }] }
/** Issue 5: a usual pipeline beside Proxy alone. */
const PROXY = 'Proxy alone'
const USUAL = 'Validator, RequestAdaptor, Proxy'
const USUAL_AT_MOST = 1.1

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** A pipeline that is asked. */
interface Case {
  readonly name: string
  readonly pipeline: GatewayObject
  /** Asked in turn; all have one path. */
  readonly entries: readonly MixEntry[]
}

/** Kinds that some pipeline may hold, and for which there is no fragment. */
export function kindsWithout(fragments: readonly Fragment[]): string[] {
  const kinds = new Set([...filterKinds.keys(), ...filterKindsV2.keys()])
  for (const { kind } of fragments) kinds.delete(kind)
  return [...kinds].sort()
}

/** The pipeline of a fragment: the filter as often as it asks for, and nothing else. */
export function fragmentPipeline(
  fragment: Fragment,
  name: string,
  port: number,
  folder: string,
): GatewayObject {
  const { dialect, copies, jumpIf } = fragment
  const filter = withOrigin(fragment.filter, port, folder)
  const filters = Array.from({ length: copies }, () => filter)
  if (dialect === 'v1') return pipelineObject(dialect, name, filters)
  const pipeline = pipelineObject(dialect, name, [...filters, ANSWER])
  const flow = filters.map((_, i) => ({ filter: `filter-${i + 1}`, jumpIf }))
  return { ...pipeline, flow: [...flow, { filter: ANSWER.name }] }
}

/** Whether its requests have heads of their own, each. */
const isVaried = ({ tokens }: Fragment): boolean => tokens !== null && tokens.count > 1

const pathOf = (number: number): string => `/case-${number}`

function casesOf(fragments: readonly Fragment[], site: Site, folder: string): Case[] {
  const port = site.backEnds[0] as number
  const plain = (name: string, filters: readonly Readonly<Record<string, unknown>>[]) => ({
    name,
    filters,
  })
  const adaptor = { kind: 'RequestAdaptor', header: { set: { 'X-Bench': 'value' } } }
  const validator = { kind: 'Validator', headers: { 'X-User': { regexp: '^[a-z]+$' } } }
  const proxy = proxyFilter('v1', site)
  const varied = fragments.find(isVaried)
  const fixed = [
    plain(EMPTY, []),
    plain(PROXY, [proxy]),
    plain(USUAL, [validator, adaptor, proxy]),
    plain(EMPTY_V2, [ANSWER]),
    ...(varied === undefined ? [] : [plain(EMPTY_TOKENS, [])]),
  ].map(({ name, filters }, i) => {
    const asked =
      name === EMPTY_TOKENS && varied !== undefined
        ? issued(varied, port).headers
        : [{ 'X-User': 'bench' }]
    return {
      name,
      pipeline: pipelineObject(name === EMPTY_V2 ? 'v2' : 'v1', `case-${i}`, filters),
      entries: asked.map((headers) => ({ path: pathOf(i), headers })),
    }
  })
  const measured = fragments.map((fragment, i) => {
    const number = fixed.length + i
    const { method, body, status } = fragment.request
    const { filter, headers } = issued(fragment, port)
    const entry = { path: pathOf(number), method, expect: { status } }
    return {
      name: fragment.name,
      pipeline: fragmentPipeline({ ...fragment, filter }, `case-${number}`, port, folder),
      entries: headers.map((each) => ({
        ...entry,
        headers: each,
        ...(body === '' ? {} : { body }),
      })),
    }
  })
  return [...fixed, ...measured]
}

/** Creates the pipelines; those that are refused are left out, with the reason. */
async function createCases(subject: Subject, cases: readonly Case[]): Promise<Case[]> {
  const created: Case[] = []
  for (const each of cases) {
    try {
      const path = each.pipeline.kind === 'Pipeline' ? '/apis/v2/objects' : undefined
      await putObjects(subject, [each.pipeline], path)
      created.push(each)
    } catch (thrown) {
      if (!(thrown instanceof UnsupportedError)) throw thrown
      print(`${each.name} is left out: ${thrown.message}`)
    }
  }
  return created
}

/** What each fragment costs above the empty pipeline, a copy. */
export function costTable(fragments: readonly Fragment[], series: readonly Series[]): Table {
  const rows = fragments.flatMap((fragment) => {
    const cost = costOf(fragment, series)
    if (cost === null) return []
    return [[fragment.name, figureText(cost.median), intervalText(cost), fragment.summary]]
  })
  return {
    title: 'CPU µs a request above an empty pipeline: median of paired rounds [95 % interval]',
    columns: ['', 'µs', 'interval', 'what it does'],
    rows,
  }
}

function costOf(fragment: Fragment, series: readonly Series[]) {
  const { name, copies, dialect } = fragment
  const empty = dialect === 'v2' ? EMPTY_V2 : isVaried(fragment) ? EMPTY_TOKENS : EMPTY
  const base = series.find((each) => each.name === empty)
  const ours = series.find((each) => each.name === name)
  if (base === undefined || ours === undefined) return null
  const { median, low, high } = pairedDifference(
    figuresOf(ours, cpuMicros),
    figuresOf(base, cpuMicros),
  )
  return { median: median / copies, low: low / copies, high: high / copies }
}

/** Bars of issue 5. */
export function filterBars(fragments: readonly Fragment[], series: readonly Series[]): Bar[] {
  const rounds = series[0]?.rounds.length ?? 0
  const bars = fragments.flatMap((fragment): Bar[] => {
    const figure = costOf(fragment, series)
    if (figure === null || fragment.microsMax === null) return []
    const common = { interval: '95 %', unit: 'µs', rounds } as const
    return [{ ...common, name: fragment.name, figure, atMost: fragment.microsMax }]
  })
  const proxy = series.find((each) => each.name === PROXY)
  const usual = series.find((each) => each.name === USUAL)
  if (proxy !== undefined && usual !== undefined) {
    const figure = pairedRatio(figuresOf(usual, cpuMicros), figuresOf(proxy, cpuMicros))
    const name = `${USUAL}: CPU a request`
    bars.push({ name, figure, interval: '95 %', atMost: USUAL_AT_MOST, unit: '× Proxy', rounds })
  }
  return bars
}

/** Prints the table. One gateway holds all pipelines, so its code has seen them all. */
export async function measureFilters(bench: Bench, options: Options, root: string): Promise<void> {
  const folder = join(root, 'scripts', 'bench', 'filters')
  const all = readFragments(folder)
  const wanted = all.filter(
    ({ kind }) => options.kinds.length === 0 || options.kinds.includes(kind),
  )
  const unknown = options.kinds.filter((kind) => !all.some((each) => each.kind === kind))
  if (unknown.length > 0)
    throw new BenchOptionError(`--filter: no fragment of ${unknown.join(', ')}`)
  const backEnd = await origin(bench, [`bytes=${BYTES}`])
  const site = { ...PLAIN_SITE, connections: bench.connections, backEnds: backEnd.ports }
  const cases = casesOf(wanted, site, folder)
  const { place, connections } = bench
  const subject = await startGateway({
    build: bench.builds[0],
    place,
    site,
    objects: (port) => [
      serverObject(
        'v1',
        port,
        cases.map(({ entries, pipeline }) => ({
          path: (entries[0] as MixEntry).path,
          backend: pipeline.name,
        })),
        site,
      ),
    ],
    ready: null,
  })
  const created = await createCases(subject, cases)
  const sides: Side[] = created.map(({ name, entries }) => ({
    name,
    subject,
    load: { connections, mix: writeMix(place.household, entries), inTurn: true },
  }))
  for (const side of sides) await loadSide(bench, side, WARM_UP_SECONDS)
  const count = options.rounds ?? (options.quick ? 3 : ROUNDS)
  const plan = { count, slices: 1, seconds: options.seconds ?? SLICE_SECONDS }
  const series = await interleave(bench, 'filters', sides, plan)
  await endSides(place, sides.slice(0, 1), backEnd)
  print(`${tableText(costTable(wanted, series))}\n`)
  print(tableText(barTable(filterBars(wanted, series))))
  const missing = kindsWithout(all)
  if (missing.length > 0) print(`\nwithout a file in scripts/bench/filters: ${missing.join(', ')}`)
}
