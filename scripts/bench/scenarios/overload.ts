/** What is left of the capacity when more is asked than can be served. */
import { type Bar, figureText, intervalText } from '../bars.js'
import type { Bench } from '../bench.js'
import { spreadText } from '../figures.js'
import type { Load } from '../loadgen.js'
import { startGateway } from '../peers/gateway.js'
import { type GatewayObject, objectsFor, pipelineObject, serverObject } from '../peers/objects.js'
import { emptyResult, type ScenarioResult, type Table } from '../result.js'
import { interleave, type Rounds, type Side } from '../rounds.js'
import { cpuMicros, figuresOf, perSecond, type Sample, type Series, spread } from '../sample.js'
import { PLAIN_SITE, type Site } from '../site.js'
import { median, medianWithInterval, pairedRatio } from '../statistics.js'
import { besideOthers, plannedBeside } from './overload-beside.js'
import {
  endSides,
  fullRounds,
  origin,
  rounds,
  type Scenario,
  secondsOf,
  warmUp,
} from './scenario.js'

const BYTES = 64
/** Connections that the peak needs, and how many times as many come. */
const TIMES = 4
/** What is offered, in peaks. */
const OFFERED = [1.5, 2, 3] as const
const OFFERING_CONNECTIONS = 1024
/** An answer that comes later than this after its request was due is of no use. */
const USEFUL_SECONDS = 1
/** Longest wait of a request for a connection to a back end (docs/reference/Proxy.md). */
const QUEUE_LIMIT_MS = 10_000
const REFUSING = '/refuse'

const longestMs = (sample: Sample): number => sample.latency.max

/**
 * Right answers a second that refusing allows: of the `busy` seconds of CPU time a second, what
 * `offered` requests leave when each that is not served costs `refusalMicros`. Never more than
 * offered, never below 0.
 */
export function goodputBound(
  offered: number,
  busy: number,
  servedMicros: number,
  refusalMicros: number,
): number {
  const served = (busy * 1e6 - offered * refusalMicros) / (servedMicros - refusalMicros)
  return Math.max(0, Math.min(offered, served))
}

function objects(site: Site, port: number): GatewayObject[] {
  const [pipeline] = objectsFor('v1', site, port)
  const refusal = { kind: 'Mock', rules: [{ code: 503, body: 'overloaded' }] }
  const routes = [
    { path: REFUSING, backend: 'refusal' },
    { pathPrefix: '/', backend: pipeline?.name ?? '' },
  ]
  return [
    pipeline as GatewayObject,
    pipelineObject('v1', 'refusal', [refusal]),
    serverObject('v1', port, routes, site),
  ]
}

export function connectionBars(peak: Series, many: Series): Bar[] {
  const rounds = peak.rounds.length
  return [
    {
      name: `${TIMES} times the connections: goodput`,
      figure: pairedRatio(figuresOf(many, perSecond), figuresOf(peak, perSecond)),
      interval: '95 %',
      atLeast: 0.9,
      unit: '× peak',
      rounds,
    },
    {
      name: `${TIMES} times the connections: longest answer`,
      figure: spread(many, longestMs),
      interval: 'range',
      atMost: QUEUE_LIMIT_MS,
      unit: 'ms',
      rounds: null,
    },
  ]
}

/** Goodput of each round over the bound of that offer. */
export function offerBar(times: number, bound: number, series: Series): Bar {
  return {
    name: `${times} times the peak offered: goodput`,
    figure: medianWithInterval(figuresOf(series, (sample) => perSecond(sample) / bound)),
    interval: '95 %',
    atLeast: 0.9,
    unit: '× bound',
    rounds: series.rounds.length,
  }
}

/** One slice: each ends with the wait for its last answers. */
const offerRounds = ({ effort }: Bench): Rounds => ({
  count: effort.rounds,
  slices: 1,
  seconds: effort.sliceSeconds,
})

export const overload: Scenario = {
  name: 'overload',
  title: 'GET, proxied, 64-byte answer, more than can be served',
  plannedSeconds: (bench) =>
    secondsOf(fullRounds(bench), 2) +
    secondsOf(rounds(bench), 2) +
    secondsOf(offerRounds(bench), OFFERED.length) +
    bench.effort.rounds * OFFERED.length * USEFUL_SECONDS +
    plannedBeside(bench, USEFUL_SECONDS) +
    bench.effort.warmUpSeconds,
  run: (bench) => run(bench),
}

