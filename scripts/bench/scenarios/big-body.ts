/** A body of a gigabyte, down and up: how fast, and how much memory it takes. */
import { residentBytesOf } from '../accounting.js'
import { type Bar, figureText, intervalText } from '../bars.js'
import type { Bench } from '../bench.js'
import type { Load } from '../loadgen.js'
import { gateway, OUR_NAME } from '../peers/gateway.js'
import { emptyResult, type ScenarioResult, type Table } from '../result.js'
import { interleave, type Side } from '../rounds.js'
import { figuresOf, type Sample, type Series, spread } from '../sample.js'
import { PLAIN_SITE } from '../site.js'
import { pairedRatio, type Spread, spreadOf } from '../statistics.js'
import { endSides, origin, type Scenario, startSides } from './scenario.js'

const GIGABYTE = 2 ** 30
const MEGABYTE = 2 ** 20
const PART = 0.25
const BYTES = 64
const READ_EVERY_MS = 10
/** About what one transfer takes, for the plan. */
const TRANSFER_SECONDS = 1.2

const DIRECTIONS: readonly (readonly [name: string, load: (bytes: number) => Partial<Load>])[] = [
  ['down', (bytes) => ({ path: `/bytes/${bytes}`, expectBytes: bytes })],
  ['up', (bytes) => ({ method: 'PUT', bodyBytes: bytes, expectBytes: BYTES })],
]

/** Bytes of bodies a second. */
const rateOf = (sample: Sample): number => (sample.bytesIn + sample.bytesOut) / sample.seconds

/** Resident memory of a process during transfers: the most above what it was before. */
class Growth {
  readonly #pid: number
  readonly bytes: number[] = []
  #before = 0
  #most = 0
  #timer: NodeJS.Timeout | null = null

  constructor(pid: number) {
    this.#pid = pid
  }

  start(): void {
    this.#before = residentBytesOf(this.#pid)
    this.#most = this.#before
    this.#timer = setInterval(() => this.#read(), READ_EVERY_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#read()
    this.bytes.push(this.#most - this.#before)
  }

  #read(): void {
    this.#most = Math.max(this.#most, residentBytesOf(this.#pid))
  }
}

export function bigBodyBars(
  direction: string,
  ours: Series | undefined,
  nginx: Series | undefined,
  growth: Spread | null,
): Bar[] {
  const bars: Bar[] = []
  if (ours !== undefined && nginx !== undefined) {
    bars.push({
      name: `1 GB ${direction}: rate`,
      figure: pairedRatio(figuresOf(ours, rateOf), figuresOf(nginx, rateOf)),
      interval: '95 %',
      atLeast: 0.8,
      unit: '× nginx',
      rounds: ours.rounds.length,
    })
  }
  if (growth !== null) {
    bars.push({
      name: `1 GB ${direction}: memory grows by`,
      figure: growth,
      interval: 'range',
      atMost: 32,
      unit: 'MB',
      rounds: null,
    })
  }
  return bars
}

function table(direction: string, series: readonly Series[], growths: readonly Growth[]): Table {
  return {
    title: `1 GB ${direction}, one connection`,
    columns: ['', 'MB/s', 'lowest … highest', 'CPU s', 'memory grew by MB'],
    rows: series.map((each, i) => {
      const rate = spread(each, (sample) => rateOf(sample) / MEGABYTE)
      const grown = spreadOf((growths[i] as Growth).bytes.map((bytes) => bytes / MEGABYTE))
      return [
        each.name,
        figureText(rate.median),
        intervalText(rate),
        figureText(spread(each, (sample) => sample.cpuSeconds).median),
        `${figureText(grown.median)} (${intervalText(grown)})`,
      ]
    }),
  }
}

const roundsOf = ({ effort }: Bench): number => (effort.quick ? effort.roundsBeside : effort.rounds)

export const bigBody: Scenario = {
  name: 'big-body',
  title: 'bodies of 1 GB, proxied, on one connection',
  plannedSeconds: (bench) =>
    2 * 2 * (roundsOf(bench) + 1) * TRANSFER_SECONDS + 2 * bench.effort.warmUpSeconds,
  run: (bench) => run(bench),
}

async function run(bench: Bench): Promise<ScenarioResult> {
  const backEnd = await origin(bench, [`bytes=${BYTES}`])
  const nginx = bench.peers.filter(({ name }) => name === 'nginx')
  const { sides, notes } = await startSides(bench, {
    peers: [...nginx, gateway(bench.builds[0])],
    site: {
      ...PLAIN_SITE,
      connections: bench.connections,
      bigBodies: true,
      backEnds: backEnd.ports,
    },
    load: { connections: bench.connections, expectBytes: BYTES },
    answerBytes: BYTES,
  })
  const result = emptyResult(bigBody.name, bigBody.title)
  const tables: Table[] = []
  const bars: Bar[] = []
  const phases: { name: string; series: readonly Series[] }[] = []
  for (const [direction, load] of DIRECTIONS) {
    // A quarter first: what is loaded and grown once by any large body is not this one's.
    const transfer = (bytes: number): Load => ({
      connections: 1,
      requests: 1,
      timeoutSeconds: 60,
      ...load(bytes),
    })
    const plan = { count: 1, slices: 1, seconds: TRANSFER_SECONDS }
    const parts = sides.map((side) => ({ ...side, load: transfer(GIGABYTE * PART) }))
    await interleave(bench, `warm-up ${direction}`, parts, plan)
    const growths = sides.map((side) => new Growth(side.subject.child.pid))
    const whole = sides.map(
      (side, i): Side => ({
        ...side,
        load: transfer(GIGABYTE),
        before: () => growths[i]?.start(),
        after: () => growths[i]?.stop(),
      }),
    )
    const series = await interleave(bench, `1 GB ${direction}`, whole, {
      ...plan,
      count: bench.effort.rounds,
    })
    const of = (name: string): Series | undefined => series.find((each) => each.name === name)
    const grown = growths[sides.findIndex(({ name }) => name === OUR_NAME)]
    const growth = grown === undefined ? null : spreadOf(grown.bytes.map((b) => b / MEGABYTE))
    tables.push(table(direction, series, growths))
    bars.push(...bigBodyBars(direction, of(OUR_NAME), of('nginx'), growth))
    phases.push({ name: direction, series })
  }
  await endSides(bench.place, sides, backEnd)
  return { ...result, notes, tables, bars, phases }
}
