/** Whether workers get in each other's way, and how evenly connections fall on them. */
import { connectionsByLoop } from '../accounting.js'
import type { Bar } from '../bars.js'
import { figureText, intervalText } from '../bars.js'
import type { Bench } from '../bench.js'
import { sleep } from '../children.js'
import { costsOf, ratioTable, throughputTable } from '../figures.js'
import { gateway, OUR_NAME } from '../peers/gateway.js'
import { emptyResult, type ScenarioResult, type Table } from '../result.js'
import { interleave, load as loadSide, type Rounds, type Side } from '../rounds.js'
import { cpuMicros, figuresOf, type Series } from '../sample.js'
import { type Peer, PLAIN_SITE, type Subject } from '../site.js'
import { medianWithInterval, pairedRatio, type Spread, spreadOf } from '../statistics.js'
import { ANY_CORES } from '../tools.js'
import {
  checkAnswer,
  endSides,
  origin,
  type Scenario,
  secondsOf,
  shortRounds,
  warmUp,
} from './scenario.js'

const BYTES = 64
const COUNTS = [1, 2, 4] as const
const BALANCE_SECONDS = 0.2
/** Where 64 connections fall is chance: more readings than rounds. */
const BALANCES_A_ROUND = 9
const COUNT_EVERY_MS = 15

const plan = (bench: Bench): Rounds => shortRounds(bench, 4)

/** Connections of the fullest worker over the mean; `counts` leaves out workers without any. */
export function imbalance(counts: readonly number[], workers: number): number {
  const all = total(counts)
  return all === 0 ? Number.NaN : Math.max(...counts) / (all / workers)
}

/** Bars of two and of four workers, out of the series in the order of {@link COUNTS}. */
export function workerBars(
  series: readonly Series[],
  balances: readonly (Spread | undefined)[],
): Bar[] {
  const [one] = series
  return COUNTS.slice(1).flatMap((workers, i): Bar[] => {
    const many = series[i + 1]
    const balance = balances[i]
    if (one === undefined || many === undefined) return []
    const rounds = many.rounds.length
    const ratio = pairedRatio(figuresOf(many, cpuMicros), figuresOf(one, cpuMicros))
    const cost: Bar = {
      name: `${workers} workers: CPU a request`,
      figure: ratio,
      interval: '95 %',
      atMost: 1.05,
      unit: '× one worker',
      rounds,
    }
    if (balance === undefined) return [cost]
    const fullest: Bar = {
      name: `${workers} workers: connections of the fullest`,
      figure: balance,
      interval: '95 %',
      atMost: 1.35,
      unit: '× the mean',
      rounds,
    }
    return [cost, fullest]
  })
}

async function startWorkers(bench: Bench, peer: Peer, ports: readonly number[]): Promise<Side[]> {
  const sides: Side[] = []
  const load = { connections: bench.connections, expectBytes: BYTES }
  for (const workers of COUNTS) {
    bench.progress.doing(`${peer.name} with ${workers} workers: start`)
    const site = { ...PLAIN_SITE, connections: bench.connections, backEnds: ports, workers }
    const subject = await peer.start(bench.place, site)
    await checkAnswer(subject, load, BYTES)
    const side = { name: `${peer.name}, ${workers}`, subject, load }
    await warmUp(bench, side, bench.effort.warmUpSeconds)
    sides.push(side)
  }
  return sides
}

/** New connections in each round, counted when all of them are there. */
async function balanceOf(bench: Bench, side: Side, workers: number): Promise<number[]> {
  const { pid } = side.subject.child
  const readings: number[] = []
  for (let round = 0; round < BALANCES_A_ROUND * bench.effort.rounds; round++) {
    let over = false
    const loading = loadSide(bench, side, BALANCE_SECONDS).finally(() => {
      over = true
    })
    loading.catch(() => {}) // awaited below
    let counts: number[] = []
    while (!over && total(counts) < side.load.connections) {
      await sleep(COUNT_EVERY_MS)
      const now = connectionsByLoop(pid, side.subject.port)
      if (total(now) > total(counts)) counts = now
    }
    await loading
    // On a machine without a moment for the server nothing is seen.
    if (total(counts) > 0) readings.push(imbalance(counts, workers))
  }
  return readings
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)

const intervalOrNone = (values: readonly number[]): Spread | undefined =>
  values.length === 0 ? undefined : medianWithInterval(values)

function balanceTable(readings: readonly (readonly number[])[], connections: number): Table {
  return {
    title: `${connections} connections: those of the fullest worker over the mean`,
    columns: ['', 'median', 'lowest … highest'],
    rows: readings.flatMap((values, i) => {
      if (values.length === 0) return []
      const spread = spreadOf(values)
      return [[`${OUR_NAME}, ${COUNTS[i + 1]}`, figureText(spread.median), intervalText(spread)]]
    }),
  }
}

export const workers: Scenario = {
  name: 'workers',
  title: 'GET, proxied, 64-byte answer, with one, two and four workers',
  plannedSeconds: (bench) =>
    secondsOf(plan(bench), 6) +
    6 * bench.effort.warmUpSeconds +
    2 * BALANCE_SECONDS * BALANCES_A_ROUND * bench.effort.rounds,
  async run(given): Promise<ScenarioResult> {
    // Workers need cores of their own, and so do those who ask: nobody is bound to one.
    const bench: Bench = { ...given, place: { ...given.place, cores: ANY_CORES } }
    const backEnd = await origin(bench, [`bytes=${BYTES}`])
    const ours = await startWorkers(bench, gateway(bench.builds[0]), backEnd.ports)
    const nginx = bench.peers.find(({ name }) => name === 'nginx')
    const theirs = nginx === undefined ? [] : await startWorkers(bench, nginx, backEnd.ports)
    const sides = [...ours, ...theirs]
    const series = await interleave(bench, workers.name, sides, plan(bench))
    const readings: number[][] = []
    for (const [i, count] of COUNTS.entries()) {
      if (count > 1) readings.push(await balanceOf(bench, ours[i] as Side, count))
    }
    await endSides(
      bench.place,
      sides satisfies readonly { subject: Pick<Subject, 'child'> }[],
      backEnd,
    )
    const ourSeries = series.slice(0, COUNTS.length)
    const theirSeries = series.slice(COUNTS.length)
    const tables = [throughputTable('closed loop', series), ratioTable(ourSeries)]
    if (theirSeries.length > 0) tables.push(ratioTable(theirSeries))
    return {
      ...emptyResult(workers.name, workers.title),
      notes: ['two cores cannot show scaling by throughput: servers, load and back end share them'],
      tables: [...tables, balanceTable(readings, bench.connections)],
      costs: costsOf('CPU time a request by number of workers', series),
      phases: [{ name: 'closed loop', series }],
      bars: workerBars(ourSeries, readings.map(intervalOrNone)),
    }
  },
}
