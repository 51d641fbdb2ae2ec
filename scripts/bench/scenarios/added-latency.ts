/** What a server adds to the latency of the back end itself. */
import type { Bar } from '../bars.js'
import type { Bench } from '../bench.js'
import { disturbanceNotes, latencyTable, plotOf } from '../figures.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import { interleave, type Rounds, type Side } from '../rounds.js'
import { figuresOf, perSecond, type Sample, type Series, spread } from '../sample.js'
import { PLAIN_SITE } from '../site.js'
import { addedRatio } from '../statistics.js'
import {
  allPeers,
  endSides,
  origin,
  type Scenario,
  secondsOf,
  shortRounds,
  startSides,
} from './scenario.js'

const BYTES = 64
const CAPACITY_ROUNDS = 3

/** p99 of a round is from 0.5 to 4 ms, whoever serves: only many tell. */
const plan = (bench: Bench): Rounds => shortRounds(bench, 14, 4)

const p99 = (sample: Sample): number => sample.latency.p99

/** Null when a side is missing. */
export function addedLatencyBar(
  ours: Series | undefined,
  peer: Series | undefined,
  direct: Series | undefined,
): Bar | null {
  if (ours === undefined || peer === undefined || direct === undefined) return null
  return {
    name: 'p99 added at half of the capacity of nginx',
    figure: addedRatio(figuresOf(ours, p99), figuresOf(peer, p99), figuresOf(direct, p99)),
    interval: '95 %',
    atMost: 1.2,
    unit: '× nginx',
    rounds: ours.rounds.length,
  }
}

/** Load and back end share a core when there are two, and then wait for each other. */
const floorNotes = (bar: Bar | null): string[] =>
  bar === null || Number.isFinite(bar.figure.high)
    ? []
    : ['the back end alone was as slow as through nginx, so what either adds cannot be told here']

export const addedLatency: Scenario = {
  name: 'added-latency',
  title: 'GET, proxied, 64-byte answer, at half of what nginx can do',
  plannedSeconds: (bench) =>
    secondsOf(plan(bench), 3) + CAPACITY_ROUNDS + 2 * bench.effort.warmUpSeconds,
  async run(bench): Promise<ScenarioResult> {
    const result = emptyResult(addedLatency.name, addedLatency.title)
    const [ours] = bench.builds
    const peers = allPeers(bench).filter(({ name }) => name === 'nginx' || name === ours.name)
    if (peers.length < 2) return { ...result, notes: ['left out: nginx is not installed'] }
    const { connections } = bench
    const backEnd = await origin(bench, [`bytes=${BYTES}`])
    const load = { connections, expectBytes: BYTES }
    const site = { ...PLAIN_SITE, connections, backEnds: backEnd.ports }
    const { sides, notes } = await startSides(bench, { peers, site, load, answerBytes: BYTES })
    const nginx = sides.filter(({ name }) => name === 'nginx')
    const toFind = { count: CAPACITY_ROUNDS, slices: 1, seconds: bench.effort.sliceSeconds }
    const capacity = await interleave(bench, 'what nginx can do', nginx, toFind)
    const rate = Math.round(spread(capacity[0] as Series, perSecond).median / 2)
    const direct: Side = {
      name: 'direct',
      subject: { port: backEnd.ports[0] as number, tls: false, child: backEnd.child },
      load,
    }
    const open = [direct, ...sides].map((side) => ({ ...side, load: { ...load, rate } }))
    const series = await interleave(bench, addedLatency.name, open, plan(bench))
    await endSides(bench.place, sides, backEnd)
    const of = (name: string): Series | undefined => series.find((each) => each.name === name)
    const bar = addedLatencyBar(of(ours.name), of('nginx'), of('direct'))
    const what = `open loop, ${rate} requests/s (half of the capacity of nginx)`
    return {
      ...result,
      notes: [...notes, ...disturbanceNotes(series), ...floorNotes(bar)],
      tables: [latencyTable(what, series)],
      plots: [plotOf(`${addedLatency.title}: ${what}`, series)],
      phases: [{ name: what, series }],
      bars: bar === null ? [] : [bar],
    }
  },
}