async function run(bench: Bench): Promise<ScenarioResult> {
  const backEnd = await origin(bench, [`bytes=${BYTES}`])
  const { connections, place } = bench
  const site: Site = { ...PLAIN_SITE, connections: OFFERING_CONNECTIONS, backEnds: backEnd.ports }
  const subject = await startGateway({
    build: bench.builds[0],
    place,
    site,
    objects: (port) => objects(site, port),
  })
  const load: Load = { connections, expectBytes: BYTES }
  const peakSide: Side = { name: `${connections} connections`, subject, load }
  await warmUp(bench, peakSide, bench.effort.warmUpSeconds)
  const many = connections * TIMES
  const manySide = {
    ...peakSide,
    name: `${many} connections`,
    load: { ...load, connections: many },
  }
  const closed = await interleave(bench, overload.name, [peakSide, manySide], fullRounds(bench))
  const [peak, crowded] = closed as [Series, Series]

  const refusal: Load = { connections, path: REFUSING, expectStatus: '503' }
  const refusing = { name: 'refusal', subject, load: refusal }
  const [refusals] = (await interleave(bench, 'refusals', [refusing], rounds(bench))) as [Series]

  const peakPerSecond = spread(peak, perSecond).median
  const servedMicros = spread(peak, cpuMicros).median
  const refusalMicros = spread(refusals, cpuMicros).median
  const busy = median(figuresOf(peak, (sample) => sample.cpuSeconds / sample.seconds))
  const offer: Load = {
    connections: OFFERING_CONNECTIONS,
    expectStatus: '200',
    timeoutSeconds: USEFUL_SECONDS,
    toleratesErrors: true,
  }
  const offers = OFFERED.map((times) => ({ times, rate: Math.round(peakPerSecond * times) }))
  const sides = offers.map(({ times, rate }) => ({
    name: `${times} × peak`,
    subject,
    load: { ...offer, rate },
  }))
  const open = await interleave(bench, 'more than can be served', sides, offerRounds(bench))
  await endSides(place, [peakSide], null)
  const crowds = { site, load, manyConnections: many, offer }
  const beside = await besideOthers(bench, crowds)
  await endSides(place, [], backEnd)
  const bounds = offers.map(({ rate }) => goodputBound(rate, busy, servedMicros, refusalMicros))
  return {
    ...emptyResult(overload.name, overload.title),
    notes: [
      `a request costs ${figureText(servedMicros)} µs, a refusal ${figureText(refusalMicros)} µs; ` +
        `the worker's process uses ${figureText(busy)} s of CPU time a second`,
      `offers come over ${OFFERING_CONNECTIONS} connections; an answer counts when it is there ` +
        `${USEFUL_SECONDS} s after its request was due`,
      ...beside.notes,
    ],
    tables: [closedTable(closed), offerTable(open, offers, bounds), ...beside.tables],
    phases: [
      { name: 'closed loop', series: closed },
      { name: 'refusals', series: [refusals] },
      { name: 'open loop', series: open },
      ...beside.phases,
    ],
    bars: [
      ...connectionBars(peak, crowded),
      ...open.flatMap((each, i) => {
        // Where refusing alone takes all there is, there is nothing to reach.
        const bound = bounds[i] ?? 0
        return bound < 1 ? [] : [offerBar(OFFERED[i] ?? 0, bound, each)]
      }),
    ],
  }
}

function closedTable(series: readonly Series[]): Table {
  return {
    title: 'closed loop',
    columns: ['', 'right answers/s', 'CPU µs/request', 'p99 ms', 'longest ms'],
    rows: series.map((each) => [
      each.name,
      spreadText(spread(each, perSecond)),
      figureText(spread(each, cpuMicros).median),
      figureText(spread(each, (sample) => sample.latency.p99).median),
      figureText(spread(each, longestMs).high),
    ]),
  }
}

function offerTable(
  series: readonly Series[],
  offers: readonly { readonly rate: number }[],
  bounds: readonly number[],
): Table {
  return {
    title: 'open loop: goodput beside the bound that the cost of a refusal allows',
    columns: [
      '',
      'offered/s',
      'right answers/s',
      'lowest … highest',
      'refused/s',
      'bound/s',
      'p99 ms',
    ],
    rows: series.map((each, i) => [
      each.name,
      String(offers[i]?.rate ?? 0),
      figureText(spread(each, perSecond).median),
      intervalText(spread(each, perSecond)),
      figureText(spread(each, refusedPerSecond).median),
      figureText(bounds[i] ?? 0),
      figureText(spread(each, (sample) => sample.latency.p99).median),
    ]),
  }
}

const refusedPerSecond = (sample: Sample): number =>
  ((sample.statuses['503'] ?? 0) + (sample.statuses['429'] ?? 0)) / sample.seconds
