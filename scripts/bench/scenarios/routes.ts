/** Whether many routes or pipelines make a request dearer than few. */
import type { Bar } from '../bars.js'
import type { Bench } from '../bench.js'
import { costsOf, ratioTable, throughputTable } from '../figures.js'
import { type MixEntry, writeMix } from '../mixes.js'
import { startGateway } from '../peers/gateway.js'
import {
  type GatewayObject,
  PIPELINE,
  pipelineObject,
  proxyFilter,
  type Route,
  serverObject,
} from '../peers/objects.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import { interleave, type Side } from '../rounds.js'
import { cpuMicros, figuresOf, type Series } from '../sample.js'
import { type Peer, PLAIN_SITE, type Site } from '../site.js'
import { pairedRatio } from '../statistics.js'
import { endSides, origin, type Scenario, secondsOf, tightRounds, warmUp } from './scenario.js'

const BYTES = 64
const MORE_AT_MOST = 1.1
/** So many of a table's routes are asked for, evenly spread. */
const ASKED_MAX = 1000
/** A prime. */
const ASKED_STRIDE = 6_181
const BARE_REGEXPS = 100

/** A route with a path that it matches. */
export interface KnownRoute {
  readonly route: Route
  readonly path: string
}

/**
 * Of twenty routes nine are exact, nine are prefixes, and two are regular expressions that begin
 * with a literal, mixed, as they must be tried in order. They lead to `backEnds` pipelines in turn.
 */
export function routesOf(count: number, backEnds = 1): KnownRoute[] {
  return Array.from({ length: count }, (_, i) => {
    const backend = backEnds === 1 ? PIPELINE : `${PIPELINE}-${i % backEnds}`
    const place = `/area-${i % 37}/service-${i}`
    const kind = i % 20
    if (kind === 9 || kind === 18) {
      const route = { pathRegexp: `^${place}/items/[0-9]+/[a-z]+$`, backend }
      return { route, path: `${place}/items/${i}/parts` }
    }
    if (kind % 2 === 0) return { route: { path: `${place}/list`, backend }, path: `${place}/list` }
    return { route: { pathPrefix: `${place}/`, backend }, path: `${place}/items/${i}` }
  })
}

/** Regular expressions that begin with no literal, so that no index can tell them apart. */
export function bareRegexps(count: number): KnownRoute[] {
  return Array.from({ length: count }, (_, i) => ({
    route: { pathRegexp: `[a-z]+/kind-${i}/[0-9]+$`, backend: PIPELINE },
    path: `/things/kind-${i}/${i}`,
  }))
}

/**
 * At most {@link ASKED_MAX} requests, evenly over all routes, and over their kinds: every tenth of
 * the table above would be an exact path.
 */
export function requestsFor(routes: readonly KnownRoute[]): MixEntry[] {
  const count = Math.min(routes.length, ASKED_MAX)
  return Array.from({ length: count }, (_, i) => ({
    path: (routes[(i * ASKED_STRIDE) % routes.length] as KnownRoute).path,
  }))
}

/** A table, and what is asked of it. */
export interface Variant {
  readonly name: string
  readonly routes: readonly KnownRoute[]
  readonly asked: readonly KnownRoute[]
  readonly pipelines: number
}

interface VariantScenario {
  readonly name: string
  readonly title: string
  /** The first is the base of all ratios. */
  readonly variants: readonly [Variant, ...Variant[]]
  /** Variants that nginx is set up for too, if it is installed. */
  readonly forNginx: readonly string[]
  /** Variant and name of what is judged. */
  readonly bar: readonly [variant: string, name: string]
  readonly notes: readonly string[]
}

const TEN = routesOf(10)
const TEN_THOUSAND = routesOf(10_000)
const BARE = bareRegexps(BARE_REGEXPS)

const VARIANT_SCENARIOS: readonly VariantScenario[] = [
  {
    name: 'routes',
    title: '10,000 routes beside ten',
    variants: [
      { name: 'ten routes', routes: TEN, asked: TEN, pipelines: 1 },
      { name: '10,000 routes', routes: TEN_THOUSAND, asked: TEN_THOUSAND, pipelines: 1 },
      {
        name: `ten and ${BARE_REGEXPS} bare regexes`,
        routes: [...TEN, ...BARE],
        asked: BARE,
        pipelines: 1,
      },
    ],
    forNginx: ['ten routes', '10,000 routes'],
    bar: ['10,000 routes', '10,000 routes: CPU a request'],
    notes: [
      'of twenty routes nine are exact, nine prefixes, two regular expressions that begin with a literal',
      `a bare regex begins with no literal; those asked for are spread over all ${BARE_REGEXPS}`,
    ],
  },
  {
    name: 'pipelines',
    title: '1,000 pipelines beside ten',
    variants: [
      { name: 'ten pipelines', routes: routesOf(1000, 10), asked: routesOf(1000), pipelines: 10 },
      {
        name: '1,000 pipelines',
        routes: routesOf(1000, 1000),
        asked: routesOf(1000),
        pipelines: 1000,
      },
    ],
    forNginx: [],
    bar: ['1,000 pipelines', '1,000 pipelines: CPU a request'],
    notes: ['both have the same 1,000 routes and are asked for all of them'],
  },
]

