/** Whether clients of other gateways notice that their configuration changes. */
import { figureText } from '../bars.js'
import type { Bench } from '../bench.js'
import { CHANGES_PER_SECOND, type Changer, changerOf } from '../changer.js'
import type { Load } from '../loadgen.js'
import type { Phase, Table } from '../result.js'
import { interleave, load as loadSide, type Rounds, type Side } from '../rounds.js'
import { perSecond, type Sample, type Series, sampleOf, spread } from '../sample.js'
import type { Site } from '../site.js'
import { oneByOne, rounds, secondsOf } from './scenario.js'

/** Of what it can serve. */
const SHARE = 0.5

export interface Changed {
  /** Requests a second that were due. */
  readonly rate: number
  readonly series: readonly [without: Series, changing: Series]
}

/** The same load without changes and with them, in turn. */
export async function measureChanges(
  bench: Bench,
  side: Side,
  changer: Changer,
  plan: Rounds,
): Promise<Changed> {
  const most = perSecond(sampleOf([await loadSide(bench, side, bench.effort.sliceSeconds)]))
  const rate = Math.round(most * SHARE)
  const load = { ...side.load, rate }
  const sides: Side[] = [
    { ...side, name: 'without', load },
    {
      ...side,
      name: `${CHANGES_PER_SECOND} changes a second`,
      load,
      before: () => changer.start(plan.seconds),
      after: () => changer.stop(),
    },
  ]
  const [without, changing] = await interleave(bench, `changes of ${side.name}`, sides, plan)
  return { rate, series: [without as Series, changing as Series] }
}

export interface Beside {
  readonly notes: readonly string[]
  readonly rows: readonly string[][]
  readonly phases: readonly Phase[]
}

/** Seconds, roughly. */
export const plannedBeside = (bench: Bench): number =>
  bench.peers.length * (secondsOf(rounds(bench), 2) + bench.effort.warmUpSeconds / 3 + 1)

/** Each at a rate of its own. */
export async function besideOthers(bench: Bench, site: Site, load: Load): Promise<Beside> {
  const asked = { site, load: { ...load, toleratesErrors: true } }
  const { notes, measured } = await oneByOne(bench, bench.peers, asked, async (side) => {
    const { changing } = side.subject
    if (changing === undefined) return 'the bench has no way to change it while it runs'
    const changed = await measureChanges(bench, side, changerOf(bench, changing), rounds(bench))
    return { name: side.name, changed }
  })
  return {
    notes,
    rows: measured.map(({ name, changed }) => changesRow(name, changed)),
    phases: measured.map(({ name, changed }) => {
      return { name: `${name}, changes`, series: [...changed.series] }
    }),
  }
}

const p99 = (sample: Sample): number => sample.latency.p99
const wrong = ({ rounds: samples }: Series): number =>
  samples.reduce((sum, { requests, ok }) => sum + requests - ok, 0)

/** A line of {@link besideTable}. */
export function changesRow(name: string, { rate, series: [without, changing] }: Changed): string[] {
  const quiet = spread(without, p99).median
  const disturbed = spread(changing, p99).median
  return [
    name,
    String(rate),
    figureText(quiet),
    figureText(disturbed),
    (disturbed / quiet).toFixed(2),
    `${wrong(without)}, ${wrong(changing)}`,
  ]
}

export const besideTable = (rows: readonly string[][]): Table => ({
  title: 'beside others, each at half of what it can serve: p99 of a round in ms, median',
  columns: ['', 'requests/s', 'without', 'with changes', 'ratio', 'not answered rightly'],
  rows: [...rows],
})
