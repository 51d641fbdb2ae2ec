/** How much of its own peak each gateway keeps when twice as much is asked of it. */
import { figureText } from '../bars.js'
import type { Bench } from '../bench.js'
import type { Load } from '../loadgen.js'
import type { Phase, Table } from '../result.js'
import { interleave, type Side } from '../rounds.js'
import { perSecond, type Sample, type Series, spread } from '../sample.js'
import type { Site } from '../site.js'
import { allPeers, oneByOne, rounds, secondsOf } from './scenario.js'

/** What is offered, in peaks of the gateway itself. */
const TIMES_PEAK = 2

export interface Crowds {
  readonly site: Site
  /** Of the peak. */
  readonly load: Load
  /** Of the closed loop with more of them. */
  readonly manyConnections: number
  /** What more is offered with; the rate is that of each. */
  readonly offer: Load
}

export interface Beside {
  readonly notes: readonly string[]
  readonly tables: readonly Table[]
  readonly phases: readonly Phase[]
}

/** Seconds, roughly. */
export const plannedBeside = (bench: Bench, usefulSeconds: number): number =>
  allPeers(bench).length *
  (secondsOf(rounds(bench), 3) + bench.effort.roundsBeside * usefulSeconds + 1)

/** Each has its own peak, so they cannot take turns. */
export async function besideOthers(bench: Bench, crowds: Crowds): Promise<Beside> {
  const { notes, measured: all } = await oneByOne(bench, allPeers(bench), crowds, async (side) => ({
    name: side.name,
    series: await measured(bench, side, crowds),
  }))
  const rows = all.map(({ name, series }) => overloadRow(name, series))
  const phases = all.map(({ name, series }) => ({ name: `${name}, overload`, series }))
  const columns = [
    '',
    'peak/s',
    `${crowds.manyConnections} connections`,
    'longest ms',
    `${TIMES_PEAK} × peak offered`,
    'p99 ms',
  ]
  const title = 'beside others: right answers a second, and how much of the own peak that is'
  return { notes, tables: rows.length < 2 ? [] : [{ title, columns, rows }], phases }
}

type Measured = readonly [peak: Series, crowded: Series, offered: Series]

async function measured(bench: Bench, side: Side, crowds: Crowds): Promise<Measured> {
  const { load, manyConnections, offer } = crowds
  const plan = rounds(bench)
  const crowd = { ...load, connections: manyConnections, toleratesErrors: true }
  const closed = [side, { ...side, name: `${manyConnections} connections`, load: crowd }]
  const [peak, crowded] = (await interleave(bench, side.name, closed, plan)) as [Series, Series]
  const rate = Math.round(spread(peak, perSecond).median * TIMES_PEAK)
  const name = `${TIMES_PEAK} × peak`
  const more = { ...side, name, load: { ...offer, rate } }
  const [offered] = (await interleave(bench, `${side.name}, ${name}`, [more], plan)) as [Series]
  return [peak, crowded, offered]
}

/** As {@link besideOthers} prints it. */
export function overloadRow(name: string, [peak, crowded, offered]: Measured): string[] {
  const most = spread(peak, perSecond).median
  const kept = (series: Series): string => {
    const right = spread(series, perSecond).median
    return `${figureText(right)} (${(right / most).toFixed(2)})`
  }
  const slow = (of: (sample: Sample) => number, series: Series): string =>
    figureText(spread(series, of).median)
  return [
    name,
    figureText(most),
    kept(crowded),
    slow((sample) => sample.latency.max, crowded),
    kept(offered),
    slow((sample) => sample.latency.p99, offered),
  ]
}