/** What the gateway of a variant is given: pipelines, and then the server that leads to them. */
export function objectsOf(variant: Variant, site: Site, port: number): GatewayObject[] {
  const { pipelines, routes } = variant
  const names = Array.from({ length: pipelines }, (_, i) =>
    pipelines === 1 ? PIPELINE : `${PIPELINE}-${i}`,
  )
  return [
    ...names.map((name) => pipelineObject('v1', name, [proxyFilter('v1', site)])),
    serverObject(
      'v1',
      port,
      routes.map(({ route }) => route),
      site,
    ),
  ]
}

/** CPU time a request over that of the first variant. */
export function moreBar(name: string, base: string, ours: Series, first: Series): Bar {
  return {
    name,
    figure: pairedRatio(figuresOf(ours, cpuMicros), figuresOf(first, cpuMicros)),
    interval: '95 %',
    atMost: MORE_AT_MOST,
    unit: `× ${base}`,
    rounds: ours.rounds.length,
  }
}

async function startVariant(bench: Bench, variant: Variant, site: Site): Promise<Side> {
  const { place, builds, connections } = bench
  const mix = writeMix(place.household, requestsFor(variant.asked))
  bench.progress.doing(`${variant.name}: start`)
  const subject = await startGateway({
    build: builds[0],
    place,
    site,
    objects: (port) => objectsOf(variant, site, port),
    ready: (variant.asked[0] as KnownRoute).path,
  })
  const side = { name: variant.name, subject, load: { connections, mix, expectBytes: BYTES } }
  await warmUp(bench, side, bench.effort.warmUpSeconds)
  return side
}

async function startNginxVariant(
  bench: Bench,
  nginx: Peer,
  variant: Variant,
  plain: Site,
): Promise<Side> {
  const { place, connections } = bench
  bench.progress.doing(`nginx, ${variant.name}: start`)
  const routes = variant.routes.map(({ route }) => route)
  const subject = await nginx.start(place, { ...plain, routes })
  const mix = writeMix(place.household, requestsFor(variant.asked))
  const load = { connections, mix, expectBytes: BYTES }
  const side = { name: `nginx, ${variant.name}`, subject, load }
  await warmUp(bench, side, bench.effort.warmUpSeconds / 3)
  return side
}

function variantScenario(scenario: VariantScenario): Scenario {
  const { name, title, variants, forNginx, bar, notes } = scenario
  return {
    name,
    title,
    plannedSeconds: (bench) =>
      secondsOf(tightRounds(bench), variants.length + forNginx.length) +
      (variants.length + forNginx.length) * bench.effort.warmUpSeconds,
    async run(bench): Promise<ScenarioResult> {
      const backEnd = await origin(bench, [`bytes=${BYTES}`])
      const { connections } = bench
      const site: Site = { ...PLAIN_SITE, connections, backEnds: backEnd.ports }
      const sides: Side[] = []
      for (const variant of variants) sides.push(await startVariant(bench, variant, site))
      const nginx = bench.peers.find((peer) => peer.name === 'nginx')
      for (const variant of variants) {
        if (nginx === undefined || !forNginx.includes(variant.name)) continue
        sides.push(await startNginxVariant(bench, nginx, variant, site))
      }
      const series = await interleave(bench, name, sides, tightRounds(bench))
      await endSides(bench.place, sides, backEnd)
      const [variantName, barName] = bar
      const ours = series.slice(0, variants.length)
      const theirs = series.slice(variants.length)
      const theirTable = theirs.length > 1 ? [ratioTable(theirs)] : []
      const judged = series.find((each) => each.name === variantName) as Series
      return {
        ...emptyResult(name, title),
        notes,
        tables: [throughputTable('closed loop', series), ratioTable(ours), ...theirTable],
        costs: costsOf(`${title}: CPU time a request`, series),
        phases: [{ name: 'closed loop', series }],
        bars: [moreBar(barName, variants[0].name, judged, series[0] as Series)],
      }
    },
  }
}

/** Tables of the scenario called `name`; none when it has no tables. */
export const variantsOf = (name: string): readonly Variant[] =>
  VARIANT_SCENARIOS.find((scenario) => scenario.name === name)?.variants ?? []

export const ROUTE_SCENARIOS: readonly Scenario[] = VARIANT_SCENARIOS.map(variantScenario)
